"""Reshapes, permutations and the like as algebra: which axes of a value the dimensions of a tensor consist of.

A tensor that is a view of a value is described, and becomes an op only when something reads it: then several views in
a row are one `rearrange`. The batch may be folded into a dimension with others, or stand anywhere.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
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
        first = ((BATCH,),) if self.value.is_batched else ()
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
    return View(value, source, (((BATCH,), *source) if value.is_batched else source))


def size_of(group: Group, batch: int) -> int:
    """The size of a dimension."""
    return prod(batch if axis is BATCH else axis.size for axis in group)


def reshaped(view: View, shape: Sequence[int], batch: int) -> View:
    """The view with other sizes; raises `Unsupported` if they cut across its axes."""
    pool = [axis for group in view.dims for axis in group]
    split: dict[Axis, tuple[Axis, Axis]] = {}
    dims = tuple(_taken(pool, int(size), batch, split) for size in shape)
    if pool:
        raise Unsupported(f"a reshape to {tuple(shape)}")
    return View(view.value, tuple(_replaced(group, split) for group in view.source), _all(dims, split))


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
    return tuple(group)


def reordered(view: View, order: Sequence[int]) -> View:
    """The view with its dimensions in another order."""
    return view._replace(dims=tuple(view.dims[place] for place in order))


class Arrangement(NamedTuple):
    """How the dimensions of a tensor follow from those of the value that an op takes, each of which is one axis."""

    view: View
    wanted: tuple[Group, ...]
    """The dimensions of the value before the op, in terms of the axes of the view's own value."""


def arranged(view: View) -> tuple[tuple[Group, ...], list[int | None]]:
    """The dimensions of the value that stands for a tensor, and of each the dimension of the tensor it is from.

    What the batch is folded with become dimensions of their own, the first ones.
    """
    if not view.value.is_batched:
        return view.dims, list(range(len(view.dims)))
    found: list[tuple[Group, int]] = []
    for place, group in enumerate(view.dims):
        if BATCH in group:
            cut = group.index(BATCH)
            own = [(part, place) for part in (group[:cut], group[cut + 1 :]) if part]
            found = [*own, *found]
        else:
            found.append((group, place))
    return tuple(group for group, _ in found), [place for _, place in found]


def settled(view: View, value: Value) -> View:
    """The same tensor as a view of the value that `arranged` describes, whose dimensions are one axis each."""
    if not view.value.is_batched:
        source = axes_of(value.sizes)
        return View(value, source, source)
    groups, _ = arranged(view)
    source = axes_of(value.sizes)
    new = dict(zip(map(_key, groups), source, strict=True))
    dims: list[Group] = []
    rest = iter(source[sum(1 for group in _folded(view)) :])
    for group in view.dims:
        if BATCH in group:
            cut = group.index(BATCH)
            dims.append((*new.get(_key(group[:cut]), ()), BATCH, *new.get(_key(group[cut + 1 :]), ())))
        else:
            dims.append(next(rest))
    return View(value, source, tuple(dims))


def computed(shape: Sequence[int], like: View, place: int, batch: int) -> View:
    """A tensor of this shape as a view of a new value, whose batch is in the dimension `place`, as it is in `like`."""
    if not like.value.is_batched:
        return whole(Value(tuple(shape), is_batched=False))
    dims = [*axes_of(shape)]
    dims[place] = like.dims[like.batch_dim]
    template = View(Value(()), (), tuple(dims))
    groups, _ = arranged(template)
    return settled(template, Value(tuple(size_of(group, batch) for group in groups)))


def _folded(view: View) -> list[Group]:
    """The axes that the batch is folded with, before and after it."""
    group = view.dims[view.batch_dim]
    cut = group.index(BATCH)
    return [part for part in (group[:cut], group[cut + 1 :]) if part]


def _key(group: Group) -> tuple[int, ...]:
    return tuple(map(id, group))
