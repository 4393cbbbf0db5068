"""The shapes of values: their sizes, whether they have a batch and what else is in it, whether they hold integers; how
they are printed."""

import math
from collections.abc import Iterable
from functools import cache
from typing import Any, ClassVar, Final

from archspec.diagnostics.diagnostic import UnlocatedError

Shape = tuple[int, ...]
"""The sizes of a tensor without its batch: (channels, height, width), (features,), (tokens, features), …

A plain tuple has a batch before these sizes; an `Unbatched` has none.
"""

Value = Shape | tuple[Shape, ...]
"""The shape of an op's output: one tensor, or several (`chunk`)."""

MAX_SIZE: Final = 1 << 31


class ShapeError(UnlocatedError):
    """The inputs of an op do not match its shape rule. The message states the rule with its numbers, the help a fix.

    `field` is the field of the op that the error is about, if there is one.
    """

    kind = "shape"

    def __init__(self, message: str, help: str = "", field: str = "") -> None:
        super().__init__(message, help, path=(field,) if field else ())


class TooSmallError(ShapeError):
    """A window does not fit into a feature map; it would fit into a larger one."""


def is_parts(value: Value) -> bool:
    """Whether a value is several tensors."""
    return bool(value) and isinstance(value[0], tuple)


def parts_of(value: Value) -> tuple[Shape, ...]:
    """The tensors of a value, which may be one."""
    return value if is_parts(value) else (value,)  # type: ignore[return-value]


def format_shape(shape: Value | None) -> str:
    """`256×14×14`; several tensors in parentheses; `4 of 256×7×7` where the batch holds 4 parts of each sample.

    >>> format_shape((256, 14, 14)), format_shape(with_folded((256, 7, 7), ((4,),)))
    ('256×14×14', '4 of 256×7×7')
    """
    if shape is None:
        return "?"
    if isinstance(shape, Folded):
        return f"{samples(shape)} of {format_shape(without_folded(shape))}"
    if shape and isinstance(shape[0], tuple):
        return f"({', '.join(format_shape(part) for part in shape)})"
    return "×".join(str(int(size)) for size in shape) or "scalar"  # type: ignore[arg-type]


def format_rank(shape: Shape) -> str:
    """How many dimensions a shape has, as the beginning of a message.

    >>> format_rank((16, 8)), format_rank((16,))
    ('16×8 has 2 dimensions', '16 has 1 dimension')
    """
    return f"{format_shape(shape)} has {len(shape)} {'dimension' if len(shape) == 1 else 'dimensions'}"


class _Distinct(tuple[int, ...]):
    """A shape that is equal only to shapes of its own class."""

    __slots__ = ()

    def __eq__(self, other: object) -> bool:
        return type(other) is type(self) and tuple.__eq__(self, other)

    def __ne__(self, other: object) -> bool:
        return not self == other

    def __hash__(self) -> int:
        return hash((type(self), *self))


class Unbatched(_Distinct):
    """The shape of a value without a batch: a parameter, or a value computed from parameters only.

    It is not equal to a shape of the same sizes with a batch.

    >>> Unbatched((8, 1, 1)) == (8, 1, 1)
    False
    """

    __slots__ = ()


class Integers(Unbatched):
    """The shape of integers without a batch: positions, which `embedding` and `index` take."""

    __slots__ = ()
    below: ClassVar[int | None] = None
    """All of them are from 0 to below this, if that is known."""

    def __reduce__(self) -> tuple[Any, ...]:
        return _shape_of_integers, (self.below, True, tuple(self))


class Tokens(_Distinct):
    """The shape of integers with a batch: token ids. It is not equal to a shape of real numbers."""

    __slots__ = ()
    below: ClassVar[int | None] = None
    """All of them are from 0 to below this."""

    def __reduce__(self) -> tuple[Any, ...]:
        return _shape_of_integers, (self.below, False, tuple(self))


@cache
def integers(below: int | None, is_unbatched: bool, /) -> type[Integers] | type[Tokens]:
    """The class of the shapes of integers from 0 to `below` − 1: the same class for the same arguments.

    >>> integers(10, False)((8, 4)).below
    10
    """
    kind = Integers if is_unbatched else Tokens
    return type(kind.__name__, (kind,), {"__slots__": (), "below": below, "__doc__": kind.__doc__})


def _shape_of_integers(below: int | None, is_unbatched: bool, sizes: tuple[int, ...]) -> Shape:
    return integers(below, is_unbatched)(sizes)


def is_integer(shape: Value) -> bool:
    """Whether a value holds integers."""
    return isinstance(shape, Integers | Tokens)


def format_input(shape: Value, with_range: bool = False) -> str:
    """The shape of an input, and whether it holds integers: `128 token ids`, `128 token ids below 30522`."""
    if not is_integer(shape):
        return format_shape(shape)
    below: int | None = getattr(shape, "below", None)
    return f"{format_shape(shape)} token ids{f' below {below}' if with_range and below is not None else ''}"


