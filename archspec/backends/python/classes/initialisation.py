"""Initialisation rules as the statements at the end of a constructor."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from typing import Final

from archspec.backends.python.formatter import Bracketed, KeywordArgument, if_lines, lay_out
from archspec.backends.python.instances.anti_unification import AntiUnifier, NoCommonForm
from archspec.backends.python.instances.sites import Host, NotMergeable
from archspec.backends.python.instances.variants import Variant
from archspec.diagnostics.budget import spend
from archspec.expressions.printer import text_of
from archspec.expressions.rewrite import names_in, spelling, substitute
from archspec.expressions.simplify import value_of
from archspec.expressions.sizes import int_of
from archspec.ir.definition import Initialisation
from archspec.ir.module import Module
from archspec.ops import Ops
from archspec.ops.base import Op
from archspec.ops.initialisers import INITIALISERS, parse_initialiser

_ANY = (None, "*")
"""Path patterns that match every module, and need no test."""


@dataclass(frozen=True)
class _Leaf:
    """A module that has parameters, or would have them with other fields."""

    name: str
    op: Op
    parameters: frozenset[str]


@dataclass(frozen=True)
class WrittenRule:
    """A rule of a class: its simplified condition, and its arguments by parameter and name."""

    rule: Initialisation
    when: ast.expr | None
    arguments: Mapping[tuple[str, str], ast.expr]

    def changed(self, change: Callable[[ast.expr], ast.expr]) -> WrittenRule:
        """The rule with every expression changed."""
        arguments = {key: change(tree) for key, tree in self.arguments.items()}
        return WrittenRule(self.rule, None if self.when is None else change(self.when), arguments)

    @property
    def trees(self) -> list[ast.expr]:
        """Its expressions."""
        return [*([] if self.when is None else [self.when]), *self.arguments.values()]


@dataclass(frozen=True)
class _Rule:
    """A rule with the leaves for which it is the first match."""

    written: WrittenRule
    leaves: tuple[_Leaf, ...]
    ops: Ops
    """The ops of the network, whose modules' attributes the arguments may read."""

    @property
    def rule(self) -> Initialisation:
        return self.written.rule

    @property
    def when(self) -> ast.expr | None:
        return self.written.when


def written_rules(unifier: AntiUnifier) -> list[WrittenRule]:
    """The rules of a class whose conditions can be true, each with one expression for all instances."""
    found: list[WrittenRule] = []
    for number, rule in enumerate(unifier.variant.body.init):
        seen = [(host, host.instance.rules[number]) for host in unifier.hosts]
        conditions = [(host, own.when.tree, own.when.holds) for host, own in seen if own.when is not None]
        when = unifier.condition(conditions)
        if isinstance(when, ast.Constant):
            if not when.value:
                continue
            when = None
        holding = [(host, own) for host, own in seen if when is None or own.when is None or own.when.holds] or seen
        arguments = {
            key: _common(unifier, [(host, own.trees[key]) for host, own in holding]) for key in seen[0][1].trees
        }
        found.append(WrittenRule(rule, when, arguments))
    return found


def _common(unifier: AntiUnifier, seen: list[tuple[Host, ast.expr]]) -> ast.expr:
    """One expression of an argument for all instances; attributes in it are those of the initialised module."""
    trees = {spelling(unifier.simplified(tree)) for _, tree in seen}
    if len(trees) > 1 and any(names_in(tree) & unifier.variant.ops.module_attributes for _, tree in seen):
        raise NotMergeable("a rule that differs")
    try:
        return unifier.common([(host.itself(), int_of(value_of(tree, host.names)), tree) for host, tree in seen])
    except NoCommonForm:
        raise NotMergeable("a rule that differs") from None


def rule_lines(variant: Variant, written: Sequence[WrittenRule]) -> list[str]:
    """The statements, indented by eight spaces, that initialise the parameters below a block."""
    leaves = [leaf for instance in variant.instances for leaf in _leaves(instance, "")] if written else []
    rules = _live_rules(variant, written, leaves)
    if not rules:
        return []
    matched = [leaf for rule in rules for leaf in rule.leaves]
    if all(_is_direct(rule, variant) for rule in rules) and len(set(matched)) == len(matched):
        order = {leaf.name: number for number, leaf in enumerate(_leaves(variant.instances[0], ""))}
        # In the order in which random numbers are drawn.
        in_order = sorted(rules, key=lambda rule: order.get(rule.leaves[0].name, -1))
        return [line for rule in in_order for line in _direct(rule, variant)]
    return _loop(rules, _other_names(variant, leaves))


