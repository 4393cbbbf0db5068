"""The heading above the network: name, size, description and the legend of colours."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from archspec.backends.diagram.boxes import Row, rows, size_of, stacked
from archspec.backends.diagram.drawing import Drawing
from archspec.backends.diagram.picture import Rectangle, Shape
from archspec.backends.theme import FAINT_INK, INK, NO_COLOUR, STYLES, Style

NAME, SIZE, DESCRIPTION, LEGEND = 20, 12, 11, 10
"""Sizes of text."""

LINES: Final = 3
"""The most lines of a description."""

WIDEST: Final = 64
"""Characters in one line of the description."""

ENTRIES: Final = 5
"""Colours in a row of the legend."""

SWATCH: Final = (16, 11)


class Heading:
    """The shapes of a heading whose upper left corner is at a place, and its size."""

    def __init__(self, drawn: Drawing, left: float, top: float) -> None:
        lines = [
            *rows(drawn.title, NAME, INK, bold=True, widest=WIDEST),
            *rows(drawn.subtitle, SIZE, INK, widest=WIDEST),
        ]
        lines += list(rows(drawn.description, DESCRIPTION, FAINT_INK, widest=WIDEST))[:LINES]
        height, width = size_of(lines)
        legend = list(_legend(drawn, left, top + height + 6))
        self.shapes: tuple[Shape, ...] = (*stacked(lines, left, top), *(shape for shape, _ in legend))
        self.width = max([width, *(end - left for _, end in legend)])
        self.height = height + 6 + 18 * -(-(len(legend) // 2) // ENTRIES)


def _legend(drawn: Drawing, left: float, top: float) -> Iterator[tuple[Shape, float]]:
    """The shapes of the legend (rows of colours and their meanings), and where each ends."""
    x = left
    for number, (style, dashed) in enumerate(_entries(drawn)):
        x = x if number % ENTRIES else left
        y = top + 18 * (number // ENTRIES)
        yield Rectangle(x + 0.5, y + 0.5, *SWATCH, 2, style.fill, style.line, 1, dashed), x + SWATCH[0]
        row = Row(style.name, LEGEND, FAINT_INK)
        yield row.at(x + SWATCH[0] + 6, y), x + SWATCH[0] + 6 + row.width
        x += SWATCH[0] + 6 + int(row.width) + 15


def _entries(drawn: Drawing) -> list[tuple[Style, bool]]:
    """The styles that appear, and whether their outline is dashed."""
    roles = {box.role for box in drawn.boxes}
    entries = [(style, False) for role, style in STYLES.items() if role in roles and style.name]
    if any(box.train_only for box in drawn.boxes):
        entries.append((Style("training only", NO_COLOUR, FAINT_INK), True))
    return entries
