"""What expressions may contain: operators, attributes of values, and limits that bound the work and the memory."""

from __future__ import annotations

import ast
import math
import operator
from collections.abc import Callable
from typing import Any, Final

from archspec.diagnostics.budget import spend
from archspec.expressions.errors import ExpressionError

MAX_LENGTH: Final = 500
MAX_DEPTH: Final = 40
MAX_INT: Final = 1 << 62
MAX_EXPONENT: Final = 64
MAX_LIST: Final = 10_000

SHAPE_ATTRIBUTES: Final = ("channels", "depth", "height", "width", "features", "length", "parts")
"""What may follow a value's name: `conv1.channels`."""

BINARY: Final[dict[type[ast.operator], Callable[[Any, Any], Any]]] = {
    ast.Add: operator.add, ast.Sub: operator.sub, ast.Mult: operator.mul, ast.Div: operator.truediv,
    ast.FloorDiv: operator.floordiv, ast.Mod: operator.mod, ast.Pow: operator.pow,
}  # fmt: skip
COMPARE: Final[dict[type[ast.cmpop], Callable[[Any, Any], Any]]] = {
    ast.Eq: operator.eq, ast.NotEq: operator.ne, ast.Lt: operator.lt, ast.LtE: operator.le,
    ast.Gt: operator.gt, ast.GtE: operator.ge,
    ast.In: lambda a, b: a in b, ast.NotIn: lambda a, b: a not in b,
}  # fmt: skip
UNARY: Final[dict[type[ast.unaryop], Callable[[Any], Any]]] = {
    ast.USub: operator.neg, ast.UAdd: operator.pos, ast.Not: operator.not_,
}  # fmt: skip


def bounded(value: Any) -> Any:
    """`value` if it is within the limits; raises `ExpressionError` otherwise."""
    if isinstance(value, int):
        if abs(value) > MAX_INT:
            raise ExpressionError("the integer is out of range (at most 2^62)")
        return value
    if isinstance(value, complex):
        raise ExpressionError("the result is not a real number")
    if isinstance(value, float):
        if not math.isfinite(value):
            raise ExpressionError("the result is not a finite number")
        return value
    size = len(value) if isinstance(value, str) else elements(value)
    if size > MAX_LIST:
        raise ExpressionError(f"the list has more than {MAX_LIST:,} values")
    return value


def elements(value: Any) -> int:
    """Count the values in a value, those in nested lists included; each costs a step.

    Lists share their elements, so that a short list may stand for a million values. The count never exceeds the limit
    by much, since each part was counted before.

    >>> elements([1, [2, 3]]), elements(7)
    (5, 1)
    """
    if not isinstance(value, list | tuple):
        return 1
    count = 1 + len(value)
    spend(count)
    return count + sum(elements(element) - 1 for element in value if isinstance(element, list | tuple))
