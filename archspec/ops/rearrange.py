"""Dimensions reordered, split and merged as a pattern says: `rearrange`."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any, ClassVar, Final, NamedTuple

from pydantic import ConfigDict, Field, model_validator

from archspec.diagnostics.diagnostic import Diagnostic
from archspec.diagnostics.validation import field_errors
from archspec.expressions.sizes import divided
from archspec.ops.base import Op
from archspec.ops.call import Call, Input
from archspec.ops.dimensions import MAX_RANK, dim_of, has_batch
from archspec.ops.shapes import (
    MAX_SIZE,
    ChannelsFirst,
    ChannelsLast,
    Shape,
    ShapeError,
    Unbatched,
    format_rank,
    format_shape,
)
from archspec.ops.window import Fold, UnknownWindow, Window, Windows

Group = tuple[str, ...]
"""The axes that make up one dimension; none for a dimension of size 1."""


class Sides(NamedTuple):
    """A parsed pattern: the dimensions before and after."""

    before: tuple[Group, ...]
    after: tuple[Group, ...]

    @property
    def axes(self) -> tuple[str, ...]:
        """The axes in their order before."""
        return tuple(axis for group in self.before for axis in group)


class PatternError(ValueError):
    """A pattern is not valid; `word` is the part of it that is wrong."""

    def __init__(self, message: str, word: str = "") -> None:
        super().__init__(message)
        self.word = word


_TOKEN: Final = re.compile(r"[A-Za-z][A-Za-z0-9_]*|[()1]|\S+?(?=[\s()]|$)")


@lru_cache(maxsize=512)
def read(pattern: str) -> Sides:
    """The dimensions of a pattern; raises `PatternError`.

    >>> read("(h i) c -> h i c").after
    (('h',), ('i',), ('c',))
    """
    sides = pattern.split("->")
    if len(sides) != 2:
        raise PatternError("a pattern has the dimensions before and after an arrow: '(h i) c -> h i c'")
    before, after = (tuple(_groups(side)) for side in sides)
    found = [axis for group in before for axis in group], [axis for group in after for axis in group]
    for axes, other in (found, found[::-1]):
        for axis in axes:
            if axes.count(axis) > 1:
                raise PatternError(f"the axis '{axis}' occurs twice on one side", axis)
            if axis not in other:
                raise PatternError(f"the axis '{axis}' is on one side only: mean and sum reduce, expand adds", axis)
    return Sides(before, after)


def _groups(side: str) -> Iterator[Group]:
    """The dimensions of one side."""
    group: list[str] | None = None
    for token in _TOKEN.findall(side):
        if token == "(":
            if group is not None:
                raise PatternError("brackets cannot be nested", "(")
            group = []
        elif token == ")":
            if group is None:
                raise PatternError("a closing bracket without an opening one", ")")
            yield tuple(group)
            group = None
        elif token == "1":
            if group is None:
                yield ()
        elif not token[0].isalpha() or not token.isascii():
            raise PatternError(f"expected the name of an axis, a bracket or 1, got '{token}'", token)
        elif group is None:
            yield (token,)
        else:
            group.append(token)
    if group is not None:
        raise PatternError("the bracket is not closed", "(")


class Rearrange(Op):
    """Reorders, splits and merges dimensions as a pattern in the notation of einops says: `(h i) (w j) c -> (h w) (i j)
    c`. The batch is not written; `-> 1 1` gives dimensions to a single number for each sample, `1 1 ->` removes them.
    Sizes that do not follow from the input are given by the names of the axes (`i: 7`). The generated source uses
    `unflatten`, `permute` and `flatten`."""

    kind = "rearrange"
    needs_batch = False
    needs_dimensions = False
    carries_integers = True
    view = True
    role = "shape"
    shown = ("pattern",)
    open_fields = "size of the axis of this name in the pattern"

    model_config: ClassVar[ConfigDict] = ConfigDict(extra="allow")

    pattern: str = Field(min_length=2, max_length=200, description="dimensions before and after: 'h w c -> (h w) c'")

    @model_validator(mode="after")
    def _is_read(self) -> Rearrange:
        try:
            axes = read(self.pattern).axes
        except PatternError as error:
            raise field_errors(Diagnostic("schema", str(error), ("pattern",), word=error.word)) from None
        if len(axes) > 2 * MAX_RANK:
            raise ValueError(f"expected at most {2 * MAX_RANK} axes, got {len(axes)}")
        for name, size in self.given.items():
            if name not in axes:
                known = f"axes: {', '.join(axes)}"
                raise field_errors(Diagnostic("schema", f"the pattern has no axis '{name}'", (name,), help=known,
                                              about_key=True))  # fmt: skip
            if type(size) is not int or not 1 <= size < MAX_SIZE:
                raise field_errors(
                    Diagnostic("schema", f"expected an integer of at least 1, got {size!r:.40}", (name,))
                )
        return self

    @property
    def given(self) -> Mapping[str, Any]:
        """The given sizes of axes."""
        return self.model_extra or {}

    def computed_fields(self, *inputs: Shape) -> dict[str, Any]:
        """The pattern with numbers in place of names, without axes of size 1, and the sizes of all axes, whichever of
        them are given."""
        if not inputs:
            return super().computed_fields()
        sides, sizes = read(self.pattern), self.sizes(inputs[0])
        places = {axis: number for number, axis in enumerate(axis for axis in sides.axes if sizes[axis] != 1)}
        pattern = [[[places[axis] for axis in group if axis in places] for group in side] for side in sides]
        return {"pattern": pattern, "sizes": [int(sizes[axis]) for axis in places]}

    def sizes(self, shape: Shape) -> dict[str, int]:
        """The size of each axis; raises `ShapeError` if the input does not fit the pattern."""
        groups = read(self.pattern).before
        if len(groups) != len(shape):
            has_one_more = has_batch(shape) and len(groups) == len(shape) + 1
            help = "leave the batch out of the pattern" if has_one_more else ""
            raise ShapeError(f"{format_rank(shape)}, the pattern {len(groups)}", help, "pattern")
        found: dict[str, int] = {}
        for group, size in zip(groups, shape, strict=True):
            found |= self._split(group, size)
        return found

    def _split(self, group: Group, size: int) -> dict[str, int]:
        """The sizes of the axes of one dimension."""
        given = self.given
        if len(group) == 1 and group[0] not in given:
            return {group[0]: size}
        text = f"({' '.join(group)})" if len(group) != 1 else group[0]
        unknown = [axis for axis in group if axis not in given]
        sizes = {axis: given[axis] for axis in group if axis in given}
        known = math.prod(sizes.values())
        if len(unknown) > 1:
            help = f"give all sizes but one: {unknown[0]}: …"
            raise ShapeError(f"the sizes of {', '.join(unknown)} in {text} are not known", help, "pattern")
        if not group and size != 1:
            raise ShapeError(f"the input has {int(size)} where the pattern has 1", "name the axis", "pattern")
        if size != known if not unknown else size % known:
            listed = ", ".join(f"{axis} = {int(number)}" for axis, number in sizes.items())
            message = f"a dimension of {int(size)} is not {text} with {listed}"
            raise ShapeError(message, "", next(iter(sizes), "pattern"))
        rest = divided(size, [*sizes.values()])
        return {axis: sizes.get(axis, rest) for axis in group}

    def infer(self, *inputs: Shape) -> Shape:
        shape, (before, after) = inputs[0], read(self.pattern)
        sizes = self.sizes(shape)
        if before == after:
            raise ShapeError(f"the pattern does not change {format_shape(shape)}", "remove the item", "pattern")
        made = [self._joined(dict(zip(before, shape, strict=True)), sizes, group) for group in after]
        if not has_batch(shape):
            return Unbatched(made)
        if len(made) != 3:
            return tuple(made)
        is_first = isinstance(shape, ChannelsFirst) or (len(shape) == 3 and not isinstance(shape, ChannelsLast))
        channels = () if not before else before[0] if is_first else before[-1]
        stays = {*after[0]} >= {*channels} if channels else after[0] == channels
        return tuple(made) if stays else ChannelsLast(made)

    def _joined(self, whole: Mapping[Group, int], sizes: Mapping[str, int], group: Group) -> int:
        """The size of a resulting dimension. Axes that make up the rest of an input dimension are kept together."""
        given, own = self.given, {*group}
        for other, size in whole.items():
            if own.isdisjoint(other):
                continue
            rest = [given.get(axis) for axis in other if axis not in own]
            if None not in rest and len(rest) < len(other) - 1:
                return divided(size, rest) * math.prod([sizes[axis] for axis in group if axis not in other])  # type: ignore[arg-type]
        return math.prod([sizes[axis] for axis in group])

    def windows(self, *inputs: Shape) -> Windows:
        before, after = read(self.pattern)
        whole = {group: axis for axis, group in enumerate(before) if group}
        entries: list[Any] = []
        for group in after:
            parts = [whole.get((axis,)) for axis in group]
            if group in whole:
                entries.append(Window(whole[group]))
            elif group and None not in parts:
                dims = tuple(part for part in parts if part is not None)
                entries.append(Fold(dims, moved=list(dims) != sorted(dims)))
            else:
                entries.append(None)
        named = {dim for entry in entries if entry for dim in (entry.dims if isinstance(entry, Fold) else (entry.dim,))}
        return ((*entries, *(UnknownWindow(axis) for axis in range(len(before)) if axis not in named)),)

    def function(self, *inputs: Shape) -> Call:
        (before, after), atoms = read(self.pattern), read(self.pattern).axes
        first = dim_of(inputs[0], 0)
        order = [atoms.index(axis) + first for group in after for axis in group]
        value: Any = Input(0)
        for dim, group in reversed([*enumerate(before, first)]):
            value = self._apart(value, dim, group)
        if order != sorted(order):
            value = Call("Tensor.permute", (value, (*range(first), *order)))
        places = [first + sum(map(len, after[:number])) for number in range(len(after))]
        last = len(after) - 1
        for number, (dim, group) in reversed([*enumerate(zip(places, after, strict=True))]):
            value = _together(value, dim, group, number == last)
        return value  # type: ignore[no-any-return]

    def _apart(self, value: Any, dim: int, group: Group) -> Any:
        """A dimension split into its axes."""
        if len(group) < 2:
            return value if group else Call("Tensor.squeeze", (value, dim))
        return Call("torch.unflatten", (value, dim, tuple(self.given.get(axis, -1) for axis in group)))


def _together(value: Any, dim: int, group: Group, is_last: bool) -> Any:
    """The axes from `dim` on as one dimension."""
    if len(group) < 2:
        return value if group else Call("Tensor.unsqueeze", (value, dim))
    return Call("Tensor.flatten", (value, dim, *([] if is_last else [dim + len(group) - 1])))
