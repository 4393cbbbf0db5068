"""What each `forward` does, as the trace of a run on symbolic values."""

from __future__ import annotations

import ast
from typing import Any

from archspec.backends.python.validator.environment import Environment
from archspec.backends.python.validator.errors import Errors
from archspec.backends.python.validator.expressions import whole
from archspec.backends.python.validator.modules import Run
from archspec.backends.python.validator.values import Container, Record, SymbolicValue, Trace


class Forwards:
    """Traces the `forward` of modules, each once for training and once for evaluation."""

    def __init__(self, errors: Errors, run: Run) -> None:
        self.errors = errors
        self.run = run

    def trace(self, module: Container, training: bool, inputs: int) -> Trace:
        """What a module's `forward` does with so many inputs, if it takes any number; else with those it has."""
        found = module.traces.get((training, inputs))
        if found is None:
            found = _chain(module) if module.is_sequential else self._traced(module, training, inputs)
            module.traces[training, inputs] = found
            if not found.depends_on_mode:
                module.traces[not training, inputs] = found
        return found

    def _traced(self, module: Container, training: bool, count: int) -> Trace:
        """Run a `forward` on symbolic tensors."""
        assert module.kind is not None
        forward = module.kind.forward
        if forward is None:
            raise self.errors.at(module.kind.init.node, f"class {module.kind.name} has no forward")
        inputs, node = forward.names(), forward.node
        if node.args.defaults:
            raise self.errors.at(node, "an input of forward has a default")
        values: dict[str, Any] = {name: SymbolicValue(-1 - number) for number, name in enumerate(inputs)}
        if forward.rest is None:
            count = len(inputs)
        else:
            values[forward.rest] = tuple(SymbolicValue(-1 - number) for number in range(len(inputs), count))
        env = Environment(values, forward.assigned, module)
        env.trace, env.mode = Trace(count, []), training
        self.run(node.body, env)
        self._finish(env.trace, env.returned, node, env)
        return env.trace

    def _finish(self, trace: Trace, returned: Any, node: ast.AST, env: Environment) -> None:
        """Record what a `forward` returns: a tensor, several, a named tuple, or a mapping."""
        if isinstance(returned, tuple) and len(returned) == 2 and isinstance(returned[0], Record):
            trace.record = returned
            return
        if isinstance(returned, dict):
            trace.names, values = tuple(returned), tuple(returned.values())
            if not values or not all(isinstance(value, SymbolicValue) for value in values):
                raise self.errors.at(node, "forward returns a mapping of something other than tensors")
            trace.result = trace.run_function(getattr(node, "lineno", 0), "collect", [values])
        else:
            trace.result = self._value(trace, returned, node, env)

    def _value(self, trace: Trace, value: Any, node: ast.AST, env: Environment) -> SymbolicValue:
        """A value of `forward`; a tuple of several is one value, too."""
        if isinstance(value, SymbolicValue):
            return value
        if not isinstance(value, tuple) or not value or not all(isinstance(part, SymbolicValue) for part in value):
            raise self.errors.at(node, "forward returns no tensor")
        return whole(self.errors, value, node, env) or trace.run_function(
            getattr(node, "lineno", 0), "collect", [value]
        )


def _chain(module: Container) -> Trace:
    """The `forward` of `nn.Sequential`."""
    trace, value = Trace(1, []), SymbolicValue(-1)
    for name in module.modules:
        value = trace.run_module(module.line, name, [value])
    trace.result = value
    return trace
