"""Which of one network's weights another can load, decided by the same code as loading, without a file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from archspec.frontend.loader import Spec
from archspec.ir.graph import Graph
from archspec.ops.shapes import Shape
from archspec.weights.match import KeyMismatch, Match, closest


@dataclass(frozen=True)
class Fit:
    """How a state_dict of network `a` fits network `b`. Keys are full state_dict keys.

    `match` is the match if all mismatches are allowed, and `mismatch` lists these mismatches; if there are none, `b`
    loads the weights of `a` as they are. `a` and `b` are the shapes of the networks' tensors.
    """

    a: Mapping[str, Shape]
    b: Mapping[str, Shape]
    match: Match
    mismatch: KeyMismatch

    @property
    def complete(self) -> bool:
        """Whether the weights load without `allow_mismatch`."""
        return not any(self.mismatch)

    @property
    def loaded(self) -> tuple[str, ...]:
        """The keys of `b` whose values come from `a`."""
        return tuple(self.match.taken)

    @property
    def allow(self) -> tuple[str, ...]:
        """Layers for `allow_mismatch`, with which `archspec.build` loads the weights."""
        return self.mismatch.allow


def fit(a: Graph, b: Graph) -> Fit:
    """How the weights of `a` fit `b`."""
    heads = b.spec.absent_heads if isinstance(b.spec, Spec) else ()
    found = a.state_dict_shapes()
    return Fit(found, b.state_dict_shapes(), *closest(b, a.name, found, heads))
