"""The names of a block and their values: parameters, local names, loop indices. Expressions are evaluated only here."""

from __future__ import annotations

import ast
from dataclasses import dataclass
from typing import Any, Final

from archspec.diagnostics.budget import spend
from archspec.diagnostics.diagnostic import Path
from archspec.expressions.errors import ExpressionError, UnknownName
from archspec.expressions.parse import has_expression
from archspec.expressions.rewrite import is_long, substitute
from archspec.expressions.sizes import Dim, is_whole, plain, tree_of
from archspec.frontend.model.block import Block
from archspec.frontend.model.field_types import check_name, parts_of
from archspec.frontend.model.item import Item
from archspec.frontend.model.network import Network
from archspec.passes.specialize.errors import BodyErrors
from archspec.passes.specialize.scope import Scope, ShapeView, evaluate, fill, symbolic
from archspec.passes.unknown import UNKNOWN, DependsOnUnknown, Unknown

NO_TREE: Final = ast.Constant(None)


class TooLong(Exception):
    """A size has no expression, or one too long for source code. This is not an error: all sizes are then numbers."""


@dataclass(frozen=True)
class Mode:
    """Whether numbers carry the expressions they come from, as code generation needs; analysis does not."""

    carry: bool
    frozen: bool = False
    """Whether these expressions are just the numbers, because one expression was too long."""


class Bindings:
    """The names of one body with their values, and the evaluation of expressions over them.

    The value of an expression that has an error, or depends on something unknown, is `UNKNOWN`; the error is reported.
    """

    def __init__(self, mode: Mode, errors: BodyErrors) -> None:
        self.scope: Scope = {}
        self.symbols: dict[str, ast.expr] = {}
        """The expressions of local names."""
        self.defaults: dict[str, ast.expr] = {}
        """The expressions of parameters that have their default."""
        self.indices: dict[str, int] = {}
        """The loop indices of the repeats around the current item."""
        self.mode = mode
        self._carry = mode.carry
        self._frozen = mode.frozen
        self._errors = errors
        self._whole: dict[str, ast.expr] = {}
        """The expressions of local names, with earlier local names substituted."""
        self._unknown: frozenset[str] = frozenset()
        """Parameters and local names without a value, because of an error."""

    def of_seq(self, errors: BodyErrors) -> Bindings:
        """Bindings for the items of a seq, which use the same names."""
        spend(len(self.scope))
        inner = Bindings(self.mode, errors)
        inner.scope, inner.indices, inner._unknown = dict(self.scope), self.indices, self._unknown
        return inner

    # -- binding --------------------------------------------------------------------------------------------------

    def bind(self, body: Network | Block, arguments: dict[str, Any], path: Path) -> None:
        """Bind the parameters and local names of a network or block."""
        in_network = isinstance(body, Network)
        for name, default in body.params.items():
            place = (*path, "params", name)
            self._errors.enter(place)
            if name in arguments:
                self._bind(name, arguments[name])
            elif default is None and in_network:
                self._bind(name, UNKNOWN)
            elif not has_expression(default):
                self._bind(name, self.evaluate(default, place))
            elif in_network:  # a network has no caller that could give another value: a local name
                self._bind_local(name, default, place)
            else:
                value, self.defaults[name] = self.evaluate_symbolic(default, place)
                self._bind(name, value)
        for name, given in body.let.items():
            self._bind_local(name, given, (*path, "let", name))

    def _bind_local(self, name: str, given: Any, path: Path) -> None:
        self._errors.enter(path)
        value, tree = self.evaluate_symbolic(given, path)
        if self._carry:
            self._whole[name] = substitute(tree, self._whole)
            if is_long(self._whole[name]) and not self._frozen:  # if frozen, it is a literal list
                raise TooLong
        self.symbols[name] = tree
        self._bind(name, value)

    def _bind(self, name: str, value: Any) -> None:
        if value is UNKNOWN:
            self._errors.failed = True
            self._unknown |= {name}
        else:
            self.scope[name] = self.named(name, value)

    def named(self, name: str, value: Any) -> Any:
        """A parameter as its block sees it: a number whose expression is the parameter's name."""
        if not self._carry or self._frozen:
            return value
        return Dim(int(value), ast.Name(name, ast.Load())) if is_whole(value) else plain(value)

    def bind_index(self, item: Item, number: int, outer: dict[str, int]) -> None:
        """Bind the index of a repeat, within the indices of the repeats around it."""
        name = item.index_within(len(outer))
        if item.index is not None:
            self.scope[name] = number
        self.indices = {**outer, name: number}

    def unbind_index(self, item: Item, outer: dict[str, int]) -> None:
        """Forget the index of a repeat."""
        self.indices = outer
        self.scope.pop(item.index_within(len(outer)), None)

    # -- evaluation -----------------------------------------------------------------------------------------------

    def evaluate(self, given: Any, path: Path) -> Any:
        """A value of the spec, with its expressions evaluated."""
        return self.evaluate_symbolic(given, path)[0]

    def evaluate_symbolic(self, given: Any, path: Path) -> tuple[Any, ast.expr]:
        """A value of the spec and its expression, which only code generation uses."""
        if not isinstance(given, str | list):
            return given, ast.Constant(given) if self._carry else NO_TREE
        try:
            return self._symbolic(given) if self._carry else (evaluate(given, self.scope), NO_TREE)
        except DependsOnUnknown:
            self._errors.failed = True
        except ExpressionError as error:
            self._report(error, path)
        return UNKNOWN, NO_TREE

    def _symbolic(self, given: Any) -> tuple[Any, ast.expr]:
        value, tree = symbolic(given, self.scope)
        if self._frozen:
            return plain(value), tree_of(plain(value))
        if tree is None:
            return value, tree_of(value)
        if is_long(tree):
            raise TooLong
        return (Dim(int(value), self.unrolled(tree)) if isinstance(value, Dim) else value), tree

    def fill(self, text: str, path: Path, declares: bool = True) -> str | Unknown:
        """A name with its `{expression}` parts filled in. A name that is not declared may refer to a part,
        `halves.{i}`."""
        try:
            return self._declared(text) if declares and "{" in text else fill(text, self.scope)
        except DependsOnUnknown:
            pass
        except ExpressionError as error:
            self._report(error, path)
        except ValueError as error:
            self._errors.report("expression", str(error), path)
        self._errors.failed = True
        return UNKNOWN

    def _declared(self, text: str) -> str:
        """A name that an item declares, filled in: each of its parts must be a valid name."""
        return ".".join(check_name(fill(part, self.scope)) for part in parts_of(text))

    def _report(self, error: ExpressionError, path: Path) -> None:
        """Report an error, unless it is an unknown name that follows from an earlier error."""
        if not (isinstance(error, UnknownName) and (self._errors.has_gaps or error.word in self._unknown)):
            self._errors.report_error(error, path)

    # -- expressions ----------------------------------------------------------------------------------------------

    def unrolled(self, tree: ast.expr) -> ast.expr:
        """An expression with the loop indices as numbers: the expression of a size must be valid outside its round,
        too."""
        return substitute(tree, {name: ast.Constant(k) for name, k in self.indices.items()})

    def as_numbers(self, tree: ast.expr) -> ast.expr:
        """An expression with all names replaced by numbers, if the mode is frozen."""
        if not self._frozen:
            return tree
        values = {name: value for name, value in self.scope.items() if not isinstance(value, ShapeView)}
        return substitute(tree, {name: tree_of(value) for name, value in values.items()})
