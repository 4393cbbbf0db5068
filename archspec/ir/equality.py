"""When two graphs are the same network: the same modules under the same names, of the same shapes, joined alike.

Where a layer stands in its spec, and the expressions behind its numbers, make no difference: a family's spec, its
expansion, and the graph for code generation are one network.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from archspec.ops.base import Op

if TYPE_CHECKING:
    from archspec.ir.graph import Graph, Module, Step


def same_network(left: Graph, right: Graph) -> bool:
    """Whether two graphs are the same but for their specs.

    >>> import archspec
    >>> same_network(archspec.compile("lenet"), archspec.compile(archspec.expand("lenet")))
    True
    """
    return _same(_of_graph(left), _of_graph(right)) and _Comparison().modules(left.root, right.root)


class _Comparison:
    """Compares modules; what was compared is known, so that a module that is used often is compared once."""

    def __init__(self) -> None:
        self.known: dict[tuple[int, int], bool] = {}

    def modules(self, left: Module, right: Module) -> bool:
        """Whether two modules are the same."""
        pair = (id(left), id(right))
        if left is not right and pair not in self.known:
            heads = _same(_of_module(left), _of_module(right)) and len(left.steps) == len(right.steps)
            self.known[pair] = heads and all(map(self.steps, left.steps, right.steps))
        return left is right or self.known[pair]

    def steps(self, left: Step, right: Step) -> bool:
        """Whether two steps are the same."""
        one, other = left.target, right.target
        if isinstance(one, Op | int) or isinstance(other, Op | int):
            return _same(one, other) and _same(_of_step(left), _of_step(right))
        return _same(_of_step(left), _of_step(right)) and self.modules(one, other)


def _of_graph(graph: Graph) -> tuple[Any, ...]:
    outputs = None if graph.outputs is None else (graph.outputs.type, *graph.outputs.fields.items())
    return (graph.name, graph.class_name, graph.description, graph.reference, outputs, graph.features)


def _of_module(module: Module) -> tuple[Any, ...]:
    rules = tuple((rule.op, rule.path, rule.parameters) for rule in module.init)
    return (module.definition, module.inputs, module.result, module.registration, rules)


def _of_step(step: Step) -> tuple[Any, ...]:
    return (step.inputs, step.output, step.name, step.label, step.train_only, step.inplace, step.failure)


def _same(left: Any, right: Any) -> bool:
    """Whether two values are equal and of one type: 1, 1.0 and true differ, and so do shapes of different layouts."""
    if left is right:
        return True
    if _type(left) is not _type(right):
        return False
    if isinstance(left, tuple | list):
        return len(left) == len(right) and all(map(_same, left, right))
    if isinstance(left, Mapping):
        return left.keys() == right.keys() and all(_same(value, right[name]) for name, value in left.items())
    if isinstance(left, Op):
        return _same(dict(left), dict(right))
    return bool(left == right)


def _type(value: Any) -> type:
    """A value's type; a number that knows the expression behind it is an int like any other."""
    return int if isinstance(value, int) and not isinstance(value, bool) else type(value)
