"""Ops whose output is their input."""

from archspec.ops.base import Op
from archspec.ops.call import Call, Input
from archspec.ops.shapes import Shape


class Identity(Op):
    """Returns its input, `nn.Identity`."""

    kind = "identity"
    module = "nn.Identity"
    elementwise = True
    carries_integers = True
    view = True
    role = "shape"


class Contiguous(Op):
    """The same value laid out in memory dimension by dimension, `x.contiguous()`: a copy after dimensions were
    reordered. The layout decides which kernel of torch a layer runs, and so how its results are rounded."""

    kind = "contiguous"
    spelled = ("contiguous(input)",)
    elementwise = True
    carries_integers = True
    view = True
    role = "shape"

    def function(self, *inputs: Shape) -> Call:
        return Call("Tensor.contiguous", (Input(0),))
