"""Random networks with some of their modules in containers: only names change, so the networks are what they were.

An item may get a path as its name (`box1.conv3`, `list2.0`), and a group a name, which then precedes all names in it.
All references to them, as values, modules or sizes, are changed accordingly.
"""

from __future__ import annotations

import random
import re
from collections import Counter
from collections.abc import Iterator
from typing import Any, Final

Data = dict[str, Any]

_OTHER_NAMES: Final = ("as", "append", "path", "op", "block", "blocks", "type", "params")
"""Keys whose values are not names of items."""

_STEM: Final = re.compile(r"([a-z]+\d+)(.*)")
"""A name of an item as `free_networks` makes them: a stem of its own, and perhaps indices."""


def in_containers(body: Data, seed: int) -> Data:
    """A body with some of its modules in containers."""
    chance = random.Random(seed)
    if "layers" not in body or chance.random() < 0.4:
        return body
    for number in range(chance.randint(1, 3)):
        way = chance.choice((_named_group, _in_a_dict, _in_a_list))
        body = way(chance, body, number)
    if "construct" in body:  # a container is constructed as a whole
        body = {**body, "construct": [*dict.fromkeys(name.partition(".")[0] for name in body["construct"])]}
    return body


def beside_a_cut(block: Data, seed: int) -> Data:
    """A block that is cut, with some of its modules in containers: each of these is on one side of the cut."""
    changed = in_containers(block, seed)
    layers = changed.get("layers", [])
    outputs = changed.get("outputs", [changed.get("output")])
    wanted = outputs.values() if isinstance(outputs, dict) else outputs
    last = max(max((n for n, item in enumerate(layers) if _yields(item, str(value))), default=-1) for value in wanted)
    in_part = last >= 0 and bool({"layers", "repeat"} & _inner(layers[last]).keys())  # it may end within the item
    before, behind = ({*_containers_of(part)} for part in (layers[: last + 1], layers[last + 1 - in_part :]))
    return block if before & behind else changed


def _inner(item: Data) -> Data:
    """An item without its name."""
    inner = next(iter(item.values()))
    return inner if len(item) == 1 and isinstance(inner, dict) else item


def _yields(item: Data, value: str, within: str = "") -> bool:
    """Whether an item, or one in it, yields a value."""
    inner = _inner(item)
    name = next(iter(item)) if inner is not item else None
    if "layers" in inner:
        return any(_yields(entry, value, f"{within}{name}." if name else within) for entry in inner["layers"])
    made = [given for given in (inner.get("as"), name and f"{within}{name}") if given]
    return any(re.fullmatch(_pattern(given) + r"(\.\w+)*", value) for given in made)


def _pattern(name: str) -> str:
    return "".join(r"[^.]+" if part[:1] == "{" else re.escape(part) for part in re.split(r"(\{[^{}]*\})", name))


def _containers_of(items: list[Data], within: str = "") -> Iterator[str]:
    """The containers that items are in, or are."""
    for item in items:
        inner = _inner(item)
        path = within + (next(iter(item)) if inner is not item else "")
        parts = path.split(".")
        yield from (".".join(parts[:count]) for count in range(1, len(parts)))
        if "layers" in inner:
            yield from [path] * (inner is not item)
            yield from _containers_of(inner["layers"], f"{path}." if inner is not item else within)


def with_rest(block: Data, seed: int) -> Data:
    """A block of two inputs, the second of which is now and then the first of any number."""
    inputs = block.get("inputs", ["input"])
    if len(inputs) != 2 or random.Random(seed).random() < 0.5 or f"'as': '{inputs[1]}'" in str(block):
        return block
    second = inputs[1]
    changed: Data = _first_of(block, second)
    return {**changed, "inputs": [inputs[0], f"*{second}"]}


def _first_of(data: Any, name: str) -> Any:
    """Data in which a name is that of a list, whose first value is meant."""
    if isinstance(data, str):
        return re.sub(rf"(?<![\w.]){name}\.", f"{name}[0].", data) if data.startswith("=") else (
            f"{name}.0" if data == name else data)  # fmt: skip
    if isinstance(data, list):
        return [_first_of(element, name) for element in data]
    return {key: _first_of(value, name) for key, value in data.items()} if isinstance(data, dict) else data


def _in_a_dict(chance: random.Random, body: Data, number: int) -> Data:
    """Items anywhere as entries of one dict, each under its own name."""
    stems = _free_stems(body)
    for stem in chance.sample(stems, min(len(stems), chance.randint(1, 3))):
        body = _renamed(body, stem, f"box{number}.{stem}", keys=True)
    return body


