"""Every two constructs of the language that can occur together do so in the random networks that the tests try."""

from __future__ import annotations

import re
from collections import Counter
from functools import cache
from itertools import combinations, product
from typing import Any, Final

import pytest
from constructs import CONSTRUCTS, KINDS, Pair, constructs_of, pair
from free_networks import free_network
from random_networks import network
from tensor_networks import tensor_network

from archspec.ops import OPS

SEEDS: Final = (range(200), range(450), range(420))
"""The networks that `test_random_networks.py` tries: of changing shapes, free ones, and of sequences."""

IN_A_SEQ: Final = ("repeat in a seq", "index in a seq", "group in a seq", "named in a seq")
RAW: Final = ("parameter", "drawn parameter", "buffer")
ONE_INPUT: Final = ("named inputs", "as over an input", "any number of inputs")
OUTPUTS: Final = ("outputs", "outputs always", "outputs of a block")

ILLEGAL: Final[dict[str, list[tuple[str, str]]]] = {reason: list(pairs) for reason, pairs in {
    "an item of a seq takes the value before it: it reads nothing by name": product(
        IN_A_SEQ, ("from the input", "list read")),
    "what is in a group in a seq is no value of a block": product(
        ("group in a seq",), ("from several", "computed reference", *RAW, "chunk")),
    "a group in a seq holds modules that take one value": product(
        ("group in a seq",),
        ("arithmetic", "cat", "tensor", "like", "function", "call", "call of a round", "block with two inputs")),
    "what runs in training only cannot be in a seq": [("group in a seq", "train_only")],
    "a seq holds no module that takes several values": [("group in a seq", "heads")],
    "a parameter has no batch: no list holds it, and only add, sub and mul take it": [
        *product(RAW, ("list read", "chunk")),
    ],
    "a container holds modules, and a parameter belongs to the block itself": product(
        ("container",), RAW),
    "a parameter is there in training and in evaluation": product(RAW, ("train_only",)),
    "chunk takes one value": [("chunk", "list read")],
    "only networks have outputs, and only blocks have names for their inputs": product(
        (*ONE_INPUT, "cut", "seq and layers"), ("outputs", "outputs always")),
    "a block with a seq has one input, and its entries are constructed in their order": product(
        ("seq and layers",), (*ONE_INPUT, "construct")),
    "a body returns one thing": [*combinations(OUTPUTS, 2), ("output", "outputs always"),
                                 ("output", "outputs of a block")],
}.items()}  # fmt: skip
"""Pairs that cannot meet, and why."""


@cache
def _networks(changing: range, free: range, tensors: range) -> list[dict[str, Any]]:
    return [*map(network, changing), *map(free_network, free), *map(tensor_network, tensors)]


def found_in(changing: range, free: range, tensors: range) -> tuple[Counter[str], Counter[Pair]]:
    """How many networks have each construct, and in how many each pair meets."""
    constructs, pairs = Counter[str](), Counter[Pair]()
    for spec in _networks(changing, free, tensors):
        found = constructs_of(spec)
        constructs.update(found.constructs)
        pairs.update(found.pairs)
    return constructs, pairs


def table(seeds: range) -> str:
    """How often constructs meet: a line for each, with the others by how rarely; those that never do are named."""
    constructs, met = found_in(seeds, seeds, seeds)
    illegal = {pair(a, b) for pairs in ILLEGAL.values() for a, b in pairs}
    lines = []
    for one in CONSTRUCTS:
        counts = {other: met[pair(one, other)] for other in CONSTRUCTS if other != one}
        rare = sorted((count, other) for other, count in counts.items() if pair(one, other) not in illegal)[:5]
        never = [other for other in counts if pair(one, other) in illegal]
        rarest = ", ".join(f"{other} {count}" for count, other in rare)
        lines.append(f"{one:22} in {constructs[one]:5}  meets {sum(map(bool, counts.values())):2}  rarest: {rarest}"
                     + (f"  illegal: {', '.join(never)}" if never else ""))  # fmt: skip
    return "\n".join(lines)


def test_every_legal_pair_of_constructs_meets() -> None:
    illegal = {pair(a, b): reason for reason, pairs in ILLEGAL.items() for a, b in pairs}
    constructs, met = found_in(*SEEDS)
    legal = {pair(a, b) for a, b in combinations(CONSTRUCTS, 2)} - illegal.keys()
    assert set(CONSTRUCTS) == constructs.keys()
    assert sorted(legal - met.keys()) == []
    assert sorted(illegal.keys() & met.keys()) == [], "these are legal"


SPEC: Final[dict[str, Any]] = {"layers": [
    {"stem": {"op": "conv2d", "append": "maps"}},
    {"layers": [{"conv{i}": {"op": "conv2d", "from": "stem"}}, {"call": "stem"}], "repeat": 2, "index": "i"},
    {"op": "cat", "from": ["maps", "conv1"]},
]}  # fmt: skip


@pytest.mark.parametrize(("left", "right", "meet"), [
    ("convolution", "append", True), ("convolution", "group", True), ("call", "repeat", True),
    ("cat", "list read", True), ("cat", "round read by name", True), ("list read", "append", True),
    ("cat", "group", False), ("append", "repeat", False), ("norm", "cat", False),
])  # fmt: skip
def test_pairs_meet_in_an_item_around_it_and_by_what_it_takes(left: str, right: str, meet: bool) -> None:
    assert (pair(left, right) in constructs_of(SPEC).pairs) == meet


def test_every_op_is_in_a_random_network() -> None:
    """A new op needs a kind here, and a place in the generators: otherwise no random network contains it."""
    assert {op for ops in KINDS.values() for op in ops} == OPS.keys()
    found = {word for spec in _networks(*SEEDS) for word in re.findall(r"\w+", str(spec))}
    assert sorted(OPS.keys() - found) == []
