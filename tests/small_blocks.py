"""Blocks that random networks of one shape use beside those made of random steps: for values of any shape, for several
values, and for loops over modules."""

from __future__ import annotations

import random
from typing import Any, Final

Data = dict[str, Any]

NAMES: Final = ("class", "Tensor", "x", "nn", "int", "Maps", "OrderedDict", "range", "layer")
"""Names of blocks that mean something else in a generated file, or in Python."""


PLAIN: Final = "Plain"
CHANNELS: Final = "Channels"
HALVES: Final = "Halves"


def some(chance: random.Random, widened: Data) -> dict[str, Data]:
    """Some of the blocks for which there are uses of their own, by their names."""
    blocks = {PLAIN: any_shape(chance), CHANNELS: any_channels(chance), HALVES: in_halves(chance, widened)}
    return {name: block for name, block in blocks.items() if chance.random() < 0.2}


def block_name(chance: random.Random, number: int, taken: dict[str, Data]) -> str:
    """What block `number` is called: now and then as something else."""
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
    """A block that yields halves, of what `widened` makes."""
    items: list[Data] = [{"op": "relu"}, {"conv": widened}, {"op": "tanh"}]
    return {"params": {"width": None}, "layers": [*items[: chance.randint(2, 3)], {"op": "chunk", "chunks": 2}]}


def loop(chance: random.Random, widened: Data) -> Data:
    """A block whose only modules are the rounds of a repeat, whatever these and the functions beside them read."""
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


def _function(chance: random.Random, values: list[str]) -> Data:
    """A function of the value before it, or of values by their names."""
    if chance.random() < 0.5:
        return {"op": chance.choice(("relu", "tanh"))}
    return {"op": chance.choice(("add", "sub", "mul")), "from": [chance.choice(values), chance.choice(values)]}
