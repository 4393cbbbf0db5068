"""Equal items in a row as one that is repeated."""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Collection, Sequence
from typing import Any, Final

Item = dict[str, Any]

LEAST: Final = 3
"""The least number of items whose numbers rise."""

MOST_STEPS: Final = 400
"""The most shares of a number that are tried."""


def folded(items: list[Item], referred: Collection[str] = ()) -> list[Item]:
    """The items, with those that are equal but for numbers that count up in their names as one.

    An item whose name is in `referred` stays as it is.
    """
    found: list[Item] = []
    for run in _runs(items, referred, _are_alike):
        rising = _rising(run)
        if rising is not None:
            found.append(_repeated(rising, len(run), reads_index=True))
        else:
            parts = _runs(run, referred, operator.eq)
            found += [part[0] if len(part) == 1 else _repeated(part[0], len(part)) for part in parts]
    return found


def _are_alike(before: Item, item: Item) -> bool:
    """Whether two items have the same data but for one number that is no integer."""
    if before.keys() != item.keys():
        return False
    apart = [(before[key], item[key]) for key in before if before[key] != item[key]]
    return len(apart) < 2 and all(type(value) is float for pair in apart for value in pair)


def _rising(run: Sequence[Item]) -> Item | None:
    """The first item of a run with an expression for the number that rises from each to the next; `None` if none does,
    or not evenly."""
    data = [item_data(item) for item in run]
    apart = [key for key in data[0] if any(other[key] != data[0][key] for other in data)]
    if len(run) < LEAST or len(apart) != 1:
        return None
    (key,) = apart
    way = evenly([other[key] for other in data])
    if way is None:
        return None
    changed, name = {**data[0], key: way}, item_name(run[0])
    return changed if name is None else {name: changed}


def evenly(values: Sequence[float]) -> str | None:
    """The expression over the index `i` of which numbers are the exact values: an even share of a round number.

    >>> evenly([0.1 * 6 / 17, 0.1 * 7 / 17, 0.1 * 8 / 17])
    '=0.1 * (i + 6) / 17'
    """
    step = (values[-1] - values[0]) / (len(values) - 1)
    first = round(values[0] / step) if step > 0 else -1
    found: list[tuple[int, int, float]] = []
    for count in range(first + len(values) - 1, MOST_STEPS if first >= 0 else 0):
        whole = float(f"{step * count:.3g}")
        if all(whole * (first + number) / count == value for number, value in enumerate(values)):
            found.append((len(str(whole)), count, whole))
    if not found:
        return None
    _, count, whole = min(found)  # the number with the fewest digits
    return f"={whole} * {f'(i + {first})' if first else 'i'} / {count}"


def _runs(
    items: Sequence[Item], referred: Collection[str], are_alike: Callable[[Item, Item], bool]
) -> list[list[Item]]:  # fmt: skip
    runs: list[list[Item]] = []
    for item in items:
        names = {item_name(item), item_name(runs[-1][-1])} if runs else set()
        if runs and _follows(runs[-1][-1], item, are_alike) and not names & {*referred}:
            runs[-1].append(item)
        else:
            runs.append([item])
    return runs


def _follows(before: Item, item: Item, are_alike: Callable[[Item, Item], bool]) -> bool:
    """Whether an item repeats the one before it."""
    if not are_alike(item_data(before), item_data(item)) or {"from", "as", "call", "like"} & item_data(item).keys():
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


def _repeated(item: Item, count: int, reads_index: bool = False) -> Item:
    data, name = item_data(item), item_name(item)
    kind = next(key for key in ("op", "block", "seq") if key in data)
    counted: Item = {kind: data[kind], "repeat": count}
    rest = {key: value for key, value in data.items() if key != kind}
    index = {"index": "i"} if reads_index or name is not None else {}
    repeated = {**counted, **index, **rest}
    return repeated if name is None else {str(numbered([name])): repeated}
