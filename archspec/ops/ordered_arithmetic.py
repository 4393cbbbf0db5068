"""Arithmetic whose operands cannot be swapped."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from pydantic import Field, model_validator

from archspec.ops.arithmetic import Arithmetic
from archspec.ops.call import Call


class _Ordered(Arithmetic):
    """Base class of operations whose operands cannot be swapped."""

    reverse: bool = Field(False, description="whether the number comes first, with value")

    @model_validator(mode="after")
    def _of_a_number(self) -> _Ordered:
        if self.reverse and self.value is None:
            raise ValueError("reverse needs value: to reverse values, list them in the other order")
        return self

    @classmethod
    def of_call(cls, given: Mapping[str, Any]) -> dict[str, Any]:
        return {**super().of_call(given), "reverse": isinstance(given["input"], int | float)}

    def _call(self, left: Any, right: Any) -> Call:
        return super()._call(right, left) if self.reverse else super()._call(left, right)


class Sub(_Ordered):
    """The difference of values, `x - y`, or of a value and a number; several are subtracted from left to right."""

    kind = "sub"
    spelled = ("sub(input, other, alpha=1)",)
    verb: ClassVar[str] = "subtract"
    operator: ClassVar[str] = "sub"


class Div(_Ordered):
    """The quotient of values, `x / y`, or of a value and a number; several are divided from left to right."""

    kind = "div"
    spelled = ("div(input, other, rounding_mode=None)", "truediv(input, other)")
    inplace = False
    exact_in_place = False
    fresh = False
    verb: ClassVar[str] = "divide"
    operator: ClassVar[str] = "truediv"
