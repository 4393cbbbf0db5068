"""A finished picture as plain shapes, from which SVG, PDF and PNG are written. x is to the right, y down, in pixels."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

from archspec.backends.theme import Colour

XY = tuple[float, float]

CORNER: Final = 6
"""The radius of the corners of wires."""


class Rectangle(NamedTuple):
    """A filled rectangle with round corners and an outline."""

    x: float
    y: float
    width: float
    height: float
    radius: float
    fill: Colour
    line: Colour
    stroke: float = 1.2
    dashed: bool = False


class Wire(NamedTuple):
    """A line with round corners."""

    points: tuple[XY, ...]
    line: Colour
    dashed: bool = False


class Polygon(NamedTuple):
    """A filled polygon: the head of an arrow."""

    points: tuple[XY, ...]
    fill: Colour


class Text(NamedTuple):
    """A line of text: `x` is its middle or its start, `y` its baseline, `width` its width."""

    x: float
    y: float
    text: str
    size: int
    colour: Colour
    width: float
    bold: bool = False
    centred: bool = False


Shape = Rectangle | Wire | Polygon | Text


class Group(NamedTuple):
    """Shapes that belong together, with their tooltip."""

    kind: str
    shapes: tuple[Shape, ...]
    tooltip: str = ""


@dataclass(frozen=True)
class Picture:
    """A picture: groups of shapes from back to front."""

    width: int
    height: int
    title: str
    description: str
    groups: tuple[Group, ...]

    @property
    def shapes(self) -> Iterator[Shape]:
        """All shapes, from back to front."""
        return (shape for group in self.groups for shape in group.shapes)


class Corner(NamedTuple):
    """A rounded corner: the point where the curve begins, the corner itself, and the point where the curve ends."""

    start: XY
    control: XY
    end: XY


def corners(points: Sequence[XY], radius: float) -> list[Corner]:
    """The rounded corners of a line."""
    found: list[Corner] = []
    for before, here, after in zip(points, points[1:], points[2:], strict=False):
        reach = min(radius, _distance(before, here) / 2, _distance(here, after) / 2)
        found.append(Corner(_towards(here, before, reach), here, _towards(here, after, reach)))
    return found


def _distance(one: XY, other: XY) -> float:
    """The distance between two points on a horizontal or vertical line."""
    return abs(one[0] - other[0]) + abs(one[1] - other[1])


def _towards(start: XY, goal: XY, distance: float) -> XY:
    length = _distance(start, goal) or 1.0
    return (start[0] + (goal[0] - start[0]) * distance / length, start[1] + (goal[1] - start[1]) * distance / length)