def _in_a_list(chance: random.Random, body: Data, number: int) -> Data:
    """Items anywhere as entries of one list, or the rounds of one item, by their index."""
    names = [name for name, _ in _items(body["layers"])]
    rounds = [stem for stem in _free_stems(body) if any(re.fullmatch(rf"{stem}_\{{[a-z]\}}", name) for name in names)
              and not re.search(rf"\b{stem}_\d+\.[a-z]", str(body))]  # fmt: skip
    single = [stem for stem in _free_stems(body) if stem in names and not _below(body, stem)]
    if rounds and chance.random() < 0.6:
        changed: Data = _renamed(body, f"{chance.choice(rounds)}_", f"list{number}.", keys=True)
        return changed
    for place, stem in enumerate(chance.sample(single, min(len(single), chance.randint(1, 3)))):
        body = _renamed(body, stem, f"list{number}.{place}", keys=True)
    return body


def _named_group(chance: random.Random, body: Data, number: int) -> Data:
    """A group with a name: its items without one are numbered."""
    groups = [item for item in body["layers"] if "layers" in item and not _holds_parameters(item["layers"])]
    outside = Counter(_stem(name) for name, _ in _items(body["layers"]))
    free = {*_free_stems(body)}
    groups = [group for group in groups if (inside := Counter(_stem(name) for name, _ in _items(group["layers"])))
              and inside.keys() <= free and all(inside[stem] == outside[stem] for stem in inside)]  # fmt: skip
    if not groups:
        return body
    group = chance.choice(groups)
    stems = dict.fromkeys(_stem(name) for name, _ in _items(group["layers"]))
    place = next(place for place, item in enumerate(body["layers"]) if item is group)
    for stem in stems:
        body = _renamed(body, stem, f"group{number}.{stem}", keys=False)
    layers = [*body["layers"]]
    layers[place] = {f"group{number}": layers[place]}
    return {**body, "layers": layers}


def _items(items: list[Data]) -> Iterator[tuple[str, Data]]:
    """The items with names of a body, those of its groups included, but for groups with a name."""
    for item in items:
        name, inner = next(iter(item.items())) if len(item) == 1 else (None, item)
        if isinstance(name, str) and isinstance(inner, dict):
            yield name, inner
        elif "layers" in item:
            yield from _items(item["layers"])


def _stem(name: str) -> str:
    found = _STEM.match(name)
    return found[1] if found else name


def _free_stems(body: Data) -> list[str]:
    """The stems that stand for one module, and for no value or list of another name."""
    items = [*_items(body["layers"])]
    taken = set(re.findall(r"'(?:as|append)': '([a-z]+\d+)", str(body["layers"])))
    raw = {_stem(name) for name, item in items if item.get("op") in ("parameter", "buffer")}
    groups = {_stem(name) for name, item in items if "layers" in item}
    stems = dict.fromkeys(_stem(name) for name, _ in items if "." not in name and _STEM.fullmatch(name))
    return [stem for stem in stems if stem not in taken | raw | groups]


def _below(body: Data, stem: str) -> bool:
    """Whether something else is called by a stem and indices, or reads a property of it in an expression."""
    return bool(re.search(rf"(?<![\w.]){stem}(_|\.[a-z])", str(body)))


def _holds_parameters(items: list[Data]) -> bool:
    return "'op': 'parameter'" in str(items) or "'op': 'buffer'" in str(items)


def _renamed(data: Any, old: str, new: str, keys: bool) -> Any:
    """Data with a name changed wherever it stands: in `keys` only if these are to change."""
    if isinstance(data, str):
        return _swapped(data, old, new)
    if isinstance(data, list):
        return [_renamed(element, old, new, keys) for element in data]
    if isinstance(data, dict):
        return {_swapped(key, old, new) if keys and isinstance(value, dict) else key:
                value if key in _OTHER_NAMES else _renamed(value, old, new, keys)
                for key, value in data.items()}  # fmt: skip
    return data


def _swapped(text: str, old: str, new: str) -> str:
    return re.sub(rf"(?<![\w.{{]){re.escape(old)}(?![a-zA-Z\d])", new, text) if not old.endswith("_") else re.sub(
        rf"(?<![\w.{{]){re.escape(old)}", new, text)  # fmt: skip
