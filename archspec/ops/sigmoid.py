"""Sigmoid functions, and the unit that one gates."""

from archspec.ops.relu import Activation


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


class SiLU(Activation):
    """x × sigmoid(x), also called swish, `nn.SiLU`."""

    kind = "silu"
    spelled = ("silu(input, inplace=False)",)
    module = "nn.SiLU"
