"""Ops that resize feature maps by interpolation."""

from __future__ import annotations

import struct
from collections.abc import Callable, Sequence
from fractions import Fraction
from itertools import accumulate
from typing import Annotated, Any, Final, Literal

from pydantic import Field, model_validator

from archspec.ops.base import Op
from archspec.ops.call import Argument, Call, Input
from archspec.ops.fields import Size
from archspec.ops.shapes import (
    MAPS,
    MAX_SIZE,
    Shape,
    ShapeError,
    Unbatched,
    Value,
    count,
    format_shape,
    of_channels,
)
from archspec.ops.window import MAX_PHASES, UnknownWindow, Window, Windows, adaptive

Factor = Annotated[float, Field(gt=0, lt=MAX_SIZE)]

_LINEAR: Final = {"linear": 1, "bilinear": 2, "trilinear": 3, "bicubic": 2}
"""The modes that need a certain number of axes, with that number."""


class _Resized(Op):
    """Base class of `nn.Upsample` and `F.interpolate`."""

    fresh = True
    role = "pool"

    size: Size | list[Size] | None = Field(
        None, description="length, [height, width] or [depth, height, width] of the output; or one number for all"
    )
    scale_factor: Size | Factor | list[Size | Factor] | None = Field(
        None, description="the scale, or a number for each dimension"
    )
    mode: Literal["nearest", "linear", "bilinear", "bicubic", "trilinear", "area", "nearest-exact"] = Field(
        "nearest", description="how values are interpolated"
    )
    align_corners: bool | None = Field(None, description="whether the outermost positions are aligned")
    recompute_scale_factor: bool | None = Field(
        None, description="whether positions follow from the sizes, not from scale_factor, where the sizes are rounded"
    )

    @model_validator(mode="after")
    def _fits_together(self) -> _Resized:
        if self.align_corners is not None and self.mode not in _LINEAR:
            raise ValueError(f"mode {self.mode} takes no align_corners")
        if self.recompute_scale_factor and self.scale_factor is None:
            raise ValueError("recompute_scale_factor requires scale_factor")
        if self.size is not None and self.scale_factor is not None:
            raise ValueError("expected either size or scale_factor, got both")
        return self

    def infer(self, *inputs: Shape) -> Shape:
        self._check(inputs[0])
        return of_channels((inputs[0][0], *self._sizes(*inputs)))

    def _check(self, shape: Shape) -> None:
        """Raise `ShapeError` if the mode is not for values with as many dimensions."""
        rank = len(shape) - 1
        if rank not in MAPS:
            *words, last = MAPS.values()
            raise ShapeError(f"{self.kind} expects {', '.join(words)} or {last}, got {format_shape(shape)}",
                             "put it before the flatten" if rank == 0 else "")  # fmt: skip
        if _LINEAR.get(self.mode, rank) != rank:
            fits = next(mode for mode, its in _LINEAR.items() if its == rank)
            raise ShapeError(f"mode {self.mode} is for {MAPS[_LINEAR[self.mode]]}, got {format_shape(shape)}",
                             f"use {fits}", "mode")  # fmt: skip

    def _sizes(self, *inputs: Shape) -> tuple[int, ...]:
        """The sizes of the output, without the channels."""
        sizes = inputs[0][1:]
        if self.size is not None:
            return self._for_each("size", self.size, sizes)
        found = [_scaled(size, f) for size, f in zip(sizes, self._factors(sizes), strict=True)]
        if 0 in found:
            raise ShapeError(f"the output of {format_shape(inputs[0])} would be empty: {format_shape(tuple(found))}",
                             "use a larger factor", "scale_factor")  # fmt: skip
        return tuple(found)

    def _factors(self, sizes: Shape) -> tuple[Any, ...]:
        return self._for_each("scale_factor", self.scale_factor, sizes)

    @staticmethod
    def _for_each(name: str, given: Any, sizes: Shape) -> tuple[Any, ...]:
        """A number for each dimension."""
        if not isinstance(given, list):
            return (given,) * len(sizes)
        if len(given) != len(sizes):
            raise ShapeError(f"{name} has {len(given)} numbers, but {len(sizes)} sizes change",
                             f"write {len(sizes)} numbers, or one for all", name)  # fmt: skip
        return tuple(given)

    def windows(self, *inputs: Shape) -> Windows:
        before, after = inputs[0][1:], self._sizes(*inputs)
        exact = self.scale_factor is not None and not self.recompute_scale_factor
        factors = self._factors(before) if exact else (None,) * len(before)
        entries = zip(range(1, len(inputs[0])), before, after, factors, strict=True)
        return ((Window(0), *(self._window(*entry) for entry in entries)), *(None,) * (len(inputs) - 1))

    def _window(self, dim: int, size: int, found: int, factor: float | None) -> Window | UnknownWindow:
        """The input positions that an output position is computed from, along one dimension."""
        size, found = int(size), int(found)
        if self.mode == "area":
            return adaptive(dim, size, found)
        if getattr(self, "antialias", False) and found < size:
            return UnknownWindow(dim)
        ratio = Fraction(size, found) if factor is None else 1 / Fraction(factor)
        if self.align_corners:
            ratio = Fraction(size - 1, found - 1) if found > 1 else Fraction(0)
        if ratio.denominator > MAX_PHASES or (size == found and ratio != 1):  # torch copies a map as large as before
            return UnknownWindow(dim)
        if "nearest" in self.mode and not _is_met(ratio, found, self.mode == "nearest-exact"):
            return UnknownWindow(dim)
        taps = [_TAPS[self.mode](self._place(ratio, place)) for place in range(ratio.denominator)]
        return _rising(dim, taps, ratio.numerator)

    def _place(self, ratio: Fraction, position: int) -> Fraction:
        """The coordinate of an output position among the input positions."""
        if self.mode == "nearest" or self.align_corners:
            return ratio * position
        middle = ratio * (position + Fraction(1, 2))
        return middle if self.mode == "nearest-exact" else middle - Fraction(1, 2)

    def work(self, inputs: tuple[Shape, ...], output: Value) -> int:
        return sum(map(count, inputs[:1])) + count(output) * {"nearest": 1, "bicubic": 16}.get(self.mode, 8)


