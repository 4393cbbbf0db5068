"""Text → a checked tree. Whatever is outside the grammar is refused here, before anything is evaluated."""

from __future__ import annotations

import ast
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from archspec.diagnostics.budget import spend
from archspec.diagnostics.suggestions import nearest
from archspec.expressions.errors import ExpressionError, shortened
from archspec.expressions.evaluate import evaluate
from archspec.expressions.functions import FUNCTIONS
from archspec.expressions.grammar import BINARY, COMPARE, MAX_DEPTH, MAX_LENGTH, SHAPE_ATTRIBUTES, UNARY, bounded


@dataclass(frozen=True, slots=True)
class Expression:
    """A checked expression: its text without the `=`, its tree, the names it reads, whether it reads a size, and the
    number of its nodes."""

    text: str
    tree: ast.expr
    names: frozenset[str]
    reads_shapes: bool
    size: int

    def __repr__(self) -> str:
        return f"={self.text}"

    def evaluate(self, scope: Mapping[str, Any]) -> Any:
        """The expression's value, with the values of names taken from `scope`.

        Raises `ExpressionError` for unknown names, wrong types, division by zero and numbers out of bounds.

        >>> parse("=int(planes * (width / 64)) * groups").evaluate({"planes": 64, "width": 4, "groups": 32})
        128
        """
        spend(self.size)
        return evaluate(self.tree, scope)


def is_expression(value: object) -> bool:
    """Whether a spec's value is an expression rather than a literal."""
    return isinstance(value, str) and value.startswith("=")


def has_expression(value: object) -> bool:
    """Whether a spec's value is an expression, or a list that holds one."""
    return is_expression(value) or (isinstance(value, list) and any(map(has_expression, value)))


@lru_cache(maxsize=4096)
def parse(text: str) -> Expression:
    """Parse and check an expression written with its leading `=`; raises `ExpressionError`."""
    body = text.removeprefix("=").strip()
    if len(body) > MAX_LENGTH:
        raise ExpressionError(f"the expression is longer than {MAX_LENGTH} characters")
    try:
        tree = ast.parse(body, mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        help = "write it as in Python: =planes * 4, =max(8, width // 2), =2 if deep else 1"
        if any(body.count(opening) > body.count(closing) for opening, closing in ("()", "[]")):
            help = "put quotes around it: inside { } and [ ] a comma ends the value in YAML"
        raise ExpressionError(f"'{body}' is not a valid expression", help=help) from None
    names: set[str] = set()
    _check(tree, names, 0, body)
    nodes = list(ast.walk(tree))
    reads_shapes = any(isinstance(node, ast.Attribute) for node in nodes)
    return Expression(body, tree, frozenset(names), reads_shapes, len(nodes))


def _check(node: ast.expr, names: set[str], depth: int, text: str) -> None:
    """Refuse everything outside the grammar, and collect the names that are read."""
    if depth > MAX_DEPTH:
        raise ExpressionError(f"the expression is nested more than {MAX_DEPTH} levels deep")
    for child in _children(node, names, text):
        _check(child, names, depth + 1, text)


def _children(node: ast.expr, names: set[str], text: str) -> list[ast.expr]:
    match node:
        case ast.Constant(value=value) if value is None or type(value) in (bool, int, float, str):
            bounded(value)
            return []
        case ast.Name(id=name):
            names.add(name)
            return []
        case ast.Subscript(value=ast.Attribute(value=owner, attr="shape"), slice=index) if _is_value(owner):
            return [*_indices(owner), index]
        case ast.Attribute(value=owner, attr=attribute) if _is_value(owner):
            if attribute not in SHAPE_ATTRIBUTES:
                help = "give a dimension: .shape[1]" if attribute == "shape" else nearest(attribute, SHAPE_ATTRIBUTES)
                raise ExpressionError(f"unknown attribute '{attribute}'", f".{attribute}", help)
            return _indices(owner)
        case ast.BinOp(left=left, op=op, right=right) if type(op) in BINARY:
            return [left, right]
        case ast.UnaryOp(op=op, operand=operand) if type(op) in UNARY:
            return [operand]
        case ast.BoolOp(values=values):
            return values
        case ast.Compare(left=left, ops=ops, comparators=comparators) if all(type(op) in COMPARE for op in ops):
            return [left, *comparators]
        case ast.IfExp(test=test, body=body, orelse=orelse):
            return [test, body, orelse]
        case ast.List(elts=elements) | ast.Tuple(elts=elements):
            return elements
        case ast.Subscript(value=value, slice=index) if not isinstance(index, ast.Slice | ast.Tuple):
            return [value, index]
        case ast.Call(func=ast.Name(id=name), args=args, keywords=[]) if name in FUNCTIONS:
            return args
        case ast.Call(func=ast.Name(id=name)):
            message = f"{name} takes no keyword arguments" if name in FUNCTIONS else f"unknown function '{name}'"
            raise ExpressionError(message, name, "" if name in FUNCTIONS else nearest(name, FUNCTIONS))
    part = shortened(ast.get_source_segment(text, node) or text)
    raise ExpressionError(f"'{part}' is not part of the expression language", help=(
        "allowed are numbers, names, shapes (conv1.channels), + - * / // % **, comparisons, and/or/not, "
        f"if-else, lists, and {', '.join(FUNCTIONS)}"
    ))  # fmt: skip


def _is_value(node: ast.expr) -> bool:
    """Whether a tree names a value of the network: `conv1`, `towers.left`, `convs[i]`."""
    match node:
        case ast.Name():
            return True
        case ast.Attribute(value=owner) | ast.Subscript(value=owner):
            return _is_value(owner) and not isinstance(getattr(node, "slice", None), ast.Slice | ast.Tuple)
    return False


def _indices(node: ast.expr) -> list[ast.expr]:
    """The expressions in brackets in the name of a value."""
    match node:
        case ast.Subscript(value=owner, slice=index):
            return [*_indices(owner), index]
        case ast.Attribute(value=owner):
            return _indices(owner)
    return []
