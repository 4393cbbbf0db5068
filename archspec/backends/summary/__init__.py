"""Graph → its summary: rows and totals are collected first, then formatted.

In: a graph. Out: text. Read `rows` (the tree and the totals), `table` (the same as text and Markdown), `columns` (which
columns fit a terminal), then `data` (JSON and CSV) and `html` (for notebooks).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from archspec.diagnostics.diagnostic import Diagnostic, TargetError
from archspec.expressions.sizes import is_whole

if TYPE_CHECKING:
    from archspec.ir.graph import Graph

FORMATS: Final = ("table", "json", "csv", "markdown")


def summarise(
    graph: Graph, format: str = "table", depth: int | None = None, colour: bool = False, width: int | None = None
) -> str:
    """The static analysis of a network as text, in one of `FORMATS`.

    `depth` limits a table to that many levels of modules; by default blocks are closed. JSON and CSV always list every
    layer. A `table` can be in `colour`, and is no wider than `width` characters: columns are left out by rank. Raises
    `TargetError` for an unknown format.

    >>> import archspec
    >>> summarise(archspec.compile("lenet"), format="csv").splitlines()[0][:22]
    'name,type,input_shape,'
    """
    if format not in FORMATS:
        help = f"expected one of {', '.join(FORMATS)}"
        raise TargetError([Diagnostic("usage", f"unknown summary format '{format}'", help=help)])
    if depth is not None and not (is_whole(depth) and depth >= 0):
        raise TargetError(f"depth must be 0 or more, got {depth!r:.60}")
    # Imported here, so that the command line can read `FORMATS` without loading the compiler.
    from archspec.backends.summary.rows import rows, totals

    if format in ("json", "csv"):
        from archspec.backends.summary import data

        return data.to_csv(graph) if format == "csv" else data.to_json(graph, totals(graph))
    from archspec.backends.summary import table

    if format == "markdown":
        return table.markdown(graph, rows(graph, depth), totals(graph))
    return table.table(graph, rows(graph, depth), totals(graph), colour, width)
