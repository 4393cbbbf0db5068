"""Equal items in a row as one that is repeated."""

from __future__ import annotations

import re
from collections.abc import Collection
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
        if runs and _follows(runs[-1][-1], item) and not {_name(item), _name(runs[-1][-1])} & {*referred}:
            runs[-1].append(item)
        else:
            runs.append([item])
    return runs


def _follows(before: Item, item: Item) -> bool:
    """Whether an item repeats the one before it."""
    if _data(before) != _data(item) or {"from", "as", "call", "like"} & _data(item).keys():
        return False
    names = _name(before), _name(item)
    if names == (None, None):
        return "seq" in item or "op" in item or "block" in item
    if None in names:
        return False
    first, second = (re.fullmatch(r"(.*?)(\d+)(\D*)", str(name)) for name in names)
    if first is None or second is None or first[1] != second[1] or first[3] != second[3]:
        return False
    return int(second[2]) == int(first[2]) + 1 and str(int(second[2])) == second[2]


def _name(item: Item) -> str | None:
    """The name of an item, if it has one."""
    if len(item) == 1:
        name, data = next(iter(item.items()))
        return name if isinstance(data, dict) else None
    return None


def _data(item: Item) -> Item:
    name = _name(item)
    return item if name is None else item[name]


def _repeated(item: Item, count: int) -> Item:
    data, name = _data(item), _name(item)
    kind = next(key for key in ("op", "block", "seq") if key in data)
    counted: Item = {kind: data[kind], "repeat": count}
    rest = {key: value for key, value in data.items() if key != kind}
    if name is None:
        return {**counted, **rest}
    first = re.fullmatch(r"(.*?)(\d+)(\D*)", name)
    assert first is not None
    index = "i" if first[2] == "0" else f"i + {first[2]}"
    return {f"{first[1]}{{{index}}}{first[3]}": {**counted, "index": "i", **rest}}
