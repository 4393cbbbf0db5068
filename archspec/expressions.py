"""The `=…` language: parse, check, evaluate, and print as Python.

Expressions are a bounded part of Python's grammar with Python's semantics. They are read by `ast` and
walked here; nothing is ever handed to `eval`. Names stand for parameters, `let` names and loop indices;
`value.channels` and its like stand for the shape of an earlier value.

`Dim` carries a number together with the expression it came from, so that the code generator can print
`planes * 4` where the analysis needs 256.
"""

from __future__ import annotations

import ast
import math
import operator
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache, partial
from typing import Any, Final

from archspec.diagnostics.diagnostic import UnlocatedError
from archspec.diagnostics.suggestions import nearest

MAX_LENGTH: Final = 500
MAX_DEPTH: Final = 40
MAX_INT: Final = 1 << 62
MAX_EXPONENT: Final = 64
MAX_LIST: Final = 10_000

SHAPE_ATTRIBUTES: Final = ("channels", "height", "width", "features", "length", "parts")
"""What may follow a value's name: `conv1.channels`."""


class ExpressionError(UnlocatedError):
    """An error in an expression; the caller knows where in the spec it is. `word` is the part that is wrong."""

    kind = "expression"

    def __init__(self, message: str, word: str = "", help: str = "") -> None:
        super().__init__(message, help, word=word)

    @property
    def word(self) -> str:
        """The part of the expression that is wrong, if not all of it."""
        return self.diagnostic.word


