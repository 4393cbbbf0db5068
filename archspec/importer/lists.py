"""Joins that grow by one value in each round become a repeated group that appends to a list."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Any, NamedTuple

from archspec.diagnostics.budget import spend
from archspec.importer.folding import item_data, item_name, numbered

Item = dict[str, Any]

LEAST = 3
"""The least number of rounds that are written as a list."""


class Rounds(NamedTuple):
    """Equal rounds of items: each begins with a join of `base` and the values of all rounds before it."""

    start: int
    length: int
    """The number of items in a round."""
    base: list[str]
    members: list[str]
    """How the value of each round is referred to."""


def with_lists(items: list[Item], new_name: Callable[[str], str], kept: Collection[str]) -> list[Item]:
    """The items, with growing joins as lists; `new_name` makes a name that is not taken, `kept` are names that stay."""
    found = next((rounds for start in range(len(items)) if (rounds := _rounds(items, start))), None)
    if found is None or {*found.members, *_names(items, found)} & {*kept}:
        return items
    name = new_name("features")
    end = found.start + found.length * len(found.members)
    rest = [_renamed(item, found, name) for item in items[end:]]
    return [*items[: found.start], _group(items, found, name), *with_lists(rest, new_name, kept)]


def _names(items: list[Item], rounds: Rounds) -> set[str]:
    """The names of all items in the rounds."""
    own = items[rounds.start : rounds.start + rounds.length * len(rounds.members)]
    return {name for name in map(item_name, own) if name is not None}


def _rounds(items: list[Item], start: int) -> Rounds | None:
    """The rounds that begin at an item."""
    spend(len(items) - start)
    following = next((place for place in range(start + 1, len(items)) if _is_join(items[place])), None)
    if not _is_join(items[start]) or following is None:
        return None
    length, base = following - start, _joined(items[following])[:-1]
    first = _joined(items[start])
    if first != base and not (first == [] and start == 0 and base == ["input"]):
        return None
    members: list[str] = []
    for place in range(start, len(items) - length + 1, length):
        own = items[place : place + length]
        if (
            not _is_join(own[0])
            or (members and _joined(own[0]) != [*base, *members])
            or not _are_alike(items, start, own)
        ):
            break
        ref = _ref(own[-1])
        if ref is None:
            break
        members.append(ref)
    rounds = Rounds(start, length, base, members)
    return rounds if len(members) >= LEAST and _are_numbered(items, rounds) else None


def _is_join(item: Item) -> bool:
    return item.get("op") == "cat" and not {"as", "when", "train_only", "like"} & item.keys()


def _joined(item: Item) -> list[str]:
    given = item.get("from", [])
    return [given] if isinstance(given, str) else list(given)


def _ref(item: Item) -> str | None:
    """How an item's value is referred to."""
    data = item_data(item)
    found = data.get("as", item_name(item))
    return None if found is None else str(found)


def _are_alike(items: list[Item], start: int, own: list[Item]) -> bool:
    """Whether a round has the same items as the first one, but for names, and joins along the same dimension."""
    first = items[start : start + len(own)]
    plain = [[{k: v for k, v in item_data(item).items() if k != "as"} for item in some[1:]] for some in (first, own)]
    dims = [some[0].get("dim") for some in (first, own)]
    inner = any({"from", "else", "like", "call"} & item_data(item).keys() for item in own[1:])
    return plain[0] == plain[1] and dims[0] == dims[1] and not inner


def _are_numbered(items: list[Item], rounds: Rounds) -> bool:
    """Whether the names in each place of the rounds count up, and nothing but joins refers to their values."""
    ends = range(rounds.start, rounds.start + rounds.length * len(rounds.members), rounds.length)
    for place in range(1, rounds.length):
        names = [item_name(items[start + place]) for start in ends]
        if None in names and set(names) != {None}:
            return False
        if None not in names and numbered([str(name) for name in names]) is None:
            return False
    return True


def _group(items: list[Item], rounds: Rounds, name: str) -> Item:
    layers: list[Item] = [{**items[rounds.start], "from": [*rounds.base, name]}]
    for place in range(1, rounds.length):
        names = [item_name(items[rounds.start + place + step * rounds.length]) for step in range(len(rounds.members))]
        data = {key: value for key, value in item_data(items[rounds.start + place]).items() if key != "as"}
        kind = next(key for key in ("op", "block", "seq") if key in data)
        append = {"append": name} if place == rounds.length - 1 else {}
        own = {kind: data[kind], **append, **{key: value for key, value in data.items() if key != kind}}
        counted = None if names[0] is None else numbered([str(given) for given in names])
        layers.append(own if counted is None else {counted: own})
    return {"repeat": len(rounds.members), "index": "i", "layers": layers}


def _renamed(item: Item, rounds: Rounds, name: str) -> Item:
    """An item that refers to the list, or to entries of it."""
    entry = item_name(item)
    data = item_data(item)
    changed = {key: (_refs(value, rounds, name) if key in ("from", "else", "like") else value)
               for key, value in data.items()}  # fmt: skip
    return changed if entry is None else {entry: changed}


def _refs(given: Any, rounds: Rounds, name: str) -> Any:
    if isinstance(given, str):
        return f"{name}.{rounds.members.index(given)}" if given in rounds.members else given
    count = len(rounds.members)
    for place in range(len(given) - count + 1):
        if given[place : place + count] == rounds.members:
            return [*_refs(given[:place], rounds, name), name, *_refs(given[place + count :], rounds, name)]
    return [_refs(one, rounds, name) for one in given]
