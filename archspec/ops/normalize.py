"""Division by a norm."""

from pydantic import Field

from archspec.ops.base import Op
from archspec.ops.call import Call, Input
from archspec.ops.dimensions import Dimension, axis_of
from archspec.ops.shapes import Shape  # fmt: skip
from archspec.ops.window import All, Windows, without


class Normalize(Op):
    """Divides by the norm over a dimension, `F.normalize`, so that vectors along it have length 1."""

    kind = "normalize"
    spelled = ("normalize(input, p=2.0, dim=1, eps=1e-12)",)
    needs_batch = False
    fresh = True
    role = "norm"
    numbers = frozenset({"p", "eps"})

    p: float = Field(2.0, gt=0, description="exponent of the norm; 2 is the length")
    dim: Dimension = Field(1, description="the dimension, counted with the batch as 0")
    eps: float = Field(1e-12, gt=0, description="the smallest divisor")

    def infer(self, *inputs: Shape) -> Shape:
        axis_of(inputs[0], self.dim)
        return inputs[0]

    def windows(self, *inputs: Shape) -> Windows:
        return (without(len(inputs[0]), All(axis_of(inputs[0], self.dim))),)

    def function(self, *inputs: Shape) -> Call:
        return Call("F.normalize", (Input(0),), self.non_default_fields())
