"""Measures a module: its layers as the static analysis describes them, and the receptive fields of its values.

A module is measured once for each set of receptive fields of its inputs, wherever it is used.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, NamedTuple

from archspec.ir.layer import HERE, MAX_KNOWN, Inner, Leaf, Parts, add_run, flat
from archspec.ir.module import Module, Ref, Step
from archspec.ir.receptive_field import ReceptiveFields, compose, has_usual_axes, own_field, own_field_along, propagate
from archspec.ops.base import Op
from archspec.ops.shapes import Shape, count, numel

Measured = tuple[Parts, ReceptiveFields]
"""A module's layers and sub-modules, and the receptive field of its result."""

_OWN: Final = "own"
"""The key of what was measured on the module's own inputs."""


def measured(module: Module) -> Measured:
    """The leaf modules and sub-modules in the order they first run, and the receptive field of the result."""
    found: Measured | None = module.measurements.get(_OWN)
    if found is None:
        found = module.measurements[_OWN] = measured_from(module, tuple(own_field(shape) for shape in module.inputs))
    return found


def measured_from(module: Module, starts: tuple[ReceptiveFields, ...]) -> Measured:
    """The same, for inputs whose receptive fields are `starts`."""
    if any(isinstance(start, list) for start in starts):
        return _measured(module, starts)
    known: dict[Any, Measured] = module.measurements
    if starts not in known:
        if len(known) >= MAX_KNOWN:
            known.clear()
        known[starts] = _measured(module, starts)
    return known[starts]


class _Run(NamedTuple):
    """A run of a sub-module: how it was measured."""

    parts: Parts
    before: ReceptiveFields
    """The receptive field of the input that the parts are measured on; `HERE` if it is the enclosing module's."""
    result: ReceptiveFields
    """The receptive field of its output, on the input of the enclosing module."""


def follow(module: Module, starts: Sequence[ReceptiveFields]) -> list[tuple[list[ReceptiveFields], ReceptiveFields]]:
    """The receptive fields of each step's inputs and of its output, if those of the module's inputs are `starts`."""
    return [(arrived, _field(run)) for arrived, run in _runs(module, starts)]


def _runs(
    module: Module, starts: Sequence[ReceptiveFields]
) -> list[tuple[list[ReceptiveFields], _Run | ReceptiveFields]]:  # fmt: skip
    """The receptive fields of each step's inputs, with the run of a sub-module or the receptive field of an op's
    output."""
    found: list[tuple[list[ReceptiveFields], _Run | ReceptiveFields]] = []
    for step in module.steps:
        arrived = [_read(found, starts, ref) for ref in step.inputs]
        target = module.runs(step)
        if isinstance(target, Module):
            found.append((arrived, _run(target, arrived)))
        else:
            found.append((arrived, propagate(target, module.shapes(step), arrived)))
    return found


def _field(run: _Run | ReceptiveFields) -> ReceptiveFields:
    return run.result if isinstance(run, _Run) else run


def _read(
    found: Sequence[tuple[list[ReceptiveFields], _Run | ReceptiveFields]], starts: Sequence[ReceptiveFields], ref: Ref
) -> ReceptiveFields:
    whole = starts[-1 - ref.step] if ref.step < 0 else _field(found[ref.step][1])
    return whole[ref.part] if isinstance(whole, list) and ref.part is not None else whole


def _run(target: Module, arrived: list[ReceptiveFields]) -> _Run:
    """Measure a sub-module: on its own input, whatever comes before it, if the two can be composed."""
    target = target.counted
    if len(arrived) == 1 and has_usual_axes(arrived[0], target.inputs[0]):
        parts, result = measured(target)
        return _Run(parts, arrived[0], compose(arrived[0], result))
    place = own_field_along(arrived)
    if place is not None:
        parts, result = measured_from(target, (place,))
        return _Run(parts, arrived[0], compose(arrived[0], result))
    parts, result = measured_from(target, tuple(arrived))
    return _Run(parts, HERE, result)


def _measured(module: Module, starts: Sequence[ReceptiveFields]) -> Measured:
    """A module's layers and sub-modules in the order they first run, and the receptive field of its result."""
    found: dict[Any, Leaf | Inner] = {}
    runs = _runs(module, starts)
    for number, (step, (_, run)) in enumerate(zip(module.steps, runs, strict=True)):
        owner = module.owner(step)
        part = _inner(owner, step, run) if isinstance(run, _Run) else _layer(module, owner, step, run)
        if isinstance(part, Leaf):
            add_run(found, part)
        elif part is not None:
            found[number] = part
    parts = Parts(found.values())
    return flat(parts) if module.definition else parts, _read(runs, starts, module.result)


def _inner(owner: Step, step: Step, run: _Run) -> Leaf | Inner:
    """The run of a sub-module, or the layer that stands for one that contains no layers."""
    name, target = str(owner.name), owner.target
    assert isinstance(target, Module)
    if not run.parts:
        return _empty(name, target, step, run.result)
    return Inner(name, run.parts, run.before, step.train_only)


def _layer(module: Module, owner: Step, step: Step, field: ReceptiveFields) -> Leaf | None:
    """The layer of an op; a function, and a parameter of the block itself, is none."""
    name, target = owner.name, owner.target
    assert isinstance(target, Op)
    return None if name is None or target.raw else _leaf(name, target, module.shapes(step), step, field)


def _empty(name: str, module: Module, step: Step, field: ReceptiveFields) -> Leaf:
    """The layer of a module that contains no others: an empty seq, or a block of functions."""
    source, output, macs = module.inputs[0], step.output, 0 if step.train_only else module.macs
    return Leaf(name, module.definition or "seq", source, output, module.params, module.buffers, macs,  # type: ignore[arg-type]
                 count(output), step.train_only, 1, field)  # fmt: skip


def _leaf(name: str, op: Op, shapes: tuple[Shape, ...], step: Step, field: ReceptiveFields) -> Leaf:
    output: Any = step.output
    params = sum(map(numel, op.parameters(*shapes).values()))
    buffers = sum(map(numel, op.buffers(*shapes).values()))
    macs = 0 if step.train_only else op.macs_of_sample(shapes, output)
    return Leaf(name, op.kind, shapes[0], output, params, buffers, macs, count(output), step.train_only, 1, field)
