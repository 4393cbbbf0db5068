"""The layer of each node: behind all that it reads, and in the middle of the room that it has."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

from archspec.backends.diagram.layout.parts import Node, Wire


def ranks_of(nodes: Sequence[Node], wires: Sequence[Wire]) -> dict[str, int]:
    """Layers from 0. Nodes come in the order they run; what enters is in the first layer, what leaves in the last."""
    before, behind = neighbours(wires)
    early: dict[str, int] = {}
    for node in nodes:
        early[node.key] = max((early[key] + 1 for key in before[node.key]), default=0)
    last = max(early.values(), default=0)
    ends = {node.key for node in nodes if node.kind == "port" and before[node.key]}
    late: dict[str, int] = {}
    for node in reversed(nodes):
        room = (late[key] - 1 for key in behind[node.key])
        late[node.key] = last if node.key in ends else min(room, default=early[node.key])
    ranks = {key: late[key] if key in ends else (early[key] + late[key]) // 2 for key in early}
    for node in nodes:  # what depends on nothing stands before the first that reads it
        if not before[node.key]:
            ranks[node.key] = 0 if node.kind == "port" else min((ranks[key] - 1 for key in behind[node.key]), default=0)
    return ranks


def neighbours(wires: Sequence[Wire]) -> tuple[dict[str, list[str]], dict[str, list[str]]]:
    """For each node those that it reads, and those that read it."""
    before: dict[str, list[str]] = defaultdict(list)
    behind: dict[str, list[str]] = defaultdict(list)
    for wire in wires:
        for head in wire.heads:
            before[head].append(wire.tail)
            behind[wire.tail].append(head)
    return before, behind
