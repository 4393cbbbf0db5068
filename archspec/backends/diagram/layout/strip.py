"""A column of layers: nodes after each other and side by side, and the wires between them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Final

from archspec.backends.diagram.layout.lanes import Lane, Slot, lanes_of, way_of
from archspec.backends.diagram.layout.order import ordered
from archspec.backends.diagram.layout.parts import Area, Block, Line, NetKey, Node, Point, Wire, without_repeats
from archspec.backends.diagram.layout.positions import Gaps, Pulls, positions
from archspec.backends.diagram.layout.ranks import neighbours
from archspec.backends.diagram.layout.tracks import APART, Crossing, Turn, tracks_of
from archspec.diagnostics.budget import spend

BESIDE: Final = 16
"""Pixels between two nodes of a layer."""

PASSING: Final = 9
"""Pixels between a passing wire and its neighbours."""

LABEL: Final = 5
"""Pixels between a wire and its label."""

ARROW: Final = 13
"""Pixels of a wire that end in an arrow before a box."""

PORTS: Final = 18
"""Pixels between the wires that reach one box, if it is wide enough."""

NEAR: Final = 12
"""A wire that would shift sideways by fewer pixels continues straight, if it still reaches the box."""

NODE: Final = 40
"""Steps of the budget that placing a node costs."""


def strip(nodes: Sequence[Node], wires: Sequence[Wire], ranks: Mapping[str, int]) -> Block:
    """Lay out nodes and wires in layers."""
    spend(NODE * len(nodes))
    before, _ = neighbours(wires)
    for wire in wires:  # each branch begins with a line of its own
        wire.apart = frozenset(head for head in wire.heads if len(before[head]) == 1 and len(wire.heads) > 1)
    return _Strip(nodes, wires, ranks).block()


class _Strip:
    """A column that is being laid out."""

    def __init__(self, nodes: Sequence[Node], wires: Sequence[Wire], ranks: Mapping[str, int]) -> None:
        self.nodes = {node.key: node for node in nodes}
        self.wires, self.ranks = {wire.key: wire for wire in wires}, ranks
        self.ways = {(wire.key, head): way_of(wire, head, ranks) for wire in wires for head in wire.heads}
        self.leaving: dict[str, list[Wire]] = defaultdict(list)
        for wire in wires:
            self.leaving[wire.tail].append(wire)
        self.lanes = ordered(nodes, wires, ranks, lanes_of(nodes, wires, ranks))
        self.lane = {slot: number for number, lane in enumerate(self.lanes) for slot in lane.slots}
        self.layers: dict[int, list[Slot]] = defaultdict(list)
        for lane in self.lanes:
            for slot in lane.slots:
                self.layers[slot.rank].append(slot)
        longest = max(range(len(self.lanes)), key=lambda number: len(self.lanes[number].slots))
        self.place = positions(len(self.lanes), self.gaps(), self.pulls(), longest)
        self.straighten_exit()
        self.entry = self.entries()

    # -- across --

    def cross(self, slot: Slot) -> float:
        """The position of a slot's axis."""
        return self.place[self.lane[slot]]

    def gaps(self) -> Gaps:
        """The least distances between lanes."""
        gaps: Gaps = {}
        for slots in self.layers.values():
            for one, other in pairwise(slots):
                apart = BESIDE if one.node and other.node else PASSING
                pair = (self.lane[one], self.lane[other])
                gaps[pair] = max(gaps.get(pair, 0), self.after(one) + apart + self.before(other))
        return gaps

    def before(self, slot: Slot) -> float:
        """The extent of a slot to the side before its axis."""
        return self.nodes[slot.node].before if slot.node else 0

    def after(self, slot: Slot) -> float:
        """Its extent to the other side, including the labels of the wires that begin there."""
        if not slot.node:
            return 0
        node = self.nodes[slot.node]
        labels = [node.exits.get(wire.key, 0) + LABEL + wire.label[1] for wire in self.leaving[slot.node] if wire.label]
        return max([node.after, *labels])

    def pulls(self) -> Pulls:
        """The preferred distances of lanes that are wired to each other."""
        found: Pulls = []
        for wire in self.wires.values():
            for head in wire.heads:
                way = self.ways[wire.key, head]
                for number, (slot, other) in enumerate(pairwise(way)):
                    start = self.nodes[wire.tail].exits.get(wire.key, 0) if number == 0 else 0
                    end = self.nodes[head].entries.get(wire.key, 0) if number == len(way) - 2 else 0
                    if self.lane[slot] != self.lane[other]:
                        found.append((self.lane[slot], self.lane[other], start - end))
        return found

    def straighten_exit(self) -> None:
        """Align the value that leaves with the one that enters, if there is one of each."""
        ports = [Slot(self.ranks[key], key) for key, node in self.nodes.items() if node.kind == "port"]
        if len(ports) == 2 and len(self.layers[ports[1].rank]) == 1 and self.lane[ports[0]] != self.lane[ports[1]]:
            lane = self.lanes[self.lane[ports[1]]]
            lane.slots.remove(ports[1])
            self.lanes.append(Lane([ports[1]]))
            self.place.append(self.cross(ports[0]))
            self.lane[ports[1]] = len(self.lanes) - 1

    def entries(self) -> dict[tuple[NetKey, str], float]:
        """Where each wire reaches each node: side by side, a straight wire at the axis."""
        arriving: dict[str, list[tuple[float, NetKey, bool]]] = defaultdict(list)
        for wire in self.wires.values():
            for head in wire.heads:
                last, slot = self.ways[wire.key, head][-2:]
                start = self.cross(last) + (self.nodes[wire.tail].exits.get(wire.key, 0) if last.node else 0)
                arriving[head].append((start, wire.key, self.lane[last] == self.lane[slot]))
        found: dict[tuple[NetKey, str], float] = {}
        for head, wires in arriving.items():
            axis = self.cross(Slot(self.ranks[head], head))
            found.update({(key, head): axis + offset for key, offset in _offsets(self.nodes[head], axis, wires)})
        return found

    # -- along --

    def block(self) -> Block:
        """The finished block."""
        block, main, crossings = Block(), 0.0, self.crossings()
        starts: dict[str, float] = {}
        ends: dict[Slot, float] = {}
        turns: dict[Turn, float] = {}
        for rank in sorted(self.layers):
            length = max((self.nodes[slot.node].length for slot in self.layers[rank] if slot.node), default=0)
            for slot in self.layers[rank]:
                if slot.node:
                    node = self.nodes[slot.node]
                    starts[slot.node] = main + self.offset(node, length)
                    ends[slot] = starts[slot.node] + node.length
            main += length
            main += self.channel(rank, main, crossings.get(rank, ()), turns)
        block.length = main
        self.draw(block, starts, ends, turns)
        return block

    def offset(self, node: Node, length: float) -> float:
        """The offset of a node from the start of its layer: inputs are at the start, outputs at the end."""
        if node.kind == "port":
            return 0 if self.leaving[node.key] else length
        return min((length - node.length) // 2, 8)

    def channel(
        self, rank: int, main: float, crossings: Sequence[Crossing], turns: dict[Turn, float]
    ) -> float:  # fmt: skip
        """The length of the space after a layer; records where the wires in it turn."""
        if not crossings:
            return 0
        tails = [self.nodes[slot.node] for slot in self.layers[rank] if slot.node]
        labels = [wire.label[0] + 5 for node in tails for wire in self.leaving[node.key] if wire.label]
        heads = [self.nodes[slot.node].kind for slot in self.layers.get(rank + 1, ()) if slot.node]
        stem = max([*labels, 3 if any(node.kind in ("box", "frame") for node in tails) else 0])
        tracks = tracks_of(crossings)
        first = main + stem + (APART if tracks else 0)
        turns.update({key: first + APART * track for key, track in tracks.items()})
        room = APART * (max(tracks.values()) + 1) if tracks else 0
        return stem + room + (ARROW if "box" in heads else APART if tracks or heads == ["frame"] else 5)

    def crossings(self) -> dict[int, list[Crossing]]:
        """The wires between each layer and the next."""
        starts: dict[Turn, float] = {}
        ends: dict[Turn, dict[float, None]] = defaultdict(dict)
        for (key, head), way in self.ways.items():
            for slot, after in pairwise(way):
                starts[slot, key] = self.leaves_at(self.wires[key], slot)
                ends[slot, key][self.arrives_at(self.wires[key], head, after)] = None
        found: dict[int, list[Crossing]] = defaultdict(list)
        for turn, start in starts.items():
            found[turn[0].rank].append(Crossing(turn, start, tuple(ends[turn])))
        return found

    def leaves_at(self, wire: Wire, slot: Slot) -> float:
        """Where a wire leaves a slot."""
        return self.cross(slot) + (self.nodes[slot.node].exits.get(wire.key, 0) if slot.node else 0)

    def arrives_at(self, wire: Wire, head: str, slot: Slot) -> float:
        """Where a wire reaches a slot on its path to a node."""
        return self.entry[wire.key, head] if slot.node else self.cross(slot)

    # -- drawn --

    def draw(
        self, block: Block, starts: Mapping[str, float], ends: Mapping[Slot, float],
        turns: Mapping[Turn, float],
    ) -> None:  # fmt: skip
        """Add nodes, wires and labels to a block."""
        for key, main in starts.items():
            node, cross = self.nodes[key], self.cross(Slot(self.ranks[key], key))
            block.reach((cross - node.before, cross + self.after(Slot(self.ranks[key], key))))
            if node.kind != "port":
                block.boxes.append(Area(key, main, cross - node.before, node.length, node.before + node.after))
        for wire in self.wires.values():
            start = Slot(self.ranks[wire.tail], wire.tail)
            begin = ends[start] if self.nodes[wire.tail].kind != "port" else starts[wire.tail]
            for head, dashed in wire.heads.items():
                points = self.points(wire, head, begin, starts[head], turns)
                block.reach(point.cross for point in points)
                block.lines.append(Line(wire.key, points, self.nodes[head].kind == "box", dashed))
            if wire.label:
                at = self.leaves_at(wire, start) + LABEL
                block.labels.append((wire.key[1], Area("", begin + 4, at, *wire.label)))
                block.reach((at + wire.label[1],))
        self.ports(block)

    def points(self, wire: Wire, head: str, begin: float, end: float, turns: Mapping[Turn, float]) -> tuple[Point, ...]:
        """The corners of a wire on its path to a node."""
        way = self.ways[wire.key, head]
        points = [Point(begin, self.leaves_at(wire, way[0]))]
        for slot, after in pairwise(way):
            here, there = self.leaves_at(wire, slot), self.arrives_at(wire, head, after)
            if here != there:
                turn = turns[slot, wire.key]
                points += [Point(turn, here), Point(turn, there)]
        return tuple(without_repeats([*points, Point(end, points[-1].cross)]))

    def ports(self, block: Block) -> None:
        """Add the places where values enter and leave."""
        for wire in self.wires.values():
            if self.nodes[wire.tail].kind == "port":
                block.entries[wire.key] = self.cross(Slot(self.ranks[wire.tail], wire.tail))
            for head in wire.heads:
                if self.nodes[head].kind == "port":
                    block.exits[wire.key] = self.entry[wire.key, head]


def _offsets(node: Node, axis: float, arriving: list[tuple[float, NetKey, bool]]) -> Iterator[tuple[NetKey, float]]:
    """Where wires reach a node, relative to its axis."""
    arriving.sort(key=lambda found: found[0])
    middle = next((float(n) for n, (_, _, straight) in enumerate(arriving) if straight), (len(arriving) - 1) / 2)
    most = max(middle, len(arriving) - 1 - middle)
    room = max(min(node.before, node.after) - 8, 0)
    apart = min(PORTS, room / most) if most else 0
    for number, (start, key, _) in enumerate(arriving):
        if node.kind != "box":
            yield key, node.entries.get(key, 0)
        elif len(arriving) == 1 and abs(start - axis) <= min(room, NEAR):
            yield key, start - axis
        else:
            yield key, round((number - middle) * apart)