LEAF: Final = 5
"""Steps of the budget that examining a layer costs for each rule."""


def _live_rules(variant: Variant, written: Sequence[WrittenRule], leaves: Sequence[_Leaf]) -> list[_Rule]:
    """The rules that match any module, each with the modules for which it is the first match."""
    found: list[_Rule] = []
    for one in written:
        spend(LEAF * len(leaves))
        taken = {leaf for other in found if other.when is None for leaf in other.leaves}
        first = [leaf for leaf in leaves if one.rule.matches(leaf.name, leaf.op) and leaf not in taken]
        if first:
            found.append(_Rule(one, tuple(dict.fromkeys(first)), variant.ops))
    return found


def _leaves(module: Module, prefix: str) -> Iterator[_Leaf]:
    for step in module.registered:
        if isinstance(step.target, Module):
            yield from _leaves(step.target, f"{prefix}{step.name}.")
        elif isinstance(step.target, Op) and step.target.has_parameters():
            shapes = module.shapes(step)
            yield _Leaf(f"{prefix}{step.name}", step.target, frozenset(step.target.parameters(*shapes)))
            for name, (op, shape) in step.target.inner_modules(*shapes).items():
                yield _Leaf(f"{prefix}{step.name}.{name}", op, frozenset(op.parameters(shape)))


def _is_direct(rule: _Rule, variant: Variant) -> bool:
    """Whether a rule names one module, which exists in all instances with the same parameters."""
    path = rule.rule.path
    if rule.rule.op is not None or path is None or set("*?[") & set(path) or len(rule.leaves) > 1:
        return False
    attributes = variant.ops.module_attributes  # of the initialised module
    if any(names_in(tree) & attributes for tree in rule.written.arguments.values()):
        return False
    return all(any(leaf.name == path for leaf in _leaves(instance, "")) for instance in variant.instances)


def _is_attribute(module: Module, names: Sequence[str]) -> bool:
    """Whether a type checker can follow these names to a module: each is assigned, none is in an `nn.Sequential`."""
    is_entry = module.is_seq or (module.block is not None and module.block.is_sequential)
    step = next((step for step in module.registered if step.name == names[0]), None)
    if is_entry or step is None or step.indices or step.position in module.conditions or not names[0].isidentifier():
        return False
    return len(names) == 1 or not isinstance(step.target, Module) or _is_attribute(step.target, names[1:])


def _direct(rule: _Rule, variant: Variant) -> list[str]:
    indent = 8 if rule.when is None else 12
    lines: list[str] = []
    path = str(rule.rule.path)
    is_attribute = all(_is_attribute(instance, path.split(".")) for instance in variant.instances)
    for name in rule.rule.parameters:
        if name in rule.leaves[0].parameters:
            is_known = is_attribute and name not in rule.leaves[0].op.optional
            tensor = f"self.{path}.{name}" if is_known else f'self.get_parameter("{path}.{name}")'
            lines += lay_out(_call(tensor, name, rule), indent)
    return lines if rule.when is None or not lines else [f"        if {text_of(rule.when)}:", *lines]


def _loop(rules: list[_Rule], others: set[str]) -> list[str]:
    """One loop over the modules with a branch for each rule; a condition common to all rules is put around it.

    `others` are the names of modules without parameters.
    """
    while rules and not _guards(rules[-1]):  # it initialises nothing, and no later rule is hidden by it
        rules = rules[:-1]
    if not rules:
        return []
    conditions = {None if rule.when is None else text_of(rule.when) for rule in rules}
    shared = conditions.pop() if len(conditions) == 1 else None
    lines = [f"        if {shared}:"] if shared else []
    indent = 12 if shared else 8
    margin = " " * indent
    named = any(rule.rule.path not in _ANY for rule in rules)
    loop = "for name, module in self.named_modules():" if named else "for module in self.modules():"
    lines.append(margin + loop)
    for number, rule in enumerate(rules):
        when = None if shared or rule.when is None else text_of(rule.when)
        tests, guards = _tests(rule, when, others), _guards(rule)
        if number + 1 == len(rules) and len(guards) == 1:  # there is no later rule for modules without the parameter
            rule, lacking = _having(rule, *guards)
            tests, guards = _tests(rule, when, others | lacking), _guards(rule)
            tests += filter(None, guards.values())
            guards = dict.fromkeys(guards, "")
        lines += if_lines(tests, indent + 4, "elif" if number else "if")
        lines += _fill(rule, guards, indent + 8) or [f"{margin}        pass"]
    return lines


