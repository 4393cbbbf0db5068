"""Dimensions of each sample that join the batch, and leave it again."""

from __future__ import annotations

from pydantic import Field

from archspec.ops.base import Op
from archspec.ops.call import Call, Input
from archspec.ops.dimensions import sized
from archspec.ops.fields import Size
from archspec.ops.shapes import Folded, Shape, ShapeError, Value, folded_of, format_shape, with_folded, without_folded


class FlattenBatch(Op):
    """The first dimensions of each sample join the batch, `torch.flatten(x, 0, dims)`. The ops that follow act on each
    window of a feature map, say, as on a sample of its own; a batch norm takes its statistics over all of them."""

    kind = "flatten_batch"
    view = True
    role = "shape"

    dims: Size = Field(1, description="how many dimensions")

    def infer(self, *inputs: Shape) -> Shape:
        shape = inputs[0]
        if len(shape) <= self.dims:
            message = f"flatten_batch: {self.dims} of the dimensions of {format_shape(shape)} leave none to a sample"
            raise ShapeError(message, "", "dims")
        return with_folded(sized(shape, shape[self.dims :]), (tuple(map(int, shape[: self.dims])),))

    def function(self, *inputs: Shape) -> Call:
        return Call("torch.flatten", (Input(0), 0, self.dims))


class UnflattenBatch(Op):
    """The dimensions that joined the batch last become the first ones of each sample again, `torch.unflatten`."""

    kind = "unflatten_batch"
    view = True
    role = "shape"

    def yields(self, *inputs: Shape) -> Value:
        """The output's shape: the input's, after the sizes that are in its batch."""
        shape = inputs[0]
        if not isinstance(shape, Folded):
            super().yields(shape)  # it may have no batch at all
            message = "unflatten_batch: the batch of its input holds no dimensions of a sample"
            raise ShapeError(message, "flatten_batch puts them there")
        plain = without_folded(shape)
        *others, sizes = folded_of(shape)
        return with_folded(sized(plain, (*sizes, *plain)), tuple(others))

    def function(self, *inputs: Shape) -> Call:
        return Call("torch.unflatten", (Input(0), 0, (-1, *folded_of(inputs[0])[-1])))
