"""The local names of a constructor: those of the block that are used repeatedly, and repeated long calls."""

from __future__ import annotations

import ast
from collections.abc import Sequence
from functools import partial
from itertools import count

from archspec.backends.python.classes.class_source import ClassSource
from archspec.backends.python.instances.anti_unification import AntiUnifier
from archspec.diagnostics.budget import spend
from archspec.expressions.rewrite import names_in, rebuild, spelling, substitute
from archspec.frontend.reserved_names import VARIABLES, source_names

READ = 2
"""Steps of the budget that searching an expression for a name costs."""

_LONG = 20
"""A repeated call is computed only once if it has at least this many characters."""


def add_local_names(text: ClassSource, unifier: AntiUnifier) -> None:
    """Add the local names of a class, all other expressions of which must be final."""
    text.lets = _used_lets(text, unifier.lets)
    text.lets += _shared_calls(text, unifier)


def _used_lets(text: ClassSource, lets: Sequence[tuple[str, ast.expr]]) -> list[tuple[str, ast.expr]]:
    """The local names that are read more than once; one that is read once is replaced by its expression."""
    kept: list[tuple[str, ast.expr]] = []
    for name, tree in reversed(lets):
        spend(READ * (len(kept) + len(text.assignments)))
        used = sum(_count(name, other) for other in text.expressions()) + sum(_count(name, other) for _, other in kept)
        if used == 1:
            text.change(partial(substitute, trees={name: tree}))
            kept = [(other, substitute(own, {name: tree})) for other, own in kept]
        elif used > 1:
            kept.insert(0, (name, tree))
    return kept


def _count(name: str, tree: ast.expr) -> int:
    """How often an expression reads a name."""
    return sum(isinstance(part, ast.Name) and part.id == name for part in ast.walk(tree))


def _shared_calls(text: ClassSource, unifier: AntiUnifier) -> list[tuple[str, ast.expr]]:
    """Long calls that are written several times, as local names that replace them."""
    own = unifier.hosts[0].names.keys()
    calls: dict[str, list[ast.Call]] = {}
    for tree in [*text.expressions(), *(tree for _, tree in text.lets)]:
        for call in ast.walk(tree):
            if isinstance(call, ast.Call) and names_in(call) <= own and len(ast.unparse(call)) >= _LONG:
                calls.setdefault(spelling(call), []).append(call)
    found: list[tuple[str, ast.expr]] = []
    for words, same in sorted(calls.items(), key=lambda item: len(ast.unparse(item[1][0]))):
        if len(same) > 1:
            name = _unused_name(unifier, found)
            found.append((name, same[0]))
            text.change(partial(_replaced, words=words, name=name))
    return found


def _unused_name(unifier: AntiUnifier, others: Sequence[tuple[str, ast.expr]]) -> str:
    """A name for a value that is computed once: `size`, `size2`, …"""
    taken = {*unifier.hosts[0].names, *unifier.extra, *(name for name, _ in others), *VARIABLES}
    taken |= unifier.variant.body.indices | source_names(unifier.variant.ops)
    return next(name for number in count(1) if (name := f"size{number}" if number > 1 else "size") not in taken)


def _replaced(tree: ast.expr, words: str, name: str) -> ast.expr:
    """An expression in which calls whose text is `words` are replaced by a name."""
    if isinstance(tree, ast.Call) and spelling(tree) == words:
        return ast.Name(name, ast.Load())
    return rebuild(tree, partial(_replaced, words=words, name=name))
