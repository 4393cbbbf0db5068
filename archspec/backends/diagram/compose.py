"""Drawing → picture: heading, frames, wires, labels and boxes, each where the layout puts it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

from archspec.backends.diagram.boxes import DETAIL, Row, box_size, rows_of, size_of, stacked, text_in
from archspec.backends.diagram.drawing import Box, Cluster, Drawing
from archspec.backends.diagram.heading import Heading
from archspec.backends.diagram.layout.parts import Area, Block, Line, Measures, Point
from archspec.backends.diagram.layout.plan import plan
from archspec.backends.diagram.picture import XY, Group, Picture, Polygon, Rectangle, Shape, Wire
from archspec.backends.theme import END, FAILED, FAINT_INK, FORK, FRAME_LINE, FRAMES, style_of
from archspec.diagnostics.formatting import printable

EDGE: Final = 20
"""Pixels around the image."""

BELOW: Final = 14
"""Pixels between the heading and the network."""

TITLE: Final = (10, 7)
"""The offset of the title in a frame."""

TIP: Final = (8, 3.2)
"""Length of an arrow's head, and half its width."""

NAMED: Final = 40
"""The most boxes that the description of the image names."""


def compose(drawn: Drawing, direction: str) -> Picture:
    """The finished picture of a drawing."""
    heading = Heading(drawn, EDGE, EDGE)
    placed = plan(drawn, _measures(drawn, direction), direction)
    view = _View(placed, direction, EDGE, EDGE + heading.height + BELOW)
    wide = max(view.width, heading.width)
    view.left += (wide - view.width) // 2
    groups = (Group("heading", heading.shapes), *view.groups(drawn))
    height = int(view.top + view.height) + EDGE
    return Picture(int(wide) + 2 * EDGE, height, drawn.title, _described(drawn), groups)


def _described(drawn: Drawing) -> str:
    """A description of the image in words, for people who cannot see it."""
    boxes = [box for box in drawn.boxes if box.role != FORK]
    names = [box.title + (f" ×{box.times}" if box.times > 1 else "") for box in boxes[:NAMED]]
    rest = f" and {len(boxes) - NAMED} more" if len(boxes) > NAMED else ""
    return f"{drawn.subtitle}. {', '.join(names)}{rest}."


def _measures(drawn: Drawing, direction: str) -> Measures:
    """The sizes of everything, along the direction of the network and across it."""
    turned = direction in ("LR", "RL")
    boxes = {box.id: box_size(box) for box in drawn.boxes if box.role != FORK}
    labels = {edge.label: (DETAIL + 2, int(Row(edge.label, DETAIL, FAINT_INK).width) + 1) for edge in drawn.edges}
    at = {"TB": "start", "BT": "end"}.get(direction, "before")
    titles = {cluster.id: size_of(rows_of(cluster)) for cluster in clusters(drawn.items)}
    return Measures(
        {key: size[::-1] if turned else size for key, size in boxes.items()},
        titles, {key: size[::-1] if turned else size for key, size in labels.items()}, at,
    )  # fmt: skip


def clusters(items: Iterable[Box | Cluster]) -> Iterator[Cluster]:
    """All frames, outer ones first."""
    for item in items:
        if isinstance(item, Cluster):
            yield item
            yield from clusters(item.items)


class _View:
    """A layout seen in its direction, with its upper left corner at a place."""

    def __init__(self, placed: Block, direction: str, left: float, top: float) -> None:
        self.placed, self.direction, self.left, self.top = placed, direction, left, top
        across = placed.before + placed.after
        self.turned = direction in ("LR", "RL")
        self.width, self.height = (placed.length, across) if self.turned else (across, placed.length)

    def at(self, point: Point) -> XY:
        """A place of the layout as a place of the picture."""
        main = point.main if self.direction in ("TB", "LR") else self.placed.length - point.main
        cross = point.cross + self.placed.before
        return (self.left + main, self.top + cross) if self.turned else (self.left + cross, self.top + main)

    def area(self, area: Area) -> tuple[float, float, float, float]:
        """A rectangle of the layout: its corner, width and height in the picture."""
        x, y = self.at(Point(area.main, area.cross))
        right, bottom = self.at(Point(area.main + area.length, area.cross + area.width))
        return min(x, right), min(y, bottom), abs(right - x), abs(bottom - y)

    def groups(self, drawn: Drawing) -> Iterator[Group]:
        """Everything from back to front."""
        frames = {cluster.id: cluster for cluster in clusters(drawn.items)}
        boxes = {box.id: box for box in drawn.boxes}
        depth = _depths(drawn.items)
        for area in self.placed.frames:
            yield _frame(frames[area.key], depth[area.key], *self.area(area))
        for line in self.placed.lines:
            yield Group("edge", tuple(self.wire(line)))
        for text, area in self.placed.labels:
            x, y, _, height = self.area(area)
            yield Group("label", (Row(text, DETAIL, FAINT_INK).at(x, y + (height - DETAIL) // 2),))
        for area in self.placed.boxes:
            yield _node(boxes[area.key], *self.area(area))

    def wire(self, line: Line) -> Iterator[Shape]:
        """A line with the head of its arrow."""
        points = [self.at(point) for point in line.points]
        if not line.arrow:
            yield Wire(tuple(points), FAINT_INK, line.dashed)
            return
        (before, end), (length, half) = points[-2:], TIP
        along = ((end[0] > before[0]) - (end[0] < before[0]), (end[1] > before[1]) - (end[1] < before[1]))
        base = (end[0] - length * along[0], end[1] - length * along[1])
        sides = [(base[0] + side * half * along[1], base[1] + side * half * along[0]) for side in (-1, 1)]
        yield Wire((*points[:-1], base), FAINT_INK, line.dashed)
        yield Polygon((end, *sides), FAINT_INK)


def _depths(items: Iterable[Box | Cluster], depth: int = 0) -> dict[str, int]:
    """The number of frames around each frame."""
    found: dict[str, int] = {}
    for item in items:
        if isinstance(item, Cluster):
            found |= {item.id: depth, **_depths(item.items, depth + 1)}
    return found


def _frame(cluster: Cluster, depth: int, x: float, y: float, width: float, height: float) -> Group:
    """The frame of an opened module and its title."""
    shape = Rectangle(x, y, width, height, 8, FRAMES[depth % 2], FRAME_LINE, 1, cluster.train_only)
    return Group("frame", (shape, *stacked(rows_of(cluster), x + TITLE[0], y + TITLE[1])), _tooltip(cluster))


def _node(box: Box, x: float, y: float, width: float, height: float) -> Group:
    """A box with its text."""
    style = style_of(box.role)
    if box.role == FORK:
        return Group("node", (Rectangle(x, y, width, height, width / 2, style.fill, style.line, 0),), _tooltip(box))
    stroke = 2.4 if box.role == FAILED else 1.2
    radius = height / 2 if box.role == END else 6
    shape = Rectangle(x, y, width, height, radius, style.fill, style.line, stroke, box.train_only)
    return Group("node", (shape, *text_in(box, x, y, width, height)), _tooltip(box))


def _tooltip(item: Box | Cluster) -> str:
    return "\n".join(map(printable, (item.title, *item.facts))) if item.facts else ""
