"""Random networks of sequences as networks of token ids: tables stand in the place of their first linear layer.

The sequences that tables make of the ids, each in a way of its own, are added up: by tables of positions and kinds, in
containers and repeats, in blocks, in sequentials, of parts of the ids, and of ids laid out as a map.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any, Final

import composed_networks

Data = dict[str, Any]
Made = tuple[list[Data], str]
"""Items, and the name of the sequence that they make."""

LENGTH: Final = 6


def of_tokens(made: Data, chance: random.Random) -> Data:
    """A network of sequences as one of token ids, if it begins with a linear layer."""
    name, stem = next(iter(made["layers"][0].items()))
    if not isinstance(stem, dict) or stem.get("op") != "linear" or "from" in stem or name != "stem":
        return made
    size = chance.choice((10, "=words"))
    table: Data = {"op": "embedding", "embedding_dim": stem["out_features"]}
    padding = {"padding_idx": chance.choice((0, -1))} if chance.random() < 0.5 else {}
    ids = {**table, "num_embeddings": size, **padding}
    first: list[Data] = [{name: ids}]
    blocks: dict[str, Data] = {}
    summed = []
    for way in dict.fromkeys(chance.sample(WAYS, 3)):
        items, value = way(chance, ids, blocks)
        first += items
        summed.append(value)
    if "act" in made["params"]:
        first.append({"acted": {"op": "=act", "from": name}})
        summed.append("acted")
    first += [
        {"op": "add", "from": [name, *summed], "as": "summed"},
        {"op": "tanh", "as": name} if chance.random() < 0.3 else {"op": "sub", "from": [name, "summed"]},
    ]
    rules = [{"op": "embedding", "weight": {"normal": {"std": 0.5}}}] if chance.random() < 0.5 else []
    own = {"params": {"words": 10, **made["params"]}} if size == "=words" else {}
    init = {"init": [*rules, *made.get("init", [])]} if rules or "init" in made else {}
    made = {**made, **own, "input": [LENGTH], "tokens": size, **init, "blocks": {**blocks, **made["blocks"]}}
    return {**made, "layers": [*first, *made["layers"][1:]]}


def places(chance: random.Random, ids: Data, blocks: dict[str, Data]) -> Made:
    """A table of positions, whose ids are a buffer."""
    saved = {"persistent": False} if chance.random() < 0.5 else {}
    table = {**_plain(ids), "num_embeddings": 8}
    return [
        {"place_ids": {"op": "buffer", "values": "arange", "shape": [1, 8], **saved}},
        {"op": "slice", "dim": 1, "start": 2, "from": "place_ids", "as": "places_read"},
        {"places": {**table, "from": "places_read"}},
        {"op": "add", "from": ["stem", "places"], "as": "placed"},
    ], "placed"


def rows(chance: random.Random, ids: Data, blocks: dict[str, Data]) -> Made:
    """A table of positions that is read by a buffer as it is."""
    return [
        {"row_ids": {"op": "buffer", "values": "arange", "shape": [LENGTH]}},
        {"rows": {**_plain(ids), "num_embeddings": LENGTH, "from": "row_ids"}},
        {"op": "mul", "from": ["rows", "stem"], "as": "rowed"},
    ], "rowed"


def kinds(chance: random.Random, ids: Data, blocks: dict[str, Data]) -> Made:
    """A table of kinds, the same for every sample."""
    return [
        {"kind_ids": {"op": "buffer", "values": chance.choice(("zeros", "ones")), "dtype": "int64",
                      "shape": [1, LENGTH]}},
        {"op": "expand", "from": ["kind_ids", "input"], "as": "kinds_read"},
        {"kinds": {**_plain(ids), "num_embeddings": 2, "from": "kinds_read"}},
        {"op": "mul", "from": ["stem", "kinds"], "as": "kinded"},
    ], "kinded"  # fmt: skip


def turned(chance: random.Random, ids: Data, blocks: dict[str, Data]) -> Made:
    """The first table again, of the ids in another order."""
    return [
        {"op": "rearrange", "pattern": "(a b) -> b a", "b": 3, "from": "input"}, {"op": "flatten"},
        {"op": "roll", "shifts": [1], "dims": [1], "as": "turned"},
        {"call": "stem", "from": "turned", "as": "again"},
    ], "again"  # fmt: skip


def in_rounds(chance: random.Random, ids: Data, blocks: dict[str, Data]) -> Made:
    """Tables in the rounds of a repeat, which are read by computed names, or from a list."""
    listed = {"append": "tables_read"} if chance.random() < 0.6 else {}
    items: list[Data] = [{"words{i}": {**ids, "from": "input", **listed}}]
    if chance.random() < 0.4:
        items = [{"repeat": 1, "index": "j", "layers": [{"words{i}_{j}": {**ids, "from": "input", **listed}}]}]
    several = "words{i}_{j}" in items[0].get("layers", [{}])[0]
    group: Data = {"repeat": 2, "index": "i", "layers": items}
    if listed:
        return [group, {"op": "add", "from": ["tables_read", "stem"], "as": "listed"}], "listed"
    read = {"op": "mul", "from": ["words{1 - i}_0" if several else "words{1 - i}", "stem"], "as": "rounded"}
    return [group, {"op": "tanh", "from": "stem", "as": "rounded"},
            {"repeat": 2, "index": "i", "layers": [read]}], "rounded"  # fmt: skip


def in_a_container(chance: random.Random, ids: Data, blocks: dict[str, Data]) -> Made:
    """Tables in a container, by numbers or by names."""
    both: list[Data] = [{"first": {**ids, "from": "input"}}, {"second": {**ids, "from": "input"}}]
    if chance.random() < 0.5:
        both = [{**ids, "from": "input"} for _ in both]
    names = ["tables.first", "tables.second"] if "first" in both[0] else ["tables.0", "tables.1"]
    return [{"tables": {"layers": both}}, {"op": "mul", "from": names, "as": "held"}], "held"


def in_parts(chance: random.Random, ids: Data, blocks: dict[str, Data]) -> Made:
    """One table of each half of the ids."""
    return [
        {"op": "split", "sections": 2, "from": "input", "as": "id_parts"},
        {"first_half": {**ids, "from": "id_parts.0"}}, {"second_half": {**ids, "from": "id_parts.1"}},
        {"op": "cat", "from": ["second_half", "first_half"], "dim": 1, "as": "joint_halves"},
    ], "joint_halves"  # fmt: skip


def in_a_seq(chance: random.Random, ids: Data, blocks: dict[str, Data]) -> Made:
    """A table at the beginning of a sequential, in a group or under a name."""
    linear = {"op": "linear", "out_features": ids["embedding_dim"]}
    first: Data = chance.choice(({"words": ids}, {"layers": [ids]}, ids))
    behind: list[Data] = [{"rest{k}": {**linear, "repeat": 2, "index": "k"}}, {**linear, "repeat": 2, "index": "k"},
                          {"last": {"op": "tanh"}}]  # fmt: skip
    return [{"seq_of_words": {"from": "input", "seq": [first, *chance.sample(behind, 2)]}}], "seq_of_words"


def as_a_map(chance: random.Random, ids: Data, blocks: dict[str, Data]) -> Made:
    """Ids in two rows, whose vectors are a map of two channels; and what takes it."""
    taker = chance.choice([
        {"op": "conv2d", "out_channels": 2, "kernel_size": 1}, {"op": "batch_norm2d"},
        composed_networks.keeping(chance, 2), composed_networks.keeping(chance, 2),
    ])  # fmt: skip
    return [
        {"op": "rearrange", "pattern": "(a b) -> a b", "b": 3, "from": "input"},
        {"map_of_words": ids}, {"taken": taker},
        {"op": "rearrange", "pattern": "a b f -> (a b) f", "as": "flat"},
    ], "flat"  # fmt: skip


def in_a_block(chance: random.Random, ids: Data, blocks: dict[str, Data]) -> Made:
    """A block of two inputs that holds two tables, one of whose values takes an input's name."""
    rest = chance.random() < 0.5
    second = "other.0" if rest else "other"
    params = {"width": None, "words": 10}
    table = {**ids, "embedding_dim": "=width", "num_embeddings": "=words"}
    over = "first" if chance.random() < 0.5 or rest else "other"
    layers: list[Data] = [
        {"table1": {**table, "from": second, **({"as": over} if over == "other" else {})}},
        {"table2": {**table, "from": "first", "as": "first"}},
    ]
    body: Data = {"inputs": ["first", "*other" if rest else "other"], "params": params, "layers": layers}
    one = "table1" if over == "first" else "other"
    if chance.random() < 0.5:
        body["outputs"] = {"low": one, "high": "first"}
        layers.append({"table3": {"op": "linear", "out_features": "=width"}})
        body |= chance.choice(({"cut": True}, {"construct": ["table1"]}))
        end: list[Data] = [{"op": "sub", "from": ["stem", "pair_of_words.high"], "as": "paired"}]
    else:
        layers.append({"op": "mul", "from": [one, "first"]})
        end = [{"op": "tanh", "as": "paired"}]
    blocks["WordsOfTwo"] = body
    size = {"words": ids["num_embeddings"]}
    use = {"block": "WordsOfTwo", "width": ids["embedding_dim"], **size, "from": ["input", "input"]}
    return [{"pair_of_words": use}, *end], "paired"


