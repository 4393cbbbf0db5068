"""Picture → PDF, with archspec's font embedded. A pixel of the picture is 0.75 points, as in a browser.

Text can be searched and copied: each font maps its glyphs to characters (ISO 32000-1, section 9.10).
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator
from typing import Any, Final

from archspec.backends.diagram.font import Font, font
from archspec.backends.diagram.picture import CORNER, XY, Picture, Polygon, Rectangle, Shape, Text, Wire, corners
from archspec.backends.theme import Colour

POINTS: Final = 0.75
"""Points in a pixel."""

ROUND: Final = 0.5523
"""The distance of the control points of a quarter circle from its ends, relative to the radius."""


def to_pdf(picture: Picture, theme: str) -> bytes:
    """The picture in a theme, `light` or `dark`, on a transparent page."""
    page = _Page(picture, theme)
    content = page.content().encode("ascii")
    width, height = (_number(size * POINTS) for size in (picture.width, picture.height))
    file = _File()
    file.add("<< /Type /Catalog /Pages 2 0 R >>")
    file.add("<< /Type /Pages /Kids [3 0 R] /Count 1 >>")
    fonts = "/F0 6 0 R /F1 11 0 R"
    file.add(f"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 {width} {height}] /Contents 4 0 R "
             f"/Resources << /Font << {fonts} >> >> >>")  # fmt: skip
    file.add("", content)
    file.add(f"<< /Title {_string(picture.title)} /Subject {_string(picture.description)} /Producer (archspec) >>")
    for bold in (False, True):
        _add_font(file, font(bold), sorted(page.characters[bold]))
    return file.written()


class _File:
    """The objects of a PDF file, numbered from 1."""

    def __init__(self) -> None:
        self.objects: list[bytes] = []

    def add(self, dictionary: str, stream: bytes | None = None) -> None:
        """Add an object, or a compressed stream with its dictionary."""
        if stream is None:
            self.objects.append(dictionary.encode("ascii"))
            return
        packed = zlib.compress(stream, 9)
        head = f"<< {dictionary} /Filter /FlateDecode /Length {len(packed)} >>\nstream\n"
        self.objects.append(head.encode("ascii") + packed + b"\nendstream")

    @property
    def next(self) -> int:
        """The number of the next object."""
        return len(self.objects) + 1

    def written(self) -> bytes:
        """The bytes of the file."""
        content = b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n"
        places = []
        for number, body in enumerate(self.objects, 1):
            places.append(len(content))
            content += b"%d 0 obj\n%s\nendobj\n" % (number, body)
        table = "".join(f"{place:010d} 00000 n \n" for place in places)
        start, size = len(content), len(places) + 1
        trailer = f"trailer\n<< /Size {size} /Root 1 0 R /Info 5 0 R >>\nstartxref\n{start}\n%%EOF\n"
        return content + f"xref\n0 {size}\n0000000000 65535 f \n{table}{trailer}".encode("ascii")


def _add_font(file: _File, chosen: Font, characters: list[str]) -> None:
    """Five objects: the font, its glyphs' widths, its measures, its file, and the characters of its glyphs."""
    first = file.next
    name = chosen.path.stem
    scale = 1000 / chosen.units
    glyphs = {chosen.glyphs[character]: character for character in characters if character in chosen.glyphs}
    widths = " ".join(f"{glyph} [{_number(chosen.advances[glyph] * scale)}]" for glyph in sorted({0, *glyphs}))
    file.add(f"<< /Type /Font /Subtype /Type0 /BaseFont /{name} /Encoding /Identity-H "
             f"/DescendantFonts [{first + 1} 0 R] /ToUnicode {first + 4} 0 R >>")  # fmt: skip
    file.add(f"<< /Type /Font /Subtype /CIDFontType2 /BaseFont /{name} /CIDToGIDMap /Identity "
             "/CIDSystemInfo << /Registry (Adobe) /Ordering (Identity) /Supplement 0 >> "
             f"/FontDescriptor {first + 2} 0 R /W [{widths}] >>")  # fmt: skip
    box = " ".join(_number(edge * scale) for edge in chosen.box)
    ascent, descent = (_number(edge * scale) for edge in (chosen.ascent, chosen.descent))
    file.add(f"<< /Type /FontDescriptor /FontName /{name} /Flags 4 /FontBBox [{box}] "
             f"/ItalicAngle 0 /Ascent {ascent} /Descent {descent} /CapHeight {ascent} /StemV 80 "
             f"/FontFile2 {first + 3} 0 R >>")  # fmt: skip
    file.add(f"/Length1 {len(chosen.content)}", chosen.content)
    file.add("", _to_unicode(glyphs).encode("ascii"))


