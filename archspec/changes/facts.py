"""How two corresponding parts differ, apart from what is inside them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, NamedTuple

from archspec.changes.digest import edges, name_of
from archspec.changes.initial import initialised_alike
from archspec.changes.layer import Layer, sources
from archspec.ir.equality import same
from archspec.ir.module import Module, Ref, Step
from archspec.ops.base import Op
from archspec.ops.shapes import Shape

Facts = Mapping[str, tuple[Any, Any]]
"""The properties that differ, by name: the values in the first network and in the second."""

Agree = Callable[[Ref, Ref], bool]
"""Tells whether two references, one in each of two modules, refer to corresponding values."""

COMPARED: Final = (
    "name",
    "type",
    "input_shapes",
    "output_shape",
    "train_only",
    "is_module",
    "params",
    "buffers",
    "macs",
)


class Sides(NamedTuple):
    """Two modules, and the numbers of their corresponding steps."""

    left: Module
    right: Module
    pairs: Mapping[int, int]
    alike: frozenset[int] = frozenset()
    """The steps of `left` that are equal to their partners, except for what they read."""

    def sources(self) -> Agree:
        """A function that tells whether two references refer to corresponding values.

        A reference to an added or removed step is followed to that step's input, since the step is a change of its own.
        """
        pairs = self.pairs
        lefts = _followed(self.left, pairs)
        rights = _followed(self.right, set(pairs.values()))

        def agree(one: Ref, other: Ref) -> bool:
            first, second = _place(lefts, one), _place(rights, other)
            direct = first is one and second is other
            return pairs.get(first.step, first.step) == second.step and (not direct or one.part == other.part)

        return agree


def _followed(module: Module, kept: Any) -> list[Ref]:
    """For each step its value; for one that is not kept, the value of its first input."""
    found: list[Ref] = []
    for number, step in enumerate(module.steps):
        here = Ref(number)
        found.append(here if number in kept or not step.inputs else _place(found, step.inputs[0]))
    return found


def _place(found: Sequence[Ref], ref: Ref) -> Ref:
    place = ref if ref.step < 0 else found[ref.step]
    return ref if place.step == ref.step else place


def facts_of_layers(one: Layer, other: Layer) -> Facts:
    """The differences of two layers, apart from how they are connected."""
    found = {name: (getattr(one, name), getattr(other, name)) for name in COMPARED}
    return {name: values for name, values in found.items() if not same(*values)}


def facts_of_steps(sides: Sides, one: Step, other: Step, agree: Agree) -> Facts:
    """The differences in how two steps are connected and registered."""
    facts: dict[str, tuple[Any, Any]] = {}
    if one.inplace != other.inplace:
        facts["inplace"] = (one.inplace, other.inplace)
    if not _reads_same(one, other, agree):
        facts["from"] = (sources(sides.left, one.inputs), sources(sides.right, other.inputs))
    return {**facts, **_called(sides, one, other)}


def reads_alike(sides: Sides, one: Step, other: Step, agree: Agree) -> bool:
    """Whether two steps read corresponding values and, if they are calls, run corresponding modules."""
    return _reads_same(one, other, agree) and not _called(sides, one, other)


def _reads_same(one: Step, other: Step, agree: Agree) -> bool:
    lefts, rights = edges(one), edges(other)
    return len(lefts) == len(rights) and all(map(agree, lefts, rights))


def _called(sides: Sides, one: Step, other: Step) -> Facts:
    """The difference of two steps in what they call; empty if they call corresponding modules."""
    if not isinstance(one.target, int) or not isinstance(other.target, int):
        return {}
    if sides.pairs.get(one.target) == other.target:
        return {}
    return {"calls": (name_of(sides.left.owner(one)), name_of(sides.right.owner(other)))}


def fields_of_ops(left: tuple[Any, Sequence[Shape]], right: tuple[Any, Sequence[Shape]]) -> Facts:
    """The fields in which two ops of one kind differ, each with the shapes of its inputs, unless both forms mean the
    same; the value of an absent field is `None`."""
    (one, lefts), (other, rights) = left, right
    if not isinstance(one, Op) or type(one) is not type(other):
        return {}
    meant = one.computed_fields(*lefts), other.computed_fields(*rights)
    if same(*meant):
        return {}
    given = one.all_fields(), other.all_fields()
    both = {name: (given[0].get(name), given[1].get(name)) for name in {**given[0], **given[1]}}
    alike = {name for name in meant[0].keys() & meant[1].keys() if same(meant[0][name], meant[1][name])}
    return {name: values for name, values in both.items() if name not in alike and not same(*values)}


def facts_of_modules(sides: Sides, agree: Agree) -> dict[str, tuple[Any, Any]]:
    """The differences of two modules other than those of their steps: initialisation, order, and outputs."""
    left, right = sides.left, sides.right
    rules = tuple(tuple((rule.op, rule.path, rule.parameters) for rule in module.init) for module in (left, right))
    facts: dict[str, tuple[Any, Any]] = {}
    if not same(*rules) and not initialised_alike(left, right):
        facts["init"] = (_rules(left), _rules(right))
    if not agree(left.result, right.result):
        facts["returns"] = (sources(left, [left.result]), sources(right, [right.result]))
    for name, order in (("order", _in_order), ("key_order", _registered)):
        lefts = [number for number in order(left) if number in sides.pairs]
        reached = {*sides.pairs.values()}
        rights = [number for number in order(right) if number in reached]
        if [sides.pairs[number] for number in lefts] != rights:
            facts[name] = (_names(left, lefts), _names(right, rights))
    return facts


def _in_order(module: Module) -> Sequence[int]:
    """The steps whose order has an effect: functions only compute values, unless they draw random numbers."""
    return [number for number, step in enumerate(module.steps) if not _only_computes(step)]


def _only_computes(step: Step) -> bool:
    op = step.target
    return isinstance(op, Op) and not op.idle and (step.name is None or op.raw)


def _registered(module: Module) -> Sequence[int]:
    """The steps with tensors, in the order of their keys."""
    numbers = {id(step): number for number, step in enumerate(module.steps)}
    return [numbers[id(step)] for step in module.registered
            if module.count(step, "params") or module.count(step, "buffers")]  # fmt: skip


def _names(module: Module, numbers: Sequence[int]) -> list[str]:
    return [name_of(module.steps[number]) for number in numbers]


def _rules(module: Module) -> list[dict[str, Any]]:
    return [{"op": rule.op, "path": rule.path, **rule.parameters} for rule in module.init]
