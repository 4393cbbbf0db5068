"""Arithmetic of values, element by element, with torch's broadcasting."""

from abc import abstractmethod
from collections.abc import Mapping
from functools import reduce
from typing import Any, ClassVar

from pydantic import Field

from archspec.ops.base import Op
from archspec.ops.call import Call, Input
from archspec.ops.shape_help import align
from archspec.ops.shapes import ChannelsLast, Shape, ShapeError, Unbatched, format_shape
from archspec.ops.window import Windows, same, spread


class Broadcast(Op):
    """Base class of functions of several values, element by element.

    Sizes of 1 are broadcast. Values with a batch must have the same number of dimensions; a value without a batch is
    applied to every sample, aligned at the last dimension.
    """

    elementwise = True
    role = "join"
    verb: ClassVar[str]

    def infer(self, *inputs: Shape) -> Shape:
        return reduce(self._joined, inputs)

    def _joined(self, left: Shape, right: Shape) -> Shape:
        if isinstance(left, Unbatched) != isinstance(right, Unbatched):
            return self._applied(left, right) if isinstance(right, Unbatched) else self._applied(right, left)
        if left == right:
            return left
        is_alike = len(left) == len(right) or isinstance(left, Unbatched)
        sizes = broadcast(left, right) if is_alike else None
        if sizes is None:
            raise ShapeError(self._unlike(left, right), help=self._help(left, right))
        return _like(sizes, left, right)

    def _applied(self, value: Shape, parameter: Shape) -> Shape:
        """The shape of a value after a parameter, which has no batch, was applied to each sample."""
        sizes = broadcast((1, *value), parameter)
        if sizes is None or len(parameter) > len(value) + 1 or sizes[0] != 1:
            help = "each size of the parameter is 1 or the value's, aligned at the last dimension"
            raise ShapeError(self._unlike(value, parameter), help)
        if len(parameter) == 1 < parameter[0] and len(value) == 3 and not isinstance(value, ChannelsLast):
            raise ShapeError(f"{self._unlike(value, parameter)}: it would act on the width",
                             f"for one number per channel, write shape: [{value[0]}, 1, 1]")  # fmt: skip
        return type(value)(sizes[1:])

    def _help(self, left: Shape, right: Shape) -> str:
        if len(left) != len(right) and not isinstance(left, Unbatched):
            return "values with a batch must have the same number of dimensions"
        return align(left, right)

    def _unlike(self, left: Shape, right: Shape) -> str:
        return f"cannot {self.verb} {format_shape(left)} and {format_shape(right)}"

    def windows(self, *inputs: Shape) -> Windows:
        if len(inputs) == 1:
            return (same(len(inputs[0])),)
        output = self.infer(*inputs)
        return tuple(spread(shape, output) for shape in inputs)


class Combined(Broadcast):
    """Two or more values combined element by element, from left to right."""

    arity = (2, None)

    @classmethod
    def of_call(cls, given: Mapping[str, Any]) -> dict[str, Any]:
        numbers = [number for number in (given["input"], given["other"]) if isinstance(number, int | float)]
        return {"value": numbers[0]} if numbers else {}

    def function(self, *inputs: Shape) -> Call:
        operands: list[Any] = [*map(Input, range(len(inputs))), *self._numbers()]
        return reduce(self._call, operands[1:], operands[0])  # type: ignore[no-any-return]

    def _numbers(self) -> list[float]:
        """The operands that are no values."""
        return []

    @abstractmethod
    def _call(self, left: Any, right: Any) -> Call:
        """Two operands combined."""


class Arithmetic(Combined):
    """Two or more values, or a value and a number, combined by an operator of Python."""

    arity = (1, None)
    inplace = True
    exact_in_place = True
    fresh = True
    shown = ("value",)
    numbers = frozenset({"value"})
    operator: ClassVar[str]
    """The function's name in Python's module `operator`."""

    value: float | None = Field(None, description="number in place of a second value")

    def takes(self) -> tuple[int, int | None]:
        return (2, None) if self.value is None else (1, 1)

    def can_overwrite(self, count: int) -> bool:
        return self.inplace and count == 2

    def _numbers(self) -> list[float]:
        return [] if self.value is None else [self.value]

    def _call(self, left: Any, right: Any) -> Call:
        return Call(f"operator.{self.operator}", (left, right))


def broadcast(left: Shape, right: Shape) -> tuple[int, ...] | None:
    """The sizes that torch broadcasts two shapes to, aligned at the last dimension; `None` if they do not match.

    >>> broadcast((8, 1, 4), (5, 1))
    (8, 5, 4)
    """
    rank = max(len(left), len(right))
    pairs = zip(*((*[1] * (rank - len(shape)), *shape) for shape in (left, right)), strict=True)
    sizes = [one if one == other or other == 1 else other if one == 1 else None for one, other in pairs]
    return None if None in sizes else tuple(sizes)  # type: ignore[arg-type]


def _like(sizes: tuple[int, ...], left: Shape, right: Shape) -> Shape:
    """A shape of broadcast sizes, with the type of the operand that keeps its sizes."""
    if type(left) is type(right) or tuple(left) == sizes:
        return type(left)(sizes)
    return type(right)(sizes) if tuple(right) == sizes else sizes


class Add(Arithmetic):
    """The sum of values, `x + y`, or of a value and a number."""

    kind = "add"
    spelled = ("add(input, other, alpha=1)",)
    adds = True
    verb: ClassVar[str] = "add"
    operator: ClassVar[str] = "add"


class Mul(Arithmetic):
    """The product of values, `x * y`, such as a feature map and a factor per channel (c × 1 × 1), or of a value and a
    number."""

    kind = "mul"
    spelled = ("mul(input, other)", "multiply(input, other)")
    inplace = False
    exact_in_place = False
    fresh = False
    verb: ClassVar[str] = "multiply"
    operator: ClassVar[str] = "mul"

    def _help(self, left: Shape, right: Shape) -> str:
        for scale, other in ((left, right), (right, left)):
            if len(scale) == len(other) == 3 and scale[1:] == (1, 1):
                return f"one factor per channel would be {other[0]} factors, not {scale[0]}"
        return super()._help(left, right)
