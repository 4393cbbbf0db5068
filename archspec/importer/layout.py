"""Reshapes, permutations and the like as algebra: which axes of a value the dimensions of a tensor consist of.

A tensor that is a view of a value is described, and becomes an op only when something reads it: then several views in
a row are one `rearrange`. The batch may be folded into a dimension with others, or stand anywhere.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from math import gcd, prod
from typing import NamedTuple

from archspec.importer.trace import Value
from archspec.ops.base import Unsupported


@dataclass(eq=False)
class Axis:
    """A dimension of a value, or a part of one; it has an identity."""

    size: int


BATCH = Axis(0)
"""The batch, whatever its size."""

Group = tuple[Axis, ...]
"""The axes that are one dimension, none for a dimension of size 1."""


class View(NamedTuple):
    """A tensor as a view of a value: the axes of the value's dimensions, and of the tensor's."""

    value: Value
    source: tuple[Group, ...]
    dims: tuple[Group, ...]

    @property
    def is_whole(self) -> bool:
        """Whether it is the value itself, the batch first."""
        first = ((BATCH, *self.value.folded),) if self.value.is_batched else ()
        return self.dims == (*first, *self.source)

    @property
    def batch_dim(self) -> int:
        """The dimension of the tensor that the batch is in."""
        return next(place for place, group in enumerate(self.dims) if BATCH in group)


def axes_of(sizes: Iterable[int]) -> tuple[Group, ...]:
    """New axes for the dimensions of a value."""
    return tuple((Axis(size),) if size != 1 else () for size in sizes)


def whole(value: Value) -> View:
    """A tensor that is a value itself."""
    source = axes_of(value.sizes)
    return View(value, source, (((BATCH, *value.folded), *source) if value.is_batched else source))


def size_of(group: Group, batch: int) -> int:
    """The size of a dimension."""
    return prod(batch if axis is BATCH else axis.size for axis in group)


def reshaped(view: View, shape: Sequence[int], batch: int) -> View:
    """The view with other sizes; raises `Unsupported` if they cut across its axes."""
    view = _with_one_window(view, shape, batch)
    pool = [axis for group in view.dims for axis in group]
    split: dict[Axis, tuple[Axis, Axis]] = {}
    dims = tuple(_taken(pool, int(size), batch, split) for size in shape)
    if pool:
        raise Unsupported(f"a reshape to {tuple(shape)}")
    return View(view.value, tuple(_replaced(group, split) for group in view.source), _all(dims, split))


def _with_one_window(view: View, shape: Sequence[int], batch: int) -> View:
    """The view before a reshape that folds the rows and columns of windows, of which there is one each, with the batch,
    as it would fold several; or that takes them apart again."""
    first, *rest = view.dims or [()]
    if BATCH not in first or tuple(shape[:1]) != (batch,):
        return view
    if first == (BATCH,) and rest[:2] == [(), ()] and 2 <= len(shape) <= len(rest) - 2 and shape[1] != 1:
        return view._replace(dims=((BATCH, Axis(1)), *rest))
    return without_one_window(view) if tuple(shape[1:3]) == (1, 1) else view


def without_one_window(view: View) -> View:
    """The view without a window that the batch is folded with, if there is one only."""
    return view._replace(
        dims=tuple(tuple(axis for axis in group if axis is BATCH or axis.size != 1) for group in view.dims)
    )


def _all(dims: tuple[Group, ...], split: dict[Axis, tuple[Axis, Axis]]) -> tuple[Group, ...]:
    return tuple(_replaced(group, split) for group in dims)


def _replaced(group: Group, split: dict[Axis, tuple[Axis, Axis]]) -> Group:
    """A group with the parts of the axes that were split."""
    found: list[Axis] = []
    for axis in group:
        found += _replaced(split[axis], split) if axis in split else (axis,)
    return tuple(found)


def _taken(pool: list[Axis], size: int, batch: int, split: dict[Axis, tuple[Axis, Axis]]) -> Group:
    """The first axes of `pool` that make up a dimension of this size; one is split if it must be."""
    group: list[Axis] = []
    while size > 1:
        if not pool:
            raise Unsupported("a reshape to another number of elements")
        axis = pool.pop(0)
        own = batch if axis is BATCH else axis.size
        if size % own == 0:
            group.append(axis)
            size //= own
            continue
        part = gcd(own, size)
        if axis is BATCH or part == 1:
            raise Unsupported("a reshape that splits the batch" if axis is BATCH else "a reshape across dimensions")
        split[axis] = Axis(part), Axis(own // part)
        pool[:0] = split[axis]
    if BATCH in group and pool and pool[0].size == 1 and pool[0] is not BATCH:
        group.append(pool.pop(0))
    return tuple(group)


def reordered(view: View, order: Sequence[int]) -> View:
    """The view with its dimensions in another order."""
    return view._replace(dims=tuple(view.dims[place] for place in order))


def arranged(view: View) -> tuple[tuple[Group, ...], list[int]]:
    """The dimensions of the value that stands for a tensor, and of each the dimension of the tensor it is from.

    What the batch is folded with become dimensions of their own, where it stands.
    """
    if not view.value.is_batched:
        return view.dims, list(range(len(view.dims)))
    found: list[tuple[Group, int]] = []
    for place, group in enumerate(view.dims):
        found += [(part, place) for part in (_folded(group) if BATCH in group else [group])]
    return tuple(group for group, _ in found), [place for _, place in found]


def into_batch(view: View) -> View:
    """The view of a new value whose batch holds what the batch of the tensor is folded with; raises `Unsupported`."""
    folded = view.dims[0][1:] if view.dims else ()
    if view.dims[:1] != ((BATCH, *folded),) or not folded or view.source[:1] != (folded,):
        raise Unsupported("the batch is not dimension 0, or folded with another one")
    value = Value(view.value.sizes[1:], is_integer=view.value.is_integer, folded=folded)
    return View(value, view.source[1:], view.dims)


def out_of_batch(view: View) -> View:
    """The view of a new value whose batch holds the samples only; the rest is its first dimension."""
    value = Value((size_of(view.value.folded, 1), *view.value.sizes), is_integer=view.value.is_integer)
    return View(value, (view.value.folded, *view.source), view.dims)


def settled(view: View, value: Value) -> View:
    """The same tensor as a view of the value that `arranged` describes, whose dimensions are one axis each."""
    if not view.value.is_batched:
        source = axes_of(value.sizes)
        return View(value, source, source)
    _, places = arranged(view)
    folded = [BATCH in view.dims[place] for place in places]
    source = tuple(
        (Axis(size),) if is_folded or size != 1 else () for size, is_folded in zip(value.sizes, folded, strict=True)
    )
    rest = iter(source)
    dims = tuple(_joined(group, rest) if BATCH in group else next(rest) for group in view.dims)
    return View(value, source, dims)


def computed(shape: Sequence[int], like: View, place: int, batch: int) -> View:
    """A tensor of this shape as a view of a new value, whose batch is in the dimension `place`, as it is in `like`."""
    if not like.value.is_batched:
        return whole(Value(tuple(shape), is_batched=False))
    if like.value.folded:
        return whole(Value(tuple(shape[1:]), folded=like.value.folded))
    dims = [*axes_of(shape)]
    dims[place] = like.dims[like.batch_dim]
    template = View(Value(()), (), tuple(dims))
    groups, _ = arranged(template)
    return settled(template, Value(tuple(size_of(group, batch) for group in groups)))


def _folded(group: Group) -> list[Group]:
    """The axes that the batch is folded with, before and after it."""
    cut = group.index(BATCH)
    return [part for part in (group[:cut], group[cut + 1 :]) if part]


def _joined(group: Group, rest: Iterator[Group]) -> Group:
    """The batch and the new axes for what it is folded with."""
    cut = group.index(BATCH)
    before, after = (next(rest) if part else () for part in (group[:cut], group[cut + 1 :]))
    return (*before, BATCH, *after)
