"""A level (the network itself or a frame), with its contents laid out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from archspec.backends.diagram.drawing import Box, Cluster
from archspec.backends.diagram.layout.columns import columns
from archspec.backends.diagram.layout.frame import PAD, framed
from archspec.backends.diagram.layout.nets import ROOT, Net, Nets
from archspec.backends.diagram.layout.parts import Block, Measures, Node, Wire
from archspec.backends.diagram.layout.strip import LABEL
from archspec.backends.theme import FORK

FORK_SIZE: Final = 5
"""The size in pixels of the point where a value forks."""


@dataclass
class Level:
    """Lays out one level and those in it."""

    measures: Measures
    nets: Nets
    limit: float
    """The maximum length of columns."""
    known: Mapping[str, Block] = field(default_factory=dict)
    """Frames laid out without a limit; those that are within it need not be laid out again."""
    frames: dict[str, Block] = field(default_factory=dict)
    """The nets of this level and of its inner levels."""

    def block(self, items: Sequence[Box | Cluster], frame: str = ROOT) -> Block:
        """Lay out the items of a level, with the frame around them, if there is one."""
        nets = list(self.nets.get(frame, {}).values())
        nodes = {item.id: self.node(item) for item in items}
        wires = [Wire(net.key, net.tail or "", dict(net.heads), self.label(net)) for net in nets]
        _spread(nodes, wires)
        enters, leaves = _ports(nets, wires, self.measures)
        inner = columns([*enters, *nodes.values(), *leaves], wires, self.limit)
        inner.boxes, placed = [], inner.boxes
        for area in placed:
            if area.key in self.frames:
                inner.add(self.frames[area.key], area.main, area.cross + self.frames[area.key].before)
            else:
                inner.boxes.append(area)
        return framed(inner, frame, self.measures) if frame else inner

    def node(self, item: Box | Cluster) -> Node:
        """A box with its size, or a frame with its contents laid out."""
        if isinstance(item, Box):
            length, width = (FORK_SIZE, FORK_SIZE) if item.role == FORK else self.measures.boxes[item.id]
            return Node(item.id, length, width / 2, width / 2, "fork" if item.role == FORK else "box")
        block = self.known.get(item.id)
        if block is None or block.length > self.limit:
            limit = self.limit - 2 * PAD - self.measures.titles[item.id][0]
            inside = Level(self.measures, self.nets, limit, self.known, self.frames)
            block = inside.block(item.items, item.id)
        self.frames[item.id] = block
        return Node(item.id, block.length, block.before, block.after, "frame", block.entries, block.exits)

    def label(self, net: Net) -> tuple[float, float] | None:
        """The size of a value's label, if it is produced and read at this level; others are at outer levels."""
        return self.measures.labels[net.key[1]] if net.key[1] and net.tail is not None and net.heads else None


def _ports(nets: Sequence[Net], wires: Sequence[Wire], measures: Measures) -> tuple[list[Node], list[Node]]:
    """A port for each value that enters and each that leaves; makes them the ends of the wires.

    Where several values leave, each has space for its label, which is outside of the frame.
    """
    several = sum(net.leaves for net in nets) > 1
    enters: list[Node] = []
    leaves: list[Node] = []
    for number, (net, wire) in enumerate(zip(nets, wires, strict=True)):
        if net.tail is None:
            wire.tail = f"in {number}"
            enters.append(Node(wire.tail, kind="port"))
        if net.leaves:
            space = measures.labels[net.key[1]][1] + LABEL if several and net.key[1] else 0
            leaves.append(Node(f"out {number}", after=space, kind="port"))
            wire.heads[leaves[-1].key] = net.dashed
    return enters, leaves


def _spread(nodes: Mapping[str, Node], wires: Sequence[Wire]) -> None:
    """Let several values leave a box side by side, with space for their labels."""
    for node in nodes.values():
        own = [wire for wire in wires if wire.tail == node.key]
        if node.kind == "frame" or len(own) < 2:
            continue
        widths = [(wire.label[1] if wire.label else 0) + 12 for wire in own]
        node.before = node.after = max(node.before, sum(widths) / 2)
        for number, wire in enumerate(own):
            node.exits[wire.key] = round(sum(widths[:number]) - sum(widths) / 2) + 6
