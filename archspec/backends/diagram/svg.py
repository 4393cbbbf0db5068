"""Picture → SVG. Text stays text; each line states its width, so that it fits in any font.

Text from specs is untrusted: all of it goes through `_text`. There are no identifiers, so that a page can contain
several images.
"""

from __future__ import annotations

import html
from collections.abc import Callable, Iterator

from archspec.backends.diagram.font import FAMILY
from archspec.backends.diagram.picture import CORNER, Group, Picture, Polygon, Rectangle, Shape, Text, Wire, corners
from archspec.backends.theme import Colour
from archspec.diagnostics.formatting import printable


def to_svg(picture: Picture, theme: str) -> str:
    """The picture in a theme: `light`, `dark`, or `auto`, which follows the page around it."""
    writer = _Writer(theme)
    groups = [line for group in picture.groups for line in writer.group(group)]
    size = f'width="{picture.width}" height="{picture.height}" viewBox="0 0 {picture.width} {picture.height}"'
    head = [
        '<?xml version="1.0" encoding="UTF-8"?>',
        f'<svg xmlns="http://www.w3.org/2000/svg" {size} role="img" class="archspec" font-family="{FAMILY}">',
        f"<title>{_text(picture.title)}</title>",
        f"<desc>{_text(picture.description)}</desc>",
        *writer.style(),
    ]
    return "\n".join([*head, *groups, "</svg>", ""])


class _Writer:
    """Writes shapes, and remembers the colours that differ on a dark page."""

    def __init__(self, theme: str) -> None:
        self.theme = theme
        self.used: dict[str, None] = {}

    def style(self) -> Iterator[str]:
        """The style sheet for dark pages. Attributes hold the colours for light pages, for viewers without CSS."""
        if self.theme == "auto" and self.used:
            rules = "".join(f".archspec .{rule}" for rule in sorted(self.used))
            yield f"<style>@media (prefers-color-scheme:dark){{{rules}}}</style>"

    def group(self, group: Group) -> Iterator[str]:
        """A group with its tooltip."""
        tooltip = f"<title>{_text(group.tooltip)}</title>" if group.tooltip else ""
        yield f'<g class="{group.kind}">{tooltip}'
        yield from map(self.shape, group.shapes)
        yield "</g>"

    def shape(self, shape: Shape) -> str:
        """One shape."""
        writers: dict[type[Shape], Callable[..., str]] = {
            Rectangle: self.rectangle, Wire: self.wire, Polygon: self.polygon, Text: self.text
        }  # fmt: skip
        return writers[type(shape)](shape)

    def rectangle(self, shape: Rectangle) -> str:
        """A `rect`."""
        place = f'x="{number(shape.x)}" y="{number(shape.y)}"'
        size = f'width="{number(shape.width)}" height="{number(shape.height)}" rx="{number(shape.radius)}"'
        paint = self.paint(fill=shape.fill, stroke=shape.line)
        dashes = ' stroke-dasharray="4 3"' if shape.dashed else ""
        return f'<rect {place} {size} {paint} stroke-width="{number(shape.stroke)}"{dashes}/>'

    def wire(self, shape: Wire) -> str:
        """A `path` of straight parts and round corners."""
        parts = [f"M{_pair(shape.points[0])}"]
        parts += [f"L{_pair(c.start)}Q{_pair(c.control)} {_pair(c.end)}" for c in corners(shape.points, CORNER)]
        parts.append(f"L{_pair(shape.points[-1])}")
        dashes = ' stroke-dasharray="4 3"' if shape.dashed else ""
        return f'<path d="{"".join(parts)}" fill="none" {self.paint(stroke=shape.line)}{dashes}/>'

    def polygon(self, shape: Polygon) -> str:
        """A `polygon`."""
        return f'<polygon points="{" ".join(map(_pair, shape.points))}" {self.paint(fill=shape.fill)}/>'

    def text(self, shape: Text) -> str:
        """A `text` with the width that it was measured with."""
        looks = f'font-size="{shape.size}"' + (' font-weight="bold"' if shape.bold else "")
        looks += ' text-anchor="middle"' if shape.centred else ""
        width = f' textLength="{number(shape.width)}" lengthAdjust="spacingAndGlyphs"' if shape.width else ""
        place = f'x="{number(shape.x)}" y="{number(shape.y)}"'
        return f"<text {place} {looks}{width} {self.paint(fill=shape.colour)}>{_text(shape.text)}</text>"

    def paint(self, **colours: Colour) -> str:
        """The colours of a shape, as attributes; in the theme `auto` with a class, too."""
        literal = [
            f'{what}="{colour.dark if self.theme == "dark" else colour.light}"' for what, colour in colours.items()
        ]
        changing = [(what, colour) for what, colour in colours.items() if colour.light != colour.dark]
        if self.theme != "auto" or not changing:
            return " ".join(literal)
        names = [f"{what[0]}-{colour.name}" for what, colour in changing]
        for name, (what, colour) in zip(names, changing, strict=True):
            self.used[f"{name}{{{what}:{colour.dark}}}"] = None
        return " ".join([f'class="{" ".join(names)}"', *literal])


def number(value: float) -> str:
    """A number with at most one decimal.

    >>> number(12.0), number(12.25), number(-0.04)
    ('12', '12.2', '0')
    """
    found = f"{value:.1f}".removesuffix(".0")
    return "0" if found == "-0" else found


def _pair(point: tuple[float, float]) -> str:
    return f"{number(point[0])},{number(point[1])}"


def _text(text: str) -> str:
    """Untrusted text inside markup, line by line."""
    return "\n".join(html.escape(printable(line), quote=False) for line in text.split("\n"))
