"""Equal items in a row as one that is repeated."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from typing import Any

Item = dict[str, Any]


def folded(items: list[Item], referred: Collection[str] = ()) -> list[Item]:
    """The items, with those that are equal but for numbers that count up in their names as one.

    An item whose name is in `referred` stays as it is.
    """
    found: list[Item] = []
    for run in _runs(items, referred):
        found.append(run[0] if len(run) == 1 else _repeated(run[0], len(run)))
    return found


def _runs(items: list[Item], referred: Collection[str]) -> list[list[Item]]:
    runs: list[list[Item]] = []
    for item in items:
        if runs and _follows(runs[-1][-1], item) and not {item_name(item), item_name(runs[-1][-1])} & {*referred}:
            runs[-1].append(item)
        else:
            runs.append([item])
    return runs


def _follows(before: Item, item: Item) -> bool:
    """Whether an item repeats the one before it."""
    if item_data(before) != item_data(item) or {"from", "as", "call", "like"} & item_data(item).keys():
        return False
    names = item_name(before), item_name(item)
    if names == (None, None):
        return "seq" in item or "op" in item or "block" in item
    if None in names:
        return False
    return numbered([str(name) for name in names]) is not None


def numbered(names: Sequence[str]) -> str | None:
    """The name with an expression over the index `i` that yields these names, which count up; `None` if none does."""
    parts = [re.fullmatch(r"(.*?)(\d+)(\D*)", name) for name in names]
    first = parts[0]
    if first is None:
        return None
    for number, name in enumerate(names):
        if name != f"{first[1]}{int(first[2]) + number}{first[3]}":
            return None
    index = "i" if first[2] == "0" else f"i + {first[2]}"
    return f"{first[1]}{{{index}}}{first[3]}"


def item_name(item: Item) -> str | None:
    """The name of an item, if it has one."""
    if len(item) == 1:
        name, data = next(iter(item.items()))
        return name if isinstance(data, dict) else None
    return None


def item_data(item: Item) -> Item:
    """What an item says, without its name."""
    name = item_name(item)
    return item if name is None else item[name]


def _repeated(item: Item, count: int) -> Item:
    data, name = item_data(item), item_name(item)
    kind = next(key for key in ("op", "block", "seq") if key in data)
    counted: Item = {kind: data[kind], "repeat": count}
    rest = {key: value for key, value in data.items() if key != kind}
    if name is None:
        return {**counted, **rest}
    return {str(numbered([name])): {**counted, "index": "i", **rest}}
