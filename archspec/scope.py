"""What names mean at a place in a block: parameters, `let` names, loop indices, and the shapes of values.

For analysis a scope holds plain numbers. For code generation it holds `Dim`s, which carry along the
expression they came from; the two give the same numbers, since a `Dim` is an int.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from archspec import expressions
from archspec.expressions import Dim, ExpressionError, tree_of, value_key
from archspec.ops.base import Shape, Value, format_shape


class Unknown(Exception):
    """A value is not known because of a mistake reported elsewhere: what depends on it stays silent."""


class ShapeView:
    """A value of the network as expressions see it: `conv1.channels`, `.height`, `.width`, `.features`, …"""

    __slots__ = ("value",)

    def __init__(self, value: Value | None) -> None:
        self.value = value

    def _sizes(self, ranks: tuple[int, ...], what: str) -> Shape:
        if self.value is None:
            raise Unknown
        if len(self.value) not in ranks or isinstance(self.value[0], tuple):
            raise ExpressionError(f"{format_shape(self.value)} has no {what}")
        return self.value

    @property
    def channels(self) -> int:
        """Channels of a map."""
        return self._sizes((3,), "channels")[0]

    @property
    def height(self) -> int:
        """Rows of a map."""
        return self._sizes((3,), "height")[1]

    @property
    def width(self) -> int:
        """Columns of a map."""
        return self._sizes((3,), "width")[2]

    @property
    def features(self) -> int:
        """Features of a vector, or of each token."""
        return self._sizes((1, 2), "features")[-1]

    @property
    def length(self) -> int:
        """Number of tokens."""
        return self._sizes((2,), "length")[0]

    @property
    def parts(self) -> int:
        """Number of tensors; 1 unless it is several."""
        if self.value is None:
            raise Unknown
        return len(self.value) if isinstance(self.value[0], tuple) else 1


Scope = dict[str, Any]


def bind_value(scope: Scope, name: str, value: Value | None) -> None:
    """Make a value's shape readable under `name`."""
    scope[value_key(name)] = ShapeView(value)


def evaluate(given: Any, scope: Scope) -> Any:
    """What a value of the spec comes to: expressions are evaluated, also inside lists; literals stay."""
    if expressions.is_expression(given):
        return expressions.parse(given).evaluate(scope)
    if isinstance(given, list):
        return [evaluate(element, scope) for element in given]
    return given


def symbolic(given: Any, scope: Scope) -> tuple[Any, ast.expr | None]:
    """Like `evaluate`, with the expression beside it; whole numbers become `Dim`s. Literals have no expression."""
    value = evaluate(given, scope)
    if expressions.is_expression(given):
        tree = _resolve(expressions.parse(given).tree, scope)
        return (Dim(int(value), tree) if is_whole(value) else value), tree
    if isinstance(given, list) and any(expressions.is_expression(element) for element in given):
        return value, ast.List([symbolic(e, scope)[1] or ast.Constant(e) for e in given], ast.Load())
    return value, None


def is_whole(value: object) -> bool:
    """Whether a value is an int that is no bool."""
    return isinstance(value, int) and not isinstance(value, bool)


class _Resolver(ast.NodeTransformer):
    """Replaces `conv1.channels` by the expression of that size."""

    def __init__(self, scope: Scope) -> None:
        self.scope = scope

    def visit_Attribute(self, node: ast.Attribute) -> ast.expr:
        return tree_of(expressions.evaluate(node, self.scope))


def _resolve(tree: ast.expr, scope: Scope) -> ast.expr:
    if not any(isinstance(node, ast.Attribute) for node in ast.walk(tree)):
        return tree
    return _Resolver(scope).visit(_copy(tree))  # type: ignore[no-any-return]


def _copy(tree: ast.expr) -> ast.expr:
    return ast.parse(ast.unparse(tree), mode="eval").body


class _Substitution(ast.NodeTransformer):
    def __init__(self, trees: Mapping[str, ast.expr]) -> None:
        self.trees = trees

    def visit_Name(self, node: ast.Name) -> ast.expr:
        return self.trees.get(node.id, node)


def substitute(tree: ast.expr, trees: Mapping[str, ast.expr]) -> ast.expr:
    """`tree` with names replaced: a block's own names by the caller's expressions for them.

    >>> ast.unparse(substitute(ast.parse("planes * 4", mode="eval").body, {"planes": ast.Constant(64)}))
    '64 * 4'
    """
    if isinstance(tree, ast.Call):  # a function's name is no name of the scope
        return ast.Call(tree.func, [substitute(argument, trees) for argument in tree.args], [])
    if not any(isinstance(node, ast.Name) and node.id in trees for node in ast.walk(tree)):
        return tree
    return _Substitution(trees).visit(_copy(tree))  # type: ignore[no-any-return]


@lru_cache(maxsize=4096)
def _template(text: str) -> tuple[str | expressions.Expression, ...]:
    parts = re.split(r"\{([^{}]*)\}", text)
    return tuple(expressions.parse(part) if i % 2 else part for i, part in enumerate(parts))


def fill(text: str, scope: Scope) -> str:
    """A name with its `{expression}` parts filled in: `denselayer{i + 1}`."""
    if "{" not in text:
        return text
    return "".join(part if isinstance(part, str) else str(_label(part.evaluate(scope))) for part in _template(text))


def _label(value: object) -> object:
    return int(value) if isinstance(value, int) else value
