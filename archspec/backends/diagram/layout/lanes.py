"""Lanes: nodes and passing wires in one straight line.

A wire that passes layers occupies a place in each of them. A chain is a lane. Where paths fork and join again, a path
much longer than the others continues straight, like the body of a residual block beside its shortcut. Paths of similar
length, like those of an Inception block, leave the middle free.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import NamedTuple

from archspec.backends.diagram.layout.parts import NetKey, Node, Wire
from archspec.backends.diagram.layout.ranks import neighbours


class Slot(NamedTuple):
    """A place in a layer, occupied by a node or by a passing wire."""

    rank: int
    node: str = ""
    wire: NetKey = ("", "")
    head: str = ""
    """The node that the wire leads to, if not to all its later readers."""


@dataclass(eq=False)
class Lane:
    """Slots in consecutive layers."""

    slots: list[Slot] = field(default_factory=list)

    @property
    def first(self) -> Slot:
        """The first slot."""
        return self.slots[0]

    @property
    def last(self) -> int:
        """The layer of the last slot."""
        return self.slots[-1].rank


def way_of(wire: Wire, head: str, ranks: Mapping[str, int]) -> list[Slot]:
    """The slots of a wire on its path to a node, both ends included."""
    start, end = ranks[wire.tail], ranks[head]
    passed = [Slot(rank, "", wire.key, head if head in wire.apart else "") for rank in range(start + 1, end)]
    return [Slot(start, wire.tail), *passed, Slot(end, head)]


def lanes_of(nodes: Sequence[Node], wires: Sequence[Wire], ranks: Mapping[str, int]) -> list[Lane]:
    """The lanes, in the order in which they begin."""
    straight, (before, behind) = _straight(nodes, wires), neighbours(wires)
    follows: dict[Slot, Slot] = {}
    slots = {Slot(ranks[node.key], node.key): None for node in nodes}
    for wire in wires:
        ways = {head: way_of(wire, head, ranks) for head in wire.heads}
        shared = max((way for head, way in ways.items() if head not in wire.apart), key=len, default=[])
        for head, way in ways.items():
            slots.update(dict.fromkeys(way[1:-1]))
            if way != shared and head not in wire.apart and len(way) > 2:
                continue
            if (wire.tail, head) in straight:
                follows.update(pairwise(way))
            elif len(way) > 2:  # a wire runs in line with a node that has no other wires in its direction
                alone = len(before[head]) == 1, len(behind[wire.tail]) == 1
                follows.update(pairwise(way[0 if alone[1] else 1 : None if alone[0] else -1]))
    followers = set(follows.values())
    begins = [slot for slot in sorted(slots, key=lambda slot: slot.rank) if slot not in followers]
    return [_lane(slot, follows) for slot in begins]


def _lane(slot: Slot, follows: Mapping[Slot, Slot]) -> Lane:
    lane = Lane([slot])
    while lane.slots[-1] in follows:
        lane.slots.append(follows[lane.slots[-1]])
    return lane


def _straight(nodes: Sequence[Node], wires: Sequence[Wire]) -> set[tuple[str, str]]:
    """The pairs of nodes in one line: one is the straight continuation, or the only one, of the other.

    Training-only items, and parameters that enter from the side, do not continue a line if others do.
    """
    before, behind = neighbours(wires)
    extra = {node.key for node in nodes[1:] if node.kind != "port" and not before[node.key]}
    aside = {(wire.tail, head) for wire in wires for head, train_only in wire.heads.items()
             if train_only or wire.tail in extra}  # fmt: skip
    sizes = {node.key: int(node.kind != "port") for node in nodes}
    keys = [node.key for node in nodes]
    down = _choices(keys, behind, sizes, aside)
    up = _choices(keys[::-1], before, sizes, {(head, tail) for tail, head in aside})
    return {(tail, head) for tail, head in down.items() if up.get(head) == tail}


def _choices(
    keys: Sequence[str], nexts: Mapping[str, Sequence[str]], sizes: Mapping[str, int], aside: set[tuple[str, str]]
) -> dict[str, str]:
    """For each node, the node that continues its line, if there is one."""
    ahead: dict[str, int] = {"": 0}
    meets: dict[str, str] = {"": ""}
    depth: dict[str, int] = {"": 0}
    chosen: dict[str, str] = {}
    for key in reversed(keys):
        every = list(dict.fromkeys(nexts[key])) if key in nexts else []
        ways = [way for way in every if (key, way) not in aside] or every
        meets[key] = _meeting(ways, meets, depth)
        depth[key] = depth[meets[key]] + 1
        ahead[key] = sizes[key] + max((ahead[way] for way in ways), default=0)
        lengths = {way: ahead[way] - ahead[meets[key]] for way in ways}
        if lengths and (found := _longest(lengths)):
            chosen[key] = found
    return chosen


def _meeting(ways: Sequence[str], meets: Mapping[str, str], depth: Mapping[str, int]) -> str:
    """The node where all paths from another node meet, its immediate post-dominator; empty for the end."""
    if not ways:
        return ""
    found = ways[0]
    for way in ways[1:]:
        while found != way:
            if depth[found] >= depth[way]:
                found = meets[found]
            else:
                way = meets[way]
    return found


def _longest(lengths: Mapping[str, int]) -> str:
    """The path that is at least twice as long as any other, if at most one other has nodes; or the only path."""
    first, *others = sorted(lengths, key=lambda way: -lengths[way])
    rest = [lengths[way] for way in others]
    if not others or (lengths[first] >= 2 * rest[0] and lengths[first] > rest[0] and sum(map(bool, rest)) < 2):
        return first
    return ""
