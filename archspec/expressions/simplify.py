"""Simplification of expressions when the values of some of their names are known."""

from __future__ import annotations

import ast
import functools
from collections.abc import Mapping
from typing import Any, Final

from archspec.expressions.errors import ExpressionError
from archspec.expressions.evaluate import evaluate
from archspec.expressions.rewrite import names_in, rebuild, spelling
from archspec.expressions.sizes import is_whole, tree_of

_INTEGER_FUNCTIONS = frozenset({"int", "len", "ceil", "floor", "make_divisible"})


def simplify(tree: ast.expr, constants: Mapping[str, Any], whole: frozenset[str]) -> ast.expr:
    """`tree` with `constants` substituted, and without the arithmetic that this makes redundant.

    `whole` are the names that stand for integers. Fractions are kept as they were written (`planes * (4 /
    64)`), since their decimal form would hide where they come from.

    >>> tree = ast.parse("int(planes * (base_width / 64)) * groups", mode="eval").body
    >>> ast.unparse(simplify(tree, {"base_width": 64, "groups": 1}, frozenset({"planes"})))
    'planes'
    """
    return _Simplifier(whole, constants).simplify(tree)


def difference(larger: ast.expr, smaller: ast.expr) -> ast.expr | None:
    """The terms of the sum `larger` that `smaller` lacks; `None` if `smaller` has terms that `larger` lacks.

    >>> a, b = (ast.parse(text, mode="eval").body for text in ("x + k + k", "x + k"))
    >>> ast.unparse(difference(a, b))
    'k'
    """
    rest = _terms(larger)
    for term in _terms(smaller):
        same = [other for other in rest if spelling(other) == spelling(term)]
        if not same:
            return None
        rest.remove(same[0])
    return functools.reduce(lambda a, b: ast.BinOp(a, ast.Add(), b), rest) if rest else None


def collected(tree: ast.expr, whole: frozenset[str]) -> ast.expr:
    """`tree` with equal terms of its sums written as one product; `whole` are the names of integers.

    >>> tree = ast.parse("64 + growth + growth + growth", mode="eval").body
    >>> ast.unparse(collected(tree, frozenset({"growth"})))
    '64 + 3 * growth'
    """
    terms = _terms(tree)
    if len(terms) == 1 or not all(_is_integer(term, whole) for term in terms):  # a sum of fractions rounds in its order
        return rebuild(tree, lambda part: collected(part, whole))
    counted: dict[str, list[ast.expr]] = {}
    for term in terms:
        counted.setdefault(spelling(term), []).append(collected(term, whole))
    return functools.reduce(lambda a, b: ast.BinOp(a, ast.Add(), b), map(_multiple, counted.values()))


def _multiple(terms: list[ast.expr]) -> ast.expr:
    """The sum of equal terms: `3 * growth`, or `width * 4` for two of `width * 2`."""
    match terms:
        case [term]:
            return term
        case [ast.BinOp(left=left, op=ast.Mult(), right=ast.Constant(value=int(factor))), *_]:
            return ast.BinOp(left, ast.Mult(), ast.Constant(factor * len(terms)))
    return ast.BinOp(ast.Constant(len(terms)), ast.Mult(), terms[0])


def _terms(tree: ast.expr) -> list[ast.expr]:
    if isinstance(tree, ast.BinOp) and isinstance(tree.op, ast.Add):
        return [*_terms(tree.left), *_terms(tree.right)]
    return [tree]


def value_of(tree: ast.expr, names: Mapping[str, Any]) -> Any:
    """The value of a tree, or `...` if it cannot be evaluated with these names."""
    try:
        return evaluate(tree, names)
    except ExpressionError:
        return ...


