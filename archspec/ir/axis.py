"""One axis of the input as seen from a value: which positions of it each position of the value sees."""

from __future__ import annotations

import math
from typing import NamedTuple

from archspec.ops.shapes import Shape
from archspec.ops.window import MAX_PHASES, Window


class Span(NamedTuple):
    """Position q · n + r sees `lows[r]` + q · `step` to `highs[r]` + q · `step`, where n is the number of phases.

    Spans compose, so that a module's layers are measured once, on its own input, whatever comes before it.
    """

    lows: tuple[float, ...] = (0,)
    highs: tuple[float, ...] = (0,)
    step: float = 1

    def low(self, position: int) -> float:
        """The first input position that a position sees."""
        turn, phase = divmod(position, len(self.lows))
        return self.lows[phase] + turn * self.step

    def high(self, position: int) -> float:
        """The last input position that a position sees."""
        turn, phase = divmod(position, len(self.highs))
        return self.highs[phase] + turn * self.step

    @property
    def extent(self) -> int:
        """The largest number of input positions that any position sees."""
        lows, highs, _ = self
        if len(lows) == 1 and type(size := highs[0] - lows[0]) is int:
            return size + 1
        return max(math.ceil(round(high - low, 6)) for low, high in zip(self.lows, self.highs, strict=True)) + 1

    @property
    def stride(self) -> float:
        """The mean distance between neighbouring positions."""
        return self.step / len(self.lows)

    def then(self, other: Span | Window) -> Span | None:
        """The span of a window over these positions; `None` if the pattern has too many phases."""
        lows, highs, step = other[-3:]
        if len(self.lows) == len(lows) == 1:
            (low,), (high,), own = self
            return Span((low + own * lows[0],), (high + own * highs[0],), own * step)
        turns = len(self.lows) // math.gcd(len(self.lows), int(step))
        if turns * len(lows) > MAX_PHASES:
            return None
        places = range(turns * len(lows))
        return Span(
            tuple(self.low(int(_at(lows, step, place))) for place in places),
            tuple(self.high(int(_at(highs, step, place))) for place in places),
            whole_number(self.step * step * turns / len(self.lows)),
        )

    def whole(self, size: int) -> tuple[float, float]:
        """The range that positions 0 to `size` − 1 see together."""
        ends = range(max(0, size - len(self.lows)), size)
        return min(map(self.low, range(min(size, len(self.lows))))), max(map(self.high, ends))


def _at(values: tuple[float, ...], step: float, position: int) -> float:
    turn, phase = divmod(position, len(values))
    return values[phase] + turn * step


class Total(NamedTuple):
    """The range that `size` positions see together, if their dimension was merged with others (after a flatten)."""

    low: float
    high: float
    size: int


Range = tuple[float, float]
"""The first and the last of some positions of the input."""


class Axis(NamedTuple):
    """One axis of the input, as seen from a value: `dim` is the value's dimension that corresponds to it.

    `dim` is None if no dimension does: every position then sees the same range. What every position sees besides its
    own range is `common`: all of a map after a normalisation, or after it was scaled by its mean.
    """

    dim: int | None
    span: Span = Span()
    total: Total | None = None
    common: Range | None = None

    def covered(self, shape: Shape) -> Total:
        """The range that all positions of a value of this shape see together."""
        if self.total is not None or self.dim is None:
            return self.total or Total(self.span.lows[0], self.span.highs[0], 1)
        size = int(shape[self.dim])
        return Total(*joined(self.span.whole(size), self.common), size)

    def at(self, position: int) -> Range:
        """The range that a position sees."""
        return joined((self.span.low(position), self.span.high(position)), self.common)

    def extent(self, shape: Shape) -> int:
        """The largest number of input positions that any position of a value of this shape sees.

        Beside a common range, the first or the last position sees the most.
        """
        dim, (lows, highs, step), _, common = self
        if common is None or dim is None:
            return self.span.extent
        size, phases = int(shape[dim]), len(lows)
        if phases == 1:
            (low, high), first, last, moved = common, lows[0], highs[0], (size - 1) * step
            most = max(max(last, high) - min(first, low), max(last + moved, high) - min(first + moved, low))
            return most + 1 if type(most) is int else math.ceil(round(most, 6)) + 1
        ends = {*range(min(phases, size)), *range(max(0, size - phases), size)}
        return max(math.ceil(round(high - low, 6)) for low, high in map(self.at, ends)) + 1


def joined(one: Range, other: Range | None) -> Range:
    """From the first position of either range to the last."""
    return one if other is None else (min(one[0], other[0]), max(one[1], other[1]))


def whole_number(size: float) -> float:
    """An integer, if a size is one but for rounding."""
    return round(size) if abs(size - round(size)) < 1e-9 else size
