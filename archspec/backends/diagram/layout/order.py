"""The order of the lanes across the layers: branches as written, shortcuts beside the nodes they pass."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from archspec.backends.diagram.layout.lanes import Lane, Slot, way_of
from archspec.backends.diagram.layout.parts import Node, Wire


def ordered(
    nodes: Sequence[Node], wires: Sequence[Wire], ranks: Mapping[str, int], lanes: Sequence[Lane]
) -> list[Lane]:
    """The lanes in their order across the layers."""
    return _Order(nodes, wires, ranks, lanes).row


class _Order:
    """The lanes placed so far, in their order."""

    def __init__(
        self, nodes: Sequence[Node], wires: Sequence[Wire], ranks: Mapping[str, int], lanes: Sequence[Lane]
    ) -> None:
        self.row: list[Lane] = []
        self.placed: set[Lane] = set()
        self.lane = {slot: lane for lane in lanes for slot in lane.slots}
        self.sources: dict[Slot, list[Slot]] = {}
        for wire in wires:
            for head in wire.heads:
                way = way_of(wire, head, ranks)
                for slot, source in zip(way[1:], way, strict=False):
                    if source not in self.sources.setdefault(slot, []):
                        self.sources[slot].append(source)
        self.readers: dict[Slot, list[Slot]] = {}
        for slot, sources in self.sources.items():
            for source in sources:
                self.readers.setdefault(source, []).append(slot)
        for slot in sorted(self.lane, key=lambda slot: slot.rank):
            self.place(slot)

    def place(self, slot: Slot) -> None:
        """Place the lane that begins at a slot, and the lanes of the paths that fork there."""
        lane = self.lane[slot]
        if lane not in self.placed:
            self.placed.add(lane)
            self.row.insert(self.between(self.sources.get(slot, ())), lane)
        parting = [self.lane[reader] for reader in self.readers.get(slot, ()) if self.parts(reader)]
        self.placed.update(parting)
        here = self.row.index(lane)
        if lane.last > slot.rank:  # the lane continues: the paths that end first are nearest
            self.row[here + 1 : here + 1] = sorted(parting, key=lambda other: other.last)
        else:
            half = len(parting) // 2
            self.row[here + 1 : here + 1] = parting[half:]
            self.row[here:here] = parting[:half]

    def parts(self, reader: Slot) -> bool:
        """Whether a lane begins at a slot that is reached from only one other."""
        lane = self.lane[reader]
        return lane.first == reader and len(self.sources[reader]) == 1 and lane not in self.placed

    def between(self, sources: Sequence[Slot]) -> int:
        """The position in the middle of the lanes of several slots."""
        places = sorted(self.row.index(self.lane[source]) for source in sources)
        return places[len(places) // 2] if places else 0
