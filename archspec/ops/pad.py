"""Positions added at the ends of dimensions."""

from __future__ import annotations

from collections.abc import Mapping
from math import inf
from typing import Any, Final, Literal

from pydantic import Field, model_validator

from archspec.ops.base import Op
from archspec.ops.call import Call, Input
from archspec.ops.dimensions import MAX_RANK, has_batch
from archspec.ops.shapes import MAX_SIZE, Shape, ShapeError, format_rank, format_shape
from archspec.ops.window import UnknownWindow, Window, Windows

LEAST: Final = -3.4028234663852886e38
"""The least number in float32."""

Mode = Literal["constant", "reflect", "replicate", "circular"]


class Pad(Op):
    """Adds positions before and after those of the last dimensions, `F.pad`."""

    kind = "pad"
    spelled = ("pad(input, pad, mode='constant', value=None)",)
    needs_batch = False
    role = "shape"
    shown = ("sides",)

    pad: list[int] = Field(
        min_length=2, max_length=2 * MAX_RANK,
        description="positions added before and after the last dimension, then the one before it, …",
    )  # fmt: skip
    mode: Mode = Field("constant", description="their values: `value`, or those of positions of the input")
    value: float = Field(0.0, description="the value of added positions with mode constant")

    @property
    def sides(self) -> str:
        """The positions added, as text."""
        return ", ".join(str(int(number)) for number in self.pad)

    @model_validator(mode="after")
    def _pairs(self) -> Pad:
        if len(self.pad) % 2:
            raise ValueError(f"expected two numbers for each dimension, got {len(self.pad)} in pad")
        if min(self.pad) < 0 or max(self.pad) >= MAX_SIZE:
            raise ValueError(f"expected numbers from 0 to {MAX_SIZE - 1:,} in pad; use slice to remove positions")
        if self.mode != "constant" and self.value:
            raise ValueError(f"mode {self.mode} takes no value: it repeats positions of the input")
        return self

    def infer(self, *inputs: Shape) -> Shape:
        shape = inputs[0]
        pairs = self._sides(shape)
        for axis, (before, behind) in enumerate(pairs):
            most = int(shape[axis]) - (self.mode == "reflect")
            if self.mode in ("reflect", "circular") and max(before, behind) > most:
                raise ShapeError(f"mode {self.mode} cannot pad {int(shape[axis])} positions by {max(before, behind)}",
                                 f"it may be at most {most}", "pad")  # fmt: skip
        return type(shape)(size + (before + behind) for size, (before, behind) in zip(shape, pairs, strict=True))

    @classmethod
    def of_call(cls, given: Mapping[str, Any]) -> dict[str, Any]:
        value = given["value"] or 0.0
        value = LEAST if value == -inf else value  # a maximum of it and any other number is the other
        return {"pad": list(given["pad"]), "mode": given["mode"], "value": value}

    def _sides(self, shape: Shape) -> list[tuple[int, int]]:
        """The positions added before and after each dimension."""
        padded, rank = len(self.pad) // 2, len(shape) + has_batch(shape)
        if padded > len(shape):
            raise ShapeError(f"{format_rank(shape)}, but pad is for {padded}",
                             f"write at most {2 * len(shape)} numbers", "pad")  # fmt: skip
        if self.mode != "constant" and (padded > 3 or rank not in (padded + 1, padded + 2)):
            fits = " or ".join(str(2 * n) for n in (rank - 2, rank - 1) if 0 < n <= min(3, len(shape)))
            raise ShapeError(f"mode {self.mode} cannot pad {padded} of the dimensions of {format_shape(shape)}",
                             f"write {fits} numbers" if fits else "use mode: constant", "pad")  # fmt: skip
        last_first = [(int(self.pad[n]), int(self.pad[n + 1])) for n in range(0, len(self.pad), 2)]
        return [*[(0, 0)] * (len(shape) - padded), *reversed(last_first)]

    def windows(self, *inputs: Shape) -> Windows:
        sides = self._sides(inputs[0])
        return (tuple(self._window(axis, *side) for axis, side in enumerate(sides)),)

    def _window(self, axis: int, before: int, behind: int) -> Window | UnknownWindow:
        if self.mode != "constant" and (before or behind):
            return UnknownWindow(axis)
        return Window(axis, (-before,), (-before,))

    def function(self, *inputs: Shape) -> Call:
        given: dict[str, Any] = {"mode": self.mode} if self.mode != "constant" else {}
        given |= {"value": self.value} if self.value else {}
        return Call("F.pad", (Input(0), tuple(self.pad)), given)
