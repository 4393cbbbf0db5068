"""Rows → Markdown, as for a pull request."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from archspec.backends.summary.table import escaped
from archspec.changes.rows import REST, advice, headline, mismatches, rows, title, totals

if TYPE_CHECKING:
    from archspec.changes.diff import Diff


def to_markdown(diff: Diff) -> str:
    """A difference as Markdown: tables of the changes and of the totals, and a list of the weights that do not fit."""
    lines = [f"# {escaped(title(diff))}", ""]
    lines += [*_changes(diff), *_totals(diff), f"Weights: {escaped(headline(diff))}", "", *_weights(diff)]
    return "\n".join(lines).rstrip()


def _changes(diff: Diff) -> Iterator[str]:
    found = [*rows(diff)]
    if found:
        yield from ("|   | Layer | Type | Difference |", "| :-- | :-- | :-- | :-- |")
        for row in found:
            yield "| " + " | ".join(map(escaped, (row.mark, row.name, row.type, "; ".join(row.details)))) + " |"
        yield ""


def _totals(diff: Diff) -> Iterator[str]:
    yield f"|   | {escaped(diff.a.name)} | {escaped(diff.b.name)} | Difference |"
    yield "| :-- | --: | --: | :-- |"
    yield from ("| " + " | ".join(map(escaped, total)) + " |" for total in totals(diff))
    yield ""


def _weights(diff: Diff) -> Iterator[str]:
    yield from (f"- {escaped(str(group))}" for group in mismatches(diff))
    if given := advice(diff):
        yield f"- {REST} `{given}`"
