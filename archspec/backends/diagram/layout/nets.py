"""The values at each level of a drawing: those inside it, into it and out of it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from archspec.backends.diagram.drawing import Box, Cluster, Drawing, Edge
from archspec.backends.diagram.layout.parts import NetKey

ROOT = ""


@dataclass
class Net:
    """A value at a level: the item it comes from (`None`: from outside), its readers, and whether it leaves."""

    key: NetKey
    tail: str | None = None
    heads: dict[str, bool] = field(default_factory=dict)
    """The items that read it, and whether each reads it in training only."""
    leaves: bool = False
    dashed: bool = True
    """Whether it is read outside in training only."""

    def read_by(self, item: str, train_only: bool) -> None:
        """Add an item that reads it."""
        self.heads[item] = self.heads.get(item, True) and train_only


Nets = dict[str, dict[NetKey, Net]]
"""Nets by the level's frame (`ROOT` for the network's own level) and value."""


def nets_of(drawn: Drawing) -> Nets:
    """The values of every level."""
    within = dict(_within(drawn.items, (ROOT,)))
    found: Nets = defaultdict(dict)
    for edge in drawn.edges:
        _enter(found, edge, (*within[edge.tail], edge.tail), (*within[edge.head], edge.head))
    return found


def _within(items: Iterable[Box | Cluster], frames: tuple[str, ...]) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Each box and the frames around it, outer ones first."""
    for item in items:
        if isinstance(item, Cluster):
            yield from _within(item.items, (*frames, item.id))
        else:
            yield item.id, frames


def _enter(nets: Nets, edge: Edge, tails: tuple[str, ...], heads: tuple[str, ...]) -> None:
    key = (edge.tail, edge.label)
    shared = next(number for number, (one, other) in enumerate(zip(tails, heads, strict=False)) if one != other) - 1
    for number, level in enumerate(tails[:-1]):
        net = nets[level].setdefault(key, Net(key)) if number >= shared else None
        if net is not None:
            net.tail = tails[number + 1]
            net.leaves = net.leaves or number > shared
            net.dashed = net.dashed and edge.train_only
    for number, level in enumerate(heads[:-1]):
        if number >= shared:
            nets[level].setdefault(key, Net(key)).read_by(heads[number + 1], edge.train_only)
