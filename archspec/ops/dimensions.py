"""Dimensions, counted as in torch: 0 is the batch, negative from the end; without a batch, 0 is the first size."""

from collections.abc import Sequence
from typing import Annotated, Final

from pydantic import Field

from archspec.ops.base import without_batch
from archspec.ops.shapes import ChannelsFirst, ChannelsLast, Shape, ShapeError, Unbatched, format_shape

MAX_RANK: Final = 8
"""The most dimensions of a value, without the batch."""

Dimension = Annotated[int, Field(ge=-MAX_RANK, le=MAX_RANK)]


def has_batch(shape: Shape) -> bool:
    """Whether a value has a batch dimension before its sizes."""
    return not isinstance(shape, Unbatched)


def axis_of(shape: Shape, dim: int, field: str = "dim") -> int:
    """The index of a dimension in the shape; raises `ShapeError` for the batch, and if there is no such dimension.

    >>> axis_of((8, 4, 4), 1), axis_of((8, 4, 4), -1), axis_of(Unbatched((8, 4, 4)), 1)
    (0, 2, 1)
    """
    first = int(has_batch(shape))
    rank = len(shape) + first
    dim = int(dim)
    if not -rank <= dim < rank:
        raise ShapeError(f"{format_shape(shape)} has no dimension {dim}", f"its last dimension is {rank - 1}", field)
    axis = dim % rank - first
    if axis < 0:
        raise ShapeError(f"dimension {dim} of {format_shape(shape)} is the batch",
                         f"its own dimensions are 1 to {rank - 1}, or -{rank - 1} to -1", field)  # fmt: skip
    return axis


def new_axis_of(shape: Shape, dim: int, field: str = "dim") -> int:
    """The index in the resulting shape of a new dimension."""
    return axis_of(type(shape)((*shape, 1)), dim, field)


def dim_of(shape: Shape, axis: int) -> int:
    """The dimension with this index in the shape.

    >>> dim_of((8, 4, 4), 0)
    1
    """
    return axis + has_batch(shape)


def sized(like: Shape, sizes: Sequence[int]) -> Shape:
    """The shape of a value computed from one of shape `like`: with a batch if that has one. It is not a feature map."""
    if not has_batch(like):
        return Unbatched(sizes)
    if isinstance(like, ChannelsFirst) and len(sizes) == len(like):
        return ChannelsFirst(sizes)
    if len(sizes) != 3 or (len(like) == 3 and not isinstance(like, ChannelsLast)):
        return tuple(sizes)
    return ChannelsLast(sizes)


def common_batch(kind: str, inputs: Sequence[Shape]) -> None:
    """Raise `ShapeError` if some values have a batch and others have none."""
    for number, shape in enumerate(inputs):
        if not has_batch(shape) and any(map(has_batch, inputs)):
            raise ShapeError(*without_batch(kind, number, len(inputs)))
