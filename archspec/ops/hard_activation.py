"""Activations made of straight lines, which cost little on phones."""

from __future__ import annotations

from pydantic import Field, model_validator

from archspec.ops.relu import Activation


class ReLU6(Activation):
    """min(max(0, x), 6), `nn.ReLU6`."""

    kind = "relu6"
    spelled = ("relu6(input, inplace=False)",)
    module = "nn.ReLU6"
    exact_in_place = True


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


class Hardtanh(Activation):
    """x, but no less than min_val and no more than max_val, `nn.Hardtanh`."""

    kind = "hardtanh"
    spelled = ("hardtanh(input, min_val=-1.0, max_val=1.0, inplace=False)",)
    module = "nn.Hardtanh"
    exact_in_place = True
    numbers = frozenset({"min_val", "max_val"})

    min_val: float = Field(-1.0, description="the least value")
    max_val: float = Field(1.0, description="the greatest value")

    @model_validator(mode="after")
    def _ends(self) -> Hardtanh:
        if self.min_val >= self.max_val:
            raise ValueError(f"expected min_val to be below max_val, got {self.min_val} and {self.max_val}")
        return self
