"""Receptive fields: the part of the network's input that each position of a value depends on ("sees").

They are propagated from value to value. For the input's height and for its width, a `ReceptiveField` gives the
dimension of the value that corresponds to it, and the rows (columns) of the input that each position along that
dimension sees.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache
from typing import Any, Final, NamedTuple

from archspec.ir.axis import Axis, Range, Span, Total, joined, whole_number
from archspec.ops.base import Op
from archspec.ops.shapes import ChannelsLast, Shape, Value, is_integer
from archspec.ops.window import MAX_PHASES, All, Fold, InputWindows, Only, Part, Window


class FieldSize(NamedTuple):
    """The (height, width) of the input that one position of a value depends on, and the distance to the next one's."""

    pixels: tuple[int, int]
    stride: tuple[float, float]


class ReceptiveField(NamedTuple):
    """The receptive field of a value, along the height and the width of the input."""

    vertical: Axis
    horizontal: Axis


ReceptiveFields = ReceptiveField | list[Any] | None
"""The receptive field of a value; a list for several values; `None` if undefined or without a regular pattern."""


START: Final = ReceptiveField(Axis(1), Axis(2))
"""The receptive field of a feature map that is the input: it sees itself."""

NOTHING: Final = ReceptiveField(Axis(None, Span((1,), (0,), 0)), Axis(None, Span((1,), (0,), 0)))
"""The receptive field of a parameter, which sees nothing of the input."""


def field_size(field: ReceptiveFields, shape: Value, before: ReceptiveFields = START) -> FieldSize | None:
    """The receptive field of a value of this shape in pixels, the largest of any position, padding included.

    `before` is the receptive field of the input of the module that the field was measured in. `None` if it is
    undefined; several values have none in common.
    """
    if not isinstance(before, ReceptiveField) or not isinstance(field, ReceptiveField):
        return None
    return _field_size(field, tuple(shape), before)


@lru_cache(maxsize=1 << 14)
def _field_size(field: ReceptiveField, shape: tuple[int, ...], before: ReceptiveField) -> FieldSize | None:
    """The same, computed once for all equal ones: those of a convolution, its norm and its activation, of equal
    blocks."""
    whole = field if before is START else compose(before, field)
    if whole is None or whole == NOTHING:
        return None
    vertical, horizontal = whole
    size = vertical.extent(shape), horizontal.extent(shape)
    return FieldSize(size, (vertical.span.stride, horizontal.span.stride))


def start_of(shape: Shape) -> ReceptiveField | None:
    """The receptive field of a network's input; vectors, sequences and token ids have no receptive field."""
    return START if len(shape) == 3 and not is_integer(shape) else None


def own_field(shape: Shape) -> ReceptiveField:
    """The receptive field of a module's input on itself, with height and width in their usual dimensions."""
    if len(shape) != 3:
        return _POINT
    return _LAST if isinstance(shape, ChannelsLast) else START


_POINT: Final = ReceptiveField(Axis(None), Axis(None))
_LAST: Final = ReceptiveField(Axis(0), Axis(1))


def has_usual_axes(field: ReceptiveFields, shape: Shape) -> bool:
    """Whether height and width are in the dimensions that `own_field` assumes, so that fields measured there apply."""
    if not isinstance(field, ReceptiveField) or field is NOTHING:
        return False
    vertical, horizontal = field
    usual = own_field(shape)
    has_usual_dims = vertical.dim == usual.vertical.dim and horizontal.dim == usual.horizontal.dim
    return has_usual_dims and vertical.total is None and horizontal.total is None


def own_field_along(arrived: Sequence[ReceptiveFields]) -> ReceptiveField | None:
    """The field from which to measure a module with this one input: its dimensions, each position seeing itself.

    `None` if the result could not be composed with the receptive field of the input.
    """
    field = arrived[0] if len(arrived) == 1 else None
    if not isinstance(field, ReceptiveField) or field is NOTHING or any(axis.total is not None for axis in field):
        return None
    return ReceptiveField(Axis(field.vertical.dim), Axis(field.horizontal.dim))


def compose(before: ReceptiveFields, within: ReceptiveFields) -> ReceptiveFields:
    """The field of a value on the network's input, from its field `within` a module and that of the module's input."""
    if isinstance(within, list):
        return [compose(before, part) for part in within]
    if within is NOTHING:
        return NOTHING
    if not isinstance(before, ReceptiveField) or within is None:
        return None
    return _composition(before, within)


