"""Whether the channels of a map come first or last, as the language infers it: layers on the last dimension ask."""

from __future__ import annotations

from typing import Final

from archspec.importer.trace import Call, Value
from archspec.ops import OPS
from archspec.ops.base import Op
from archspec.ops.shapes import (
    ChannelsFirst,
    ChannelsLast,
    Integers,
    Shape,
    ShapeError,
    Tokens,
    Unbatched,
    is_integer,
    parts_of,
)

LAYOUTS: Final[tuple[type[Shape], ...]] = (tuple, ChannelsLast, ChannelsFirst)


def shape_of(value: Value, is_integer: bool, layout: type[Shape] = tuple) -> Shape:
    """The shape of a value, in a layout if its own is not known."""
    if not value.is_batched:
        return (Integers if is_integer or value.is_integer else Unbatched)(value.sizes)
    return Tokens(value.sizes) if value.is_integer else (value.layout or layout)(value.sizes)


def note_layouts(call: Call) -> None:
    """Note the layouts of what an op yields, if those of all that it takes are known."""
    values = [*call.inputs, *call.outputs]
    if any(value.folded for value in values) or any(map(_is_unknown, call.inputs)) or call.like is not None:
        return
    op = OPS[call.op](**call.fields)
    try:
        found = parts_of(op.yields(*shapes_of(op, call.inputs)))
    except ShapeError:
        return  # what checks the op says so
    for value, shape in zip(call.outputs, found, strict=False):
        if value.is_batched and not is_integer(shape) and type(shape) in LAYOUTS:
            value.layout = type(shape)


def shapes_of(op: Op, values: list[Value], layout: type[Shape] = tuple) -> list[Shape]:
    """The shapes of what an op takes."""
    return [shape_of(value, number in op.takes_integers, layout) for number, value in enumerate(values)]


def _is_unknown(value: Value) -> bool:
    return value.is_batched and not value.is_integer and value.layout is None
