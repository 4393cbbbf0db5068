"""What an op is: declared fields, a shape rule, parameters, MACs, and its spelling in torch."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from typing import Annotated, Any, ClassVar, Final, NamedTuple

from archspec.declarations import Field, Model, PlainValidator

Shape = tuple[int, ...]
"""The sizes of a tensor without its batch: (channels, height, width), (features,), (tokens, features), …"""

Value = Shape | tuple[Shape, ...]
"""What an op yields: one tensor, or several (`chunk`)."""

MAX_SIZE: Final = 1 << 31


class ShapeError(Exception):
    """An op cannot take the inputs it is given; says the rule with its numbers, and a fix if one is evident.

    `field` is the attribute of the op that breaks the rule, if one does.
    """

    def __init__(self, message: str, help: str = "", field: str = "") -> None:
        super().__init__(message)
        self.help = help
        self.field = field


class TooSmallError(ShapeError):
    """A window does not fit into a map: with a larger one it would."""


def format_shape(shape: Value | None) -> str:
    """`256×14×14`; several tensors in parentheses.

    >>> format_shape((256, 14, 14))
    '256×14×14'
    """
    if shape is None:
        return "?"
    if shape and isinstance(shape[0], tuple):
        return f"({', '.join(format_shape(part) for part in shape)})"
    return "×".join(str(int(size)) for size in shape) or "scalar"  # type: ignore[arg-type]


class Argument(NamedTuple):
    """One argument of a torch constructor; `default` is torch's own, so that it need not be written."""

    name: str
    value: Any
    default: Any = ...
    positional: bool = False


@dataclass(frozen=True)
class Input:
    """Stands for the op's input number `index` in a `Call`."""

    index: int


ALL_INPUTS: Final = Input(-1)
"""Stands for the list of all inputs in a `Call`."""

TRAINING: Final = "self.training"
"""Stands for the mode of the enclosing module in a `Call`."""


@dataclass(frozen=True)
class Call:
    """A function's spelling in torch: `target` (`torch.flatten`, `Tensor.permute`, `operator.add`) and arguments."""

    target: str
    args: tuple[Any, ...] = (Input(0),)
    kwargs: Mapping[str, Any] = field(default_factory=dict)

    def in_place(self) -> "Call":
        """The spelling that overwrites the first input: `operator.iadd`, or the argument `inplace`."""
        if self.target.startswith("operator."):
            return replace(self, target=self.target.replace(".", ".i"))
        return replace(self, kwargs={**self.kwargs, "inplace": True})


@dataclass(frozen=True)
class Window:
    """How far an op looks, per axis: `extent` input positions beyond the first, moving by `stride`."""

    extent: tuple[int, int]
    stride: tuple[float, float]


class Op(Model):
    """An operation with its attributes; the attributes have torch's names and torch's defaults.

    `kind` is the op's name in specs. An op with a `module` can be registered under a name; one that has a
    `function` can be used without. The methods take the shapes of the inputs, without the batch.
    """

    kind: ClassVar[str]
    module: ClassVar[str | None] = None
    arity: ClassVar[tuple[int, int | None]] = (1, 1)
    inplace: ClassVar[bool] = False
    """Whether torch can have it overwrite its first input, which its backward does not read."""
    fresh: ClassVar[bool] = False
    """Whether the output is new memory, no view, that backward does not read: see `may_be_overwritten`."""
    view: ClassVar[bool] = False
    """Whether the output may share the input's memory."""
    raw: ClassVar[bool] = False
    """Whether it is a parameter of the block itself, registered under the item's own name, and no module."""
    role: ClassVar[str] = "other"
    """Which colour it has in pictures."""

    def infer(self, *inputs: Shape) -> Value:
        """The output's shape; raises `ShapeError` if the inputs do not fit."""
        return inputs[0]

    def parameters(self, *inputs: Shape) -> dict[str, Shape]:
        """Trainable tensors in registration order."""
        return {}

    def buffers(self, *inputs: Shape) -> dict[str, Shape]:
        """Tensors that are saved but not trained, in registration order."""
        return {}

    def may_be_overwritten(self, output: Value) -> bool:
        """Whether a later op may overwrite an output of this shape, if nobody else reads it."""
        return self.fresh

    def macs(self, inputs: tuple[Shape, ...], output: Value) -> int:
        """Multiply-accumulates of conv, linear and matmul, without bias, for one sample."""
        return 0

    def window(self, *inputs: Shape) -> Window | None:
        """Its part of the receptive field; `None` for an op that looks at one position only."""
        return None

    def constructor(self, *inputs: Shape) -> tuple[Argument, ...]:
        """The arguments of `module`: by default every field by its name."""
        given = self.__dict__
        return tuple(Argument(name, given[name], default) for name, default in fields_of(type(self)).items())

    def argument(self, name: str, positional: bool = False) -> Argument:
        """The field `name` as a constructor argument."""
        return Argument(name, getattr(self, name), fields_of(type(self))[name], positional)

    def function(self, *inputs: Shape) -> Call | None:
        """The spelling without a module, or `None` if there is none."""
        return None


