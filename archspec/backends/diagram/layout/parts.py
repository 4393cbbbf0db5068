"""The elements of a layout. Sizes are in pixels: lengths along the main axis, widths across it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

NetKey = tuple[str, str]
"""A value, identified by the box that it comes from, and its shape as text."""


class Point(NamedTuple):
    """A point: its coordinates along the main axis and across it."""

    main: float
    cross: float


@dataclass
class Node:
    """A box, a frame or a port, before it is placed: its length, and its extent to both sides of its axis."""

    key: str
    length: float = 0
    before: float = 0
    after: float = 0
    kind: str = "box"
    """`box`, `fork`, `frame` or `port`."""
    entries: dict[NetKey, float] = field(default_factory=dict)
    """Where values enter on its start side, relative to its axis; values can enter a box anywhere."""
    exits: dict[NetKey, float] = field(default_factory=dict)
    """Where values leave on its end side."""


@dataclass
class Wire:
    """A value at one level: its source, the nodes that read it, and its label."""

    key: NetKey
    tail: str
    heads: dict[str, bool]
    """The nodes that read it, and whether each reads it in training only."""
    label: tuple[float, float] | None = None
    """Length and width of the label."""
    apart: frozenset[str] = frozenset()
    """The nodes to which it has a separate line; the other nodes share one."""


class Area(NamedTuple):
    """A placed rectangle."""

    key: str
    main: float
    cross: float
    length: float
    width: float

    def moved(self, main: float, cross: float) -> Area:
        """The same elsewhere."""
        return self._replace(main=self.main + main, cross=self.cross + cross)


class Line(NamedTuple):
    """A placed part of a wire."""

    key: NetKey
    points: tuple[Point, ...]
    arrow: bool = False
    dashed: bool = False

    def moved(self, main: float, cross: float) -> Line:
        """The same elsewhere."""
        return self._replace(points=tuple(Point(m + main, c + cross) for m, c in self.points))


@dataclass
class Block:
    """A finished part of the layout: its elements, relative to its start and its axis, and the places of its ports."""

    length: float = 0
    before: float = 0
    after: float = 0
    boxes: list[Area] = field(default_factory=list)
    frames: list[Area] = field(default_factory=list)
    """The frames, outer ones first."""
    lines: list[Line] = field(default_factory=list)
    labels: list[tuple[str, Area]] = field(default_factory=list)
    entries: dict[NetKey, float] = field(default_factory=dict)
    exits: dict[NetKey, float] = field(default_factory=dict)

    def add(self, other: Block, main: float, cross: float) -> None:
        """Add the elements of another block, with its start and axis at a place of this one."""
        self.boxes += [area.moved(main, cross) for area in other.boxes]
        self.frames += [area.moved(main, cross) for area in other.frames]
        self.lines += [line.moved(main, cross) for line in other.lines]
        self.labels += [(text, area.moved(main, cross)) for text, area in other.labels]

    def reach(self, places: Iterable[float]) -> None:
        """Widen the block to contain some places."""
        for place in places:
            self.before, self.after = max(self.before, -place), max(self.after, place)


def without_repeats(points: Iterable[Point]) -> Iterator[Point]:
    """The corners of a line, without points between two others in the same direction."""
    kept: list[Point] = []
    for point in points:
        if kept and point == kept[-1]:
            continue
        while len(kept) > 1 and (kept[-2].main == kept[-1].main == point.main
                                 or kept[-2].cross == kept[-1].cross == point.cross):  # fmt: skip
            kept.pop()
        kept.append(point)
    return iter(kept)


@dataclass(frozen=True)
class Measures:
    """The sizes of elements: length and width of boxes, of titles of frames and of labels."""

    boxes: Mapping[str, tuple[float, float]]
    titles: Mapping[str, tuple[float, float]]
    labels: Mapping[str, tuple[float, float]]
    title_at: str = "start"
    """The side of a frame where its title is: `start`, `end` or, for networks from side to side, `before`."""
