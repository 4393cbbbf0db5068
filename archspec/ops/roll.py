"""Positions shifted in a circle."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import Field, model_validator

from archspec.ops.base import Op
from archspec.ops.call import Call, Input
from archspec.ops.dimensions import MAX_RANK, Dimension, axis_of
from archspec.ops.shapes import MAX_SIZE, Shape, Value, count
from archspec.ops.window import InputWindows, UnknownWindow, Windows, same


class Roll(Op):
    """Shifts the positions of dimensions cyclically, `torch.roll`."""

    kind = "roll"
    spelled = ("roll(input, shifts, dims)",)
    needs_batch = False
    carries_integers = True
    role = "shape"
    shown = ("moves",)
    fresh = True

    shifts: list[int] = Field(min_length=1, max_length=MAX_RANK, description="by how much each dimension is shifted")
    dims: list[Dimension] = Field(min_length=1, max_length=MAX_RANK, description="the dimensions, the batch being 0")

    @property
    def moves(self) -> str:
        """The shifts, as text."""
        return ", ".join(str(int(shift)) for shift in self.shifts)

    @model_validator(mode="after")
    def _one_each(self) -> Roll:
        if len(self.shifts) != len(self.dims):
            raise ValueError(f"expected one shift for each dimension, got {len(self.shifts)} for {len(self.dims)}")
        if max(map(abs, self.shifts)) >= MAX_SIZE:
            raise ValueError(f"expected shifts below {MAX_SIZE:,}")
        return self

    def infer(self, *inputs: Shape) -> Shape:
        for dim in self.dims:
            axis_of(inputs[0], dim, "dims")
        return inputs[0]

    @classmethod
    def of_call(cls, given: Mapping[str, Any]) -> dict[str, Any]:
        return {name: [given[name]] if isinstance(given[name], int) else list(given[name])
                for name in ("shifts", "dims")}  # fmt: skip

    def windows(self, *inputs: Shape) -> Windows:
        shape = inputs[0]
        moved = {
            axis_of(shape, dim) for dim, shift in zip(self.dims, self.shifts, strict=True)
            if shift % int(shape[axis_of(shape, dim)])
        }  # fmt: skip
        entries: InputWindows = tuple(
            UnknownWindow(axis) if axis in moved else entry for axis, entry in enumerate(same(len(shape)))
        )
        return (entries,)

    def work(self, inputs: tuple[Shape, ...], output: Value) -> int:
        return 2 * len(self.dims) * count(output)

    def function(self, *inputs: Shape) -> Call:
        return Call("torch.roll", (Input(0), tuple(self.shifts), tuple(self.dims)))
