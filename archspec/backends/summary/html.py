"""Rows and totals → an HTML table for a page or a notebook. Its only style is the alignment of cells."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from html import escape
from itertools import islice
from typing import Final

from archspec.backends.summary.rows import Row, Totals
from archspec.backends.summary.table import HEADER, LEFT, cells_of, facts_of, guides_of
from archspec.diagnostics.formatting import printable
from archspec.ir.graph import Graph
from archspec.ops.shapes import format_input, format_shape

MAX_ROWS: Final = 200
"""The most rows that are shown; the others are counted."""


def to_html(graph: Graph, rows: Sequence[Row], totals: Totals) -> str:
    """The tree table as HTML, with a caption and the totals as its foot."""
    about = f"{graph.name}: {format_input(graph.input_shape)} → {format_shape(graph.output_shape)}"
    about = " – ".join(filter(None, (about, " ".join(graph.description.split()))))
    lines = [f"<table><caption>{_text(about)}</caption>", f"<thead>{_line('th', HEADER)}</thead><tbody>"]
    lines += islice(_body(rows), MAX_ROWS)
    if len(rows) > MAX_ROWS:
        lines.append(_across(f"… and {len(rows) - MAX_ROWS:,} more rows"))
    foot = (_across(f"{label}: {value}") for label, value in facts_of(rows, totals))
    return "\n".join([*lines, "</tbody><tfoot>", *foot, "</tfoot></table>"])


def _body(rows: Sequence[Row]) -> Iterator[str]:
    for guide, row in zip(guides_of(rows), rows, strict=True):
        stem = guide.replace(" ", "\N{NO-BREAK SPACE}")  # browsers join other spaces
        yield _line("td", (row.name, *cells_of(row)), stem)


def _line(tag: str, texts: Sequence[str], stem: str = "") -> str:
    stems = [stem, *[""] * (len(texts) - 1)]
    sides = ["left"] * LEFT + ["right"] * (len(texts) - LEFT)
    found = (f'<{tag} style="text-align: {side}">{before}{_text(text)}</{tag}>'
             for before, side, text in zip(stems, sides, texts, strict=True))  # fmt: skip
    return f"<tr>{''.join(found)}</tr>"


def _across(text: str) -> str:
    return f'<tr><td colspan="{len(HEADER)}" style="text-align: left">{_text(text)}</td></tr>'


def _text(text: str) -> str:
    return escape(printable(text))
