"""Rows and totals → the tree table, as plain text, in colour or as Markdown."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from archspec.backends.summary.columns import GAP, Columns, elided, fit
from archspec.backends.summary.rows import Row, Totals
from archspec.diagnostics.byte_sizes import format_bytes
from archspec.diagnostics.formatting import printable
from archspec.ir.graph import Graph
from archspec.ir.receptive_field import FieldSize
from archspec.ops.shapes import format_input, format_shape

HEADER: Final = ("Module", "Type", "Output", "Params", "MACs", "Receptive field", "Stride")
LEFT: Final = 3
"""How many columns are text, which is aligned left; the others are numbers."""

_RANKS: Final = tuple(map(HEADER.index, ("Stride", "Receptive field", "Type", "Output", "MACs", "Params")))
"""The columns in the order in which they are left out on a narrow terminal. The module is always shown."""

_LEAST_TYPE: Final = 16
"""A type is cut to this many characters before its column is left out."""

_LEAST_TEXT: Final = 40
"""Title and totals are wrapped to the terminal's width, but not to less than this."""

_NOTHING: Final = "–"
_BOLD, _DIM, _YELLOW, _RESET = "\033[1m", "\033[2m", "\033[33m", "\033[0m"


def table(
    graph: Graph, rows: Sequence[Row], totals: Totals, colour: bool = False, width: int | None = None
) -> str:  # fmt: skip
    """The tree table as in torchinfo, with repeats folded and the totals below it.

    With `width` no line of the table is longer: columns are left out by rank, and the line below it says which.
    """
    cells = [(guide + row.name, *cells_of(row)) for guide, row in zip(guides_of(rows), rows, strict=True)]
    columns = _columns(cells, width)
    head, rule = _aligned(HEADER, columns), "─" * columns.width
    lines = [_aligned(line, columns) for line in cells]
    if colour:
        head, rule = f"{_BOLD}{head}{_RESET}", f"{_DIM}{rule}{_RESET}"
        lines = [_coloured(line, row) for line, row in zip(lines, rows, strict=True)]
    facts = [*facts_of(rows, totals), *_hidden(columns)]
    return "\n".join([*_title(graph, width), "", head, rule, *lines, rule, *_foot(facts, width)])


def _columns(cells: Sequence[Sequence[str]], width: int | None) -> Columns:
    widths = [max(map(len, column)) for column in zip(HEADER, *cells, strict=True)]
    type_ = HEADER.index("Type")
    least = [min(size, _LEAST_TYPE) if number == type_ else size for number, size in enumerate(widths)]
    return fit(widths, least, _RANKS, width)


def _hidden(columns: Columns) -> list[tuple[str, str]]:
    return [("not shown", ", ".join(HEADER[number] for number in columns.hidden))] if columns.hidden else []


def markdown(graph: Graph, rows: Sequence[Row], totals: Totals) -> str:
    """The same as a Markdown table; modules are given by their full names."""
    lines = [f"# {escaped(graph.name)}", ""]
    lines += [escaped(_words(text)) + "\n" for text in (graph.description, graph.reference) if text]
    lines += ["| " + " | ".join(HEADER) + " |", "|" + " :-- |" * LEFT + " --: |" * (len(HEADER) - LEFT)]
    for row in rows:
        cells = (row.path or row.name, *cells_of(row))
        lines.append("| " + " | ".join(map(escaped, cells)) + " |")
    return "\n".join(
        [*lines, "", *(f"- {escaped(label)}: {escaped(value)}" for label, value in facts_of(rows, totals))]
    )


def format_field(field: FieldSize | None) -> tuple[str, str]:
    """The receptive field and the stride, as one number if height and width agree; – if there is none.

    >>> format_field(FieldSize((3, 3), (1, 2))), format_field(None)
    (('3', '1×2'), ('–', '–'))
    """
    return (_NOTHING, _NOTHING) if field is None else (_pair(field.pixels), _pair(field.stride))


def _pair(sizes: Iterable[float]) -> str:
    height, width = (f"{size:.10g}" for size in sizes)
    return height if height == width else f"{height}×{width}"


def cells_of(row: Row) -> tuple[str, ...]:
    """A row's cells except the first."""
    type_ = f"{row.type} ×{row.repeats:,}" if row.repeats > 1 else row.type
    notes = [*([f"runs {row.runs}×"] if row.runs > 1 else ()), *(["training only"] if row.train_only else ())]
    return (
        f"{type_} ({', '.join(notes)})" if notes else type_,
        _NOTHING if row.output_shape is None else format_shape(row.output_shape),
        _number(row.params), _number(row.macs), *format_field(row.field),
    )  # fmt: skip


