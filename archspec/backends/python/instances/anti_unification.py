"""Anti-unification: one expression for a value in all instances of a block, or otherwise a new argument."""

from __future__ import annotations

import ast
import re
from collections import ChainMap
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

from archspec.backends.python.instances.sites import Host, NotMergeable, Occurrence
from archspec.backends.python.instances.variants import MustBeFixed, Variant, Variants, parameters_behind
from archspec.expressions.parse import parse
from archspec.expressions.printer import text_within_quotes
from archspec.expressions.rewrite import names_in, spelling, substitute
from archspec.expressions.simplify import as_condition, collected, difference, simplify, value_of
from archspec.expressions.sizes import int_of, is_whole
from archspec.ir.module import Count, Module

Seen = tuple[Occurrence, Any, ast.expr]
"""A value in one instance, with its expression in the spec."""


class NoCommonForm(Exception):
    """A value cannot be written as one expression for all instances."""


class AntiUnifier:
    """Finds one expression for a value in all instances; knows the names of the class that is being written."""

    def __init__(self, variant: Variant, variants: Variants) -> None:
        self.variant = variant
        self.variants = variants
        self.constants: dict[str, Any] = dict(variant.constants())
        self.aliases: dict[str, ast.expr] = {}
        self.extra: dict[str, dict[int, Any]] = {}
        self.in_names: set[str] = set()
        """The names that occur in the names of modules."""
        self.hosts = [Host(m, m, self.names(m), variant.body.items) for m in variant.instances]
        self.whole = frozenset(name for name, value in self.hosts[0].names.items() if is_whole(value))
        self.lets: list[tuple[str, ast.expr]] = []
        self.lets = self.local_names()

    def names(self, instance: Module) -> dict[str, Any]:
        """All names of the block, with their values in an instance."""
        return {**self.variant.symbols(instance), **{name: int_of(v) for name, v in instance.lets.items()}}

    def local_names(self) -> list[tuple[str, ast.expr]]:
        """The `let` names to keep; those that are equal to a constant or another name are replaced by it."""
        kept: list[tuple[str, ast.expr]] = []
        for name in self.variant.body.lets:
            seen = [(h.itself(), h.names[name], h.module.let_trees[name]) for h in self.hosts]
            try:
                tree = self.common(seen)
            except NoCommonForm:
                if self.variant.is_root:
                    raise NotMergeable(f"'{name}' differs") from None
                values = {id(host.instance): host.names[name] for host in self.hosts}
                if all(same_value(value, seen[0][1]) for value in values.values()):
                    self.constants[name] = seen[0][1]
                else:
                    self.extra[name] = values
                continue
            if isinstance(tree, ast.Constant) and not isinstance(tree.value, float):
                self.constants[name] = tree.value
            elif isinstance(tree, ast.Name):
                self.aliases[name] = tree
            else:
                kept.append((name, tree))
        return kept

    def common(self, seen: Sequence[Seen]) -> ast.expr:
        """One expression that gives every instance its value."""
        candidates: dict[str, ast.expr] = {}
        constants = ChainMap[str, Any](_same_indices(seen), self.constants)
        met: set[Any] = set()
        for occurrence, _, tree in seen:
            key = (type(tree.value), str(tree.value)) if isinstance(tree, ast.Constant) else id(tree)
            if key in met:
                continue
            met.add(key)
            indices = occurrence.step.indices.keys()
            whole = self.whole | indices if indices else self.whole
            simplified = simplify(substitute(tree, self.aliases), constants, whole)
            candidates.setdefault(spelling(simplified), simplified)
            if len(candidates) > 8:
                break
        if len(candidates) == 1:
            return self.named(next(iter(candidates.values())))
        if (element := self.element(seen)) is not None:
            return element
        behind = frozenset().union(*(self.behind(tree) for tree in candidates.values()))
        if behind and not self.grows(seen):  # equal for these values, but perhaps not for others
            raise MustBeFixed(behind)
        if behind := self.behind_conditions():  # other values may lead to other items
            raise MustBeFixed(behind)
        for candidate in [*candidates.values(), *self.growing(seen)]:
            if all(same_value(value_of(candidate, occurrence.names), value) for occurrence, value, _ in seen):
                return self.named(candidate)
        raise NoCommonForm

    def simplified(self, tree: ast.expr) -> ast.expr:
        """An expression, simplified by substituting the names that have one value in all instances."""
        return simplify(substitute(tree, self.aliases), self.constants, self.whole)

    def named(self, tree: ast.expr) -> ast.expr:
        """The local name of an expression, if it has one; otherwise the expression, equal terms collected."""
        tree = collected(tree, self.whole)
        text = spelling(tree)
        return next((ast.Name(name, ast.Load()) for name, let in self.lets if spelling(let) == text), tree)

    def behind(self, tree: ast.expr) -> frozenset[str]:
        """The network's parameters that an expression depends on."""
        for name, let in reversed(self.lets):
            tree = substitute(tree, {name: let})
        return parameters_behind(tree, self.variant)

    def behind_conditions(self) -> frozenset[str]:
        """The network's parameters on which the presence of items in the block depends."""
        if not self.variant.free:
            return frozenset()
        trees = {id(c.tree): c.tree for host in self.hosts for c in host.module.conditions.values()}
        return frozenset().union(*map(self.behind, trees.values()))

    def grows(self, seen: Sequence[Seen]) -> bool:
        """Whether a value grows by the same expression in each round of a loop, in all instances."""
        steps: set[str] = set()
        for (before, _, first), (after, _, second) in pairwise(seen):
            if before.host is after.host:
                trees = map(self.simplified, (second, first))
                step = difference(*trees)
                steps.add("" if step is None else spelling(step))
        return len(steps) == 1 and steps != {""}

    def element(self, seen: Sequence[Seen]) -> ast.expr | None:
        """The elements of a list that have the numbers of a name's values, `maps_channels[level]`, if all are such."""
        places: list[tuple[Occurrence, int]] = []
        for occurrence, _, tree in seen:
            match tree:
                case ast.Subscript(value=ast.Name(), slice=ast.Constant(value=int(place))):
                    places.append((occurrence, place))
                case _:
                    return None
        first = seen[0][2]
        assert isinstance(first, ast.Subscript)
        if any(spelling(tree.value) != spelling(first.value) for _, _, tree in seen if isinstance(tree, ast.Subscript)):
            return None
        names = [name for name, value in seen[0][0].names.items() if is_whole(value) and name not in self.variant.free]
        for name in reversed(names):
            if all(occurrence.names.get(name) == place for occurrence, place in places):
                return ast.Subscript(first.value, ast.Name(name, ast.Load()), ast.Load())
        return None

    def growing(self, seen: Sequence[Seen]) -> list[ast.expr]:
        """A value that grows by the same amount in each round of a loop: `in_channels + i * growth_rate`."""
        rounds = [(o, tree) for o, _, tree in seen if o.host is seen[0][0].host]
        if len(rounds) < 2 or not rounds[0][0].step.indices:
            return []
        index, start = list(rounds[0][0].step.indices.items())[-1]
        first, second = (self.simplified(tree) for _, tree in rounds[:2])
        step = difference(second, first)
        if step is None:
            return []
        count: ast.expr = ast.Name(index, ast.Load())
        count = ast.BinOp(count, ast.Sub(), ast.Constant(start)) if start else count
        return [simplify(ast.BinOp(first, ast.Add(), ast.BinOp(count, ast.Mult(), step)), {}, self.whole)]

    def value(self, seen: Sequence[Seen], hint: str, strict: bool) -> ast.expr:
        """One expression for a value; if there is none, a new parameter, unless `strict`."""
        try:
            return self.common(seen)
        except NoCommonForm:
            if strict or self.variant.is_root:
                raise
        values: dict[int, Any] = {}
        for occurrence, value, _ in seen:
            if values.setdefault(id(occurrence.host.instance), value) != value:
                raise NoCommonForm
        behind = frozenset().union(*(self.behind(tree) for _, _, tree in seen))
        if behind:
            raise MustBeFixed(behind)
        hint = f"x{hint}" if hint[:1].isdigit() else hint
        missing = next(iter(values.values()))
        found = {id(host.instance): values.get(id(host.instance), missing) for host in self.hosts}
        known = self.hosts[0].names
        if hint in known and all(same_value(host.names[hint], found[id(host.instance)]) for host in self.hosts):
            return ast.Name(hint, ast.Load())  # a parameter of the block has these values already
        while hint in known or self.extra.setdefault(hint, found) != found:
            hint = f"{hint}_"
        return ast.Name(hint, ast.Load())

    def count(self, found: Sequence[tuple[Host, Count]]) -> ast.expr:
        """One expression for how often something is repeated; it may be once for each of the block's further inputs."""
        seen = [(host.itself(), count.number, count.tree) for host, count in found]
        try:
            return self.common(seen)
        except NoCommonForm:
            for name in (name for name, value in self.hosts[0].names.items() if isinstance(value, tuple)):
                if all(number == len(occurrence.names[name]) for occurrence, number, _ in seen):
                    return ast.Call(ast.Name("len", ast.Load()), [ast.Name(name, ast.Load())], [])
            raise

    def condition(self, found: list[tuple[Host, ast.expr, bool]]) -> ast.expr | None:
        """One condition for all instances; `None` if there is none."""
        if not found:
            return None
        try:
            return as_condition(self.common([(h.itself(), holds, tree) for h, tree, holds in found]))
        except NoCommonForm:
            raise NotMergeable("a condition that differs") from None

    def name_expression(self, template: str, occurrence: Occurrence, index: str = "") -> str:
        """A name with the index of a loop as an f-string; the indices of outer loops are numbers."""
        around = {name: ast.Constant(k) for name, k in occurrence.step.indices.items() if name != index}
        parts = re.split(r"\{([^{}]*)\}", template)
        for number in range(1, len(parts), 2):
            tree = self.simplified(substitute(parse(parts[number]).tree, around))
            self.in_names |= names_in(tree)
            text = text_within_quotes(tree)
            if text is None:
                raise NotMergeable("a name whose expression has quotes within quotes")
            parts[number] = str(tree.value) if isinstance(tree, ast.Constant) else f"{{{text}}}"
        return f'f"{"".join(parts)}"' if len(parts) > 1 else f'"{template}"'


def names_in_template(template: str) -> set[str]:
    """The names that the expressions in a name read."""
    return {name for part in re.findall(r"\{([^{}]*)\}", template) for name in names_in(parse(part).tree)}


def _same_indices(seen: Sequence[Seen]) -> dict[str, int]:
    """The loop indices, if they are the same in all occurrences."""
    first, *rest = (occurrence.step.indices for occurrence, *_ in seen)
    return {name: value for name, value in first.items() if all(other.get(name) == value for other in rest)}


def same_value(left: Any, right: Any) -> bool:
    """Whether two values are equal and of the same type: `1` is not `True`."""
    if isinstance(left, list | tuple) and isinstance(right, list | tuple):
        return len(left) == len(right) and all(map(same_value, left, right))
    return type(int_of(left)) is type(int_of(right)) and bool(left == right)


def plain_value(value: Any) -> Any:
    """A value without `Dim`s, lists as tuples."""
    return tuple(map(plain_value, value)) if isinstance(value, list | tuple) else int_of(value)
