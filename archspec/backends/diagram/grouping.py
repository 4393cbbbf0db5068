"""Which steps of a module share a box, and which consecutive boxes are drawn once with ×N."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Final

from archspec.backends.op_labels import phrase
from archspec.backends.theme import FAILED, LIGHT
from archspec.diagnostics.budget import spend
from archspec.ir.module import Module, Ref, Step
from archspec.ops.base import Op
from archspec.ops.collect import Collect
from archspec.ops.shapes import Shape

HEAVY: Final = frozenset({"convolution", "linear"})


@dataclass(frozen=True)
class Unit:
    """Steps that share a box, as numbers in their module, and the phrases in the box."""

    steps: tuple[int, ...]
    roles: tuple[str, ...]
    phrases: tuple[str, ...]
    head: int
    """The step the box is named after: the first convolution or linear layer, if there is one."""
    body: Module | None = None
    """The module it runs, unless that is a plain chain of ops."""
    opened: bool = False

    @property
    def role(self) -> str:
        """The kind of op that gives the box its colour."""
        return next((role for role in self.roles if role not in LIGHT), self.roles[0])

    @property
    def is_light(self) -> bool:
        """Whether it only refines the output of the unit before it."""
        return LIGHT.issuperset(self.roles)

    def then(self, other: Unit) -> Unit:
        """This unit and the next in one box."""
        head = other.head if self.is_light and not other.is_light else self.head
        return replace(self, steps=self.steps + other.steps, roles=self.roles + other.roles,
                       phrases=self.phrases + other.phrases, head=head)  # fmt: skip


def units_of(module: Module, kept: frozenset[int], opens: Callable[[Module], bool]) -> list[Unit]:
    """The steps of a module as units; an op and the ops that refine its output (norm, activation) are one unit."""
    readers = _readers(module, kept)
    units: list[Unit] = []
    for number, step in enumerate(module.steps):
        if isinstance(step.target, Collect):  # edges leave from the boxes that produce the values
            continue
        unit = _unit(module, number, opens)
        if units and _follows(module, units[-1], unit, readers) and _joins(units[-1], unit):
            unit = units.pop().then(unit)
        elif units and _is_round(module, units[-1], unit):
            unit = replace(unit, steps=units.pop().steps + unit.steps, opened=False)
        units.append(unit)
    return units


def _is_round(module: Module, before: Unit, unit: Unit) -> bool:
    """Whether a `cat` and the block that reads it are one round of a loop, as in a dense block: they are one box."""
    cat, step = module.steps[before.steps[-1]], module.steps[unit.steps[0]]
    together = cat.place[:-1] == step.place[:-1] and bool(cat.indices) and cat.indices == step.indices
    is_cat = isinstance(cat.target, Op) and cat.target.concatenates and len(before.steps) == 1
    return is_cat and together and unit.body is not None and step.inputs == (Ref(before.steps[-1]),)


def _grows(module: Module, before: Unit, unit: Unit) -> bool:
    """Whether two units are rounds of a loop, where the second reads the inputs and the output of the first."""
    if before.body is None or unit.body is None or len(before.steps) != 2 or len(unit.steps) != 2:
        return False
    like = (before.body.definition, before.body.output) == (unit.body.definition, unit.body.output)
    (first, last), cat = before.steps, module.steps[unit.steps[0]]
    return like and cat.inputs == (*module.steps[first].inputs, Ref(last))


def _readers(module: Module, kept: frozenset[int]) -> Counter[int]:
    """How often each step's value is read; a value that leaves the module counts as read once more."""
    readers = Counter(ref.step for step in module.steps for ref in step.inputs)
    readers.update({module.result.step, *kept})
    return readers