class _Simplifier:
    """Simplifies from the leaves up, by rules that leave the value and its type unchanged."""

    def __init__(self, whole: frozenset[str], constants: Mapping[str, Any]) -> None:
        self.whole = whole
        self.constants = constants

    def simplify(self, tree: ast.expr) -> ast.expr:
        if isinstance(tree, ast.Constant):
            return tree
        if isinstance(tree, ast.Name):
            return tree_of(self.constants[tree.id]) if tree.id in self.constants else tree
        return self.simpler(rebuild(tree, self.simplify))

    def simpler(self, node: ast.expr) -> ast.expr:
        """An expression whose parts are simplified already."""
        match node:
            case ast.BinOp():
                return self.arithmetic(node)
            case ast.Call():
                return self.call(node)
            case ast.UnaryOp() | ast.Subscript():
                return _constant(node)
            case ast.Compare():
                return _turned(_constant(node))
            case ast.IfExp(test=ast.Constant(value=value)):
                return node.body if value else node.orelse
            case ast.IfExp(body=body, orelse=orelse) if spelling(body) == spelling(orelse):
                return body
            case ast.IfExp(test=test, body=body, orelse=orelse):
                return ast.IfExp(as_condition(test), body, orelse)
            case ast.BoolOp():
                return _boolean(node)
        return node

    def arithmetic(self, node: ast.BinOp) -> ast.expr:
        left, right = node.left, node.right
        if isinstance(left, ast.Constant) and isinstance(right, ast.Constant):
            value = value_of(node, {})
            return ast.Constant(value) if is_whole(value) or _is_integral(value) else node
        if _may_be_truth(left) or _may_be_truth(right):  # True + 0 is a number
            return node
        if _is(right, 0) and isinstance(node.op, ast.Add | ast.Sub):
            return left
        if _is(right, 1) and isinstance(node.op, ast.Mult):
            return left
        if _is(right, 1) and isinstance(node.op, ast.FloorDiv) and _is_integer(left, self.whole):
            return left
        if isinstance(node.op, ast.FloorDiv) and (factor := _other_factor(left, right)) is not None:
            return factor if _is_integer(factor, self.whole) else node
        if _is(left, 0) and isinstance(node.op, ast.Add):
            return right
        if (_is(left, 0) and _is_integer(right, self.whole)) or (_is(right, 0) and _is_integer(left, self.whole)):
            return ast.Constant(0) if isinstance(node.op, ast.Mult) else node
        if _is(left, 1) and isinstance(node.op, ast.Mult):
            return right
        return node

    def call(self, node: ast.Call) -> ast.expr:
        if all(isinstance(argument, ast.Constant) for argument in node.args):
            value = value_of(node, {})
            is_root = isinstance(value, float) and not _is_integral(value)  # of 2, say: its decimals would say less
            return node if value is ... or is_root else ast.Constant(value)
        if isinstance(node.func, ast.Name) and node.func.id in ("int", "round") and len(node.args) == 1:
            return self._int(node)
        return node

    def _int(self, node: ast.Call) -> ast.expr:
        """`int(planes * 2.0)` is `planes * 2`, exactly, as long as it is below 2^53, as every width is."""
        argument = node.args[0]
        if _is_integer(argument, self.whole):
            return argument
        if (
            isinstance(argument, ast.BinOp)
            and isinstance(argument.op, ast.Mult)
            and _is_integer(argument.left, self.whole)
        ):
            factor = argument.right
            if isinstance(factor, ast.Constant) and isinstance(factor.value, float) and factor.value.is_integer():
                return self.arithmetic(ast.BinOp(argument.left, ast.Mult(), ast.Constant(int(factor.value))))
        return node


def _other_factor(product: ast.expr, factor: ast.expr) -> ast.expr | None:
    """The other operand of a product with the factor `factor`, a number other than 0: `width` for `3 * width` and 3."""
    number = factor.value if isinstance(factor, ast.Constant) and is_whole(factor.value) else 0
    match product:
        case ast.BinOp(left=ast.Constant(value=value), op=ast.Mult(), right=other) if is_whole(value):
            return other if value == number != 0 else None
        case ast.BinOp(left=other, op=ast.Mult(), right=ast.Constant(value=value)) if is_whole(value):
            return other if value == number != 0 else None
    return None


