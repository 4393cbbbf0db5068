"""Symbolic sizes: integers that carry the expression they came from.

The source writer prints `planes * 4` where the analysis needs 256. Shape rules calculate with both alike.
"""

from __future__ import annotations

import ast
import math
import operator
from collections.abc import Callable, Sequence
from typing import Any


class Dim(int):
    """An int that remembers the expression it was computed from.

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

    def __rsub__(self, other: Any) -> Any:
        return self._combine(ast.Sub(), operator.sub, other, self)

    def __mul__(self, other: Any) -> Any:
        return self if _is(other, 1) else self._combine(ast.Mult(), operator.mul, self, other)

    def __rmul__(self, other: Any) -> Any:
        return self if _is(other, 1) else self._combine(ast.Mult(), operator.mul, other, self)

    def __floordiv__(self, other: Any) -> Any:
        return self if _is(other, 1) else self._combine(ast.FloorDiv(), operator.floordiv, self, other)

    def __neg__(self) -> Dim:
        return Dim(-int(self), ast.UnaryOp(ast.USub(), self.tree))

    @staticmethod
    def _combine(op: ast.operator, function: Callable[[Any, Any], Any], left: Any, right: Any) -> Any:
        """The result on plain numbers; as a `Dim` if both are whole."""
        if not isinstance(left, int) or not isinstance(right, int):
            return function(int_of(left), int_of(right))
        value = function(int(left), int(right))
        first, second = tree_of(left), tree_of(right)
        if isinstance(first, ast.Constant) and isinstance(second, ast.Constant):
            return Dim(value, ast.Constant(value))
        return Dim(value, ast.BinOp(first, op, second))


class Quotient(Dim):
    """A size divided exactly by other sizes; multiplying it by one of them cancels that divisor.

    >>> width, heads = Dim(64, ast.Name("width")), Dim(4, ast.Name("heads"))
    >>> ast.unparse((heads * divided(width, [heads])).tree)
    'width'
    """

    dividend: int
    factors: tuple[int, ...]

    def __mul__(self, other: Any) -> Any:
        return self._times(other, super().__mul__)

    def __rmul__(self, other: Any) -> Any:
        return self._times(other, super().__rmul__)

    def _times(self, other: Any, multiplied: Callable[[Any], Any]) -> Any:
        text = ast.unparse(tree_of(other)) if isinstance(other, int) else ""
        for place, factor in enumerate(self.factors):
            if int(factor) == other and ast.unparse(tree_of(factor)) == text:
                return divided(self.dividend, [*self.factors[:place], *self.factors[place + 1 :]])
        return multiplied(other)


def divided(size: int, factors: Sequence[int]) -> int:
    """A size divided by the product of others, of which it is a multiple."""
    product = math.prod(factors)
    found = size if _is(product, 1) else size // product
    if not isinstance(found, Dim) or not factors or found is size:
        return found
    quotient = Quotient(int(found), found.tree)
    quotient.dividend, quotient.factors = size, tuple(factors)
    return quotient


def _is(value: Any, number: int) -> bool:
    """Whether a value is this number for all parameters: a `Dim` with an expression may be another number."""
    if isinstance(value, Dim) and not isinstance(value.tree, ast.Constant):
        return False
    return isinstance(value, int) and value == number


def tree_of(value: Any) -> ast.expr:
    """The expression of a value: a `Dim`'s own, or the literal."""
    if isinstance(value, Dim):  # most are
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
    """A value without `Dim`s, also inside lists and mappings."""
    if isinstance(value, dict):
        return {name: plain(element) for name, element in value.items()}
    return [plain(element) for element in value] if isinstance(value, list) else int_of(value)


def is_whole(value: object) -> bool:
    """Whether a value is an int and not a bool."""
    return isinstance(value, int) and not isinstance(value, bool)