def _number(value: int) -> str:
    return f"{value:,}" if value else _NOTHING


def guides_of(rows: Sequence[Row]) -> list[str]:
    """The lines of the tree before each name. From the bottom up, the first row found of a parent is its last child."""
    guides = []
    later: list[bool] = []
    for row in reversed(rows):
        later += [False] * (row.depth + 1 - len(later))
        stems = "".join("│  " if more else "   " for more in later[1 : row.depth])
        guides.append(stems + ("├─ " if later[row.depth] else "└─ ") if row.depth else "")
        del later[row.depth + 1 :]
        later[row.depth] = True
    return guides[::-1]


def _aligned(cells: Sequence[str], columns: Columns) -> str:
    placed = [
        elided(cells[number], width).ljust(width) if number < LEFT else cells[number].rjust(width)
        for number, width in zip(columns.shown, columns.widths, strict=True)
    ]
    return (" " * GAP).join(placed).rstrip()


def _coloured(line: str, row: Row) -> str:
    if row.train_only:
        return f"{_YELLOW}{line}{_RESET}"
    stem = len(line) - len(line.lstrip(" │├└─"))
    style = _BOLD if row.depth == 0 else ""
    return f"{_DIM}{line[:stem]}{_RESET}{style}{line[stem:]}{_RESET}"


def _title(graph: Graph, width: int | None) -> list[str]:
    about = [text for text in (_words(graph.description), _words(graph.reference)) if text]
    title = f"{graph.name}  {format_input(graph.input_shape)} → {format_shape(graph.output_shape)}"
    return [line for text in (title, *about) for line in _wrapped(text, width)]


def _foot(facts: Sequence[tuple[str, str]], width: int | None) -> list[str]:
    indent = max(len(label) for label, _ in facts) + GAP
    return [line for label, value in facts for line in _wrapped(f"{label.ljust(indent)}{value}", width, indent)]


def _wrapped(text: str, width: int | None, indent: int = 0) -> list[str]:
    """A text in lines of at most `width` characters, all but the first indented; words stay whole."""
    if width is None or len(text) <= width:
        return [text]
    return textwrap.wrap(
        text, max(width, _LEAST_TEXT), subsequent_indent=" " * indent, break_long_words=False, break_on_hyphens=False
    )


def facts_of(rows: Sequence[Row], totals: Totals) -> list[tuple[str, str]]:
    """The totals in words: labels and values."""
    train_only = f", {totals.train_only_params:,} of them in layers that run in training only"
    field, stride = format_field(totals.field)
    counted = f" of {_counts(totals.counted)}" if totals.counted else ""
    folded = [("×N", "N equal modules in a row; the numbers count all of them")]
    return [
        ("Layers", f"{totals.layers:,}"),
        ("Params", f"{totals.params:,}{train_only if totals.train_only_params else ''}"),
        ("Buffers", f"{totals.buffers:,}"),
        ("MACs", f"{totals.macs:,} multiply-accumulates{counted} (no bias, one sample, evaluation)"),
        ("not counted", _counts(totals.uncounted) or "nothing"),
        ("FLOPs", f"{totals.flops:,}, two for each multiply-accumulate"),
        ("Receptive field", f"{field}, stride {stride}"),
        *(_memory(totals, *dtypes) for dtypes in (("float32",), ("float16", "bfloat16"))),
        *(folded if any(row.repeats > 1 for row in rows) else ()),
    ]


def _memory(totals: Totals, *dtypes: str) -> tuple[str, str]:
    params, activations = map(format_bytes, totals.memory(dtypes[0]))
    return ", ".join(dtypes), f"{params} of parameters, {activations} of layer outputs per sample"


def _counts(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{number:,} {kind}" for kind, number in counts.items())


def _words(text: str) -> str:
    """Free text on one line, with control characters escaped."""
    return printable(" ".join(text.split()))


_MARKDOWN = re.compile(r"[\\`*\[\]<>|#~&]|(?<!\w)_|_(?!\w)")


def escaped(text: str) -> str:
    """Text with Markdown escaped, so that it cannot open a cell, a link, a tag or an emphasis."""
    return _MARKDOWN.sub(lambda match: "\\" + match[0], text)
