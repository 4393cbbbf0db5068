"""The initialisation rules of a network or block: those whose conditions are true, with expressions evaluated."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from typing import Any, Final

from archspec.diagnostics.budget import spend
from archspec.diagnostics.diagnostic import Path
from archspec.diagnostics.suggestions import nearest
from archspec.expressions.errors import ExpressionError
from archspec.expressions.parse import is_expression, parse
from archspec.expressions.rewrite import substitute
from archspec.expressions.sizes import int_of, tree_of
from archspec.frontend.model.init_rule import InitRule
from archspec.ir.definition import Initialisation
from archspec.ir.module import Condition, Ref, Rule
from archspec.ops import Ops
from archspec.ops.initialisers import InitialiserError, parse_initialiser
from archspec.passes.specialize.bindings import Bindings
from archspec.passes.specialize.definitions import ops_of
from archspec.passes.specialize.errors import BodyErrors
from archspec.passes.specialize.naming import of_module
from archspec.passes.specialize.scope import resolve
from archspec.passes.specialize.value_table import ValueTable
from archspec.passes.unknown import UNKNOWN

RULE: Final = 20
"""Steps of the budget that a rule costs in each instance of its block."""


class RuleEvaluator:
    """Evaluates initialisation rules. For code generation, the expressions of all of them are kept in `written`."""

    def __init__(self, known: Ops, carries_expressions: bool, bindings: Bindings, errors: BodyErrors) -> None:
        self._known = known
        self.written: tuple[Rule, ...] = ()
        self._carries_expressions = carries_expressions
        self._bindings = bindings
        self._errors = errors

    def rules(self, rules: list[InitRule], path: Path) -> Iterator[tuple[Initialisation, Path]]:
        """The rules whose conditions are true, with their paths."""
        for number, rule in enumerate(rules):
            place = (*path, number)
            spend(RULE)
            self._errors.enter(place)
            holds, tree = True, None
            if rule.when is not None:
                holds, tree = self._bindings.evaluate_symbolic(rule.when, (*place, "when"))
            self._keep(rule, None if tree is None else Condition(tree, bool(holds), Ref(-1)))
            if holds:
                self._check_attributes(rule, place)
                filled = {name: self._initialiser(given, (*place, name)) for name, given in rule.parameters.items()}
                yield Initialisation(ops_of(rule, self._known), rule.path, filled), place

    def check_paths(self, rules: list[InitRule], path: Path, values: ValueTable) -> None:
        """Report rules for modules of a name that no item has, or would have if its condition were true."""
        for number, rule in enumerate(rules):
            first = _first_name(rule.path)
            if first and not values.begins_name(first):
                message, place = f"no item is called '{first}'", (*path, number, "path")
                known = {name.partition(".")[0] for name in values.modules}
                self._errors.report("reference", message, place, help=nearest(first, known), word=first)

    def _keep(self, rule: InitRule, condition: Condition | None) -> None:
        """Keep the expressions of a rule, whether its condition is true or not."""
        if self._carries_expressions and not self._errors.failed:
            given = [(name, parse_initialiser(given)[1]) for name, given in rule.parameters.items()]
            trees = {(name, key): self._tree(value) for name, arguments in given for key, value in arguments.items()}
            self.written = (*self.written, Rule(condition, trees))

    def _tree(self, given: Any) -> ast.expr:
        """The expression of an argument. If the rule's condition is false, it may have no value."""
        if not is_expression(given):
            return ast.Constant(given)
        try:
            return self._bindings.as_numbers(resolve(parse(given), self._bindings.scope))
        except ExpressionError:
            return ast.Constant(None)

    def _check_attributes(self, rule: InitRule, path: Path) -> None:
        """Report attributes in the expressions of a rule that not all of its modules have."""
        if rule.op is None:
            return
        common = frozenset.intersection(*(self._known[op].readable() for op in rule.op))
        for name, given in rule.parameters.items():
            for key, value in parse_initialiser(given)[1].items():
                below = (*given, key) if isinstance(given, dict) else ()
                for stray in sorted(self._attributes_read(value) - common):
                    self._report_stray(stray, rule.op, common, (*path, name, *below))

    def _report_stray(self, stray: str, ops: list[str], common: frozenset[str], path: Path) -> None:
        help = "an attribute of the modules has the same name as the parameter: rename the parameter"
        help = help if stray in self._bindings.scope else nearest(stray, common)
        without = [op for op in ops if stray not in self._known[op].readable()]
        message = f"{' and '.join(without)} {'has' if len(without) == 1 else 'have'} no attribute '{stray}'"
        self._errors.report("expression", message, path, help=help, word=stray)

    def _initialiser(self, given: Any, path: Path) -> Any:
        """An initialiser with its expressions evaluated, except for those that read attributes of the module."""
        name, arguments = parse_initialiser(given)
        filled = {name: {key: self._argument(value, (*path, name, key)) for key, value in arguments.items()}}
        if not any(value is UNKNOWN for value in filled[name].values()):
            try:
                parse_initialiser(filled)
            except InitialiserError as error:
                self._errors.report_error(error, path)
        return filled

    def _argument(self, given: Any, path: Path) -> Any:
        """The value of an argument; if it reads attributes of the module, its expression, other names substituted."""
        if not of_module(given, self._known):
            return self._bindings.evaluate(given, path)
        expression = parse(given)
        others = sorted(expression.names - self._known.module_attributes)
        values = {name: self._bindings.evaluate(f"={name}", path) for name in others}
        if any(value is UNKNOWN for value in values.values()):
            return UNKNOWN
        trees = {name: tree_of(int_of(value)) for name, value in values.items()}
        return f"={ast.unparse(substitute(expression.tree, trees))}" if trees else given

    def _attributes_read(self, given: Any) -> frozenset[str]:
        """The attributes of modules that an argument reads."""
        return parse(given).names & self._known.module_attributes if of_module(given, self._known) else frozenset()


def _first_name(pattern: str | None) -> str:
    """The name of the item that a pattern for the names of modules begins with; empty if it is not written out.

    >>> _first_name("classifier.*"), _first_name("layer?.bn2")
    ('classifier', '')
    """
    first = (pattern or "").partition(".")[0]
    return first if re.fullmatch(r"[\w-]+", first) else ""
