"""The layer of each node: after everything it reads, and in the middle of its possible layers."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

from archspec.backends.diagram.layout.parts import Node, Wire


def ranks_of(nodes: Sequence[Node], wires: Sequence[Wire]) -> dict[str, int]:
    """Layers, numbered from 0. Nodes are in the order they run; inputs are in the first layer, outputs in the last."""
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
    for node in nodes:  # a node that reads nothing goes before its first reader
        if not before[node.key]:
            ranks[node.key] = 0 if node.kind == "port" else min((ranks[key] - 1 for key in behind[node.key]), default=0)
    return ranks


def neighbours(wires: Sequence[Wire]) -> tuple[dict[str, list[str]], dict[str, list[str]]]:
    """For each node, the nodes that it reads, and the nodes that read it."""
    before: dict[str, list[str]] = defaultdict(list)
    behind: dict[str, list[str]] = defaultdict(list)
    for wire in wires:
        for head in wire.heads:
            before[head].append(wire.tail)
            behind[wire.tail].append(head)
    return before, behind
