"""The differences of two networks as one value: what `archspec.diff` returns."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from archspec.backends.summary.rows import totals
from archspec.changes.facts import Facts
from archspec.changes.layer import Layer
from archspec.changes.tree import Node, compare
from archspec.changes.weights import Fit, fit
from archspec.diagnostics.budget import CHARACTERS, spend
from archspec.ir.graph import Graph
from archspec.ir.notebook_display import NotebookDisplay

if TYPE_CHECKING:
    from archspec.backends.html.page import Page

CHANGE = 3
"""Steps of the budget that listing a change costs, without its name."""


class Change(NamedTuple):
    """A layer or block that was added, was removed, or is different.

    `a` and `b` are its full names in the two networks; empty if a network does not have it. `facts` maps the properties
    that differ (`type`, `output_shape`, `params`, `macs`, `from`, …) and `fields` the fields of its op that differ to
    pairs of values, in `a` and in `b`.
    """

    kind: Literal["added", "removed", "changed"]
    a: str
    b: str
    before: Layer | None
    after: Layer | None
    facts: Facts
    fields: Facts


@dataclass(frozen=True)
class Diff(NotebookDisplay):
    """What differs between the networks `a` and `b`.

    `changes` lists layers and blocks; the contents of an added or removed block are not listed. `totals` are pairs of
    numbers by name. `weights` says which of the weights of `a` can be loaded into `b`. `str()` is the text that the
    command prints.

    >>> import archspec
    >>> diff = archspec.diff("resnet50", stages=[3, 4, 23, 3])
    >>> diff.equal, diff.totals["params"]
    (False, (25557032, 44549160))
    >>> [change.b for change in diff.changes if change.kind == "added"][:2]
    ['layer3.6', 'layer3.7']
    """

    a: Graph
    b: Graph
    root: Node
    """The differences as a tree of modules."""
    weights: Fit

    @property
    def equal(self) -> bool:
        """Whether both compute the same, with the same tensors under the same keys.

        Names and descriptions of the networks themselves, names of classes and of values, sequences of no layers, and
        how equal initialisations are written make no difference.
        """
        return not self.root.differs

    @cached_property
    def changes(self) -> tuple[Change, ...]:
        """What differs, in the order of `b`; a block or network in which only numbers differ comes before its parts."""
        own = [_change(self.root, "", "")] if self.root.facts else []
        return (*own, *_changes_in(self.root.inside, "", ""))

    @cached_property
    def totals(self) -> Mapping[str, tuple[Any, Any]]:
        """The numbers of both networks, equal ones too."""
        sums = [totals(graph) for graph in (self.a, self.b)]
        names = ("layers", "params", "train_only_params", "buffers", "macs", "activations", "field")
        shapes = {name: (getattr(self.a, name), getattr(self.b, name)) for name in ("input_shape", "output_shape")}
        return {**shapes, **{name: (getattr(sums[0], name), getattr(sums[1], name)) for name in names}}

    def to_json(self) -> str:
        """The same as JSON text, indented."""
        from archspec.changes.data import to_json

        return to_json(self)

    def to_markdown(self) -> str:
        """The same as Markdown, for a pull request."""
        from archspec.changes.markdown import to_markdown

        return to_markdown(self)

    def to_html(self) -> Page:
        """The same as a page that shows both networks, with what differs marked in them."""
        from archspec.changes.page import to_html

        return to_html(self)

    def to_text(self, colour: bool = False, width: int | None = None) -> str:
        """The same for a terminal, in lines of at most `width` characters if that is given."""
        from archspec.changes.text import to_text

        return to_text(self, colour, width)

    def __str__(self) -> str:
        return self.to_text()

    def __repr__(self) -> str:
        return f"Diff({self.a.name}, {self.b.name}: {'equal' if self.equal else f'{len(self.changes)} changes'})"


def diff(a: Graph, b: Graph) -> Diff:
    """What differs between two networks."""
    return Diff(a, b, compare(a, b), fit(a, b))


def _changes_in(nodes: tuple[Node, ...], a: str, b: str) -> Iterator[Change]:
    for node in nodes:
        change = _change(node, a, b)
        yield change
        yield from _changes_in(node.inside, f"{change.a}.", f"{change.b}.")


def _change(node: Node, a: str, b: str) -> Change:
    kind: Any = "added" if node.a is None else "removed" if node.b is None else "changed"
    one, other = _named(a, node.a), _named(b, node.b)
    spend(CHANGE + (len(one) + len(other)) // CHARACTERS)
    return Change(kind, one, other, node.a, node.b, node.facts, node.fields)


def _named(prefix: str, layer: Layer | None) -> str:
    return "" if layer is None else prefix + layer.name
