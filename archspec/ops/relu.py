"""The rectified linear unit, and the base class of activation functions: element by element, no parameters."""

from archspec.ops.base import Op
from archspec.ops.call import Call, Input
from archspec.ops.shapes import Shape


class Activation(Op):
    """Base class of activations that torch can run in place and whose functional form is `F.<kind>`."""

    elementwise = True
    inplace = True
    role = "activation"

    def function(self, *inputs: Shape) -> Call:
        given = {a.name: a.value for a in self.constructor(*inputs) if a.value != a.default}
        return Call(f"F.{self.kind}", (Input(0),), given)


class ReLU(Activation):
    """max(0, x), `nn.ReLU`."""

    kind = "relu"
    spelled = ("relu(input, inplace=False)",)
    module = "nn.ReLU"
    exact_in_place = True
