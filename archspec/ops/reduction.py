"""Ops that reduce dimensions to one number: their base class, and the mean."""

from collections.abc import Mapping
from typing import Any, ClassVar

from pydantic import Field

from archspec.ops.base import Op
from archspec.ops.call import Call, Input
from archspec.ops.dimensions import Dimension, axis_of, has_batch
from archspec.ops.shapes import Shape, ShapeError, format_shape
from archspec.ops.window import Window, Windows


class Reduction(Op):
    """Base class of reductions over dimensions."""

    needs_batch = False
    fresh = True
    role = "pool"
    verb: ClassVar[str]
    method: ClassVar[str]

    dim: list[Dimension] = Field(min_length=1, description="dimensions to reduce, counted with the batch as 0")
    keepdim: bool = Field(False, description="whether the dimensions are kept with size 1")

    def axes(self, shape: Shape) -> set[int]:
        """The indices in the shape of the reduced dimensions."""
        first, rank = int(has_batch(shape)), len(shape) + has_batch(shape)
        axes = {axis_of(shape, dim) for dim in self.dim if -rank <= dim < rank}
        if len(axes) < len(self.dim):
            raise ShapeError(f"cannot {self.verb} {format_shape(shape)} over the dimensions {self.dim}",
                             f"its dimensions are {first} to {rank - 1}, each at most once", "dim")  # fmt: skip
        return axes

    def infer(self, *inputs: Shape) -> Shape:
        shape, axes = inputs[0], self.axes(inputs[0])
        if self.keepdim:
            sizes = [1 if axis in axes else size for axis, size in enumerate(shape)]
        else:
            sizes = [size for axis, size in enumerate(shape) if axis not in axes]
        return type(shape)(sizes) if not has_batch(shape) else tuple(sizes)

    def windows(self, *inputs: Shape) -> Windows:
        axes = self.axes(inputs[0])
        kept = [None if axis in axes else Window(axis) for axis in range(len(inputs[0]))]
        return (tuple(kept if self.keepdim else filter(None, kept)),)

    @classmethod
    def of_call(cls, given: Mapping[str, Any]) -> dict[str, Any]:
        dim = given.get("dim")
        every = range(given["input"].ndim) if dim is None else dim
        return {"dim": [every] if isinstance(every, int) else list(every), "keepdim": given.get("keepdim", False)}

    def function(self, *inputs: Shape) -> Call:
        keep = {"keepdim": True} if self.keepdim else {}
        return Call(f"Tensor.{self.method}", (Input(0), tuple(self.dim) if len(self.dim) > 1 else self.dim[0]), keep)


class Mean(Reduction):
    """Mean over dimensions, `Tensor.mean`; dimension 0 is the batch, so (2, 3) are height and width."""

    kind = "mean"
    spelled = ("mean(input, dim, keepdim=False, dtype=None)", "mean(input, dtype=None)")
    verb = "average"
    method = "mean"

    dim: list[Dimension] = Field(min_length=1, description="dimensions to average over, counted with the batch as 0")