def make_divisible(value: float, divisor: int = 8, min_value: int | None = None) -> int:
    """Round a channel count to a multiple of `divisor`, never below nine tenths of it (MobileNet's rule).

    Source: Sandler et al., "MobileNetV2", https://arxiv.org/abs/1801.04381 (reference implementation).

    >>> make_divisible(33.6), make_divisible(11, 8)
    (32, 16)
    """
    least = divisor if min_value is None else min_value
    rounded = max(least, int(value + divisor / 2) // divisor * divisor)
    return rounded + divisor if rounded < 0.9 * value else rounded


def _round(number: float, digits: int | None = None) -> float:
    """Python's `round`, which would spend hours on a large negative number of digits."""
    if digits is not None and abs(digits) > MAX_EXPONENT:
        raise ExpressionError(f"rounding to more than {MAX_EXPONENT} digits")
    return round(number, digits)


FUNCTIONS: Final[dict[str, Callable[..., Any]]] = {
    "int": int, "round": _round, "ceil": math.ceil, "floor": math.floor, "min": min, "max": max, "sum": sum,
    "len": len, "abs": abs, "float": float, "sqrt": math.sqrt, "make_divisible": make_divisible,
}  # fmt: skip

_BINARY: Final[dict[type[ast.operator], Callable[[Any, Any], Any]]] = {
    ast.Add: operator.add, ast.Sub: operator.sub, ast.Mult: operator.mul, ast.Div: operator.truediv,
    ast.FloorDiv: operator.floordiv, ast.Mod: operator.mod, ast.Pow: operator.pow,
}  # fmt: skip
_COMPARE: Final[dict[type[ast.cmpop], Callable[[Any, Any], Any]]] = {
    ast.Eq: operator.eq, ast.NotEq: operator.ne, ast.Lt: operator.lt, ast.LtE: operator.le,
    ast.Gt: operator.gt, ast.GtE: operator.ge,
    ast.In: lambda a, b: a in b, ast.NotIn: lambda a, b: a not in b,
}  # fmt: skip
_UNARY: Final[dict[type[ast.unaryop], Callable[[Any], Any]]] = {
    ast.USub: operator.neg, ast.UAdd: operator.pos, ast.Not: operator.not_,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Expression:
    """A checked expression: its text without the `=`, its tree, the names it reads, and whether it reads a size."""

    text: str
    tree: ast.expr
    names: frozenset[str]
    reads_shapes: bool

    def __repr__(self) -> str:
        return f"={self.text}"

    def evaluate(self, scope: Mapping[str, Any]) -> Any:
        """The expression's value where names have the values in `scope`.

        Raises `ExpressionError` for unknown names, wrong types, division by zero and numbers out of bounds.

        >>> parse("=int(planes * (width / 64)) * groups").evaluate({"planes": 64, "width": 4, "groups": 32})
        128
        """
        if isinstance(self.tree, ast.Name) and self.tree.id in scope:  # most are just a parameter's name
            return scope[self.tree.id]
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
        raise ExpressionError(f"an expression of more than {MAX_LENGTH} characters")
    try:
        tree = ast.parse(body, mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        help = "write it as in Python: =planes * 4, =max(8, width // 2), =2 if deep else 1"
        if any(body.count(opening) > body.count(closing) for opening, closing in ("()", "[]")):
            help = "put quotes around it: within { } and [ ] of YAML a comma ends the value"
        raise ExpressionError(f"'{body}' is no expression", help=help) from None
    names: set[str] = set()
    _check(tree, names, 0)
    reads_shapes = any(isinstance(node, ast.Attribute) for node in ast.walk(tree))
    return Expression(body, tree, frozenset(names), reads_shapes)


def _check(node: ast.expr, names: set[str], depth: int) -> None:
    """Refuse everything outside the grammar, and collect the names that are read."""
    if depth > MAX_DEPTH:
        raise ExpressionError(f"an expression nested more than {MAX_DEPTH} deep")
    for child in _children(node, names):
        _check(child, names, depth + 1)


def _children(node: ast.expr, names: set[str]) -> list[ast.expr]:
    match node:
        case ast.Constant(value=value) if value is None or type(value) in (bool, int, float, str):
            _bounded(value)
            return []
        case ast.Name(id=name):
            names.add(name)
            return []
        case ast.Attribute(value=ast.Name(), attr=attribute) if attribute in SHAPE_ATTRIBUTES:
            return []
        case ast.Attribute(value=ast.Name(), attr=attribute):
            help = nearest(attribute, SHAPE_ATTRIBUTES)
            raise ExpressionError(f"values have no '{attribute}'", f".{attribute}", help)
        case ast.BinOp(left=left, op=op, right=right) if type(op) in _BINARY:
            return [left, right]
        case ast.UnaryOp(op=op, operand=operand) if type(op) in _UNARY:
            return [operand]
        case ast.BoolOp(values=values):
            return values
        case ast.Compare(left=left, ops=ops, comparators=comparators) if all(type(op) in _COMPARE for op in ops):
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
            message = f"{name} takes no named arguments" if name in FUNCTIONS else f"there is no function '{name}'"
            raise ExpressionError(message, name, "" if name in FUNCTIONS else nearest(name, FUNCTIONS))
    raise ExpressionError(f"'{_quoted(node)}' is not part of the expression language", help=(
        "there are numbers, names, shapes (conv1.channels), + - * / // % **, comparisons, and/or/not, "
        f"if-else, lists, and {', '.join(FUNCTIONS)}"
    ))  # fmt: skip


def _quoted(node: ast.expr) -> str:
    """A part of an expression, short enough for a message."""
    try:
        text = ast.unparse(node)
    except RecursionError:
        return "…"
    return text if len(text) <= 60 else f"{text[:60]}…"


def evaluate(node: ast.expr, scope: Mapping[str, Any]) -> Any:
    """The value of a checked tree; see `Expression.evaluate`."""
    try:
        return _bounded(_EVALUATE[type(node)](node, scope))
    except ExpressionError:
        raise
    except ZeroDivisionError:
        raise ExpressionError(f"division by zero in '{_quoted(node)}'") from None
    except (TypeError, ValueError, ArithmeticError, IndexError, AttributeError) as error:
        raise ExpressionError(f"cannot evaluate '{_quoted(node)}': {error}") from None


def _bounded(value: Any) -> Any:
    if isinstance(value, int) and abs(value) > MAX_INT:
        raise ExpressionError("an integer beyond 2^62")
    if isinstance(value, complex):
        raise ExpressionError("a number that is not real")
    if isinstance(value, float) and not math.isfinite(value):
        raise ExpressionError("a number that is not finite")
    if isinstance(value, list | tuple | str) and len(value) > MAX_LIST:
        raise ExpressionError(f"a list of more than {MAX_LIST:,} values")
    return value


def _name(node: ast.Name, scope: Mapping[str, Any]) -> Any:
    if node.id not in scope:
        known = [key for key in scope if not key.endswith(".")]
        is_value = value_key(node.id) in scope
        raise UnknownName(node.id, known, f"{node.id} is a value: write {node.id}.channels or the like" * is_value)
    return scope[node.id]


class UnknownName(ExpressionError):
    """An expression reads a name that means nothing where it stands."""

    def __init__(self, name: str, known: list[str], help: str = "") -> None:
        super().__init__(f"there is no '{name}' here", name, help or nearest(name, known))
        self.known = known


def value_key(name: str) -> str:
    """The key of a network value in a scope: parameters and values may share a name (`dropout`)."""
    return f"{name}."


def _attribute(node: ast.Attribute, scope: Mapping[str, Any]) -> Any:
    assert isinstance(node.value, ast.Name)
    value = scope.get(value_key(node.value.id))
    if value is None:
        raise UnknownName(node.value.id, [key[:-1] for key in scope if key.endswith(".")])
    try:
        return getattr(value, node.attr)
    except ExpressionError as error:
        help = f"{node.value.id} has {' and '.join(filter(partial(_has, value), SHAPE_ATTRIBUTES))}"
        raise ExpressionError(str(error), f".{node.attr}", help) from None


def _has(value: Any, attribute: str) -> bool:
    try:
        getattr(value, attribute)
    except ExpressionError:
        return False
    return True


def _binary(node: ast.BinOp, scope: Mapping[str, Any]) -> Any:
    left, right = evaluate(node.left, scope), evaluate(node.right, scope)
    if isinstance(left, str) or isinstance(right, str):
        raise ExpressionError(f"cannot calculate with text in '{_quoted(node)}'")
    if isinstance(node.op, ast.Mult) and (isinstance(left, list | tuple) or isinstance(right, list | tuple)):
        raise ExpressionError(f"cannot multiply a list in '{_quoted(node)}'")
    if isinstance(node.op, ast.Pow) and abs(right) > MAX_EXPONENT:
        raise ExpressionError(f"an exponent beyond {MAX_EXPONENT}")
    return _BINARY[type(node.op)](left, right)


def _boolean(node: ast.BoolOp, scope: Mapping[str, Any]) -> Any:
    stop = isinstance(node.op, ast.Or)
    for operand in node.values:
        value = evaluate(operand, scope)
        if bool(value) is stop:
            break
    return value


def _compare(node: ast.Compare, scope: Mapping[str, Any]) -> bool:
    left = evaluate(node.left, scope)
    for op, operand in zip(node.ops, node.comparators, strict=True):
        right = evaluate(operand, scope)
        if not _COMPARE[type(op)](left, right):
            return False
        left = right
    return True


def _call(node: ast.Call, scope: Mapping[str, Any]) -> Any:
    assert isinstance(node.func, ast.Name)
    return FUNCTIONS[node.func.id](*(evaluate(argument, scope) for argument in node.args))


def _if(node: ast.IfExp, scope: Mapping[str, Any]) -> Any:
    return evaluate(node.body if evaluate(node.test, scope) else node.orelse, scope)


_EVALUATE: Final[dict[type[ast.expr], Callable[[Any, Mapping[str, Any]], Any]]] = {
    ast.Constant: lambda node, scope: node.value,
    ast.Name: _name,
    ast.Attribute: _attribute,
    ast.BinOp: _binary,
    ast.UnaryOp: lambda node, scope: _UNARY[type(node.op)](evaluate(node.operand, scope)),
    ast.BoolOp: _boolean,
    ast.Compare: _compare,
    ast.IfExp: _if,
    ast.List: lambda node, scope: [evaluate(element, scope) for element in node.elts],
    ast.Tuple: lambda node, scope: [evaluate(element, scope) for element in node.elts],
    ast.Subscript: lambda node, scope: evaluate(node.value, scope)[evaluate(node.slice, scope)],
    ast.Call: _call,
}


class Dim(int):
    """An int that remembers the expression it was computed by.

    Shape rules add, multiply and divide dimensions without knowing whether they are given plain ints (for
    analysis) or `Dim`s (for code generation); the results carry on the expression.

    >>> planes = Dim(64, ast.Name("planes"))
    >>> int(planes * 4), ast.unparse((planes * 4 + planes).tree)
    (256, 'planes * 4 + planes')
    """

    tree: ast.expr

    def __new__(cls, value: int, tree: ast.expr) -> Dim:
        dim = super().__new__(cls, value)
        dim.tree = tree
        return dim

    def __add__(self, other: Any) -> Any:
        return self if _is(other, 0) else self._combine(ast.Add(), operator.add, self, other)

    def __radd__(self, other: Any) -> Any:
        return self if _is(other, 0) else self._combine(ast.Add(), operator.add, other, self)

    def __sub__(self, other: Any) -> Any:
        return self if _is(other, 0) else self._combine(ast.Sub(), operator.sub, self, other)

    def __mul__(self, other: Any) -> Any:
        return self if _is(other, 1) else self._combine(ast.Mult(), operator.mul, self, other)

    def __rmul__(self, other: Any) -> Any:
        return self if _is(other, 1) else self._combine(ast.Mult(), operator.mul, other, self)

    def __floordiv__(self, other: Any) -> Any:
        return self if _is(other, 1) else self._combine(ast.FloorDiv(), operator.floordiv, self, other)

    @staticmethod
    def _combine(op: ast.operator, function: Callable[[Any, Any], Any], left: Any, right: Any) -> Any:
        """The result on plain numbers; as a `Dim` if both are whole."""
        value = function(*(int(side) if isinstance(side, int) else side for side in (left, right)))
        if not isinstance(left, int) or not isinstance(right, int):
            return value
        first, second = tree_of(left), tree_of(right)
        if isinstance(first, ast.Constant) and isinstance(second, ast.Constant):
            return Dim(value, ast.Constant(value))
        return Dim(value, ast.BinOp(first, op, second))


def _is(value: Any, number: int) -> bool:
    """Whether a value is this number whatever the parameters are: one that has an expression may be another."""
    if isinstance(value, Dim) and not isinstance(value.tree, ast.Constant):
        return False
    return isinstance(value, int) and value == number


def tree_of(value: Any) -> ast.expr:
    """The expression of a value: a `Dim`'s own, or the literal."""
    if isinstance(value, Dim):
        return value.tree
    if isinstance(value, list):
        return ast.List([tree_of(element) for element in value], ast.Load())
    if isinstance(value, tuple):
        return ast.Tuple([tree_of(element) for element in value], ast.Load())
    return ast.Constant(value)


def int_of(value: Any) -> Any:
    """A plain number for a `Dim`; anything else as it is."""
    return int(value) if isinstance(value, Dim) else value


def plain(value: Any) -> Any:
    """A value without `Dim`s, also inside lists."""
    return [plain(element) for element in value] if isinstance(value, list) else int_of(value)
