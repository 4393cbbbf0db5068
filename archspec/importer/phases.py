"""Strided slices that together are a whole value, joined along another dimension: one `rearrange`, as a person would
write how patches are merged."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import permutations, product
from math import prod
from typing import Any, NamedTuple

from archspec.importer.layout import Axis, Group, View
from archspec.importer.patterns import arranging
from archspec.importer.trace import Call, Scope, Value


class Phase(NamedTuple):
    """Every `steps[dim]`-th position of some dimensions of a value, from `starts[dim]` on."""

    value: Value
    starts: dict[int, int]
    steps: dict[int, int]


def with_patches(root: Scope) -> None:
    """Write such joins as one op each; slices that nothing else reads are left out."""
    for scope in root.scopes():
        makers = {step.outputs[0]: step for step in scope.steps if isinstance(step, Call) and step.op == "slice"}
        for place, step in enumerate(scope.steps):
            if isinstance(step, Call) and step.op == "cat":
                scope.steps[place] = _merged(step, makers) or step
    root.drop(lambda call: call.op == "slice")


def _merged(call: Call, makers: Mapping[Value, Call]) -> Call | None:
    """The op that a join is; `None` if it does not join all phases of one value."""
    phases = [_phase(value, makers) for value in call.inputs]
    value, _, steps = phases[0]
    first = int(value.is_batched)
    dim = _counted(call.fields.get("dim", 1), value)
    if any(phase.value is not value or phase.steps != steps for phase in phases) or not steps or dim in steps:
        return None
    order = _order([phase.starts for phase in phases], steps)
    if order is None or any(value.sizes[place - first] % step for place, step in steps.items()):
        return None
    op, fields = _op(value, [place - first for place in order], [steps[place] for place in order], dim - first)
    return Call(op, fields, [value], call.outputs, where=call.where, train_only=call.train_only)


def _phase(value: Value, makers: Mapping[Value, Call]) -> Phase:
    """A value as a phase of one that is no strided slice."""
    starts: dict[int, int] = {}
    steps: dict[int, int] = {}
    while (call := makers.get(value)) is not None:
        dim, step = _counted(call.fields.get("dim", 1), call.inputs[0]), call.fields.get("step", 1)
        start = call.fields.get("start", 0)
        if dim in steps or not 0 <= start < step or call.fields.get("stop") is not None:
            break
        starts[dim], steps[dim], value = start, step, call.inputs[0]
    return Phase(value, starts, steps)


def _counted(dim: int, value: Value) -> int:
    return int(dim) % (len(value.sizes) + value.is_batched)


def _order(found: Sequence[Mapping[int, int]], steps: Mapping[int, int]) -> tuple[int, ...] | None:
    """The dimensions from the one whose phases change slowest; `None` if not all are there, or in no such order."""
    if len(found) != prod(steps.values()):
        return None
    for order in permutations(steps):
        every = product(*(range(steps[dim]) for dim in order))
        if all(tuple(starts[dim] for dim in order) == phase for starts, phase in zip(found, every, strict=True)):
            return order
    return None


def _op(value: Value, dims: Sequence[int], steps: Sequence[int], joined: int) -> tuple[str, dict[str, Any]]:
    """The op that moves the phases of `dims` before the dimension `joined`."""
    inner = [Axis(step) for step in steps]
    source: list[Group] = [(Axis(size),) for size in value.sizes]
    wanted = list(source)
    for dim, step, axis in zip(dims, steps, inner, strict=True):
        outer = Axis(value.sizes[dim] // step)
        source[dim], wanted[dim] = (outer, axis), (outer,)
    wanted[joined] = (*inner, *source[joined])
    return arranging(View(value, tuple(source), ()), tuple(wanted), eager=False)
