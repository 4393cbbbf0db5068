"""When two modules are the same: the same sub-modules under the same names, of the same shapes, connected alike.

Where a layer stands in its spec, and the expressions behind its numbers, make no difference: a family's spec, its
expansion, and the graph for code generation are one network.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from archspec.expressions.sizes import is_whole
from archspec.ir.module import Module, Step
from archspec.ops.base import Op


def same_modules(left: Module, right: Module) -> bool:
    """Whether two modules are the same, but for the places of items in the spec and the expressions of numbers.

    >>> import archspec
    >>> same_modules(archspec.compile("lenet").root, archspec.compile(archspec.expand("lenet")).root)
    True
    """
    return _Comparison().modules(left, right)


class _Comparison:
    """Compares modules; each pair is compared once, however often the modules are used."""

    def __init__(self) -> None:
        self.known: dict[tuple[int, int], bool] = {}

    def modules(self, left: Module, right: Module) -> bool:
        """Whether two modules are the same."""
        pair = (id(left), id(right))
        if left is not right and pair not in self.known:
            heads = same(of_module(left), of_module(right))
            self.known[pair] = heads and all(map(self.steps, left.whole.steps, right.whole.steps))
        return left is right or self.known[pair]

    def steps(self, left: Step, right: Step) -> bool:
        """Whether two steps are the same."""
        one, other = left.target, right.target
        if isinstance(one, Op | int) or isinstance(other, Op | int):
            return same(one, other) and same(of_step(left), of_step(right))
        return same(of_step(left), of_step(right)) and self.modules(one, other)


def of_module(module: Module) -> tuple[Any, ...]:
    """The properties of a module, other than its steps, that must be equal."""
    rules = tuple((rule.op, rule.path, rule.parameters) for rule in module.init)
    orders = (module.registration, module.construction)
    return (module.definition, module.inputs, module.result, orders, len(module.steps), len(module.dropped), rules)


def of_step(step: Step) -> tuple[Any, ...]:
    """The properties of a step, other than its target, that must be equal."""
    return (step.inputs, step.output, step.name, step.label, step.train_only, step.inplace, step.failure)


def same(left: Any, right: Any) -> bool:
    """Whether two values are equal and of one type: 1, 1.0 and true differ, and so do shapes of different layouts."""
    if left is right:
        return True
    if _type(left) is not _type(right):
        return False
    if isinstance(left, tuple | list):
        return len(left) == len(right) and all(map(same, left, right))
    if isinstance(left, Mapping):
        return left.keys() == right.keys() and all(same(value, right[name]) for name, value in left.items())
    if isinstance(left, Op):
        return same(dict(left), dict(right))
    return bool(left == right)


def _type(value: Any) -> type:
    """A value's type; a `Dim` counts as an int like any other."""
    return int if is_whole(value) else type(value)
