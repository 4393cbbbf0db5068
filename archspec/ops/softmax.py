"""Softmax."""

from pydantic import Field

from archspec.ops.call import Argument
from archspec.ops.dimensions import Dimension, axis_of
from archspec.ops.relu import Activation
from archspec.ops.shapes import Shape
from archspec.ops.window import All, Windows, without


class Softmax(Activation):
    """exp(x) / sum of exp over one dimension, `nn.Softmax`."""

    kind = "softmax"
    spelled = ("softmax(input, dim, _stacklevel=3, dtype=None)", "softmax(input, dim, dtype=None)")
    module = "nn.Softmax"
    elementwise = False
    inplace = False

    needs_batch = False

    dim: Dimension = Field(1, description="the dimension to sum over, counted with the batch as 0")

    def infer(self, *inputs: Shape) -> Shape:
        axis_of(inputs[0], self.dim)
        return inputs[0]

    def windows(self, *inputs: Shape) -> Windows:
        return (without(len(inputs[0]), All(axis_of(inputs[0], self.dim))),)

    def constructor(self, *inputs: Shape) -> tuple[Argument, ...]:
        return (Argument("dim", self.dim),)  # without it torch guesses the dimension, and warns
