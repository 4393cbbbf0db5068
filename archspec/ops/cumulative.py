"""Sums of all positions up to each."""

from pydantic import Field

from archspec.ops.base import Op
from archspec.ops.call import Call, Input
from archspec.ops.dimensions import Dimension, axis_of
from archspec.ops.shapes import Shape
from archspec.ops.window import UnknownWindow, Windows, without


class CumSum(Op):
    """The sum of each position of a dimension and all before it, `torch.cumsum`."""

    kind = "cumsum"
    spelled = ("cumsum(input, dim, dtype=None)",)
    needs_batch = False
    role = "activation"
    fresh = True

    dim: Dimension = Field(description="the dimension, counted with the batch as 0")

    def infer(self, *inputs: Shape) -> Shape:
        axis_of(inputs[0], self.dim)
        return inputs[0]

    def windows(self, *inputs: Shape) -> Windows:
        return (without(len(inputs[0]), UnknownWindow(axis_of(inputs[0], self.dim))),)

    def function(self, *inputs: Shape) -> Call:
        return Call("torch.cumsum", (Input(0), self.dim))