@lru_cache(maxsize=1 << 12)
def _composition(before: ReceptiveField, within: ReceptiveField) -> ReceptiveField | None:
    """The same for one value. The blocks of a network are often equal, and so are those of networks compared."""
    (outer, inner), (one, other) = before, within
    vertical = _composed(outer, one)
    if outer[1:] == inner[1:] and one[1:] == other[1:] and (one.dim is None) == (other.dim is None):
        horizontal = vertical and _new(Axis, (other.dim, *vertical[1:]))  # most networks treat both axes alike
    else:
        horizontal = _composed(inner, other)
    return None if vertical is None or horizontal is None else ReceptiveField(vertical, horizontal)


_new: Final = tuple.__new__
"""Takes half the time of the constructor; this code runs for every layer."""


def _composed(before: Axis, within: Axis) -> Axis | None:
    (_, outer, _, shared), (dim, inner, total, common) = before, within
    lows, highs, step = inner
    if total is None and len(lows) == 1 == len(outer[0]) and (dim is not None or shared is None):
        (low,), (high,), own = outer
        span = _new(Span, ((low + own * lows[0],), (high + own * highs[0],), own * step))
        return _new(Axis, (dim, span, None, shared if common is None else _seen_through(before, common)))
    if dim is None:
        low, high = _seen_through(before, (lows[0], highs[0]))
        return Axis(None, Span((low,), (high,), outer.stride * step))
    composed = outer.then(inner)
    if composed is None:
        return None
    if total is not None:
        return _laid_out(dim, composed, Total(*_seen_through(before, (total.low, total.high)), total.size), shared)
    return Axis(dim, composed, None, shared if common is None else _seen_through(before, common))


def _seen_through(before: Axis, places: Range) -> Range:
    """The range of the input that a range of positions of an axis depends on."""
    return joined((before.span.low(int(places[0])), before.span.high(int(places[1]))), before.common)


def _laid_out(dim: int, span: Span, total: Total, common: Range | None) -> Axis:
    """An axis that holds others besides: beside a common range, each position sees at most what all see together."""
    if common is None:
        return Axis(dim, span, total)
    phases = len(span.lows)
    return Axis(dim, Span((total.low,) * phases, (total.high,) * phases, span.step), total)


def propagate(op: Op, shapes: Sequence[Shape], arrived: Sequence[ReceptiveFields]) -> ReceptiveFields:
    """The receptive field of an op's output, from the receptive fields of its inputs (`arrived`)."""
    if op.elementwise and len(arrived) == 1:
        return arrived[0]
    windows = op.windows(*shapes)
    if isinstance(windows, list):
        return [_seen(part, shapes, arrived) for part in windows]
    return None if windows is None else _seen(windows, shapes, arrived)


def _seen(
    windows: Sequence[InputWindows | None], shapes: Sequence[Shape], arrived: Sequence[ReceptiveFields]
) -> ReceptiveFields:
    """The receptive field of one output, from the op's `InputWindows` at each input."""
    axes: list[tuple[Axis, Axis]] = []
    for entries, shape, field in zip(windows, shapes, arrived, strict=True):
        if entries is None or field is NOTHING:
            continue
        if not isinstance(field, ReceptiveField):
            return None
        vertical, horizontal = (_through_window(axis, entries, shape) for axis in field)
        if vertical is None or horizontal is None:
            return None
        axes.append((vertical, horizontal))
    if len(axes) < 2:
        return ReceptiveField(*axes[0]) if axes else NOTHING
    vertical, horizontal = (_met(met) for met in zip(*axes, strict=True))
    return None if vertical is None or horizontal is None else ReceptiveField(vertical, horizontal)


def _through_window(axis: Axis, entries: InputWindows, shape: Shape) -> Axis | None:
    """An input's axis as seen from the output, through the windows of one input; `None` if unknown."""
    if axis.dim is None:
        return axis
    for place, entry in enumerate(entries):
        if isinstance(entry, Fold) and axis.dim in entry.dims:
            return _folded(axis, place, entry, shape)
        if entry is not None and not isinstance(entry, Fold) and entry.dim == axis.dim:
            if isinstance(entry, All):
                return _widened(axis, place, shape)
            if isinstance(entry, Only):
                return None if axis.total else _at_position(axis, entry.position, shape)
            if isinstance(entry, Part):
                return None if axis.total else _slid(axis, place, Window(entry.dim, (entry.start,), (entry.start,)))
            return _slid(axis, place, entry) if isinstance(entry, Window) else None
    return _reduced(axis, shape)