def _scaled(size: int, factor: float) -> int:
    """A size times a factor, rounded down."""
    return size * int(factor) if int(factor) == factor else int(int(size) * factor)


def _is_met(ratio: Fraction, found: int, exact: bool) -> bool:
    """Whether torch finds each coordinate that is exactly a position: its product in float32 may be rounded down.

    >>> _is_met(Fraction(26, 22), 22, exact=False)  # 11 · 26/22 = 12.999999
    False
    """
    step, ahead = ratio.denominator, 0.5 if exact else 0
    if exact and (step % 2 == 0 or ratio.numerator % 2):  # no coordinate is exactly a position
        return True
    places = range((step - 1) // 2 if exact else 0, found, step)
    scale = _float32(ratio.numerator / step)
    return all(_float32((place + ahead) * scale) >= (place + Fraction(ahead)) * ratio for place in places)


def _float32(number: float) -> float:
    rounded: float = struct.unpack("f", struct.pack("f", number))[0]
    return rounded


def _nearest(place: Fraction) -> tuple[int, int]:
    return place.numerator // place.denominator, place.numerator // place.denominator


def _between(reach: int) -> Callable[[Fraction], tuple[int, int]]:
    """The first and last of `reach` positions on either side of a coordinate; only one if it is exactly a position."""

    def taps(place: Fraction) -> tuple[int, int]:
        low = place.numerator // place.denominator
        return (low, low) if place.denominator == 1 else (low - reach + 1, low + reach)

    return taps


def _rising(dim: int, taps: Sequence[tuple[int, int]], step: int) -> Window:
    """A window whose bounds never decrease from one position to the next, as ops that see several of them require.

    A bicubic coordinate that is exactly a position sees less than its neighbours: it gets their bounds.
    """
    after = [low + turn for turn in (step, 0) for low, _ in reversed(taps)]
    before = [high + turn for turn in (-step, 0) for _, high in taps]
    lows, highs = [*accumulate(after, min)][len(taps) :], [*accumulate(before, max)][len(taps) :]
    return Window(dim, tuple(reversed(lows)), tuple(highs), step)


_TAPS: Final[dict[str, Callable[[Fraction], tuple[int, int]]]] = {
    "nearest": _nearest, "nearest-exact": _nearest, "bicubic": _between(2),
    **dict.fromkeys(("linear", "bilinear", "trilinear"), _between(1)),
}  # fmt: skip
"""The first and the last position that the value at a coordinate is computed from."""


class Upsample(_Resized):
    """Resizes a feature map to a size or by a factor, `nn.Upsample`."""

    kind = "upsample"
    module = "nn.Upsample"

    @model_validator(mode="after")
    def _says_how_large(self) -> Upsample:
        if self.size is None and self.scale_factor is None:
            raise ValueError("expected either size or scale_factor, got neither")
        return self

    def constructor(self, *inputs: Shape) -> tuple[Argument, ...]:
        return tuple(argument._replace(value=_as_tuple(argument.value)) for argument in super().constructor(*inputs))

    def function(self, *inputs: Shape) -> Call:
        return Call("F.interpolate", (Input(0),), _given(self))


class Interpolate(_Resized):
    """Resizes a feature map to a size, to that of another value (`like`), or by a factor, `F.interpolate`. Sizes are
    rounded down. A parameter has its samples as dimension 0, as torch expects: [1, channels, height, width]."""

    kind = "interpolate"
    needs_batch = False
    spelled = (
        "interpolate(input, size=None, scale_factor=None, mode='nearest', align_corners=None, "
        "recompute_scale_factor=None, antialias=False)",
    )
    arity = (1, 2)

    antialias: bool = Field(False, description="whether downsampling is smoothed, with bilinear and bicubic")

    @model_validator(mode="after")
    def _smooths(self) -> Interpolate:
        if self.antialias and self.mode not in ("bilinear", "bicubic"):
            raise ValueError(f"mode {self.mode} takes no antialias")
        return self

    def infer(self, *inputs: Shape) -> Shape:
        first = inputs[0]
        if not isinstance(first, Unbatched):
            return super().infer(*_maps(inputs))
        if len(first) == 1:
            raise ShapeError(f"interpolate expects samples and channels before the sizes, got {format_shape(first)}")
        return Unbatched((first[0], *super().infer(*_maps(inputs))))

    def windows(self, *inputs: Shape) -> Windows:
        return super().windows(*inputs) if not isinstance(inputs[0], Unbatched) else (None,) * len(inputs)

    def _sizes(self, *inputs: Shape) -> tuple[int, ...]:
        given = next((name for name in ("size", "scale_factor") if getattr(self, name) is not None), "")
        if len(inputs) == 1 and given:
            return super()._sizes(*inputs)
        if len(inputs) == 1 or given:
            what = f"both {given} and a second value determine the size" if given else "the size is not given"
            help = "leave out one of them" if given else "write size, scale_factor, or like: input, for example"
            raise ShapeError(what, help, given)
        if len(inputs[0]) != len(inputs[1]):
            raise ShapeError(f"{format_shape(inputs[0])} cannot be as large as {format_shape(inputs[1])}",
                             "both must have channels and the same number of sizes after them")  # fmt: skip
        return inputs[1][1:]

    def function(self, *inputs: Shape) -> Call:
        size = {} if len(inputs) == 1 else {"size": Call("Tensor.shape", (Input(1), 1 - len(_maps(inputs)[0])))}
        return Call("F.interpolate", (Input(0),), {**size, **_given(self)})


def _maps(inputs: tuple[Shape, ...]) -> tuple[Shape, ...]:
    """The shapes without the samples, which are dimension 0 of a value without a batch."""
    return tuple(of_channels(shape[1:]) if isinstance(shape, Unbatched) else shape for shape in inputs)


def _given(op: _Resized) -> dict[str, Any]:
    return {name: _as_tuple(value) for name, value in op.non_default_fields().items()}


def _as_tuple(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value
