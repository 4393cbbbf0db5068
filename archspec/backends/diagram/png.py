"""Picture → PNG, drawn with archspec's font.

Shapes are drawn at several times the size, a stripe of the image at a time, and scaled down.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import cache
from io import BytesIO
from itertools import pairwise
from math import hypot
from typing import Any, Final

from PIL import Image, ImageDraw, ImageFont

from archspec.backends.diagram.font import font
from archspec.backends.diagram.picture import CORNER, XY, Picture, Polygon, Rectangle, Shape, Text, Wire, corners
from archspec.backends.theme import Colour
from archspec.diagnostics.diagnostic import Diagnostic, TargetError

SCALE: Final = 2
"""Pixels of the PNG per pixel of the picture, unless the picture is very large."""

FINER: Final = 3
"""The factor by which shapes are drawn finer, to smooth their edges."""

LARGE: Final = 60_000_000
"""An image that would have more pixels is drawn at half the scale, and refused if that is not enough."""

AT_ONCE: Final = 8_000_000
"""The most fine pixels of a stripe."""

DASH: Final = (4.0, 3.0)
"""Lengths of a dash and of the gap after it."""

RGBA = tuple[int, int, int, int]


def to_png(picture: Picture, theme: str) -> bytes:
    """The picture in a theme, `light` or `dark`, on a transparent page; raises `TargetError` if it is too large."""
    size = picture.width * picture.height
    scale = SCALE if size * SCALE**2 <= LARGE else 1
    if size * scale**2 > LARGE:
        message = f"the image would have {size:,} pixels"
        raise TargetError([Diagnostic("limit", message, help="draw it as svg or pdf, or with a smaller depth")])
    whole = Image.new("RGBA", (picture.width * scale, picture.height * scale), (0, 0, 0, 0))
    rows = max(8, AT_ONCE // (picture.width * (scale * FINER) ** 2))
    for top in range(0, picture.height, rows):
        stripe = _Stripe(picture, theme, scale, top, min(rows, picture.height - top))
        whole.paste(stripe.drawn(), (0, top * scale))
    content = BytesIO()
    whole.save(content, "PNG", dpi=(96 * scale, 96 * scale))
    return content.getvalue()


class _Stripe:
    """Some rows of an image."""

    def __init__(self, picture: Picture, theme: str, scale: int, top: int, height: int) -> None:
        self.picture, self.theme, self.top, self.height = picture, theme, top, height
        self.fine = scale * FINER
        self.image = Image.new("RGBA", (picture.width * self.fine, height * self.fine), (0, 0, 0, 0))
        self.draw = ImageDraw.Draw(self.image)

    def drawn(self) -> Image.Image:
        """The stripe at its final size."""
        writers: dict[type[Shape], Callable[[Any], None]] = {
            Rectangle: self.rectangle, Wire: self.wire, Polygon: self.polygon, Text: self.text
        }  # fmt: skip
        for shape in self.picture.shapes:
            start, end = _rows(shape)
            if end >= self.top and start <= self.top + self.height:
                writers[type(shape)](shape)
        return self.image.reduce(FINER)

    def colour(self, colour: Colour) -> RGBA:
        """A colour of the theme."""
        value = colour.dark if self.theme == "dark" else colour.light
        red, green, blue = (0, 0, 0) if value == "none" else bytes.fromhex(value[1:])
        return (red, green, blue, 0 if value == "none" else 255)

    def at(self, point: XY) -> XY:
        """A point in fine pixels."""
        return (point[0] * self.fine, (point[1] - self.top) * self.fine)

    def rectangle(self, shape: Rectangle) -> None:
        """Draw a filled rectangle with its outline."""
        grown = 0 if shape.dashed else shape.stroke / 2
        corners = (self.at((shape.x - grown, shape.y - grown)),
                   self.at((shape.x + shape.width + grown, shape.y + shape.height + grown)))  # fmt: skip
        width = round(shape.stroke * self.fine)
        fill = None if shape.fill.light == "none" else self.colour(shape.fill)
        line = None if shape.dashed or not width else self.colour(shape.line)
        self.draw.rounded_rectangle(corners, (shape.radius + grown) * self.fine, fill, line, width)
        if shape.dashed:
            self.line(outline(shape), shape.line, shape.stroke, dashed=True)

    def wire(self, shape: Wire) -> None:
        """A line with round corners."""
        self.line(flattened(shape.points), shape.line, 1, shape.dashed)

    def line(self, points: Sequence[XY], colour: Colour, width: float, dashed: bool) -> None:
        """A line through points."""
        for part in dashes(points) if dashed else [points]:
            self.draw.line([self.at(point) for point in part], self.colour(colour), round(width * self.fine), "curve")

    def polygon(self, shape: Polygon) -> None:
        """A filled polygon."""
        self.draw.polygon([self.at(point) for point in shape.points], self.colour(shape.fill))

    def text(self, shape: Text) -> None:
        """A line of text."""
        anchor = "ms" if shape.centred else "ls"
        face = _face(shape.size * self.fine, shape.bold)
        self.draw.text(self.at((shape.x, shape.y)), shape.text, self.colour(shape.colour), face, anchor)


@cache
def _face(size: int, bold: bool) -> ImageFont.FreeTypeFont:
    return ImageFont.truetype(str(font(bold).path), size, layout_engine=ImageFont.Layout.BASIC)


def _rows(shape: Shape) -> tuple[float, float]:
    """The rows that a shape covers: the first and the last."""
    if isinstance(shape, Rectangle):
        return shape.y - shape.stroke, shape.y + shape.height + shape.stroke
    if isinstance(shape, Text):
        return shape.y - shape.size, shape.y + shape.size
    return min(y for _, y in shape.points) - 1, max(y for _, y in shape.points) + 1


def flattened(points: Sequence[XY], radius: float = CORNER) -> list[XY]:
    """A line with round corners as a series of short straight lines."""
    found = [points[0]]
    for start, control, end in corners(points, radius):
        for part in range(9):
            t = part / 8
            found.append(tuple((1 - t) ** 2 * a + 2 * t * (1 - t) * b + t**2 * c
                               for a, b, c in zip(start, control, end, strict=True)))  # type: ignore[arg-type]  # fmt: skip
    return [*found, points[-1]]


def outline(shape: Rectangle) -> list[XY]:
    """The outline of a rectangle with round corners."""
    x, y, right, bottom = shape.x, shape.y, shape.x + shape.width, shape.y + shape.height
    middle = (x + right) / 2
    return flattened([(middle, y), (right, y), (right, bottom), (x, bottom), (x, y), (middle, y)], shape.radius)


def dashes(points: Sequence[XY]) -> Iterator[list[XY]]:
    """A line as dashes."""
    left, on, part = DASH[0], True, [points[0]]
    for start, end in pairwise(points):
        length = hypot(end[0] - start[0], end[1] - start[1])
        done = 0.0
        while length - done > left:
            done += left
            place = (start[0] + (end[0] - start[0]) * done / length, start[1] + (end[1] - start[1]) * done / length)
            if on:
                yield [*part, place]
            on, part = not on, [place]
            left = DASH[0] if on else DASH[1]
        left -= length - done
        part.append(end)
    if on and len(part) > 1:
        yield part
