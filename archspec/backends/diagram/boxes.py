"""The text of boxes and frames, line by line: its size, and the position of each line."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Iterator, Sequence
from typing import Final, NamedTuple

from archspec.backends.diagram.drawing import Box, Cluster
from archspec.backends.diagram.font import text_width
from archspec.backends.diagram.picture import Text
from archspec.backends.theme import END, END_INK, FAINT_INK, INK, Colour, style_of
from archspec.diagnostics.formatting import printable

TITLE, DETAIL, BADGE = 12, 10, 14
"""Sizes of text."""

MARGIN: Final = (10, 6)
"""Pixels at the sides of a box, and above and below its text."""

WIDEST: Final = 40
"""Characters in a line of a title."""

BESIDE: Final = 9
"""Pixels between the text and ×N."""

SMALLEST: Final = 56
"""The least width of a box."""


class Row(NamedTuple):
    """A line of text before it is placed."""

    text: str
    size: int
    colour: Colour
    bold: bool = False

    @property
    def width(self) -> float:
        """The width of the text."""
        return text_width(self.text, self.size, self.bold)

    @property
    def height(self) -> int:
        """The height of the line, with the space to the next line."""
        return self.size + 3

    def at(self, x: float, y: float, centred: bool = False) -> Text:
        """The line, placed with its top at a point."""
        return Text(x, y + round(self.size * 0.93), self.text, self.size, self.colour, self.width, self.bold, centred)


def rows_of(item: Box | Cluster) -> list[Row]:
    """The lines of a box or of the title of a frame."""
    if isinstance(item, Cluster):
        times = f" ×{item.times}" if item.times > 1 else ""
        return [*rows(item.title + times, TITLE, INK, True), *_details(item)]
    if item.role == END:
        return list(rows(item.title, TITLE, END_INK))
    return [*rows(item.title, TITLE, INK, True), *_details(item)]


def _details(item: Box | Cluster) -> Iterator[Row]:
    return (row for detail in item.details for row in rows(detail, DETAIL, FAINT_INK))


def rows(text: str, size: int, colour: Colour, bold: bool = False, widest: int = WIDEST) -> Iterator[Row]:
    """A text of any length as lines; invisible characters in it are shown as escapes."""
    widest = widest if size == TITLE else widest + 12
    whole = " ".join(printable(text.replace("\n", " ")).split()).replace(" × ", _TIMES)  # "4 × Fire" stays on one line
    for line in textwrap.wrap(whole, widest):
        yield Row(line.replace(_TIMES, " × "), size, colour, bold)


_TIMES: Final = "\u00a0×\u00a0"
"""A multiplication sign between spaces at which no line is broken."""


def badge_of(box: Box) -> Row | None:
    """×N beside the text of equal layers."""
    return Row(f"×{box.times}", BADGE, style_of(box.role).line, True) if box.times > 1 else None


def size_of(lines: Sequence[Row]) -> tuple[float, float]:
    """Height and width of a stack of lines."""
    return sum(line.height for line in lines), max((line.width for line in lines), default=0)


def box_size(box: Box) -> tuple[int, int]:
    """Height and width of a box, the width even."""
    height, width = size_of(rows_of(box))
    badge = badge_of(box)
    width += badge.width + BESIDE if badge else 0
    return int(height) + 2 * MARGIN[1] - 2, max(SMALLEST, 2 * int(width / 2 + 1 + MARGIN[0]))


def text_in(box: Box, x: float, y: float, width: float, height: float) -> Iterator[Text]:
    """The lines of a box at a place, centred in it."""
    lines, badge = rows_of(box), badge_of(box)
    tall, wide = size_of(lines)
    whole = wide + (badge.width + BESIDE if badge else 0)
    middle = round(x + (width - whole) / 2 + wide / 2, 1)
    top = y + (height - tall + 2) // 2
    yield from stacked(lines, middle, top, centred=True)
    if badge:
        yield badge.at(round(x + (width + whole) / 2 - badge.width, 1), y + (height - BADGE) // 2)


def stacked(lines: Iterable[Row], x: float, y: float, centred: bool = False) -> Iterator[Text]:
    """Lines below each other."""
    for line in lines:
        yield line.at(x, y, centred)
        y += line.height