def _slid(axis: Axis, place: int, window: Window) -> Axis | None:
    if window == (axis.dim, (0,), (0,), 1):
        return axis if place == axis.dim else _new(Axis, (place, *axis[1:]))
    span = None if axis.total is not None else axis.span.then(window)
    return None if span is None else Axis(place, span, None, axis.common)


def _folded(axis: Axis, place: int, fold: Fold, shape: Shape) -> Axis:
    if fold.moved:
        return Axis(place, Span((0,), (axis.extent(shape) - 1,), 0), axis.covered(shape))
    return _laid_out(place, axis.span, axis.covered(shape), axis.common)


def _widened(axis: Axis, place: int, shape: Shape) -> Axis:
    """Each position sees what all of them see; the distance between them is unchanged."""
    low, high, _ = axis.covered(shape)
    return Axis(place, axis.span, None, (low, high)) if axis.total is None else _laid_out(
        place, axis.span, axis.total, (low, high))  # fmt: skip


def _reduced(axis: Axis, shape: Shape) -> Axis:
    """After a reduction over a whole dimension, no position along it is left."""
    low, high, size = axis.covered(shape)
    return Axis(None, Span((low,), (high,), whole_number(axis.span.stride * size)))


def _at_position(axis: Axis, position: int, shape: Shape) -> Axis:
    """The axis of one selected position; the result has no position along the dimension."""
    assert axis.dim is not None
    low, high = axis.at(position)
    return Axis(None, Span((low,), (high,), whole_number(axis.span.stride * int(shape[axis.dim]))))


def _met(axes: Sequence[Axis]) -> Axis | None:
    """The axis of several values combined position by position; `None` if their dimensions or strides differ."""
    placed = [axis for axis in axes if axis.dim is not None]
    moving = [axis.span for axis in placed if axis.span.step]
    if len({(axis.dim, axis.total is None) for axis in placed}) > 1 or len({span.stride for span in moving}) > 1:
        return None
    still = [axis for axis in axes if axis.dim is None or not axis.span.step]
    if any(axis.total is not None and not axis.span.step for axis in placed):
        return _beside(axes, placed) if not moving else None
    if not moving:
        return _standing(placed, still, axes)
    phases = math.lcm(*(len(span.lows) for span in moving))
    if phases > MAX_PHASES:
        return None
    lows = tuple(min(span.low(phase) for span in moving) for phase in range(phases))
    highs = tuple(max(span.high(phase) for span in moving) for phase in range(phases))
    span, dim, total = Span(lows, highs, whole_number(moving[0].stride * phases)), placed[0].dim, _total(axes, placed)
    common = _all([axis.at(0) for axis in still] + [axis.common for axis in axes if axis.common is not None])
    return Axis(dim, span, None, common) if total is None else _laid_out(dim, span, total, common)  # type: ignore[arg-type]


def _standing(placed: Sequence[Axis], still: Sequence[Axis], axes: Sequence[Axis]) -> Axis:
    """The axis of a value all of whose positions see the same range."""
    low, high = _all([axis.at(0) for axis in still]) or (0, 0)
    span = Span((low,), (high,), max(axis.span.step for axis in still))
    return Axis(placed[0].dim if placed else None, span, _total(axes, placed))


def _all(ranges: Sequence[Range]) -> Range | None:
    """From the first position of any range to the last."""
    return (min(low for low, _ in ranges), max(high for _, high in ranges)) if ranges else None


def _beside(axes: Sequence[Axis], placed: Sequence[Axis]) -> Axis:
    """The axis of values whose positions each have an extent of their own: every position gets the largest of them."""
    widest = max(axis.span.extent for axis in axes)
    return Axis(placed[0].dim, Span((0,), (widest - 1,), 0), _total(axes, placed))


def _total(axes: Sequence[Axis], placed: Sequence[Axis]) -> Total | None:
    if not placed or placed[0].total is None:
        return None
    lows, highs, sizes = zip(*(axis.covered(()) for axis in axes), strict=True)
    return Total(min(lows), max(highs), max(sizes))
