"""Rows and totals → the tree table, as plain text or in colour, and the same as Markdown."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from archspec.backends.summary.rows import Row, Totals
from archspec.diagnostics.formatting import printable
from archspec.ir.graph import Graph
from archspec.ir.receptive_field import Reach
from archspec.ops.base import format_shape

HEADER: Final = ("Module", "Type", "Output", "Params", "MACs", "Receptive field", "Stride")
_LEFT: Final = 3
"""How many columns are text, and set to the left; the others are numbers."""

_NOTHING: Final = "–"
_BOLD, _DIM, _YELLOW, _RESET = "\033[1m", "\033[2m", "\033[33m", "\033[0m"


def table(graph: Graph, rows: Sequence[Row], totals: Totals, colour: bool = False) -> str:
    """The tree table people know from torchinfo, with repeats folded and the totals below it."""
    cells = [(guide + row.name, *_cells(row)) for guide, row in zip(_guides(rows), rows, strict=True)]
    widths = [max(map(len, column)) for column in zip(HEADER, *cells, strict=True)]
    rule = "─" * (sum(widths) + 2 * len(widths) - 2)
    head = _aligned(HEADER, widths)
    lines = [_aligned(line, widths) for line in cells]
    if colour:
        head, rule = f"{_BOLD}{head}{_RESET}", f"{_DIM}{rule}{_RESET}"
        lines = [_coloured(line, row) for line, row in zip(lines, rows, strict=True)]
    return "\n".join([_title(graph), "", head, rule, *lines, rule, *_foot(_facts(rows, totals))])


def markdown(graph: Graph, rows: Sequence[Row], totals: Totals) -> str:
    """The same as a Markdown table; modules are given by their full names."""
    lines = [f"# {_escaped(graph.name)}", ""]
    lines += [_escaped(_words(text)) + "\n" for text in (graph.description, graph.reference) if text]
    lines += ["| " + " | ".join(HEADER) + " |", "|" + " :-- |" * _LEFT + " --: |" * (len(HEADER) - _LEFT)]
    for row in rows:
        cells = (row.path or row.name, *_cells(row))
        lines.append("| " + " | ".join(map(_escaped, cells)) + " |")
    return "\n".join(
        [*lines, "", *(f"- {_escaped(label)}: {_escaped(value)}" for label, value in _facts(rows, totals))]
    )


def format_reach(reach: Reach | None) -> tuple[str, str]:
    """The receptive field and the stride, one number where height and width agree; – where there is none.

    >>> from archspec.ir.receptive_field import START
    >>> format_reach(START), format_reach(None)
    (('1', '1'), ('–', '–'))
    """
    if reach is None or reach.pixels is None or reach.stride is None:
        return _NOTHING, _NOTHING
    return _pair(reach.pixels), _pair(reach.stride)


def _pair(sizes: Iterable[float]) -> str:
    height, width = (f"{size:.10g}" for size in sizes)
    return height if height == width else f"{height}×{width}"


def _cells(row: Row) -> tuple[str, ...]:
    """A row's cells but the first."""
    type_ = f"{row.type} ×{row.repeats:,}" if row.repeats > 1 else row.type
    notes = [*([f"runs {row.runs}×"] if row.runs > 1 else ()), *(["training only"] if row.train_only else ())]
    return (
        f"{type_} ({', '.join(notes)})" if notes else type_, format_shape(row.output_shape), _number(row.params),
        _number(row.macs), *format_reach(row.reach),
    )  # fmt: skip


def _number(value: int) -> str:
    return f"{value:,}" if value else _NOTHING


def _guides(rows: Sequence[Row]) -> list[str]:
    """The lines of the tree before each name: seen from below, a row is its parent's last until another comes."""
    guides = []
    later: list[bool] = []
    for row in reversed(rows):
        later += [False] * (row.depth + 1 - len(later))
        stems = "".join("│  " if more else "   " for more in later[1 : row.depth])
        guides.append(stems + ("├─ " if later[row.depth] else "└─ ") if row.depth else "")
        del later[row.depth + 1 :]
        later[row.depth] = True
    return guides[::-1]


def _aligned(cells: Sequence[str], widths: Sequence[int]) -> str:
    columns = zip(cells, widths, strict=True)
    return "  ".join(c.ljust(w) if i < _LEFT else c.rjust(w) for i, (c, w) in enumerate(columns)).rstrip()


def _coloured(line: str, row: Row) -> str:
    if row.train_only:
        return f"{_YELLOW}{line}{_RESET}"
    stem = len(line) - len(line.lstrip(" │├└─"))
    style = _BOLD if row.depth == 0 else ""
    return f"{_DIM}{line[:stem]}{_RESET}{style}{line[stem:]}{_RESET}"


def _title(graph: Graph) -> str:
    about = [text for text in (_words(graph.description), _words(graph.reference)) if text]
    return "\n".join([f"{graph.name}  {format_shape(graph.input_shape)} → {format_shape(graph.output_shape)}", *about])


def _foot(facts: Sequence[tuple[str, str]]) -> list[str]:
    width = max(len(label) for label, _ in facts)
    return [f"{label.ljust(width)}  {value}" for label, value in facts]


def _facts(rows: Sequence[Row], totals: Totals) -> list[tuple[str, str]]:
    """The totals in words: labels and values."""
    train_only = f", {totals.train_only_params:,} of them in layers that run in training only"
    field, stride = format_reach(totals.reach)
    counted = f" of {_listed(totals.counted)}" if totals.counted else ""
    folded = [("×N", "N equal modules in a row; the numbers count all of them")]
    return [
        ("Layers", f"{totals.layers:,}"),
        ("Params", f"{totals.params:,}{train_only if totals.train_only_params else ''}"),
        ("Buffers", f"{totals.buffers:,}"),
        ("MACs", f"{totals.macs:,} multiply-accumulates{counted} (no bias, one sample, evaluation)"),
        ("not counted", _listed(totals.uncounted) or "nothing"),
        ("FLOPs", f"{totals.flops:,}, two for each multiply-accumulate"),
        ("Receptive field", f"{field}, stride {stride}"),
        *(_memory(totals, *dtypes) for dtypes in (("float32",), ("float16", "bfloat16"))),
        *(folded if any(row.repeats > 1 for row in rows) else ()),
    ]


def _memory(totals: Totals, *dtypes: str) -> tuple[str, str]:
    params, activations = map(_bytes, totals.memory(dtypes[0]))
    return ", ".join(dtypes), f"{params} of parameters, {activations} of layer outputs per sample"


def _bytes(size: int) -> str:
    return f"{size / (1 << 20):,.2f} MiB" if size >= 1 << 20 else f"{size / (1 << 10):,.2f} KiB"


def _listed(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{number:,} {kind}" for kind, number in counts.items())


def _words(text: str) -> str:
    """Free text on one line, with nothing in it that could drive a terminal."""
    return printable(" ".join(text.split()))


_MARKDOWN = re.compile(r"[\\`*\[\]<>|#~&]|(?<!\w)_|_(?!\w)")


def _escaped(text: str) -> str:
    """Text as it is in Markdown: no character of it opens a cell, a link, a tag or an emphasis."""
    return _MARKDOWN.sub(lambda match: "\\" + match[0], text)
