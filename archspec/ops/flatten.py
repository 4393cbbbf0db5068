"""All dimensions as one."""

import math

from archspec.ops.base import Op
from archspec.ops.call import Call, Input
from archspec.ops.shapes import Shape
from archspec.ops.window import Fold, Windows


class Flatten(Op):
    """All dimensions except the batch as one, `nn.Flatten`, or `torch.flatten(x, 1)` if the item has no name."""

    kind = "flatten"
    module = "nn.Flatten"
    carries_integers = True
    view = True
    flattens = True
    role = "shape"

    def infer(self, *inputs: Shape) -> Shape:
        sizes = [size for size in inputs[0] if type(size) is not int or size != 1]  # a symbolic size need not be 1
        return (math.prod(sizes) if sizes else 1,)

    def windows(self, *inputs: Shape) -> Windows:
        return ((Fold(tuple(range(len(inputs[0])))),),)

    def function(self, *inputs: Shape) -> Call:
        return Call("torch.flatten", (Input(0), 1))
