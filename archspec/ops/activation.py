"""Further activation functions."""

from __future__ import annotations

from pydantic import Field

from archspec.ops.base import Op
from archspec.ops.call import Argument, Call, Input
from archspec.ops.dimensions import Dimension, axis_of
from archspec.ops.relu import Activation
from archspec.ops.shapes import Shape, ShapeError, format_shape
from archspec.ops.softmax import Softmax
from archspec.ops.window import UnknownWindow, Windows, without


class LeakyReLU(Activation):
    """x if positive, otherwise negative_slope × x, `nn.LeakyReLU`."""

    kind = "leaky_relu"
    spelled = ("leaky_relu(input, negative_slope=0.01, inplace=False)",)
    module = "nn.LeakyReLU"
    exact_in_place = True
    numbers = frozenset({"negative_slope"})

    negative_slope: float = Field(0.01, ge=0, description="slope for negative x")


class ELU(Activation):
    """x where positive, else alpha × (exp(x) − 1), `nn.ELU`."""

    kind = "elu"
    spelled = ("elu(input, alpha=1.0, inplace=False)",)
    module = "nn.ELU"
    numbers = frozenset({"alpha"})

    alpha: float = Field(1.0, gt=0, description="limit for large negative x, with the sign changed")


class Mish(Activation):
    """x × tanh(softplus(x)), `nn.Mish` (Misra, https://arxiv.org/abs/1908.08681)."""

    kind = "mish"
    spelled = ("mish(input, inplace=False)",)
    module = "nn.Mish"


class SELU(Activation):
    """ELU with a scale that keeps mean and variance, `nn.SELU` (Klambauer et al., https://arxiv.org/abs/1706.02515)."""

    kind = "selu"
    spelled = ("selu(input, inplace=False)",)
    module = "nn.SELU"


class CELU(Activation):
    """x where positive, else alpha × (exp(x / alpha) − 1), `nn.CELU` (Barron, https://arxiv.org/abs/1704.07483)."""

    kind = "celu"
    spelled = ("celu(input, alpha=1.0, inplace=False)",)
    module = "nn.CELU"
    numbers = frozenset({"alpha"})

    alpha: float = Field(1.0, gt=0, description="limit for large negative x, with the sign changed")


class Softplus(Activation):
    """log(1 + exp(beta × x)) / beta, `nn.Softplus`."""

    kind = "softplus"
    spelled = ("softplus(input, beta=1.0, threshold=20.0)",)
    module = "nn.Softplus"
    inplace = False
    numbers = frozenset({"beta", "threshold"})

    beta: float = Field(1.0, gt=0, description="how sharp the transition is")
    threshold: float = Field(20.0, description="if beta × x is larger, the value is x")


class Softsign(Activation):
    """x / (1 + |x|), `nn.Softsign`."""

    kind = "softsign"
    spelled = ("softsign(input)",)
    module = "nn.Softsign"
    inplace = False


class LogSigmoid(Activation):
    """log(sigmoid(x)), `nn.LogSigmoid`."""

    kind = "log_sigmoid"
    spelled = ("logsigmoid(input)",)
    module = "nn.LogSigmoid"
    inplace = False

    def function(self, *inputs: Shape) -> Call:
        return Call("F.logsigmoid")


class LogSoftmax(Softmax):
    """The logarithm of softmax over one dimension, `nn.LogSoftmax`."""

    kind = "log_softmax"
    spelled = ("log_softmax(input, dim, _stacklevel=3, dtype=None)", "log_softmax(input, dim, dtype=None)")
    module = "nn.LogSoftmax"


class GLU(Op):
    """The first half of a dimension, gated by the sigmoid of the second, `nn.GLU` (Dauphin et al.,
    https://arxiv.org/abs/1612.08083)."""

    kind = "glu"
    spelled = ("glu(input, dim=-1)",)
    module = "nn.GLU"
    needs_batch = False
    role = "activation"

    dim: Dimension = Field(-1, description="the dimension that is halved, counted with the batch as 0")

    def infer(self, *inputs: Shape) -> Shape:
        shape = inputs[0]
        axis = axis_of(shape, self.dim)
        if int(shape[axis]) % 2:
            raise ShapeError(f"dimension {self.dim} of {format_shape(shape)} cannot be halved",
                             "its size must be even", "dim")  # fmt: skip
        return type(shape)((*shape[:axis], shape[axis] // 2, *shape[axis + 1 :]))

    def windows(self, *inputs: Shape) -> Windows:
        axis = axis_of(inputs[0], self.dim)
        return (without(len(inputs[0]), UnknownWindow(axis)),)

    def constructor(self, *inputs: Shape) -> tuple[Argument, ...]:
        return (self.argument("dim"),)

    def function(self, *inputs: Shape) -> Call:
        return Call("F.glu", (Input(0),), {} if self.dim == -1 else {"dim": self.dim})
