"""Positions in reverse order."""

from collections.abc import Mapping
from typing import Any

from pydantic import Field

from archspec.ops.base import Op
from archspec.ops.call import Call, Input
from archspec.ops.dimensions import MAX_RANK, Dimension, axis_of
from archspec.ops.shapes import Shape, ShapeError, format_shape
from archspec.ops.window import UnknownWindow, Window, Windows


class Flip(Op):
    """The positions of dimensions in reverse order, `torch.flip`."""

    kind = "flip"
    spelled = ("flip(input, dims)",)
    needs_batch = False
    carries_integers = True
    role = "shape"
    fresh = True

    dims: list[Dimension] = Field(min_length=1, max_length=MAX_RANK, description="the dimensions, the batch being 0")

    def _axes(self, shape: Shape) -> list[int]:
        axes = [axis_of(shape, dim, "dims") for dim in self.dims]
        if len({*axes}) < len(axes):
            raise ShapeError(f"dims {[int(dim) for dim in self.dims]} name a dimension of {format_shape(shape)} twice",
                             "name each once", "dims")  # fmt: skip
        return axes

    def infer(self, *inputs: Shape) -> Shape:
        self._axes(inputs[0])
        return inputs[0]

    @classmethod
    def of_call(cls, given: Mapping[str, Any]) -> dict[str, Any]:
        return {"dims": [given["dims"]] if isinstance(given["dims"], int) else list(given["dims"])}

    def windows(self, *inputs: Shape) -> Windows:
        shape, axes = inputs[0], self._axes(inputs[0])
        moved = [axis in axes and int(shape[axis]) > 1 for axis in range(len(shape))]
        return (tuple(UnknownWindow(axis) if is_moved else Window(axis) for axis, is_moved in enumerate(moved)),)

    def function(self, *inputs: Shape) -> Call:
        return Call("torch.flip", (Input(0), tuple(self.dims)))
