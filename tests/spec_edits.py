"""Slightly altered specs: an item is dropped, duplicated, moved or renamed, or a value in it is changed."""

from __future__ import annotations

import copy
import random
from collections.abc import Callable, Iterator
from typing import Any, Final

import archspec
from archspec.frontend.yaml.writer import dump

Data = dict[str, Any]
TRIES: Final = 40


def edited(data: Data, seed: int) -> str:
    """A spec with one to three alterations that give a different network; the unchanged spec if none is found."""
    chance, known = random.Random(seed), archspec.compile(dump(data))
    for _ in range(TRIES):
        changed = copy.deepcopy(data)
        try:
            for _ in range(chance.randint(1, 3)):
                chance.choice(ALTERATIONS)(chance, changed)
            if archspec.compile(text := dump(changed)) != known:
                return text
        except (archspec.SpecError, IndexError):  # IndexError: nothing was left to alter
            continue
    return dump(data)


def _lists(value: Any) -> Iterator[list[Any]]:
    """The lists of items in a spec."""
    for key, inner in value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ():
        if key in ("layers", "seq") and isinstance(inner, list) and inner:
            yield inner
        yield from _lists(inner)


def _items(data: Data) -> list[Data]:
    """The items that are mappings with a body."""
    return [body for items in _lists(data) for item in items for body in (_body(item),) if isinstance(body, dict)]


def _body(item: Any) -> Any:
    if isinstance(item, dict) and len(item) == 1 and isinstance(value := next(iter(item.values())), dict):
        return value
    return item


def _drop(chance: random.Random, data: Data) -> None:
    items = chance.choice([*_lists(data)])
    items.pop(chance.randrange(len(items)))


def _double(chance: random.Random, data: Data) -> None:
    items = chance.choice([*_lists(data)])
    place = chance.randrange(len(items))
    items.insert(place, copy.deepcopy(_body(items[place])))


def _move(chance: random.Random, data: Data) -> None:
    items = chance.choice([*_lists(data)])
    items.insert(chance.randrange(len(items)), items.pop(chance.randrange(len(items))))


def _rename(chance: random.Random, data: Data) -> None:
    items = chance.choice([*_lists(data)])
    place = chance.randrange(len(items))
    item = items[place]
    if isinstance(item, dict) and len(item) == 1:
        items[place] = {f"other{chance.randrange(100)}": _body(item)}


def _change(chance: random.Random, data: Data) -> None:
    body = chance.choice(_items(data))
    key = chance.choice([*body])
    value = body[key]
    if isinstance(value, bool):
        body[key] = not value
    elif isinstance(value, int):
        body[key] = value + chance.choice([-1, 1, value])
    elif isinstance(value, float):
        body[key] = value / 2
    elif value in ("relu", "tanh", "sigmoid", "silu", "gelu"):
        body[key] = chance.choice(["relu", "tanh", "sigmoid"])
    elif key not in ("op", "block"):
        del body[key]


def _train_only(chance: random.Random, data: Data) -> None:
    chance.choice(_items(data))["train_only"] = True


def _other_input(chance: random.Random, data: Data) -> None:
    data["input"] = [*data["input"][:-1], data["input"][-1] + chance.choice([1, 8])]


ALTERATIONS: Final[tuple[Callable[[random.Random, Data], None], ...]] = (
    _drop, _drop, _double, _double, _move, _rename, _change, _change, _change, _train_only, _other_input,
)  # fmt: skip
