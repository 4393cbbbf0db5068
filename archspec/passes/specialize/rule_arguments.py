"""Checks that initialiser arguments that are calculated from a module's attributes have a value for each module.

They are calculated when the module is initialised, in the built module and in the generated file. An argument that
could not be calculated there is reported here, where its place in the spec is known.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from archspec.diagnostics.budget import spend
from archspec.diagnostics.diagnostic import Path
from archspec.diagnostics.suggestions import nearest
from archspec.expressions.errors import ExpressionError
from archspec.expressions.parse import is_expression, parse
from archspec.ir.definition import Initialisation
from archspec.ir.module import Module
from archspec.ops.base import Op
from archspec.ops.initialisers import InitialiserError, parse_initialiser
from archspec.ops.shapes import Shape
from archspec.passes.specialize.errors import BodyErrors

Leaf = tuple[str, Op, tuple[Shape, ...]]
"""A module that contains no others: its name, its op, and the shapes of its inputs."""


def check_arguments(module: Module, rules: Sequence[tuple[Initialisation, Path]], errors: BodyErrors) -> None:
    """Report the arguments of `rules` that are not numbers for a module that they initialise; the first for each
    rule."""
    asking = {number for number, (rule, _) in enumerate(rules) if _asks(rule)}
    if not asking:
        return
    by_path = any(rule.path is not None for rule, _ in rules)
    done: set[tuple[int, int, tuple[Shape, ...]]] = set()
    for name, op, shapes in _leaves(module, "", None if by_path else set()):
        spend(len(rules))
        number = next((n for n, (rule, _) in enumerate(rules) if rule.matches(name, op)), -1)
        if number in asking and (number, id(op), shapes) not in done:
            done.add((number, id(op), shapes))
            if _report(name, op, shapes, *rules[number], errors):
                asking.remove(number)


def _asks(rule: Initialisation) -> bool:
    """Whether any argument of a rule, all of them valid so far, is an expression over attributes."""
    try:
        given = [parse_initialiser(how)[1] for how in rule.parameters.values()]
    except InitialiserError:  # reported already
        return False
    return any(is_expression(value) for arguments in given for value in arguments.values())


def _leaves(module: Module, prefix: str, seen: set[int] | None) -> Iterator[Leaf]:
    """The leaves of a module; those of equal modules once, if `seen` is given."""
    for step in module.registered:
        target, name = step.target, f"{prefix}{step.name}"
        if isinstance(target, Op) and not target.raw:
            yield name, target, module.shapes(step)
            for inner, (op, shape) in target.inner_modules(*module.shapes(step)).items():
                yield f"{name}.{inner}", op, (shape,)
        elif isinstance(target, Module) and (seen is None or id(target) not in seen):
            if seen is not None:
                seen.add(id(target))
            yield from _leaves(target, f"{name}.", seen)


def _report(
    name: str, op: Op, shapes: tuple[Shape, ...], rule: Initialisation, path: Path, errors: BodyErrors
) -> bool:  # fmt: skip
    """Report the first argument of a rule that has no value for a leaf; returns whether there is one."""
    parameters = op.parameters(*shapes)
    for parameter, given in rule.parameters.items():
        if parameter in parameters:
            try:
                _check(*parse_initialiser(given), op, op.attribute_values(*shapes), rule.op is not None)
            except InitialiserError as error:
                errors.report_error(error, (*path, parameter), notes=(f"for {name} ({op.kind})",))
                return True
    return False


def _check(
    name: str, arguments: Mapping[str, Any], op: Op, numbers: Mapping[str, Any], is_by_op: bool
) -> None:  # fmt: skip
    """Evaluate the arguments of an initialiser; raises `InitialiserError` for one that it does not accept.

    If the rule names its ops (`is_by_op`), an attribute that none of them has was reported when the rule was read.
    """
    filled = dict(arguments)
    for key, value in arguments.items():
        if is_expression(value):
            expression = parse(value)
            for stray in sorted(expression.names - numbers.keys()):
                if is_by_op and stray not in op.readable():
                    return
                raise InitialiserError(*_about(stray, op, numbers), (name, key))
            try:
                filled[key] = expression.evaluate(numbers)
            except ExpressionError as error:
                raise InitialiserError(f"{name}: {error}", error.help, (name, key)) from None
    parse_initialiser({name: filled})


def _about(stray: str, op: Op, numbers: Mapping[str, Any]) -> tuple[str, str]:
    if stray in op.readable():
        return f"'{stray}' of {op.kind} is a parameter, not a number", ""
    return f"{op.kind} has no attribute '{stray}'", nearest(stray, numbers)
