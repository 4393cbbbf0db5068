"""Blocks that random networks of one shape use beside those made of random steps: for values of any shape, for several
values, and for loops over modules."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any, Final

Data = dict[str, Any]

NAMES: Final = ("class", "Tensor", "x", "nn", "int", "Maps", "OrderedDict", "range", "layer")
"""Names of blocks that mean something else in a generated file, or in Python."""


PLAIN: Final = "Plain"
CHANNELS: Final = "Channels"
HALVES: Final = "Halves"


JOINS: Final = "Joins"
NORMED: Final = "Normed"
STANDS: Final = "Stands"
LOOP: Final = "Loop"
GATHERS: Final = "Gathers"


def some(chance: random.Random, widened: Data) -> dict[str, Data]:
    """Some of the blocks for which there are uses of their own, by their names."""
    norm = "batch_norm2d" if widened["op"] == "conv2d" else "batch_norm1d"
    blocks = {
        PLAIN: any_shape(chance), CHANNELS: any_channels(chance), HALVES: in_halves(chance, widened),
        JOINS: of_halves(chance, widened), NORMED: normed(chance, widened, norm), STANDS: stands(chance, widened),
        LOOP: loop(chance, widened),
    }  # fmt: skip
    return {name: block for name, block in blocks.items() if chance.random() < 0.25}


def block_name(chance: random.Random, number: int, taken: dict[str, Data]) -> str:
    """The name of block `number`, now and then one that has another meaning, too."""
    name = chance.choice(NAMES)
    return name if chance.random() < 0.15 and name not in taken else f"Block{number}"


def any_shape(chance: random.Random) -> Data:
    """A block for values of any shape, those without a dimension, too."""
    items: list[Data] = [
        {"op": chance.choice(("relu", "tanh"))},
        {"drop": {"op": "dropout", "p": "=rate"}},
        {"op": "sigmoid", "when": "=flag"},
        {"last": {"op": "identity"}},
    ]
    params = {"rate": chance.choice((None, 0.125)), "flag": True}
    return {"params": params, chance.choice(("layers", "seq")): items[: chance.randint(2, 4)]}


def any_channels(chance: random.Random) -> Data:
    """A block for maps and vectors: its norm is made with the channels of one, and with the features of the other."""
    norm: Data = {"norm": {"op": "group_norm", "num_groups": 2}}
    return {"params": {"flag": False}, "layers": [norm, {"op": chance.choice(("relu", "tanh")), "when": "=not flag"}]}


def in_halves(chance: random.Random, widened: Data) -> Data:
    """A block that returns halves of the output of `widened`."""
    items: list[Data] = [{"op": "relu"}, {"conv": widened}, {"op": "tanh"}]
    return {"params": {"width": None}, "layers": [*items[: chance.randint(2, 3)], {"op": "chunk", "chunks": 2}]}


def of_halves(chance: random.Random, widened: Data) -> Data:
    """A block that takes halves, as one input."""
    joined: list[Data] = [{"op": "cat", "from": ["input.1", "input.0"]}, {"conv": widened}]
    return {"params": {"width": None}, "layers": [*joined, {"op": "tanh"}][: chance.randint(2, 3)]}


def normed(chance: random.Random, widened: Data, norm: str) -> Data:
    """A block with a norm that could be folded, or something else in its place."""
    other = (
        {"op": chance.choice(("identity", "dropout"))}
        if chance.random() < 0.3
        else {"op": "group_norm", "num_groups": 2}
    )
    items: list[Data] = [
        {"conv": widened}, {"norm": {"op": norm, "when": "=flag"}}, {"other": {**other, "when": "=not flag"}},
        {"op": "tanh"},
    ]  # fmt: skip
    return {"params": {"width": None, "flag": None}, "layers": items[: chance.randint(3, 4)]}


def stands(chance: random.Random, widened: Data) -> Data:
    """A block in which another value replaces the rounds of a repeat."""
    rounds: Data = {"repeat": 2, "index": "i", "when": "=flag", "else": chance.choice(("input", "first"))}
    first: list[Data] = [{"first": widened}, {"op": "relu"}]
    return {"params": {"width": None, "flag": None}, "layers": [*first, {"more{i}": {**widened, **rounds}}]}


def loop(chance: random.Random, widened: Data) -> Data:
    """A block whose only modules are the rounds of a repeat, whatever these and the functions beside them read."""
    if chance.random() < 0.5:
        return carrying(chance, widened)
    inputs = chance.choice((["input"], ["input", "side"]))
    module = {**widened, "from": chance.choice(inputs)} if chance.random() < 0.3 else widened
    inside: list[Data] = [{"conv{i}": module}]
    inside += [_function(chance, [*inputs, "conv{i}"]) for _ in range(chance.randint(0, 2))]
    behind = [*inputs, "conv0"]
    if len(inside) > 1 and chance.random() < 0.6:
        inside[-1]["as"] = "total"
        behind.append("total")
    if chance.random() < 0.3:
        inside.insert(0, _function(chance, inputs))
    items: list[Data] = [_function(chance, inputs)] if chance.random() < 0.3 else []
    items.append({"layers": inside, "repeat": "=count", "index": "i"})
    items += [_function(chance, behind) for _ in range(chance.randint(0, 2))]
    said = {"inputs": inputs} if len(inputs) > 1 else {}
    return {"params": {"width": None, "count": chance.choice((None, 3))}, **said, "layers": items}


def carrying(chance: random.Random, widened: Data) -> Data:
    """A loop that carries a value from round to round, which its rounds or what is behind it may read as it was."""
    inputs = chance.choice((["input"], ["input", "total"]))
    module = {**widened, "from": "input"} if len(inputs) > 1 else widened
    left = chance.choice((inputs[-1], "conv{i}"))
    inside: list[Data] = [{"conv{i}": module}]
    if chance.random() < 0.4:
        inside.append({"op": chance.choice(("relu", "tanh")), "as": "y"})
    inside.append(
        {"op": chance.choice(("add", "mul")), "from": [left, "y" if len(inside) > 1 else "conv{i}"], "as": "total"}
    )
    items: list[Data] = [{"layers": inside, "repeat": "=count", "index": "i"}]
    if chance.random() < 0.6:
        items.append({"op": "sub", "from": chance.sample(["total", "input"], 2)})
    said = {"inputs": inputs} if len(inputs) > 1 else {}
    return {"params": {"width": None, "count": chance.choice((None, 3))}, **said, "layers": items}


def gathers(chance: random.Random, widened: Callable[[Any], Data], size: str) -> Data:
    """A block of any number of inputs, each of which goes through a module of its own; then they are one value."""
    inputs = chance.choice((["*maps"], ["first", "*maps"]))
    width = chance.choice(("=width", f"=maps[level].{size}", f"=maps[0].{size}", f"={inputs[0].strip('*')}.{size}"))
    module = {**widened("=width" if width == f"=maps.{size}" else width), "from": "maps.{j}"}
    name = f"{chance.choice(('', 'each.'))}{{j}}"
    rounds: Data = {
        "repeat": "=maps.parts - 1" if "first" in inputs and chance.random() < 0.3 else "=maps.parts",
        "index": "j",
    }
    head = [name for name in inputs if name == "first"]
    if head and chance.random() < 0.4:
        inside: list[Data] = [{name: {**module, "as": "y"}}, {"op": "add", "from": ["first", "y"], "as": "first"}]
        items: list[Data] = [{"layers": inside, **rounds}]
    else:
        items = [{name: {**module, "append": "found", **rounds}}, {"op": "add", "from": [*head, "found"]}]
    if chance.random() < 0.4:
        items.append(
            chance.choice(({"op": "relu"}, {"op": "cat", "from": ["maps", "found"][: 1 + ("append" in str(items))]}))
        )
    if "cat" in items[-1].values():
        items.append({"last": widened("=width")})
    return {"params": {"width": None, "level": chance.choice((0, 1))}, "inputs": inputs, "layers": items}


def _function(chance: random.Random, values: list[str]) -> Data:
    """A function of the value before it, or of values by their names."""
    if chance.random() < 0.5:
        return {"op": chance.choice(("relu", "tanh"))}
    return {"op": chance.choice(("add", "sub", "mul")), "from": [chance.choice(values), chance.choice(values)]}
