"""The types of ops' fields: sizes, and numbers for each axis that windows slide over."""

import math
from collections.abc import Callable
from typing import Annotated, Any, Final, Literal

from pydantic import Field

from archspec.diagnostics.checked import Checked
from archspec.expressions.sizes import is_whole
from archspec.ops.shapes import MAX_SIZE

_WRITTEN: Final = {
    1: "an integer",
    2: "an integer or a pair [height, width]",
    3: "an integer or [depth, height, width]",
}


def _sizes(rank: int, least: int, *words: str) -> Callable[[Any], Any]:
    """A validator for a number for all axes, a number for each, or one of `words`."""

    def check(value: Any) -> Any:
        if is_whole(value):
            return _least(_size(value), least)
        if isinstance(value, str) and value in words:
            return value
        numbers = value if isinstance(value, list | tuple) else ()
        if rank == 1 or len(numbers) != rank or not all(map(is_whole, numbers)):
            got = f", got {value!r:.60}" if isinstance(value, str | float | list) else ""
            raise ValueError(f"expected {' or '.join([_WRITTEN[rank], *words])}{got}")
        return tuple(_least(_size(number), least) for number in numbers)

    return check


def _size(value: int) -> int:
    if not 0 <= value < MAX_SIZE:
        raise ValueError(f"expected an integer from 0 to {MAX_SIZE - 1:,}, got {value}")
    return value


def _least(value: int, least: int) -> int:
    if value < least:
        raise ValueError(f"expected at least {least}, got {value}")
    return value


def _form(rank: int) -> Any:
    return int if rank == 1 else int | Annotated[list[int], Field(min_length=rank, max_length=rank)]


def _padding(rank: int) -> Any:
    return _form(rank) | Literal["same", "valid"]


Pair = Annotated[int | tuple[int, int], Checked(_sizes(2, 0), _form(2))]
PositivePair = Annotated[int | tuple[int, int], Checked(_sizes(2, 1), _form(2))]
Triple = Annotated[int | tuple[int, int, int], Checked(_sizes(3, 0), _form(3))]
PositiveTriple = Annotated[int | tuple[int, int, int], Checked(_sizes(3, 1), _form(3))]
Single = Annotated[int, Checked(_sizes(1, 0), int)]
PositiveSingle = Annotated[int, Checked(_sizes(1, 1), int)]
Padding1 = Annotated[Any, Checked(_sizes(1, 0, "same", "valid"), _padding(1))]
Padding2 = Annotated[Any, Checked(_sizes(2, 0, "same", "valid"), _padding(2))]
Padding3 = Annotated[Any, Checked(_sizes(3, 0, "same", "valid"), _padding(3))]
"""Types for numbers per axis that windows slide over: one for all axes, or one for each."""

Size = Annotated[int, Field(ge=1, lt=MAX_SIZE)]
Probability = Annotated[float, Field(ge=0, le=1)]


def each(value: int | tuple[int, ...], rank: int = 2) -> tuple[int, ...]:
    """A number for each of `rank` axes: (height, width), for example.

    >>> each(3), each((3, 5)), each(3, 1)
    ((3, 3), (3, 5), (3,))
    """
    return (value,) * rank if isinstance(value, int) else value


def may_be(field: str, *counts: int) -> str:
    """Help that lists the possible values of a field that must divide channel counts; at most a dozen.

    >>> may_be("groups", 12, 8)
    'groups may be 1, 2, 4'
    >>> may_be("groups", 360)
    'groups may be 1, 2, 3, 4, 5, 6, 8, 9, 10, 12, 15, 18, …'
    """
    common = math.gcd(*counts)
    fits = [str(n) for n in range(1, min(common, 1024) + 1) if common % n == 0]
    return f"{field} may be {', '.join(fits[:12])}{', …' if len(fits) > 12 else ''}"


def learned_vectors(affine: str, weight: Any, bias: Any) -> dict[str, bool]:
    """The fields of a norm that say whether it learns a scale, here called `affine`, and whether a shift, too."""
    return {affine: weight is not None, "bias": weight is None or bias is not None}
