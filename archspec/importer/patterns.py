"""The op that computes a view of a value: `flatten`, `permute`, `channel_shuffle` or `rearrange`."""

from __future__ import annotations

from collections.abc import Iterator
from string import ascii_lowercase
from typing import Any

from archspec.importer.layout import Axis, Group, View


def arranging(view: View, groups: tuple[Group, ...], eager: bool) -> tuple[str, dict[str, Any]]:
    """The op whose value has the dimensions `groups`, and its fields.

    With `eager`, none is `permute`, after which it may not be known that channels are last.
    """
    source = view.source
    before = [axis for group in source for axis in group]
    after = [axis for group in groups for axis in group]
    if view.value.is_batched:
        if source and len(groups) == 1 and after == before:
            return "flatten", {}
        if (
            not eager
            and len(groups) <= 3
            and sorted(map(_key, groups)) == sorted(map(_key, source))
            and _distinct(source)
        ):
            return "permute", {"dims": [0, *(source.index(group) + 1 for group in groups)]}
        if _is_shuffle(source, groups):
            return "channel_shuffle", {"groups": source[0][0].size}
    names = {axis: name for axis, name in _named(source) if axis in after}
    text = f"{_side(source, names)} -> {_side(groups, names)}".strip()
    return "rearrange", {"pattern": text, **_sizes(source, names)}


def _key(group: Group) -> list[int]:
    return list(map(id, group))


def _distinct(groups: tuple[Group, ...]) -> bool:
    """Whether each dimension can be told from the others."""
    return len(set(groups)) == len(groups)


def _is_shuffle(source: tuple[Group, ...], groups: tuple[Group, ...]) -> bool:
    return (
        len(source) == len(groups) == 3 and source[1:] == groups[1:]
        and len(source[0]) == 2 and groups[0] == source[0][::-1]
    )  # fmt: skip


def _named(source: tuple[Group, ...]) -> Iterator[tuple[Axis, str]]:
    """A letter for each axis: c, h and w for those of a map, others in the order of the alphabet."""
    usual = {3: "chw", 2: "tc", 1: "c"}.get(len(source), "")
    free = iter([letter for letter in "abdefgijklmnopqrsuvxyz" + ascii_lowercase if letter not in usual])
    for place, group in enumerate(source):
        for axis in group:
            yield axis, (usual[place] if usual and len(group) == 1 else next(free))


def _side(groups: tuple[Group, ...], names: dict[Axis, str]) -> str:
    return " ".join(_dimension([names[axis] for axis in group if axis in names]) for group in groups)


def _dimension(names: list[str]) -> str:
    return "1" if not names else names[0] if len(names) == 1 else f"({' '.join(names)})"


def _sizes(source: tuple[Group, ...], names: dict[Axis, str]) -> dict[str, int]:
    """The sizes that must be given: of each dimension those of all axes but one, which is the same whatever they are:
    the first of two, so that windows and heads have a size, and the last of more (queries, keys, values; heads)."""
    found: dict[str, int] = {}
    for group in source:
        given = group[1:] if len(group) == 2 else group[:-1]
        found |= {names[axis]: axis.size for axis in given if axis in names}
    return found
