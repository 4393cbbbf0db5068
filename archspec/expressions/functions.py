"""The functions that expressions may call."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, Final

from archspec.expressions.errors import ExpressionError
from archspec.expressions.grammar import MAX_EXPONENT


def make_divisible(value: float, divisor: int = 8, min_value: int | None = None) -> int:
    """Round a channel count to a multiple of `divisor`, never below nine tenths of it (MobileNet's rule).

    Source: Sandler et al., "MobileNetV2", https://arxiv.org/abs/1801.04381 (reference implementation).

    >>> make_divisible(33.6), make_divisible(11, 8)
    (32, 16)
    """
    least = divisor if min_value is None else min_value
    rounded = max(least, int(value + divisor / 2) // divisor * divisor)
    return rounded + divisor if rounded < 0.9 * value else rounded


def _round(number: float, digits: int | None = None) -> float:
    """Python's `round` with bounded digits: it would take hours for a large negative number of them."""
    if digits is not None and abs(digits) > MAX_EXPONENT:
        raise ExpressionError(f"cannot round to more than {MAX_EXPONENT} digits")
    return round(number, digits)


FUNCTIONS: Final[dict[str, Callable[..., Any]]] = {
    "int": int, "round": _round, "ceil": math.ceil, "floor": math.floor, "min": min, "max": max, "sum": sum,
    "len": len, "abs": abs, "float": float, "sqrt": math.sqrt, "make_divisible": make_divisible,
}  # fmt: skip
