"""Functions of single numbers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import Field, model_validator

from archspec.ops.base import Op
from archspec.ops.call import Call, Input
from archspec.ops.shapes import Shape


class _Function(Op):
    """A function of torch that has no arguments."""

    elementwise = True
    role = "activation"

    def function(self, *inputs: Shape) -> Call:
        return Call(f"torch.{self.kind}")


class Exp(_Function):
    """e to the power of x, `torch.exp`."""

    kind = "exp"
    spelled = ("exp(input)",)


class Log(_Function):
    """The natural logarithm of x, `torch.log`."""

    kind = "log"
    spelled = ("log(input)",)
    fresh = True


class Sqrt(_Function):
    """The square root of x, `torch.sqrt`."""

    kind = "sqrt"
    spelled = ("sqrt(input)",)


class Rsqrt(_Function):
    """1 / √x, `torch.rsqrt`."""

    kind = "rsqrt"
    spelled = ("rsqrt(input)",)


class Abs(_Function):
    """The absolute value of x, `torch.abs`."""

    kind = "abs"
    spelled = ("abs(input)",)
    fresh = True


class Neg(_Function):
    """−x, `torch.neg`."""

    kind = "neg"
    spelled = ("neg(input)",)
    fresh = True


class Square(_Function):
    """x × x, `torch.square`."""

    kind = "square"
    spelled = ("square(input)",)
    fresh = True


class Reciprocal(_Function):
    """1 / x, `torch.reciprocal`."""

    kind = "reciprocal"
    spelled = ("reciprocal(input)",)


class Sign(_Function):
    """-1, 0 or 1, as x is negative, zero or positive, `torch.sign`."""

    kind = "sign"
    spelled = ("sign(input)",)
    fresh = True


class Sin(_Function):
    """The sine of x, `torch.sin`."""

    kind = "sin"
    spelled = ("sin(input)",)
    fresh = True


class Cos(_Function):
    """The cosine of x, `torch.cos`."""

    kind = "cos"
    spelled = ("cos(input)",)
    fresh = True


class Erf(_Function):
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


class Clamp(Op):
    """x, but no less than `min` and no more than `max`, `torch.clamp`."""

    kind = "clamp"
    spelled = ("clamp(input, min=None, max=None)",)
    elementwise = True
    fresh = True
    role = "activation"
    shown = ("range",)
    numbers = frozenset({"min", "max"})

    min: float | None = Field(None, description="the least value")
    max: float | None = Field(None, description="the greatest value")

    @property
    def range(self) -> str:
        """The range of its values, as text: `0 to 6`."""
        if self.min is None or self.max is None:
            return f"≥ {self.min:g}" if self.max is None else f"≤ {self.max:g}"
        return f"{self.min:g} to {self.max:g}"

    @model_validator(mode="after")
    def _ends(self) -> Clamp:
        if self.min is None and self.max is None:
            raise ValueError("expected min, max or both, got neither")
        if self.min is not None and self.max is not None and self.min > self.max:
            raise ValueError(f"expected min to be at most max, got {self.min} and {self.max}")
        return self

    def function(self, *inputs: Shape) -> Call:
        ends = {"min": self.min, "max": self.max}
        return Call("torch.clamp", (Input(0),), {name: end for name, end in ends.items() if end is not None})
