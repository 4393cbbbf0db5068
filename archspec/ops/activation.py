"""Activation functions: element by element, no parameters."""

from typing import Literal

from pydantic import Field

from archspec.ops.base import Argument, Call, Input, Op, Shape, ShapeError, Size
from archspec.ops.dimensions import Dimension, axis_of
from archspec.ops.window import All, Looks, same, without


class _Activation(Op):
    """An activation that torch can run in place and whose functional twin is `F.<kind>`."""

    elementwise = True
    inplace = True
    role = "activation"

    def function(self, *inputs: Shape) -> Call:
        given = {a.name: a.value for a in self.constructor(*inputs) if a.value != a.default}
        return Call(f"F.{self.kind}", (Input(0),), given)


class ReLU(_Activation):
    """max(0, x), `nn.ReLU`."""

    kind = "relu"
    module = "nn.ReLU"
    exact_in_place = True


class ReLU6(_Activation):
    """min(max(0, x), 6), `nn.ReLU6`."""

    kind = "relu6"
    module = "nn.ReLU6"
    exact_in_place = True


class LeakyReLU(_Activation):
    """x where positive, else negative_slope × x, `nn.LeakyReLU`."""

    kind = "leaky_relu"
    module = "nn.LeakyReLU"
    exact_in_place = True
    numbers = frozenset({"negative_slope"})

    negative_slope: float = Field(0.01, ge=0, description="slope for negative x")


class ELU(_Activation):
    """x where positive, else alpha × (exp(x) − 1), `nn.ELU`."""

    kind = "elu"
    module = "nn.ELU"
    numbers = frozenset({"alpha"})

    alpha: float = Field(1.0, gt=0, description="limit for large negative x, with the sign changed")


class SiLU(_Activation):
    """x × sigmoid(x), also called swish, `nn.SiLU`."""

    kind = "silu"
    module = "nn.SiLU"


class Hardswish(_Activation):
    """x × relu6(x + 3) / 6, `nn.Hardswish` (MobileNetV3)."""

    kind = "hardswish"
    module = "nn.Hardswish"


class Hardsigmoid(_Activation):
    """relu6(x + 3) / 6, `nn.Hardsigmoid` (MobileNetV3)."""

    kind = "hardsigmoid"
    module = "nn.Hardsigmoid"


class GELU(_Activation):
    """x × Φ(x), `nn.GELU` (Hendrycks & Gimpel, https://arxiv.org/abs/1606.08415)."""

    kind = "gelu"
    module = "nn.GELU"
    inplace = False

    approximate: Literal["none", "tanh"] = Field("none", description="tanh: Φ as a formula with tanh, as in GPT-2")


class Sigmoid(_Activation):
    """1 / (1 + exp(−x)), `nn.Sigmoid`."""

    kind = "sigmoid"
    module = "nn.Sigmoid"
    inplace = False


class Tanh(_Activation):
    """Hyperbolic tangent, `nn.Tanh`."""

    kind = "tanh"
    module = "nn.Tanh"
    inplace = False


class Softmax(_Activation):
    """exp(x) / sum of exp over one dimension, `nn.Softmax`."""

    kind = "softmax"
    module = "nn.Softmax"
    elementwise = False
    inplace = False

    needs_batch = False

    dim: Dimension = Field(1, description="the dimension to sum over, counted with the batch as 0")

    def infer(self, *inputs: Shape) -> Shape:
        axis_of(inputs[0], self.dim)
        return inputs[0]

    def looks(self, *inputs: Shape) -> Looks:
        return (without(len(inputs[0]), All(axis_of(inputs[0], self.dim))),)

    def constructor(self, *inputs: Shape) -> tuple[Argument, ...]:
        return (Argument("dim", self.dim),)  # torch has no default worth the name: it guesses, and warns


class PReLU(Op):
    """x where positive, else a learned slope × x, `nn.PReLU` (He et al., https://arxiv.org/abs/1502.01852)."""

    kind = "prelu"
    module = "nn.PReLU"
    lacks = frozenset({"bias"})
    fresh = True
    role = "activation"
    numbers = frozenset({"num_parameters", "init"})
    vectors = frozenset({"weight"})

    num_parameters: Size = Field(1, description="slopes: 1, or one for each channel")
    init: float = Field(0.25, description="slope at first")

    def infer(self, *inputs: Shape) -> Shape:
        channels = inputs[0][0]
        if self.num_parameters not in (1, channels):
            raise ShapeError(f"{self.num_parameters} slopes for {int(channels)} channels",
                             f"num_parameters may be 1 or {int(channels)}", "num_parameters")  # fmt: skip
        return inputs[0]

    def parameters(self, *inputs: Shape) -> dict[str, Shape]:
        return {"weight": (self.num_parameters,)}

    def looks(self, *inputs: Shape) -> Looks:
        return (same(len(inputs[0])),)