def in_both_forms(chance: random.Random, ids: Data, blocks: dict[str, Data]) -> Made:
    """A block with a table and a norm as its entries, and a function behind them."""
    table = {**ids, "embedding_dim": "=width", "num_embeddings": "=words"}
    entries: list[Data] = [{"table": table}, {"op": "layer_norm"}, {"drop": {"op": "dropout"}}]
    behind: list[Data] = [{"op": "mul", "from": ["table", "1"]}]
    blocks["WordsAndNorm"] = {"params": {"width": None, "words": 10}, "seq": entries, "layers": behind}
    if chance.random() < 0.4:
        blocks["WordsAndNorm"] |= {"cut": True, "output": chance.choice(("table", "1"))}
    size = {"words": ids["num_embeddings"]}
    use = {"block": "WordsAndNorm", "width": ids["embedding_dim"], **size, "from": "input"}
    return [{"words_and_norm": use}], "words_and_norm"


def _plain(ids: Data) -> Data:
    return {key: value for key, value in ids.items() if key != "padding_idx"}


WAYS: Final[tuple[Callable[[random.Random, Data, dict[str, Data]], Made], ...]] = (
    places, rows, kinds, turned, in_rounds, in_a_container, in_parts, in_a_seq, as_a_map, as_a_map, in_a_block,
    in_both_forms,
)  # fmt: skip
