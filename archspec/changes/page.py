"""A difference → a page that shows both networks side by side, with what differs marked in both."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, Final

from archspec.backends.html.data import data
from archspec.backends.html.page import Page, comparison
from archspec.backends.html.steps import Lines
from archspec.changes.rows import REST, advice, headline, mismatches, rows, title, totals
from archspec.changes.tree import Node
from archspec.diagnostics.budget import CHARACTERS, spend

if TYPE_CHECKING:
    from archspec.changes.diff import Diff

ADDED, REMOVED, CHANGED, DERIVED = "added", "removed", "changed", "derived"
"""The marks of boxes; what is derived differs only as follows from its input or from what is in it."""

_NOWHERE: Final = Lines()


def to_html(diff: Diff) -> Page:
    """A difference as a page."""
    networks = [data(graph, (), lambda module, number: _NOWHERE) for graph in (diff.a, diff.b)]
    weights = [headline(diff), *map(str, mismatches(diff))]
    given = advice(diff)
    return comparison(title(diff), {
        "a": networks[0], "b": networks[1], "pairs": [*_pairs(diff.root.inside, "", "")],
        "rows": [row._asdict() for row in rows(diff)], "totals": [list(total) for total in totals(diff)],
        "weights": [*weights, f"{REST} {given}"] if given else weights,
    })  # fmt: skip


def _pairs(nodes: Sequence[Node], a: str, b: str) -> Iterator[list[Any]]:
    """The mark of each layer that differs, with its full names in both networks; null where it is not there."""
    for node in nodes:
        one = None if node.a is None else a + node.a.name
        other = None if node.b is None else b + node.b.name
        spend(2 + (len(one or "") + len(other or "")) // CHARACTERS)
        yield [_mark(node), one, other]
        yield from _pairs(node.inside, f"{one}.", f"{other}.")


def _mark(node: Node) -> str:
    if node.a is None:
        return ADDED
    if node.b is None:
        return REMOVED
    return DERIVED if node.is_derived else CHANGED
