"""Further functions of single numbers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import Field, model_validator

from archspec.ops.base import Op
from archspec.ops.call import Call, Input
from archspec.ops.exponential import Function
from archspec.ops.shapes import Shape


class Sqrt(Function):
    """The square root of x, `torch.sqrt`."""

    kind = "sqrt"
    spelled = ("sqrt(input)",)


class Rsqrt(Function):
    """1 / √x, `torch.rsqrt`."""

    kind = "rsqrt"
    spelled = ("rsqrt(input)",)


class Abs(Function):
    """The absolute value of x, `torch.abs`."""

    kind = "abs"
    spelled = ("abs(input)",)
    fresh = True


class Neg(Function):
    """−x, `torch.neg`."""

    kind = "neg"
    spelled = ("neg(input)",)
    fresh = True


class Square(Function):
    """x × x, `torch.square`."""

    kind = "square"
    spelled = ("square(input)",)
    fresh = True


class Reciprocal(Function):
    """1 / x, `torch.reciprocal`."""

    kind = "reciprocal"
    spelled = ("reciprocal(input)",)


class Sign(Function):
    """-1, 0 or 1, as x is negative, zero or positive, `torch.sign`."""

    kind = "sign"
    spelled = ("sign(input)",)
    fresh = True


class Sin(Function):
    """The sine of x, `torch.sin`."""

    kind = "sin"
    spelled = ("sin(input)",)
    fresh = True


class Cos(Function):
    """The cosine of x, `torch.cos`."""

    kind = "cos"
    spelled = ("cos(input)",)
    fresh = True


class Erf(Function):
    """The error function of x, `torch.erf`."""

    kind = "erf"
    spelled = ("erf(input)",)
    fresh = True


class Pow(Op):
    """x to a power, or a number to the power of x, `torch.pow`."""

    kind = "pow"
    spelled = ("pow(input, exponent)",)
    elementwise = True
    role = "activation"
    shown = ("exponent", "base")
    numbers = frozenset({"exponent", "base"})

    exponent: int | float | None = Field(None, description="the power that x is raised to")
    base: int | float | None = Field(None, description="the number that is raised to the power of x")

    @model_validator(mode="after")
    def _is_either(self) -> Pow:
        if (self.exponent is None) == (self.base is None):
            raise ValueError(f"expected either exponent or base, got {'neither' if self.base is None else 'both'}")
        return self

    @classmethod
    def of_call(cls, given: Mapping[str, Any]) -> dict[str, Any]:
        base = given["input"]
        return {"base": base} if isinstance(base, int | float) else {"exponent": given["exponent"]}

    def function(self, *inputs: Shape) -> Call:
        return Call("torch.pow", (Input(0), self.exponent) if self.base is None else (self.base, Input(0)))
