"""Initialisation rules as the statements at the end of a constructor."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

from archspec import expressions
from archspec.expressions import tree_of
from archspec.graph import Module
from archspec.initialisers import INITIALISERS, parse_initialiser
from archspec.language import InitRule
from archspec.ops import OPS, module_attributes
from archspec.ops.base import Op
from archspec.scope import is_whole, names_in, substitute
from archspec.targets.python.layout import Call, Keyword, if_lines, lay_out, text_of
from archspec.targets.python.trees import fold
from archspec.targets.python.variants import Variant, let_trees

_ANY = (None, "*")
"""Paths that leave nothing to ask."""


@dataclass(frozen=True)
class _Leaf:
    """A module that has parameters, or would have them with other fields."""

    name: str
    op: Op
    parameters: frozenset[str]


@dataclass(frozen=True)
class _Rule:
    """A rule with the leaves it is the first to match; `when` is what is left of its condition."""

    rule: InitRule
    when: ast.expr | None
    leaves: tuple[_Leaf, ...]


def rule_lines(variant: Variant) -> list[str]:
    """The statements, indented by eight spaces, that initialise the parameters below a block."""
    rules = _live_rules(variant)
    if not rules:
        return []
    matched = [leaf for rule in rules for leaf in rule.leaves]
    if all(_is_direct(rule) for rule in rules) and len(set(matched)) == len(matched):
        order = {leaf.name: number for number, leaf in enumerate(_leaves(variant.instances[0], ""))}
        in_order = sorted(rules, key=lambda rule: order.get(rule.leaves[0].name, -1))  # so are random numbers drawn
        return [line for rule in in_order for line in _direct(rule, variant)]
    return _loop(rules, variant)


def _live_rules(variant: Variant) -> list[_Rule]:
    """The rules that can hold and match something, each with what it is the first to match."""
    found: list[_Rule] = []
    if not variant.body.init:
        return found
    leaves = [leaf for instance in variant.instances for leaf in _leaves(instance, "")]
    for rule in variant.body.init:
        when = _when(rule, variant)
        if isinstance(when, ast.Constant) and not when.value:
            continue
        taken = {leaf for other in found if other.when is None for leaf in other.leaves}
        first = [leaf for leaf in leaves if _matches(rule, leaf) and leaf not in taken]
        if first:
            found.append(_Rule(rule, None if isinstance(when, ast.Constant) else when, tuple(dict.fromkeys(first))))
    return found


def _leaves(module: Module, prefix: str) -> Iterator[_Leaf]:
    seen: set[int] = set()
    for step in module.registered:
        if isinstance(step.target, Module):
            inner = (
                [] if id(step.target) in seen and step.target.is_seq else _leaves(step.target, f"{prefix}{step.name}.")
            )
            yield from inner
        elif isinstance(step.target, Op) and step.target.has_parameters():
            parameters = step.target.parameters(*module.shapes(step))
            yield _Leaf(f"{prefix}{step.name}", step.target, frozenset(parameters))


def _matches(rule: InitRule, leaf: _Leaf) -> bool:
    by_path = rule.path is None or fnmatchcase(leaf.name, rule.path)
    modules = {OPS[op].module for op in rule.op or ()}
    return by_path and (rule.op is None or not modules.isdisjoint((leaf.op.module, *leaf.op.extends)))


def _when(rule: InitRule, variant: Variant) -> ast.expr:
    if not isinstance(rule.when, str):
        return ast.Constant(rule.when is None or rule.when)
    return _folded(rule.when, variant)


def _folded(given: str, variant: Variant) -> ast.expr:
    lets = let_trees(variant, variant.instances[0])
    return fold(substitute(expressions.parse(given).tree, lets), variant.constants(), frozenset())


def _is_direct(rule: _Rule) -> bool:
    """Whether a rule is for one module by its full name."""
    return rule.rule.op is None and rule.rule.path is not None and all(map(str.isidentifier, rule.rule.path.split(".")))


def names_in_rules(variant: Variant) -> set[str]:
    """The names of a block that its initialisation rules read."""
    given: list[Any] = [rule.when for rule in variant.body.init]
    for rule in variant.body.init:
        given += [value for how in rule.parameters.values() for value in parse_initialiser(how)[1].values()]
    return set().union(*(names_in(_folded(text, variant)) for text in given if expressions.is_expression(text)))


def _direct(rule: _Rule, variant: Variant) -> list[str]:
    indent = 8 if rule.when is None else 12
    lines: list[str] = []
    for name, given in rule.rule.parameters.items():
        if name in rule.leaves[0].parameters:
            lines += lay_out(_call(f"self.{rule.rule.path}.{name}", given, variant), indent)
    return lines if rule.when is None or not lines else [f"        if {text_of(rule.when)}:", *lines]


def _loop(rules: list[_Rule], variant: Variant) -> list[str]:
    """One loop over the modules, a branch for each rule; a condition common to all rules is put around it."""
    conditions = {None if rule.when is None else text_of(rule.when) for rule in rules}
    shared = conditions.pop() if len(conditions) == 1 else None
    lines = [f"        if {shared}:"] if shared else []
    indent = 12 if shared else 8
    margin = " " * indent
    named = any(rule.rule.path not in _ANY for rule in rules)
    loop = "for name, module in self.named_modules():" if named else "for module in self.modules():"
    lines.append(margin + loop)
    others = _other_names(variant)
    for number, rule in enumerate(rules):
        when = None if shared or rule.when is None else text_of(rule.when)
        tests, guards = _tests(rule, when, others), _guards(rule)
        if number + 1 == len(rules) and len(guards) == 1:  # no later rule takes over where the parameter is missing
            tests += filter(None, guards.values())
            guards = dict.fromkeys(guards, "")
        lines += if_lines(tests, indent + 4, "elif" if number else "if")
        lines += _fill(rule, guards, indent + 8, variant) or [f"{margin}        pass"]
    return lines


def _guards(rule: _Rule) -> dict[str, str]:
    """The parameters a rule fills, each with what to ask first where a module may be without it."""
    found: dict[str, str] = {}
    for name in rule.rule.parameters:
        having = sum(name in leaf.parameters for leaf in rule.leaves)
        declared = any(name in leaf.op.optional for leaf in rule.leaves)
        if having:
            found[name] = f"module.{name} is not None" if declared or having < len(rule.leaves) else ""
    return found


def _other_names(variant: Variant) -> set[str]:
    """What modules without parameters are called, the blocks and seqs among them."""
    found = {""}
    queue = [(instance, "") for instance in variant.instances]
    while queue:
        module, prefix = queue.pop()
        for step in module.registered:
            found.add(f"{prefix}{step.name}")
            if isinstance(step.target, Module):
                queue.append((step.target, f"{prefix}{step.name}."))
    return found - {leaf.name for instance in variant.instances for leaf in _leaves(instance, "")}


def _tests(rule: _Rule, when: str | None, others: set[str]) -> list[str]:
    """The conditions under which a rule is for a module."""
    tests: list[str] = []
    path = rule.rule.path
    if path not in _ANY:
        tests.append(_path_test(str(path)))
    if rule.rule.op is not None or path is None or any(fnmatchcase(name, path) for name in others):
        known = {leaf.op.module: leaf.op.extends for leaf in rule.leaves}
        kinds = sorted(str(kind) for kind, bases in known.items() if rule.rule.op or not known.keys() & {*bases})
        tests.append(f"isinstance(module, {kinds[0] if len(kinds) == 1 else ' | '.join(kinds)})")
    if when is not None:
        tests.append(when)
    return tests


def _path_test(path: str) -> str:
    if not set("*?[") & set(path):
        return f"name == {_literal(path)}"
    if path.startswith("*") and not set("*?[") & set(path[1:]):
        return f"name.endswith({_literal(path[1:])})"
    return f"fnmatchcase(name, {_literal(path)})"


def _literal(text: str) -> str:
    return text_of(ast.Constant(text))


def _fill(rule: _Rule, guards: dict[str, str], indent: int, variant: Variant) -> list[str]:
    lines: list[str] = []
    for name, guard in guards.items():
        lines += [f"{' ' * indent}if {guard}:"] if guard else []
        lines += lay_out(_call(f"module.{name}", rule.rule.parameters[name], variant), indent + 4 * bool(guard))
    return lines


def _call(tensor: str, given: Any, variant: Variant) -> Call:
    name, arguments = parse_initialiser(given)
    if name == "constant" and arguments["val"] in (0, 1) and not isinstance(arguments["val"], str):
        return Call("nn.init.ones_" if arguments["val"] else "nn.init.zeros_", (tensor,))
    known = INITIALISERS[name]
    trees = {key: _argument(value, variant) for key, value in known.arguments(arguments).items()}
    named = [Keyword(key, tree) for key, tree in trees.items() if key not in known.required]
    return Call(known.function, (tensor, *(trees[key] for key in known.required), *named))


def _argument(value: Any, variant: Variant) -> ast.expr:
    if isinstance(value, str) and value.startswith("="):
        own = {name: ast.parse(f"module.{name}", mode="eval").body for name in module_attributes()}
        return substitute(_folded(value, variant), own)
    return tree_of(int(value) if is_whole(value) else value)