def _to_unicode(glyphs: dict[int, str]) -> str:
    """The characters of glyphs, as a CMap."""
    pairs = [f"<{glyph:04X}> <{character.encode('utf-16-be').hex()}>" for glyph, character in sorted(glyphs.items())]
    parts = [pairs[start : start + 100] for start in range(0, len(pairs), 100)]
    lists = "\n".join(f"{len(part)} beginbfchar\n" + "\n".join(part) + "\nendbfchar" for part in parts)
    return (
        "/CIDInit /ProcSet findresource begin\n12 dict begin\nbegincmap\n"
        "/CIDSystemInfo << /Registry (Adobe) /Ordering (UCS) /Supplement 0 >> def\n"
        "/CMapName /Adobe-Identity-UCS def\n/CMapType 2 def\n"
        f"1 begincodespacerange\n<0000> <FFFF>\nendcodespacerange\n{lists}\n"
        "endcmap\nCMapName currentdict /CMap defineresource pop\nend\nend\n"
    )


class _Page:
    """Writes shapes as operators of a content stream, and remembers the characters of each font."""

    def __init__(self, picture: Picture, theme: str) -> None:
        self.picture, self.theme = picture, theme
        self.characters: tuple[set[str], set[str]] = (set(), set())

    def content(self) -> str:
        """All shapes, with the origin in the upper left corner and y down."""
        writers: dict[type[Shape], Callable[[Any], Iterator[str]]] = {
            Rectangle: self.rectangle, Wire: self.wire, Polygon: self.polygon, Text: self.text
        }  # fmt: skip
        size, height = _number(POINTS), _number(self.picture.height * POINTS)
        lines = [f"{size} 0 0 -{size} 0 {height} cm"]
        for shape in self.picture.shapes:
            lines += writers[type(shape)](shape)
        return "\n".join(lines)

    def colour(self, colour: Colour, operator: str) -> str:
        """An operator that sets a colour: `rg` to fill, `RG` for lines."""
        value = bytes.fromhex((colour.dark if self.theme == "dark" else colour.light)[1:])
        return " ".join(f"{part / 255:.3f}" for part in value) + f" {operator}"

    def rectangle(self, shape: Rectangle) -> Iterator[str]:
        """A closed path of lines and quarters of circles."""
        filled, drawn = shape.fill.light != "none", shape.stroke > 0
        yield from [self.colour(shape.fill, "rg")] if filled else []
        yield from [self.colour(shape.line, "RG"), f"{_number(shape.stroke)} w", _dash(shape.dashed)] if drawn else []
        x, y, right, bottom = shape.x, shape.y, shape.x + shape.width, shape.y + shape.height
        radius = min(shape.radius, shape.width / 2, shape.height / 2)
        yield f"{_pair((x + radius, y))} m"
        for (cx, cy), (bx, by), (ax, ay) in (
            ((right, y), (-1, 0), (0, 1)), ((right, bottom), (0, -1), (-1, 0)),
            ((x, bottom), (1, 0), (0, -1)), ((x, y), (0, 1), (1, 0)),
        ):  # fmt: skip
            near = radius * (1 - ROUND)
            yield f"{_pair((cx + bx * radius, cy + by * radius))} l"
            controls = _pair((cx + bx * near, cy + by * near)), _pair((cx + ax * near, cy + ay * near))
            yield f"{' '.join(controls)} {_pair((cx + ax * radius, cy + ay * radius))} c"
        yield {(True, True): "b", (True, False): "f", (False, True): "s", (False, False): "n"}[filled, drawn]

    def wire(self, shape: Wire) -> Iterator[str]:
        """A line with round corners."""
        yield f"{self.colour(shape.line, 'RG')} 1 w {_dash(shape.dashed)}"
        yield f"{_pair(shape.points[0])} m"
        for start, control, end in corners(shape.points, CORNER):
            yield f"{_pair(start)} l"
            first, second = (_between(point, control, 2 / 3) for point in (start, end))
            yield f"{_pair(first)} {_pair(second)} {_pair(end)} c"
        yield f"{_pair(shape.points[-1])} l S"

    def polygon(self, shape: Polygon) -> Iterator[str]:
        """A filled polygon."""
        first, *rest = map(_pair, shape.points)
        yield f"{self.colour(shape.fill, 'rg')} {first} m {' '.join(f'{point} l' for point in rest)} f"

    def text(self, shape: Text) -> Iterator[str]:
        """A line of text, as the numbers of its glyphs."""
        chosen = font(shape.bold)
        self.characters[shape.bold].update(shape.text)
        glyphs = "".join(f"{chosen.glyphs.get(character, 0):04X}" for character in shape.text)
        x = shape.x - chosen.width(shape.text) * shape.size / chosen.units / 2 if shape.centred else shape.x
        yield f"{self.colour(shape.colour, 'rg')} BT /F{int(shape.bold)} {shape.size} Tf"
        yield f"1 0 0 -1 {_pair((x, shape.y))} Tm <{glyphs}> Tj ET"


def _dash(dashed: bool) -> str:
    return "[4 3] 0 d" if dashed else "[] 0 d"


def _between(start: XY, end: XY, part: float) -> XY:
    return (start[0] + (end[0] - start[0]) * part, start[1] + (end[1] - start[1]) * part)


def _pair(point: XY) -> str:
    return f"{_number(point[0])} {_number(point[1])}"


def _number(value: float) -> str:
    return f"{value:.3f}".rstrip("0").rstrip(".") if value else "0"


def _string(text: str) -> str:
    """Any text as a string of a PDF."""
    return f"<FEFF{text.encode('utf-16-be').hex()}>"
