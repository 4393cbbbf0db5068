"""Checks that initialiser arguments that are calculated from a module's attributes have a value for each module.

They are calculated when the module is initialised, in the built module and in the generated file. An argument that
could not be calculated there is reported here, where its place in the spec is known.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence, Set
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
    for name, op, shapes in _asked(module, [rule for rule, _ in rules]):
        spend(len(rules))
        number = next((n for n, (rule, _) in enumerate(rules) if rule.matches(name, op)), -1)
        if number in asking and (error := _error(op, shapes, rules[number][0])):
            asking.remove(number)
            where = name or _path_to(module, op, shapes)
            errors.report_error(error[0], (*rules[number][1], error[1]), notes=(f"for {where} ({op.kind})",))


def _asked(module: Module, rules: Sequence[Initialisation]) -> Iterator[Leaf]:
    """The leaves that a rule may ask for attributes: all of them if a rule is for certain names."""
    if any(rule.path is not None for rule in rules):
        return _leaves(module, "")
    asking = [rule for rule in rules if _asks(rule)]
    types = {op for op in module.op_types  # often few, and in few of the modules below
             if op.inner_modules is not Op.inner_modules or any(rule.may_match(op) for rule in asking)}  # fmt: skip
    return _different_leaves(module, types)


def _path_to(module: Module, op: Op, shapes: tuple[Shape, ...]) -> str:
    """The name of the first leaf with this op and these input shapes."""
    return next(name for name, *leaf in _leaves(module, "") if leaf == [op, shapes])


def _asks(rule: Initialisation) -> bool:
    """Whether any argument of a rule, all of them valid so far, is an expression over attributes."""
    try:
        given = [parse_initialiser(how)[1] for how in rule.parameters.values()]
    except InitialiserError:  # reported already
        return False
    return any(is_expression(value) for arguments in given for value in arguments.values())


def _leaves(module: Module, prefix: str) -> Iterator[Leaf]:
    """All leaves of a module."""
    for step in module.registered:
        if isinstance(step.target, Module):
            yield from _leaves(step.target, f"{prefix}{step.name}.")
        else:
            yield from ((f"{prefix}{step.name}{inner}", op, shapes) for inner, op, shapes in module.leaf(step))


def _different_leaves(module: Module, types: Set[type[Op]]) -> Iterator[Leaf]:
    """One leaf for each op of these types and its input shapes, without names: a rule without a path depends on nothing
    else."""
    seen: set[tuple[int, tuple[Shape, ...]]] = set()
    for inner in _modules_with(module, types, set()):
        for step in inner.registered:
            if type(step.target) in types and (key := (id(step.target), inner.shapes(step))) not in seen:
                seen.add(key)
                yield from (("", op, shapes) for _, op, shapes in inner.leaf(step))


def _modules_with(module: Module, types: Set[type[Op]], seen: set[int]) -> Iterator[Module]:
    """The different modules that hold ops of these types, or have such below them, inner ones first."""
    if id(module) in seen or module.op_types.isdisjoint(types):
        return
    seen.add(id(module))
    for step in (*module.steps, *module.dropped):
        if isinstance(step.target, Module):
            yield from _modules_with(step.target, types, seen)
    yield module


def _error(op: Op, shapes: tuple[Shape, ...], rule: Initialisation) -> tuple[InitialiserError, str] | None:
    """The first argument of a rule that has no value for a leaf: the error, and the parameter that it initialises."""
    parameters = op.parameters(*shapes)
    for parameter, given in rule.parameters.items():
        if parameter in parameters:
            try:
                _check(*parse_initialiser(given), op, op.attribute_values(*shapes), rule.op is not None)
            except InitialiserError as error:
                return error, parameter
    return None


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
