"""Measures a module: its layers as the static analysis describes them, and the receptive fields of its values.

A module is measured once for each set of receptive fields of its inputs, wherever it is used.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from archspec.ir.layer import HERE, Inner, Layer
from archspec.ir.module import Module, Ref, Step
from archspec.ir.receptive_field import ReceptiveFields, compose, has_usual_axes, own_field, own_field_along, propagate
from archspec.ops.base import Op
from archspec.ops.shapes import Shape, count, numel

Measured = tuple[tuple[Layer | Inner, ...], ReceptiveFields]
"""A module's layers and sub-modules, and the receptive field of its result."""

MAX_KNOWN: Final = 64
"""The layers of a module are cached for at most so many different receptive fields of its inputs."""

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


def follow(module: Module, starts: Sequence[ReceptiveFields]) -> list[tuple[list[ReceptiveFields], ReceptiveFields]]:
    """The receptive fields of each step's inputs and of its output, if those of the module's inputs are `starts`."""
    found: list[tuple[list[ReceptiveFields], ReceptiveFields]] = []
    for step in module.steps:
        arrived = [_read(found, starts, ref) for ref in step.inputs]
        found.append((arrived, _propagated(module, step, arrived)))
    return found


def _read(
    found: Sequence[tuple[list[ReceptiveFields], ReceptiveFields]], starts: Sequence[ReceptiveFields], ref: Ref
) -> ReceptiveFields:
    whole = starts[-1 - ref.step] if ref.step < 0 else found[ref.step][1]
    return whole[ref.part] if isinstance(whole, list) and ref.part is not None else whole


def _propagated(module: Module, step: Step, arrived: list[ReceptiveFields]) -> ReceptiveFields:
    target = module.runs(step)
    if isinstance(target, Module):
        if len(arrived) == 1 and has_usual_axes(arrived[0], target.inputs[0]):
            return compose(arrived[0], measured(target)[1])
        place = own_field_along(arrived)
        return measured_from(target, tuple(arrived))[1] if place is None else compose(
            arrived[0], measured_from(target, (place,))[1])  # fmt: skip
    return propagate(target, module.shapes(step), arrived)


def _measured(module: Module, starts: Sequence[ReceptiveFields]) -> Measured:
    """A module's layers and sub-modules in the order they first run, and the receptive field of its result."""
    found: dict[Any, Layer | Inner] = {}
    fields = follow(module, starts)
    for number, (step, (arrived, result)) in enumerate(zip(module.steps, fields, strict=True)):
        part = _part(module, step, module.owner(step), arrived, result)
        if isinstance(part, Layer):
            add_run(found, part)
        elif part is not None:
            found[number] = part
    return tuple(found.values()), _read(fields, starts, module.result)


def _part(
    module: Module, step: Step, owner: Step, arrived: list[ReceptiveFields], field: ReceptiveFields
) -> Layer | Inner | None:
    target, name = owner.target, owner.name
    if isinstance(target, Module):
        parts, _ = measured(target)
        if not parts:
            return _empty(str(name), target, step, field)
        if len(arrived) == 1 and has_usual_axes(arrived[0], target.inputs[0]):
            return Inner(str(name), parts, arrived[0], step.train_only)
        place = own_field_along(arrived)
        if place is not None:
            return Inner(str(name), measured_from(target, (place,))[0], arrived[0], step.train_only)
        return Inner(str(name), measured_from(target, tuple(arrived))[0], HERE, step.train_only)
    assert isinstance(target, Op)
    if name is None or target.raw:  # a parameter of the block itself is not a module
        return None
    return _leaf(name, target, module.shapes(step), step, field)


def add_run(found: dict[Any, Any], layer: Layer) -> None:
    """Add a run of a layer to the layers found so far, by name: several runs are one layer."""
    first = found.setdefault(layer.name, layer)
    if first is not layer:
        found[layer.name] = first.again(layer)


def _empty(name: str, module: Module, step: Step, field: ReceptiveFields) -> Layer:
    """The layer of a module that contains no others: an empty seq, or a block of functions."""
    source, output, macs = module.inputs[0], step.output, 0 if step.train_only else module.macs
    return Layer(name, module.definition or "seq", source, output, module.params, module.buffers, macs,  # type: ignore[arg-type]
                 count(output), field, step.train_only)  # fmt: skip


def _leaf(name: str, op: Op, shapes: tuple[Shape, ...], step: Step, field: ReceptiveFields) -> Layer:
    output: Any = step.output
    params = sum(map(numel, op.parameters(*shapes).values()))
    buffers = sum(map(numel, op.buffers(*shapes).values()))
    macs = 0 if step.train_only else op.macs(shapes, output)
    return Layer(name, op.kind, shapes[0], output, params, buffers, macs, numel(output), field, step.train_only)
