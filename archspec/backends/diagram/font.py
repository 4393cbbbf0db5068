"""The width of text in the font that archspec includes, whatever fonts are installed.

The font is Arimo, which has the same widths as Arial and Helvetica; `fonts/OFL.txt` is its licence. SVG images request
any of these three, PNG and PDF images are drawn with it.
"""

from __future__ import annotations

import struct
import unicodedata
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import Final

FOLDER: Final = Path(__file__).parent / "fonts"

FAMILY: Final = "Helvetica, Arial, Arimo, 'Liberation Sans', sans-serif"
"""The fonts for viewers of SVG images, in order of preference."""


@dataclass(frozen=True)
class Font:
    """A TrueType font file, read as far as needed to measure text and to embed it."""

    path: Path

    @cached_property
    def content(self) -> bytes:
        """The bytes of the file."""
        return self.path.read_bytes()

    @cached_property
    def _tables(self) -> dict[str, int]:
        """The offset of each table."""
        (count,) = struct.unpack_from(">H", self.content, 4)
        entries = (struct.unpack_from(">4sLLL", self.content, 12 + 16 * number) for number in range(count))
        return {tag.decode("ascii"): offset for tag, _, offset, _ in entries}

    def _read(self, format: str, table: str, offset: int) -> tuple[int, ...]:
        return struct.unpack_from(f">{format}", self.content, self._tables[table] + offset)

    @cached_property
    def units(self) -> int:
        """Units per em."""
        return self._read("H", "head", 18)[0]

    @cached_property
    def box(self) -> tuple[int, ...]:
        """The bounding box of all glyphs."""
        return self._read("4h", "head", 36)

    @cached_property
    def ascent(self) -> int:
        """How far the font reaches above the baseline."""
        return self._read("h", "hhea", 4)[0]

    @cached_property
    def descent(self) -> int:
        """How far it reaches below, as a negative number."""
        return self._read("h", "hhea", 6)[0]

    @cached_property
    def advances(self) -> tuple[int, ...]:
        """The width of each glyph."""
        (count,) = self._read("H", "hhea", 34)
        (glyphs,) = self._read("H", "maxp", 4)
        widths = self._read(f"{2 * count}H", "hmtx", 0)[::2]
        return widths + widths[-1:] * (glyphs - count)

    @cached_property
    def glyphs(self) -> dict[str, int]:
        """The glyph of each character (a `cmap` of format 4)."""
        (offset,) = self._read("L", "cmap", 8)
        (twice,) = self._read("H", "cmap", offset + 6)
        ends = self._read(f"{twice // 2}H", "cmap", offset + 14)
        starts = self._read(f"{twice // 2}H", "cmap", offset + 16 + twice)
        deltas = self._read(f"{twice // 2}H", "cmap", offset + 16 + 2 * twice)
        found: dict[str, int] = {}
        for number, (start, end, delta) in enumerate(zip(starts, ends, deltas, strict=True)):
            place = offset + 16 + 3 * twice + 2 * number
            (away,) = self._read("H", "cmap", place)
            for code in range(start, min(end, 0xFFFE) + 1):
                glyph = self._read("H", "cmap", place + away + 2 * (code - start))[0] if away else code
                found[chr(code)] = (glyph + delta) % 0x10000
        return found

    def width(self, text: str) -> int:
        """The width of a text in the font's units."""
        return sum(self._advance(character) for character in text)

    def _advance(self, character: str) -> int:
        if character in self.glyphs:
            return self.advances[self.glyphs[character]]
        if unicodedata.combining(character) or unicodedata.category(character) == "Cf":
            return 0
        return self.units if unicodedata.east_asian_width(character) in "WF" else self.advances[0]


@cache
def font(bold: bool = False) -> Font:
    """The regular font, or the bold one."""
    return Font(FOLDER / f"Arimo-{'Bold' if bold else 'Regular'}.ttf")


@cache
def text_width(text: str, size: int, bold: bool = False) -> float:
    """The width of a text in pixels, to a tenth.

    >>> text_width("conv 7×7/2, 64", 12, bold=True)
    81.7
    """
    chosen = font(bold)
    return round(chosen.width(text) * size / chosen.units, 1)