def require_rows(kind: str, ids: Shape, rows: int, field: str = "") -> None:
    """Raise `ShapeError` if a table has too few rows for the integers that number them."""
    below: int | None = getattr(ids, "below", None)
    if below is not None and rows < below:
        raise ShapeError(f"{kind}: its integers go up to {below - 1}, but the table has {rows} rows",
                         f"it needs at least {below} rows", field)  # fmt: skip


class ChannelsLast(tuple[int, ...]):
    """Three sizes that are not (channels, height, width): linear and layer norm act on the last of them.

    They belong to a feature map permuted to (height, width, channels), or to the value of another op on dimensions.
    """

    __slots__ = ()


class ChannelsFirst(tuple[int, ...]):
    """Channels followed by axes, though there are not three sizes: the shape of sound, of a clip or a volume.

    Other values with as many sizes are sequences, windows of tokens, …, whose features come last.
    """

    __slots__ = ()


class Folded(tuple[int, ...]):
    """The shape of a value whose batch also holds dimensions that each sample had, such as its windows.

    It is equal only to shapes of the same sizes with the same dimensions in the batch. `with_folded` makes one.
    """

    __slots__ = ()
    folded: ClassVar[tuple[Shape, ...]] = ()
    """The sizes of the dimensions that joined the batch, for each time that some did."""
    plain: ClassVar[type[Shape]] = tuple
    """The class of the shape without them."""

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Folded) and self.folded == other.folded and tuple.__eq__(self, other)

    def __ne__(self, other: object) -> bool:
        return not self == other

    def __hash__(self) -> int:
        return hash((self.folded, *self))

    def __reduce__(self) -> tuple[Any, ...]:
        return with_folded, (without_folded(self), self.folded)


@cache
def _folded(plain: type[Shape], folded: tuple[Shape, ...]) -> type[Folded]:
    bases = (Folded,) if plain is tuple else (Folded, plain)
    return type("Folded", bases, {"__slots__": (), "folded": folded, "plain": plain, "__doc__": Folded.__doc__})


def with_folded(shape: Shape, folded: tuple[Shape, ...]) -> Shape:
    """A shape whose batch holds dimensions of these sizes, and no others.

    >>> samples(with_folded((256, 7, 7), ((2, 2),)))
    4
    """
    plain = without_folded(shape)
    return _folded(type(plain), folded)(plain) if folded else plain


def without_folded(shape: Shape) -> Shape:
    """The shape of one part of a sample, if the batch holds several."""
    return shape.plain(shape) if isinstance(shape, Folded) else shape


def folded_of(shape: Value) -> tuple[Shape, ...]:
    """The sizes of the dimensions of a sample that are in the batch of a value, for each time that some joined it."""
    return getattr(shape, "folded", ())


def samples(value: Value) -> int:
    """How many parts of each sample the batch of a value holds: 1, unless dimensions were put into it."""
    first = parts_of(value)[0]
    return math.prod([numel(sizes) for sizes in folded_of(first)])


def of_channels(sizes: Iterable[int]) -> Shape:
    """The shape of a value with a batch, whose first size is its channels."""
    found = tuple(sizes)
    return found if len(found) == 3 else ChannelsFirst(found)


def distinct(value: Value) -> Any:
    """A value as a key: shapes of the same sizes are different if their classes are, those of parts included."""
    return (type(value), *[distinct(size) if isinstance(size, tuple) else size for size in value])


def numel(shape: Shape) -> int:
    """The number of elements of a tensor of this shape."""
    return int(math.prod(shape))


def count(value: Value) -> int:
    """The number of elements of a value, which may be several tensors, for each sample.

    >>> count(((8, 4, 4), (8, 4, 4)))
    256
    """
    return sum(map(numel, parts_of(value))) * samples(value)


def words(value: Value) -> int:
    """The memory that a value takes for each sample, in numbers of float32; an integer takes that of two.

    >>> words((8, 4)), words(integers(10, False)((8, 4)))
    (32, 64)
    """
    return sum(count(part) * (1 + is_integer(part)) for part in parts_of(value))


def _to_a_map(shape: Shape) -> str:
    """Help for a value that is not a feature map."""
    return "put it before the flatten, or use linear" if len(shape) == 1 else ""


MAPS: Final = {1: "channels × length", 2: "channels × height × width", 3: "channels × depth × height × width"}
"""Descriptions of values that windows slide over, by the number of axes."""


def require_map(shape: Shape, what: str, rank: int = 2) -> Shape:
    """`shape` if it is channels followed by `rank` axes, (channels, height, width); raises `ShapeError` otherwise."""
    if len(shape) != rank + 1:
        raise ShapeError(f"{what} expects {MAPS[rank]}, got {format_shape(shape)}", help=_to_a_map(shape))
    return shape if type(shape) is Unbatched else of_channels(shape)
