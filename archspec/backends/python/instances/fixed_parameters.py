"""Parameters of a network that cannot be arguments of its class, since its structure depends on them.

A parameter of the network stays an argument of its class if it only changes numbers: channels, features, rates.
One that decides the structure (how often something is repeated, which op it is, a name) or the size of feature maps is
replaced by its value.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence

from archspec.backends.python.instances.variants import (
    MustBeFixed,
    Variant,
    Variants,
    let_trees,
    parameters_behind,
    steps_below,
)
from archspec.expressions.rewrite import substitute
from archspec.expressions.sizes import Dim, tree_of
from archspec.ir.module import Module
from archspec.ops.base import Op
from archspec.passes.specialize.naming import symbolic_axis


def check_structure(variants: Variants) -> None:
    """Raise `MustBeFixed` with the parameters that must be replaced by their values."""
    found: frozenset[str] = frozenset()
    for variant in variants.all:
        if variant.free:
            found = found.union(*(parameters_behind(tree, variant) for tree in _deciding(variant)))
    if found:
        raise MustBeFixed(found)


def _deciding(variant: Variant) -> Iterator[ast.expr]:
    """The expressions of a block that determine more than numbers, in terms of its parameters."""
    templates = [tree for item in variant.body.walk() for tree in item.computed]
    there = [_places(instance) for instance in variant.instances]
    for instance in variant.instances:
        lets = let_trees(instance)
        trees = [*templates, *_controls(instance, there), *_arguments(instance), *_lost_sizes(instance)]
        yield from (substitute(tree, lets) for tree in trees)


def _controls(instance: Module, there: Sequence[frozenset[tuple[int, ...]]]) -> Iterator[ast.expr]:
    """The counts of repeats, and the conditions that the class does not test, since all instances agree on them."""
    for module in (instance, *(step.target for _, step in steps_below(instance) if isinstance(step.target, Module))):
        if module is instance or module.is_seq:
            yield from (count.tree for count in module.counts.values())
            for position, condition in module.conditions.items():
                if len(there) == 1 or len({position[::2] in places for places in there}) == 1:
                    yield condition.tree


def _places(instance: Module) -> frozenset[tuple[int, ...]]:
    """The places in the definition of the items that an instance has, with the groups around them."""
    places = {step.place for _, step in steps_below(instance)}
    return frozenset(place[:length] for place in places for length in range(1, len(place) + 1))


def _arguments(instance: Module) -> Iterator[ast.expr]:
    for _, step in steps_below(instance):
        if isinstance(step.target, Op):
            yield from (tree for name, tree in step.trees.items() if name.partition(".")[0] not in step.target.numbers)


def _lost_sizes(instance: Module) -> Iterator[ast.expr]:
    """Sizes that are passed to a block without a name, and are plain numbers inside."""
    for owner, step in steps_below(instance):
        if isinstance(step.target, Module) and not step.target.is_seq:
            for shape in owner.shapes(step):
                named = symbolic_axis(shape)
                yield from (tree_of(s) for axis, s in enumerate(shape) if axis != named and isinstance(s, Dim))
