"""Traces each `forward` by running it on symbolic values."""

from __future__ import annotations

import ast
from typing import Any

from archspec.backends.python.validator.environment import Environment
from archspec.backends.python.validator.errors import Errors
from archspec.backends.python.validator.expressions import whole
from archspec.backends.python.validator.modules import Run
from archspec.backends.python.validator.values import Container, Record, Returned, SymbolicValue, Trace


class Forwards:
    """Traces the `forward` of modules: once for training and once for evaluation for all of which it sees the same."""

    def __init__(self, errors: Errors, run: Run) -> None:
        self.errors = errors
        self.run = run
        self.traces: dict[Any, Trace] = {}

    def trace(self, module: Container, training: bool, inputs: int) -> Trace:
        """The trace of a module's `forward`, with `inputs` inputs if it takes any number of them."""
        found = module.traces.get((training, inputs))
        if found is None:
            found = _chain(module) if module.is_sequential else self._shared(module, training, inputs)
            module.traces[training, inputs] = found
            if not found.depends_on_mode:
                module.traces[not training, inputs] = found
        return found

    def _shared(self, module: Container, training: bool, inputs: int) -> Trace:
        """The trace of a module, which is that of any other in which its `forward` sees the same."""
        key = (module.kind, training, inputs, module.seen_by_forward)
        if key not in self.traces:
            self.traces[key] = self._traced(module, training, inputs)
        return self.traces[key]

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
        env.trace.returned = self._returned(env.returned, node, env)
        return env.trace

    def _returned(self, value: Any, node: ast.AST, env: Environment) -> Returned:
        """The result of a `forward`: a tensor, or several in a tuple, list, mapping or named tuple.

        A tuple of all parts of one value is that value, unless it has a single part.
        """
        if isinstance(value, SymbolicValue):
            return Returned("", (), (value,))
        if isinstance(value, tuple) and len(value) == 2 and isinstance(value[0], Record):
            kind, names, values = value[0].name, value[0].fields, value[1]
        elif isinstance(value, dict):
            kind, names, values = "dict", tuple(value), tuple(value.values())
        elif isinstance(value, tuple | list):
            kind, names, values = type(value).__name__, (), tuple(value)
        else:
            raise self.errors.at(node, "forward returns no tensor")
        if not values or not all(isinstance(part, SymbolicValue) for part in values):
            raise self.errors.at(node, "forward returns something other than tensors")
        same = whole(self.errors, values, node, env) if kind == "tuple" and len(values) > 1 else None
        return Returned(kind, names, values) if same is None else Returned("", (), (same,))


def _chain(module: Container) -> Trace:
    """The `forward` of `nn.Sequential`."""
    trace, value = Trace(1, []), SymbolicValue(-1)
    for name in module.modules:
        value = trace.run_module(module.line, name, [value])
    trace.returned = Returned("", (), (value,))
    return trace
