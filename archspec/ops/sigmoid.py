"""Sigmoid functions, and the units that they gate."""

from archspec.ops.relu import Activation


class Sigmoid(Activation):
    """1 / (1 + exp(−x)), `nn.Sigmoid`."""

    kind = "sigmoid"
    spelled = ("sigmoid(input)",)
    module = "nn.Sigmoid"
    inplace = False


class SiLU(Activation):
    """x × sigmoid(x), also called swish, `nn.SiLU`."""

    kind = "silu"
    spelled = ("silu(input, inplace=False)",)
    module = "nn.SiLU"


class Hardsigmoid(Activation):
    """relu6(x + 3) / 6, `nn.Hardsigmoid` (MobileNetV3)."""

    kind = "hardsigmoid"
    spelled = ("hardsigmoid(input, inplace=False)",)
    module = "nn.Hardsigmoid"


class Hardswish(Activation):
    """x × relu6(x + 3) / 6, `nn.Hardswish` (MobileNetV3)."""

    kind = "hardswish"
    spelled = ("hardswish(input, inplace=False)",)
    module = "nn.Hardswish"
