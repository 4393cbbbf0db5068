"""Graph → its summary: rows and totals are collected first, then formatted."""

from __future__ import annotations

from typing import Final

from archspec.diagnostics.diagnostic import Diagnostic, TargetError
from archspec.diagnostics.suggestions import nearest
from archspec.ir.graph import Graph

FORMATS: Final = ("table", "json", "csv", "markdown")


def summarise(graph: Graph, format: str = "table", depth: int | None = None, colour: bool = False) -> str:
    """The static analysis of a network as text, in one of `FORMATS`.

    `depth` limits a table to that many levels of modules; by default blocks are closed. JSON and CSV always list
    every layer. Raises `TargetError` for a format there is not.

    >>> import archspec
    >>> summarise(archspec.compile("lenet"), format="csv").splitlines()[0][:22]
    'name,type,input_shape,'
    """
    if format not in FORMATS:
        message = f"there is no summary format '{format}'"
        raise TargetError([Diagnostic("usage", message, help=nearest(format, FORMATS))])
    if depth is not None and depth < 0:
        raise TargetError(f"depth must be 0 or more, got {depth}")
    return _format(graph, format, depth, colour)


def _format(graph: Graph, format: str, depth: int | None, colour: bool) -> str:
    from archspec.backends.summary.rows import rows, totals

    if format in ("json", "csv"):
        from archspec.backends.summary import data

        return data.to_json(graph, totals(graph)) if format == "json" else data.to_csv(graph)
    from archspec.backends.summary import table

    if format == "markdown":
        return table.markdown(graph, rows(graph, depth), totals(graph))
    return table.table(graph, rows(graph, depth), totals(graph), colour)
