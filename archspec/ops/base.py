"""What an op is: declared fields, a shape rule, parameters, MACs, and its spelling in torch."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from typing import Annotated, Any, ClassVar, Final, NamedTuple

from archspec.declarations import Field, Model, PlainValidator
from archspec.diagnostics.diagnostic import UnlocatedError
from archspec.ops.window import Looks, same

Shape = tuple[int, ...]
"""The sizes of a tensor without its batch: (channels, height, width), (features,), (tokens, features), …

A plain tuple has a batch before these sizes; an `Unbatched` has none.
"""

Value = Shape | tuple[Shape, ...]
"""What an op yields: one tensor, or several (`chunk`)."""

MAX_SIZE: Final = 1 << 31


class ShapeError(UnlocatedError):
    """An op cannot take the inputs it is given; says the rule with its numbers, and a fix if one is evident.

    `field` is the attribute of the op that breaks the rule, if one does.
    """

    kind = "shape"

    def __init__(self, message: str, help: str = "", field: str = "") -> None:
        super().__init__(message, help, path=(field,) if field else ())


class TooSmallError(ShapeError):
    """A window does not fit into a map: with a larger one it would."""


def is_parts(value: Value) -> bool:
    """Whether a value is several tensors."""
    return bool(value) and isinstance(value[0], tuple)


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


class Op(Model):
    """An operation with its attributes; the attributes have torch's names and torch's defaults.

    `kind` is the op's name in specs. An op with a `module` can be registered under a name; one that has a
    `function` can be used without. The methods take the shapes of the inputs, without the batch.

    All that is known of an op stands in its class. What a class does not say is taken to be so that nothing can be
    wrong: a value without a batch is refused, a field that varies is a number in the source, nothing is overwritten,
    no receptive field is given.
    """

    kind: ClassVar[str]
    module: ClassVar[str | None] = None
    """torch's class (`nn.Conv2d`), or the name of one of the `helpers`."""
    helpers: ClassVar[tuple[str, ...]] = ()
    """Functions and classes that the spelling needs beside torch, as `package.module:name`. Generated source copies
    them, with what they use of their own file; that file may use nothing else but torch."""
    arity: ClassVar[tuple[int, int | None]] = (1, 1)
    """How many inputs it takes, at least and at most."""
    elementwise: ClassVar[bool] = False
    """Whether each element of the output depends on one element of each input: any number of dimensions fits, with
    a batch or without."""
    needs_batch: ClassVar[bool] = True
    """Whether inputs must have a batch dimension. An op that is elementwise, or counts its dimensions from the last,
    does without; its `infer` then says whether the output has one."""
    inplace: ClassVar[bool] = False
    """Whether torch can have it overwrite its first input, which its backward does not read."""
    exact_in_place: ClassVar[bool] = False
    """Whether it then comes to the very same numbers; others are rounded by the memory's layout."""
    fresh: ClassVar[bool] = False
    """Whether the output is new memory, no view, that backward does not read: see `may_be_overwritten`."""
    view: ClassVar[bool] = False
    """Whether the output may share the input's memory."""
    concatenates: ClassVar[bool] = False
    """Whether the output is the inputs one behind the other, so that they are seen as its branches."""
    flattens: ClassVar[bool] = False
    """Whether the output's features are all that the input has: channels × height × width of them."""
    idle: ClassVar[bool] = False
    """Whether it does something in training only."""
    raw: ClassVar[bool] = False
    """Whether it is a parameter of the block itself, registered under the item's own name, and no module."""
    role: ClassVar[str] = "other"
    """Which colour it has in pictures."""
    word: ClassVar[str] = ""
    """What it is called in pictures, if not by its kind."""
    shown: ClassVar[tuple[str, ...]] = ()
    """The fields whose values pictures show behind the word."""
    numbers: ClassVar[frozenset[str]] = frozenset()
    """Fields that decide numbers only: rates, and counts of channels or features. Nothing else depends on them, so
    that they can be arguments of a generated class."""
    varying: ClassVar[frozenset[str]] = frozenset()
    """Fields in which the blocks of a stage may differ, and are still drawn and listed as one."""
    attributes: ClassVar[frozenset[str]] = frozenset()
    """What torch's module knows of its input as an attribute (`in_channels`), beside the fields."""
    optional: ClassVar[frozenset[str]] = frozenset()
    """Parameters that torch declares as `Tensor | None`, so that a type checker wants them tested."""
    vectors: ClassVar[frozenset[str]] = frozenset()
    """Parameters of one dimension."""
    extends: ClassVar[tuple[str, ...]] = ()
    """The modules of other ops that its own is a subclass of."""

    def infer(self, *inputs: Shape) -> Value:
        """The output's shape; raises `ShapeError` if the inputs do not fit."""
        return inputs[0]

    def yields(self, *inputs: Shape) -> Value:
        """The output's shape, as `infer` has it, where each input has the batch and the dimensions the op needs."""
        if not self.elementwise:
            for number, shape in enumerate(inputs):
                if not shape or (type(shape) is Unbatched and self.needs_batch):
                    raise ShapeError(*_unfit(self.kind, number, len(inputs), shape))
        return self.infer(*inputs)

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

    def looks(self, *inputs: Shape) -> Looks | list[Looks] | None:
        """Which positions of each input one of the output depends on; of several outputs, for each.

        This is its part of the receptive field. With `None` nothing is said of what comes behind it.
        """
        return (same(len(inputs[0])),) if self.elementwise and len(inputs) == 1 else None

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

    def first_value(self) -> float:
        """What a `raw` parameter is filled with at first."""
        return 0.0

    def is_like(self, other: "Op") -> bool:
        """Whether another op is the same but for the fields in which the blocks of a stage may differ."""
        if type(self) is not type(other) or not self.varying:
            return self == other
        return all(getattr(self, name) == getattr(other, name)
                   for name in fields_of(type(self)) if name not in self.varying)  # fmt: skip

    @classmethod
    def located(cls, name: str) -> str:
        """A name of the spelling, with where it is defined if it is one of the `helpers`."""
        return next((helper for helper in cls.helpers if helper.endswith(f":{name}")), name)

    @classmethod
    def has_function(cls) -> bool:
        """Whether it can stand without a name."""
        return cls.function is not Op.function

    @classmethod
    def has_parameters(cls) -> bool:
        """Whether its modules have parameters, if only as attributes that are None."""
        return cls.parameters is not Op.parameters and not cls.raw

    @classmethod
    def title(cls) -> str:
        """What it is called in pictures."""
        return cls.word or cls.kind.removesuffix("2d").replace("_", " ")


def _unfit(kind: str, number: int, count: int, shape: Shape) -> tuple[str, str]:
    """What is wrong with an input that has no batch, or nothing but one, and what to do."""
    which = f"input {number + 1}" if count > 1 else "its input"
    if not shape:
        return f"{kind}: {which} is one number for each sample, without a dimension", "keep one: keepdim: true"
    return (f"{kind}: {which} has no batch dimension (it is a parameter, or made of parameters only)",
            "add, sub and mul apply a parameter to each sample")  # fmt: skip


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


class Unbatched(tuple[int, ...]):
    """The shape of a value without a batch: of a parameter, and of what is made of parameters only.

    It equals no shape of the same sizes that has a batch.

    >>> Unbatched((8, 1, 1)) == (8, 1, 1)
    False
    """

    __slots__ = ()

    def __eq__(self, other: object) -> bool:
        return type(other) is Unbatched and tuple.__eq__(self, other)

    def __ne__(self, other: object) -> bool:
        return not self == other

    def __hash__(self) -> int:
        return hash((Unbatched, *self))


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
