"""Expressions in a scope: parameters, `let` names, loop indices, and the shapes of values.

For analysis a scope holds plain numbers. For code generation it holds `Dim`s, which carry the expression they were
computed by; both give the same numbers, since a `Dim` is an int.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterator, Mapping
from functools import lru_cache
from typing import Any, Final

from archspec import expressions
from archspec.expressions import Dim, ExpressionError, tree_of, value_key
from archspec.ops.base import Shape, Value, format_shape
from archspec.passes.recovery import UNKNOWN, DependsOnUnknown, Unknown


class ShapeView:
    """A value of the network as expressions see it: `conv1.channels`, `.height`, `.width`, `.features`, …"""

    __slots__ = ("value",)

    def __init__(self, value: Value | Unknown) -> None:
        self.value = value

    def _known(self) -> Value:
        if self.value is UNKNOWN:
            raise DependsOnUnknown
        return self.value

    def _sizes(self, ranks: tuple[int, ...], what: str) -> Shape:
        value = self._known()
        if len(value) not in ranks or isinstance(value[0], tuple):
            raise ExpressionError(f"{format_shape(value)} has no {what}")
        return value

    @property
    def channels(self) -> int:
        """Channels of a feature map."""
        return self._sizes((3,), "channels")[0]

    @property
    def height(self) -> int:
        """Rows of a feature map."""
        return self._sizes((3,), "height")[1]

    @property
    def width(self) -> int:
        """Columns of a feature map."""
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
        value = self._known()
        return len(value) if isinstance(value[0], tuple) else 1


Scope = dict[str, Any]


def bind_value(scope: Scope, name: str, value: Value | Unknown) -> None:
    """Make a value's shape readable under `name`."""
    scope[value_key(name)] = ShapeView(value)


def evaluate(given: Any, scope: Scope) -> Any:
    """A value of the spec with its expressions evaluated, also inside lists; literals stay as they are."""
    if expressions.is_expression(given):
        return expressions.parse(given).evaluate(scope)
    if isinstance(given, list):
        return [evaluate(element, scope) for element in given]
    return given


def symbolic(given: Any, scope: Scope) -> tuple[Any, ast.expr | None]:
    """Like `evaluate`, with the expression beside it; whole numbers become `Dim`s. Literals have no expression."""
    value = evaluate(given, scope)
    if expressions.is_expression(given):
        parsed = expressions.parse(given)
        tree = resolve(parsed, scope)
        return (Dim(int(value), tree) if is_whole(value) else value), tree
    if isinstance(given, list) and any(expressions.is_expression(element) for element in given):
        return value, ast.List([symbolic(e, scope)[1] or ast.Constant(e) for e in given], ast.Load())
    return value, None


def is_whole(value: object) -> bool:
    """Whether a value is an int and not a bool."""
    return isinstance(value, int) and not isinstance(value, bool)


def resolve(parsed: expressions.Expression, scope: Scope) -> ast.expr:
    """An expression with the sizes it reads replaced by the expressions they came from."""
    return _resolve(parsed.tree, scope) if parsed.reads_shapes else parsed.tree


def _resolve(tree: ast.expr, scope: Scope) -> ast.expr:
    """`tree` with `conv1.channels` replaced by the expression of that size."""
    if isinstance(tree, ast.Attribute):
        return tree_of(expressions.evaluate(tree, scope))
    return rebuild(tree, lambda child: _resolve(child, scope))


def substitute(tree: ast.expr, trees: Mapping[str, ast.expr]) -> ast.expr:
    """`tree` with names replaced: a block's own names by the caller's expressions for them.

    >>> ast.unparse(substitute(ast.parse("planes * 4", mode="eval").body, {"planes": ast.Constant(64)}))
    '64 * 4'
    """
    if isinstance(tree, ast.Name):
        return trees.get(tree.id, tree)
    return rebuild(tree, lambda child: substitute(child, trees)) if trees else tree


def rebuild(tree: ast.expr, change: Callable[[ast.expr], ast.expr]) -> ast.expr:
    """`tree` with each expression right below it changed; the same tree if none is. A function's name stays."""
    if type(tree) is ast.BinOp:  # most are, and there are many
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
    """The expressions right below `tree`: operands, arguments, elements; not the name of a function."""
    for name in _BELOW.get(type(tree), ()):
        child = getattr(tree, name)
        yield from child if isinstance(child, list) else (child,)


MAX_TERMS: Final = 300
"""How long an expression may be, with all that is put in for its names, to be written as source."""


@lru_cache(maxsize=1 << 14)
def is_long(tree: ast.expr) -> bool:
    """Whether an expression has more than `MAX_TERMS` terms. It may share parts, and be huge when written out."""
    terms, queue = 0, [tree]
    while queue and terms <= MAX_TERMS:
        part = queue.pop()
        if type(part) in _LEAVES:
            terms += 1
        else:
            queue += below(part)
    return terms > MAX_TERMS


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
"""Where the expressions of a tree are that make up another, for every kind the language has."""


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
