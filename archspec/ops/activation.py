"""Activation functions: element by element, no parameters."""

from typing import Literal

from pydantic import Field

from archspec.ops.call import Argument
from archspec.ops.dimensions import Dimension, axis_of
from archspec.ops.relu import Activation
from archspec.ops.shapes import Shape
from archspec.ops.window import All, Windows, without


class ELU(Activation):
    """x where positive, else alpha × (exp(x) − 1), `nn.ELU`."""

    kind = "elu"
    spelled = ("elu(input, alpha=1.0, inplace=False)",)
    module = "nn.ELU"
    numbers = frozenset({"alpha"})

    alpha: float = Field(1.0, gt=0, description="limit for large negative x, with the sign changed")


class SiLU(Activation):
    """x × sigmoid(x), also called swish, `nn.SiLU`."""

    kind = "silu"
    spelled = ("silu(input, inplace=False)",)
    module = "nn.SiLU"


class Hardswish(Activation):
    """x × relu6(x + 3) / 6, `nn.Hardswish` (MobileNetV3)."""

    kind = "hardswish"
    spelled = ("hardswish(input, inplace=False)",)
    module = "nn.Hardswish"


class Hardsigmoid(Activation):
    """relu6(x + 3) / 6, `nn.Hardsigmoid` (MobileNetV3)."""

    kind = "hardsigmoid"
    spelled = ("hardsigmoid(input, inplace=False)",)
    module = "nn.Hardsigmoid"


class GELU(Activation):
    """x × Φ(x), `nn.GELU` (Hendrycks & Gimpel, https://arxiv.org/abs/1606.08415)."""

    kind = "gelu"
    spelled = ("gelu(input, approximate='none')",)
    module = "nn.GELU"
    inplace = False

    approximate: Literal["none", "tanh"] = Field("none", description="tanh: Φ as a formula with tanh, as in GPT-2")


class Sigmoid(Activation):
    """1 / (1 + exp(−x)), `nn.Sigmoid`."""

    kind = "sigmoid"
    spelled = ("sigmoid(input)",)
    module = "nn.Sigmoid"
    inplace = False


class Tanh(Activation):
    """Hyperbolic tangent, `nn.Tanh`."""

    kind = "tanh"
    spelled = ("tanh(input)",)
    module = "nn.Tanh"
    inplace = False


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
