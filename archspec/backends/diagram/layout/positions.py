"""The positions of lanes: as near to the lanes they are wired to as the gaps between lanes allow.

A lane moves to the position that its wires prefer; lanes that would overlap there form a block, which moves to the
average of its lanes' preferred positions, as in Dwyer, Marriott and Stuckey, "Fast Node Overlap Removal", 2005. The
longest lane does not move.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from archspec.diagnostics.budget import spend

Gaps = dict[tuple[int, int], float]
"""The least distance between the axes of two lanes, by their numbers, the first left of the second."""

Pulls = list[tuple[int, int, float]]
"""Two lanes, and the preferred distance of the second to the right of the first."""

ROUNDS: Final = 8
MANY: Final = 250
"""More lanes than this are placed in fewer rounds, since the time of a round grows with the square of their number."""

FIXED: Final = 1e6
"""The weight of the lane that does not move."""


def positions(count: int, gaps: Gaps, pulls: Pulls, fixed: int) -> list[float]:
    """The position of each lane; lane `fixed` is at 0."""
    spend(count + ROUNDS * (len(gaps) + len(pulls)))
    left: dict[int, list[tuple[int, float]]] = defaultdict(list)
    for (one, other), gap in gaps.items():
        left[other].append((one, gap))
    weights = [FIXED if number == fixed else 1.0 for number in range(count)]
    places = [0.0] * count
    for _ in range(ROUNDS if count <= MANY else 2):
        wishes = _wishes(places, pulls, fixed)
        places = _separated(wishes, weights, left)
    return [round(place - places[fixed]) for place in places]


def _wishes(places: Sequence[float], pulls: Pulls, fixed: int) -> list[float]:
    """The preferred position of each lane: the middle of the positions that its wires come from and lead to."""
    wanted: dict[int, list[float]] = defaultdict(list)
    for one, other, distance in pulls:
        wanted[other].append(places[one] + distance)
        wanted[one].append(places[other] - distance)
    wanted[fixed] = []
    return [sum(wanted[number]) / len(wanted[number]) if wanted[number] else place
            for number, place in enumerate(places)]  # fmt: skip


@dataclass
class _Block:
    """Lanes at fixed distances from each other."""

    place: float
    weight: float
    lanes: dict[int, float]
    """Each lane's distance from the block's position."""


def _separated(wishes: list[float], weights: list[float], left: Mapping[int, list[tuple[int, float]]]) -> list[float]:
    """Positions near the preferred ones, with the required gaps between the lanes."""
    block_of: dict[int, _Block] = {}
    for lane, wish in enumerate(wishes):
        block = block_of[lane] = _Block(wish, weights[lane], {lane: 0.0})
        while (found := _overlap(block, block_of, left)) is not None:
            one, other, gap = found
            block = _joined(block_of[one], block, one, other, gap)
            block_of.update(dict.fromkeys(block.lanes, block))
    return [block_of[lane].place + block_of[lane].lanes[lane] for lane in range(len(wishes))]


def _overlap(
    block: _Block, block_of: Mapping[int, _Block], left: Mapping[int, list[tuple[int, float]]]
) -> tuple[int, int, float] | None:
    """The lane that overlaps a lane of a block most, that lane of the block, and the gap required between them."""
    worst, found = 1e-6, None
    for lane, distance in block.lanes.items():
        for one, gap in left.get(lane, ()):
            other = block_of[one]
            overlap = other.place + other.lanes[one] + gap - block.place - distance if other is not block else 0.0
            if overlap > worst:
                worst, found = overlap, (one, lane, gap)
    return found


def _joined(first: _Block, second: _Block, one: int, other: int, gap: float) -> _Block:
    """Two blocks as one, with lane `other` of the second at a distance from lane `one` of the first."""
    shift = first.lanes[one] + gap - second.lanes[other]
    weight = first.weight + second.weight
    place = (first.weight * first.place + second.weight * (second.place - shift)) / weight
    lanes = first.lanes | {lane: distance + shift for lane, distance in second.lanes.items()}
    spend(len(lanes))
    return _Block(place, weight, lanes)