def _guards(rule: _Rule) -> dict[str, str]:
    """The parameters that a rule initialises, each with the test that is needed if a module may lack it."""
    found: dict[str, str] = {}
    for name in rule.rule.parameters:
        having = sum(name in leaf.parameters for leaf in rule.leaves)
        narrowed, lacking = _having(rule, name)
        declared = any(name in leaf.op.optional for leaf in rule.leaves)
        tests = [_kinds_test(narrowed)] if lacking and narrowed.leaves else []
        if declared or having < len(narrowed.leaves):
            tests.append(f"module.{name} is not None")
        if having:
            found[name] = " and ".join(tests)
    return found


def _having(rule: _Rule, parameter: str) -> tuple[_Rule, set[str]]:
    """The rule for the modules whose class has a parameter of this name, and the names of the other modules."""
    leaves = tuple(leaf for leaf in rule.leaves if parameter in leaf.op.holds)
    return replace(rule, leaves=leaves), {leaf.name for leaf in rule.leaves if parameter not in leaf.op.holds}


def _other_names(variant: Variant, leaves: Sequence[_Leaf]) -> set[str]:
    """The names of modules without parameters, blocks and seqs included."""
    found = {""}
    queue = [(instance, "") for instance in variant.instances]
    while queue:
        module, prefix = queue.pop()
        for step in module.registered:
            name = f"{prefix}{step.name}"
            found.add(name)
            if "." in str(step.name):
                parts = str(step.name).split(".")[:-1]  # containers
                found.update(prefix + ".".join(parts[: count + 1]) for count in range(len(parts)))
            if isinstance(step.target, Module):
                queue.append((step.target, f"{name}."))
    return found - {leaf.name for leaf in leaves}


def _tests(rule: _Rule, when: str | None, others: set[str]) -> list[str]:
    """The tests of whether a rule is for a module."""
    tests: list[str] = []
    path = rule.rule.path
    if path not in _ANY:
        tests.append(_path_test(str(path)))
    if rule.rule.op is not None or path is None or any(fnmatchcase(name, path) for name in others):
        tests.append(_kinds_test(rule))
    if when is not None:
        tests.append(when)
    return tests


def _kinds_test(rule: _Rule) -> str:
    """The test of whether a module has one of the classes that a rule is for."""
    known = {leaf.op.module: leaf.op.extends for leaf in rule.leaves}
    kinds = sorted(str(kind) for kind, bases in known.items() if rule.rule.op or not known.keys() & {*bases})
    return f"isinstance(module, {kinds[0] if len(kinds) == 1 else ' | '.join(kinds)})"


def _path_test(path: str) -> str:
    if not set("*?[") & set(path):
        return f"name == {_literal(path)}"
    if path.startswith("*") and not set("*?[") & set(path[1:]):
        return f"name.endswith({_literal(path[1:])})"
    return f"fnmatchcase(name, {_literal(path)})"


def _literal(text: str) -> str:
    return text_of(ast.Constant(text))


def _fill(rule: _Rule, guards: dict[str, str], indent: int) -> list[str]:
    lines: list[str] = []
    for name, guard in guards.items():
        lines += [f"{' ' * indent}if {guard}:"] if guard else []
        lines += lay_out(_call(f"module.{name}", name, rule), indent + 4 * bool(guard))
    return lines


def _call(tensor: str, parameter: str, rule: _Rule) -> Bracketed:
    name, arguments = parse_initialiser(rule.rule.parameters[parameter])
    if name == "constant" and arguments["val"] in (0, 1) and not isinstance(arguments["val"], str):
        return Bracketed("nn.init.ones_" if arguments["val"] else "nn.init.zeros_", (tensor,))
    known = INITIALISERS[name]
    trees = {key: _argument(rule.written.arguments[parameter, key], rule.ops) for key in known.arguments(arguments)}
    named = [KeywordArgument(key, tree) for key, tree in trees.items() if key not in known.required]
    return Bracketed(known.function, (tensor, *(trees[key] for key in known.required), *named))


def _argument(tree: ast.expr, ops: Ops) -> ast.expr:
    module = ast.Name("module", ast.Load())
    own = {name: ast.Attribute(module, name, ast.Load()) for name in names_in(tree) & ops.module_attributes}
    return substitute(tree, own)