def _is_integer(tree: ast.expr, whole: frozenset[str]) -> bool:
    """Whether an expression is known to be an integer; `whole` are the names of integers."""
    match tree:
        case ast.Constant(value=value):
            return is_whole(value)
        case ast.Name(id=name):
            return name in whole
        case ast.BinOp(left=left, op=op, right=right):
            is_exact = isinstance(op, ast.Add | ast.Sub | ast.Mult | ast.FloorDiv | ast.Mod)
            return is_exact and _is_integer(left, whole) and _is_integer(right, whole)
        case ast.Call(func=ast.Name(id=name), args=arguments):
            return name in _INTEGER_FUNCTIONS or (name == "round" and len(arguments) == 1)
    return False


def as_condition(tree: ast.expr) -> ast.expr:
    """An expression of which only the truth value matters, without the operands that do not change it.

    >>> ast.unparse(as_condition(ast.parse("flag and 1", mode="eval").body))
    'flag'
    """
    if not isinstance(tree, ast.BoolOp):
        return tree
    decisive = isinstance(tree.op, ast.Or)
    rest: list[ast.expr] = []
    for operand in map(as_condition, tree.values):
        if not isinstance(operand, ast.Constant):
            rest.append(operand)
        elif bool(operand.value) is decisive:
            return ast.Constant(decisive)
    if not rest:
        return ast.Constant(not decisive)
    return rest[0] if len(rest) == 1 else ast.BoolOp(tree.op, rest)


def _boolean(node: ast.BoolOp) -> ast.expr:
    """`node` without the operands that cannot be its value. Its value need not be a bool: `width > 3 and 0.5`."""
    decisive = isinstance(node.op, ast.Or)
    rest: list[ast.expr] = []
    for operand in node.values[:-1]:
        if not isinstance(operand, ast.Constant):
            rest.append(operand)
        elif bool(operand.value) is decisive:
            break
    else:
        operand = node.values[-1]
    rest.append(operand)
    if all(map(_is_truth, rest)):
        return as_condition(ast.BoolOp(node.op, rest))
    return rest[0] if len(rest) == 1 else ast.BoolOp(node.op, rest)


def _may_be_truth(tree: ast.expr) -> bool:
    """Whether the value of an expression may be a bool, judging by its form; names are assumed to be numbers."""
    match tree:
        case ast.BoolOp(values=values):
            return any(map(_may_be_truth, values))
        case ast.IfExp(body=body, orelse=orelse):
            return _may_be_truth(body) or _may_be_truth(orelse)
    return _is_truth(tree)


def _is_truth(tree: ast.expr) -> bool:
    """Whether the value of an expression is certainly a bool."""
    match tree:
        case ast.Constant(value=value):
            return isinstance(value, bool)
        case ast.UnaryOp(op=op):
            return isinstance(op, ast.Not)
        case ast.BoolOp(values=values):
            return all(map(_is_truth, values))
    return isinstance(tree, ast.Compare)


_MIRRORED: Final[dict[type[ast.cmpop], type[ast.cmpop]]] = {
    ast.Eq: ast.Eq, ast.NotEq: ast.NotEq, ast.Lt: ast.Gt, ast.Gt: ast.Lt, ast.LtE: ast.GtE, ast.GtE: ast.LtE,
}  # fmt: skip


def _turned(node: ast.expr) -> ast.expr:
    """A comparison with a constant on the left, which was a name before, as one would write it: `width != 8`."""
    match node:
        case ast.Compare(left=ast.Constant() as left, ops=[op], comparators=[right]) if type(op) in _MIRRORED:
            return ast.Compare(right, [_MIRRORED[type(op)]()], [left])
    return node


def _constant(node: ast.expr) -> ast.expr:
    value = value_of(node, {}) if not names_in(node) else ...
    return node if value is ... or (isinstance(value, float) and not _is_integral(value)) else tree_of(value)


def _is(tree: ast.expr, number: int) -> bool:
    return isinstance(tree, ast.Constant) and is_whole(tree.value) and tree.value == number


def _is_integral(value: Any) -> bool:
    return isinstance(value, float) and value.is_integer() and abs(value) < 2**53
