"""Ops that leave every number as it is: flatten and identity."""

from __future__ import annotations

import math

from archspec.ops.base import Call, Input, Op, Shape
from archspec.ops.window import Fold, Looks


class Flatten(Op):
    """All dimensions but the batch in one, `nn.Flatten`, or `torch.flatten(x, 1)` if the item has no name."""

    kind = "flatten"
    module = "nn.Flatten"
    carries_integers = True
    view = True
    flattens = True
    role = "shape"

    def infer(self, *inputs: Shape) -> Shape:
        sizes = [size for size in inputs[0] if type(size) is not int or size != 1]  # a named size may be 1 only here
        return (math.prod(sizes) if sizes else 1,)

    def looks(self, *inputs: Shape) -> Looks:
        return ((Fold(tuple(range(len(inputs[0])))),),)

    def function(self, *inputs: Shape) -> Call:
        return Call("torch.flatten", (Input(0), 1))


class Identity(Op):
    """The value itself, `nn.Identity`."""

    kind = "identity"
    module = "nn.Identity"
    elementwise = True
    carries_integers = True
    view = True
    role = "shape"
