"""Two networks → a tree of their differences. Each pair of modules is compared once, however often it is used."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Final

from archspec.changes.alignment import align
from archspec.changes.digest import STEP, Digests, does_nothing
from archspec.changes.facts import (
    Agree,
    Facts,
    Sides,
    facts_of_layers,
    facts_of_modules,
    facts_of_steps,
    fields_of_ops,
    reads_alike,
)
from archspec.changes.initial import initialised_alike
from archspec.changes.layer import Layer, layer_of, layer_of_network, sources
from archspec.changes.moved import with_moved
from archspec.diagnostics.budget import spend
from archspec.ir.graph import Graph
from archspec.ir.module import Module, Step
from archspec.ops.base import Op

DERIVED: Final = frozenset({"input_shapes", "output_shape", "params", "buffers", "macs"})
"""Facts that follow from the layers before it or inside it, if its fields are the same."""


@dataclass(frozen=True)
class Node:
    """A layer or block in each network; `None` if the network does not have it."""

    a: Layer | None
    b: Layer | None
    facts: Facts = field(default_factory=dict)
    """The properties of its own that differ."""
    fields: Facts = field(default_factory=dict)
    """The fields of its op that differ."""
    inside: tuple[Node, ...] = ()
    """The layers in it that differ."""

    @cached_property
    def differs(self) -> bool:
        """Whether anything is different, in itself or inside."""
        return self.a is None or self.b is None or bool(self.facts or self.fields or self.inside)

    @cached_property
    def has_news(self) -> bool:
        """Whether it has a difference that does not follow from the layers before it or inside it."""
        return self.a is None or self.b is None or bool(self.fields) or not DERIVED.issuperset(self.facts)

    @cached_property
    def is_derived(self) -> bool:
        """Whether all differences, here and inside, follow from a different input."""
        return not self.has_news and all(node.is_derived for node in self.inside)


def compare(a: Graph, b: Graph) -> Node:
    """The tree of the differences of two networks. Their own names, classes and descriptions are not compared."""
    return _Comparison().networks(a, b)


class _Comparison:
    def __init__(self) -> None:
        self.digests = Digests()
        self.known: dict[tuple[int, int, bool, bool], tuple[Facts, tuple[Node, ...]]] = {}
        self.sides: dict[tuple[int, int], Sides] = {}

    def networks(self, a: Graph, b: Graph) -> Node:
        self.roots = a.root, b.root
        facts, inside = self.modules(a.root, b.root, False, False)
        first, second = layer_of_network(a), layer_of_network(b)
        totals = {name: pair for name, pair in facts_of_layers(first, second).items() if name in DERIVED}
        return Node(first, second, {**totals, **facts, **self._returned(a, b)}, {}, inside)

    def _returned(self, a: Graph, b: Graph) -> Facts:
        """Differences in what the networks return in addition to their result."""
        facts: dict[str, tuple[Any, Any]] = {}
        fields = [None if graph.outputs is None else (graph.outputs.type, *graph.outputs.fields) for graph in (a, b)]
        refs = [[] if graph.outputs is None else [*graph.outputs.fields.values()] for graph in (a, b)]
        agree = self.aligned(a.root, b.root).sources()
        if fields[0] != fields[1] or not all(map(agree, *refs)):
            facts["outputs"] = tuple(map(_outputs, (a, b)))  # type: ignore[assignment]
        features = [[feature.name for feature in graph.features] for graph in (a, b)]
        if features[0] != features[1]:
            facts["features"] = (features[0], features[1])
        return facts

    def modules(self, left: Module, right: Module, *train_only: bool) -> tuple[Facts, tuple[Node, ...]]:
        """The differences of two modules themselves, and of their parts."""
        if left is right and train_only[0] == train_only[1]:
            return {}, ()
        key = (id(left), id(right), train_only[0], train_only[1])
        if key not in self.known:
            self.known[key] = self._compared(left, right, *train_only)
        return self.known[key]

    def _compared(self, left: Module, right: Module, *train_only: bool) -> tuple[Facts, tuple[Node, ...]]:
        if self.digests.of(left) == self.digests.of(right) and train_only[0] == train_only[1]:
            return {}, ()
        spend(STEP * (len(left.steps) + len(right.steps)))
        sides = self.aligned(left, right)
        agree = sides.sources()
        alike = sides.alike if train_only[0] == train_only[1] else frozenset()
        nodes = (self._pair(sides, one, other, agree, *train_only) for one, other in _merged(sides, alike, agree))
        facts = facts_of_modules(sides, agree)
        if "init" in facts and self.initialised_alike:
            del facts["init"]  # by rules of other modules
        return facts, tuple(node for node in nodes if node.differs)

    @cached_property
    def initialised_alike(self) -> bool:
        """Whether the initial weights of both networks are from the same distributions."""
        return initialised_alike(*self.roots)

    def aligned(self, left: Module, right: Module) -> Sides:
        """Find the corresponding steps of two modules. The result does not depend on the order of the modules: ties are
        resolved from the one with the smaller digest."""
        key = (id(left), id(right))
        if key not in self.sides:
            swapped = self.digests.of(right) < self.digests.of(left)
            first, second = (right, left) if swapped else (left, right)
            parts = [[self.digests.part(module, step) for step in module.steps] for module in (first, second)]
            found = with_moved((first, second), (parts[0], parts[1]), align(*parts))
            same = {pair for pair in found if parts[0][pair[0]].is_same(parts[1][pair[1]])}
            pairs = {other: one for one, other in found} if swapped else dict(found)
            alike = frozenset(other if swapped else one for one, other in same)
            self.sides[key] = Sides(left, right, dict(sorted(pairs.items())), alike)
        return self.sides[key]

    def _pair(self, sides: Sides, one: Step | None, other: Step | None, agree: Agree, *train_only: bool) -> Node:
        first = None if one is None else layer_of(sides.left, one, train_only[0])
        second = None if other is None else layer_of(sides.right, other, train_only[1])
        if one is None or other is None or first is None or second is None:
            return Node(first, second)
        facts = {**facts_of_layers(first, second), **facts_of_steps(sides, one, other, agree)}
        inside: tuple[Node, ...] = ()
        if isinstance(one.target, Module) and isinstance(other.target, Module):
            only = (train_only[0] or one.train_only, train_only[1] or other.train_only)
            own, inside = self.modules(one.target, other.target, *only)
            facts.update(own)
        fields = fields_of_ops((one.target, first.input_shapes), (other.target, second.input_shapes))
        if not inside and not fields and facts.keys() <= _cosmetic(one, other):
            facts = {}
        return Node(first, second, facts, fields, inside)


def _cosmetic(one: Step, other: Step) -> frozenset[str]:
    """The facts that are no part of what two steps compute, or of the keys of their tensors: what a block is called,
    and a value that is not the result of a module."""
    blocks = {"type"} if isinstance(one.target, Module) and isinstance(other.target, Module) else set()
    return frozenset(blocks | ({"name"} if not _has_key(one) and not _has_key(other) else set()))


def _has_key(step: Step) -> bool:
    """Whether its name is part of keys: it is registered, and no buffer that is not saved."""
    is_saved = not isinstance(step.target, Op) or getattr(step.target, "persistent", True)
    return step.name is not None and is_saved


def _merged(sides: Sides, alike: frozenset[int], agree: Agree) -> Iterator[tuple[Step | None, Step | None]]:
    """The steps of two modules in the order of the second; removed steps come before the next pair.

    Pairs that are equal and read corresponding values are left out, and steps that do nothing.
    """
    partners = {other: one for one, other in sides.pairs.items()}
    left, right = sides.left, sides.right
    removed = deque(number for number, step in enumerate(left.steps)
                    if number not in sides.pairs and not does_nothing(left, step))  # fmt: skip
    for number, step in enumerate(right.steps):
        partner = partners.get(number)
        if partner is None:
            if not does_nothing(right, step):
                yield None, step
            continue
        while removed and removed[0] < partner:
            yield sides.left.steps[removed.popleft()], None
        pair = (sides.left.steps[partner], step)
        if partner not in alike or not reads_alike(sides, *pair, agree):
            yield pair
    yield from ((sides.left.steps[number], None) for number in removed)


def _outputs(graph: Graph) -> dict[str, Any] | None:
    if graph.outputs is None:
        return None
    refs: Mapping[str, Any] = graph.outputs.fields
    names: Sequence[str] = sources(graph.root, [*refs.values()])
    return {"type": graph.outputs.type, **dict(zip(refs, names, strict=True))}
