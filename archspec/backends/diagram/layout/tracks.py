"""Wires between two layers: where each turns, so that few cross and none overlap."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cmp_to_key
from typing import Final

from archspec.backends.diagram.layout.lanes import Slot
from archspec.backends.diagram.layout.parts import NetKey
from archspec.diagnostics.budget import spend

Turn = tuple[Slot, NetKey]
"""A turn of a wire, identified by the slot after which it is."""

APART: Final = 8
"""Pixels between wires that run side by side."""

MANY: Final = 64
"""If there are more wires between two layers, they are not compared: nobody could follow them."""


@dataclass(frozen=True)
class Crossing:
    """The part of a wire between two layers: from one place to one or several."""

    key: Turn
    start: float
    ends: tuple[float, ...]

    @property
    def turns(self) -> bool:
        """Whether it has to run sideways."""
        return any(end != self.start for end in self.ends)

    @property
    def span(self) -> tuple[float, float]:
        """The range of its sideways run."""
        return min(self.start, *self.ends), max(self.start, *self.ends)


def tracks_of(crossings: Sequence[Crossing]) -> dict[Turn, int]:
    """The track of each wire that turns; track 0 is nearest to the layer that the wires come from."""
    turning = [crossing for crossing in crossings if crossing.turns]
    if 1 < len(turning) <= MANY:
        spend(len(turning) ** 2)
        turning.sort(key=cmp_to_key(lambda one, other: _conflicts(one, other) - _conflicts(other, one)))
    tracks: dict[Turn, int] = {}
    for number, crossing in enumerate(turning):
        near = [tracks[other.key] for other in turning[:number] if _meet(crossing, other)]
        tracks[crossing.key] = max(near, default=-1) + 1
    return tracks


def _conflicts(first: Crossing, second: Crossing) -> int:
    """How often two wires cross if the first turns before the second; far more if they would overlap."""
    low, high = second.span
    crossed = sum(low < end < high for end in first.ends)
    low, high = first.span
    crossed += low < second.start < high
    return crossed + 100 * sum(abs(end - second.start) < 2 for end in first.ends)


def _meet(one: Crossing, other: Crossing) -> bool:
    return one.span[0] < other.span[1] + APART and other.span[0] < one.span[1] + APART