@cache
def fields_of(kind: type[Op]) -> dict[str, Any]:
    """The fields of a kind of op with their defaults, `...` where one must be given."""
    return {name: info.default for name, info in kind.model_fields.items()}


def _pair(value: Any) -> int | tuple[int, int]:
    if isinstance(value, int) and not isinstance(value, bool):
        return _size(value)
    numbers = value if isinstance(value, list | tuple) else ()
    if len(numbers) != 2 or any(isinstance(v, bool) or not isinstance(v, int) for v in numbers):
        got = f", got {value!r:.60}" if isinstance(value, str | float | list) else ""
        raise ValueError(f"expected a whole number or a pair [height, width]{got}")
    return (_size(value[0]), _size(value[1]))


def _size(value: int) -> int:
    if not 0 <= value < MAX_SIZE:
        raise ValueError(f"expected a whole number from 0 to {MAX_SIZE - 1:,}, got {value}")
    return value


def _positive_pair(value: Any) -> int | tuple[int, int]:
    pair = _pair(value)
    if min(pair_of(pair)) < 1:
        raise ValueError(f"expected at least 1, got {min(pair_of(pair))}")
    return pair


_WRITTEN: Final = int | Annotated[list[int], Field(min_length=2, max_length=2)]

Pair = Annotated[int | tuple[int, int], PlainValidator(_pair, _WRITTEN)]
PositivePair = Annotated[int | tuple[int, int], PlainValidator(_positive_pair, _WRITTEN)]
Size = Annotated[int, Field(ge=1, lt=MAX_SIZE)]
Probability = Annotated[float, Field(ge=0, le=1)]


def pair_of(value: int | tuple[int, int]) -> tuple[int, int]:
    """A size given once for both axes, or per axis, as (height, width)."""
    return (value, value) if isinstance(value, int) else value


def may_be(field: str, *counts: int) -> str:
    """A help line with what a field may be that must divide some channel counts; at most a dozen numbers.

    >>> may_be("groups", 12, 8)
    'groups may be 1, 2, 4'
    """
    common = math.gcd(*counts)
    fits = [str(n) for n in range(1, min(common, 1024) + 1) if common % n == 0]
    return f"{field} may be {', '.join(fits[:12])}{', …' if len(fits) > 12 else ''}"


class ChannelsLast(tuple[int, ...]):
    """A map's shape as (height, width, channels), as `permute` makes it: linear and layer norm act on channels."""

    __slots__ = ()


def numel(shape: Shape) -> int:
    """The number of elements of a tensor of this shape."""
    return int(math.prod(shape))


def _to_a_map(shape: Shape) -> str:
    """What to do about a value that is no map."""
    return "put it before the flatten, or use linear" if len(shape) == 1 else ""


def require_map(shape: Shape, what: str) -> tuple[int, int, int]:
    """`shape` as (channels, height, width), or a `ShapeError`."""
    if len(shape) != 3:
        raise ShapeError(f"{what} needs channels × height × width, and gets {format_shape(shape)}",
                         help=_to_a_map(shape))  # fmt: skip
    return shape[0], shape[1], shape[2]