def _unit(module: Module, number: int, opens: Callable[[Module], bool]) -> Unit:
    step, target = module.steps[number], module.runs(module.steps[number])
    if step.failure and isinstance(step.target, Module):
        return Unit((number,), ("block",), (), number, step.target, True)
    if step.failure:
        what = phrase(target, module.shapes(step)) if isinstance(target, Op) else target.definition or "Sequential"
        return Unit((number,), (FAILED,), (what,), number)
    parts = _chain(target, module.shapes(step))
    if isinstance(step.target, int) and (parts is None or not LIGHT.issuperset(role for role, _ in parts)):
        return Unit((number,), ("call",), _again(module, step.target), number)
    if parts is not None:
        roles, phrases = zip(*parts, strict=True)
        return Unit((number,), roles, phrases, number)
    assert isinstance(target, Module)
    return Unit((number,), ("block",), (), number, target, _holds_boxes(target) and opens(target))


def _holds_boxes(module: Module) -> bool:
    """Whether a module contains boxes; one that only returns its inputs does not."""
    return any(not isinstance(step.target, Collect) for step in module.steps)


def _again(module: Module, number: int) -> tuple[str, ...]:
    return (f"{module.steps[number].name} again",)


def _follows(module: Module, before: Unit, unit: Unit, readers: Counter[int]) -> bool:
    """Whether a unit reads the one before it and nothing else, and is its only reader."""
    last, first = before.steps[-1], module.steps[unit.steps[0]]
    return first.inputs == (Ref(last),) and readers[last] == 1 and first.train_only == module.steps[last].train_only


def _joins(before: Unit, unit: Unit) -> bool:
    """Whether two units in a row are one box: an op and what refines its output, or what prepares its input."""
    if before.body is not None or unit.body is not None or "call" in (*before.roles, *unit.roles):
        return False
    if unit.is_light:
        return not set(unit.roles) & set(before.roles)
    return before.is_light and unit.role in HEAVY


MAX_CHAIN: Final = 12
"""The most ops of a module that are listed in one box; a longer chain is a box with the module's name."""

OP: Final = 15
"""Steps of the budget that describing an op costs."""


def _chain(target: Op | Module, shapes: tuple[Shape, ...]) -> list[tuple[str, str]] | None:
    """Role and phrase of each op of a plain chain that fits one box; `None` for anything else."""
    spend(OP)
    if isinstance(target, Op):
        return [(target.role, phrase(target, shapes))]
    found: list[tuple[str, str]] = []
    for number, step in enumerate(target.steps):
        parts = _chain(target.runs(step), target.shapes(step))
        if step.inputs != (Ref(number - 1),) or parts is None or step.train_only:
            return None
        found += parts
        if len(found) > MAX_CHAIN:
            return None
    roles = [role for role, _ in found]
    rest = roles[next((i for i, role in enumerate(roles) if role not in LIGHT), 0) + 1 :]
    in_line = target.result == Ref(len(target.steps) - 1) and len(target.inputs) == 1
    return found if found and in_line and LIGHT.issuperset(rest) else None


def runs(module: Module, units: list[Unit], kept: frozenset[int]) -> Iterator[list[Unit]]:
    """The units, with consecutive equal ones grouped."""
    readers = _readers(module, kept)
    run: list[Unit] = []
    for unit in units:
        if run and not _repeats(module, run[-1], unit, readers):
            yield run
            run = []
        run.append(unit)
    if run:
        yield run


def _repeats(module: Module, before: Unit, unit: Unit, readers: Counter[int]) -> bool:
    if module.steps[unit.steps[0]].failure:
        return False
    return _grows(module, before, unit) or (_follows(module, before, unit, readers) and _same(module, before, unit))


def _same(module: Module, left: Unit, right: Unit) -> bool:
    """Whether two units have the same text, shapes and parameters."""
    steps = [[module.steps[number] for number in unit.steps] for unit in (left, right)]
    like = len(left.steps) == len(right.steps) and all(map(_is_like, *steps))
    shapes = [[(module.shapes(step), step.output) for step in side] for side in steps]
    return like and left.phrases == right.phrases and shapes[0] == shapes[1]


def _is_like(left: Step, right: Step) -> bool:
    """Whether two steps run similar modules or ops, or the same one again."""
    one, other = left.target, right.target
    if isinstance(one, Module) and isinstance(other, Module):
        return one.is_like(other)
    return one.is_like(other) if isinstance(one, Op) and isinstance(other, Op) else one == other
