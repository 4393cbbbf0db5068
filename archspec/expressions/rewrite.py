"""Changing, searching and comparing trees. A tree is never changed in place: equal parts of it may be one object."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator, Mapping
from functools import lru_cache
from typing import Any, Final


def substitute(tree: ast.expr, trees: Mapping[str, ast.expr]) -> ast.expr:
    """`tree` with names replaced: a block's own names by the caller's expressions for them.

    >>> ast.unparse(substitute(ast.parse("planes * 4", mode="eval").body, {"planes": ast.Constant(64)}))
    '64 * 4'
    """
    if isinstance(tree, ast.Name):
        return trees.get(tree.id, tree)
    changed = rebuild(tree, lambda child: substitute(child, trees)) if trees else tree
    return _element(changed) if type(changed) is ast.Subscript else changed


def _element(tree: ast.Subscript) -> ast.expr:
    """An element of a tuple that is written out, by its number; anything else as it is."""
    match tree:
        case ast.Subscript(value=ast.Tuple(elts=elements), slice=ast.Constant(value=int(number))):
            return elements[number] if number < len(elements) else tree
    return tree


def rebuild(tree: ast.expr, change: Callable[[ast.expr], ast.expr]) -> ast.expr:
    """`tree` with each expression directly below it changed; the same tree if none is. A function's name is kept."""
    if type(tree) is ast.BinOp:  # a shortcut for the most frequent kind
        left, right = change(tree.left), change(tree.right)
        return tree if left is tree.left and right is tree.right else ast.BinOp(left, tree.op, right)
    changed: dict[str, Any] = {}
    for name in _BELOW.get(type(tree), ()):
        old = getattr(tree, name)
        if isinstance(old, list):
            elements = [change(element) for element in old]
            if any(a is not b for a, b in zip(elements, old, strict=True)):
                changed[name] = elements
        elif (new := change(old)) is not old:
            changed[name] = new
    if not changed:
        return tree
    return type(tree)(**{name: changed.get(name, getattr(tree, name)) for name in tree._fields})


def below(tree: ast.expr) -> Iterator[ast.expr]:
    """The expressions directly below `tree`: operands, arguments, elements; not the name of a function."""
    for name in _BELOW.get(type(tree), ()):
        child = getattr(tree, name)
        yield from child if isinstance(child, list) else (child,)


MAX_TERMS: Final = 300
"""How many terms an expression may have, after substitution, to be written as source."""


def is_long(tree: ast.expr) -> bool:
    """Whether an expression has more than `MAX_TERMS` terms. It may share parts, so that its text is huge."""
    return type(tree) not in _LEAVES and _terms(tree) > MAX_TERMS


@lru_cache(maxsize=1 << 14)
def _terms(tree: ast.expr) -> int:
    """The number of terms of an expression. Those of its parts are usually in the cache."""
    return sum(1 if type(part) in _LEAVES else _terms(part) for part in below(tree))


_LEAVES: Final = frozenset({ast.Name, ast.Constant})


def names_in(tree: ast.expr) -> frozenset[str]:
    """The names an expression reads."""
    if isinstance(tree, ast.Constant):
        return frozenset()
    return frozenset((tree.id,)) if isinstance(tree, ast.Name) else _names_in(tree)


@lru_cache(maxsize=1 << 14)
def _names_in(tree: ast.expr) -> frozenset[str]:
    return frozenset().union(*map(names_in, below(tree)))


_BELOW: Final[dict[type[ast.expr], tuple[str, ...]]] = {
    ast.BinOp: ("left", "right"), ast.UnaryOp: ("operand",), ast.BoolOp: ("values",),
    ast.Compare: ("left", "comparators"), ast.IfExp: ("test", "body", "orelse"), ast.List: ("elts",),
    ast.Tuple: ("elts",), ast.Subscript: ("value", "slice"), ast.Call: ("args",), ast.Attribute: ("value",),
}  # fmt: skip
"""The attributes that hold sub-expressions, for every kind of node in the language."""


def spelling(tree: ast.expr) -> str:
    """An expression as text that is equal for equal expressions: a key, not for print."""
    return plain_text(tree) or _structure(tree)


@lru_cache(maxsize=1 << 14)
def _structure(tree: ast.expr) -> str:
    """An expression with all parts in parentheses. The text of its parts is known, where it was made of others."""
    match tree:
        case ast.BinOp(left=left, op=op, right=right):
            return f"({spelling(left)} {type(op).__name__} {spelling(right)})"
        case ast.Constant(value=value):
            return repr(value)
        case ast.Call(func=ast.Name(id=name), args=arguments, keywords=[]):
            return f"{name}({', '.join(map(spelling, arguments))})"
        case ast.List(elts=elements) | ast.Tuple(elts=elements):
            return f"{type(tree).__name__}({', '.join(map(spelling, elements))})"
    return ast.unparse(tree)


def plain_text(tree: ast.expr) -> str:
    """The text of a name or an integer, which most trees are; empty for any other tree."""
    if type(tree) is ast.Name:
        return tree.id
    return str(tree.value) if type(tree) is ast.Constant and type(tree.value) is int else ""
