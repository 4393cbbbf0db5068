"""A variant as the text of one class: constructor arguments, assignments, and what `forward` needs to know."""

from __future__ import annotations

import ast
import functools
import math
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from itertools import groupby, pairwise
from typing import Any

from archspec.expressions import int_of, parse, tree_of
from archspec.fields import MODULE_NAMES
from archspec.graph import Control, Module
from archspec.language import Block, Item, Network
from archspec.ops import OPS
from archspec.ops.base import TRAINING, Argument, Op, format_shape
from archspec.ops.base import Call as FunctionCall
from archspec.ops.joining import Parameter as RawParameter
from archspec.scope import is_whole, substitute
from archspec.targets.python.layout import Call, Doc, Keyword, flat, map_trees, text_of, trees
from archspec.targets.python.nodes import (
    Host,
    Irregular,
    Loop,
    Naming,
    Node,
    Occurrence,
    conditions,
    index_steps,
    repeat_count,
)
from archspec.targets.python.rules import names_in_rules
from archspec.targets.python.trees import difference, fold, names_in, spelling, value_of
from archspec.targets.python.variants import Depends, Parameter, Variant, Variants, behind_of, bindings

Entry = tuple[ast.expr | None, str | None, Doc, str]
"""An entry of a seq: its condition, its name as an expression if it is not the next number, its call, a comment."""

Seen = tuple[Occurrence, Any, ast.expr]
"""A value in one instance, with the expression the spec has for it."""


@dataclass(frozen=True)
class Assignment:
    """`self.name = doc`; under a condition the attribute is `None` where it does not hold."""

    name: str
    doc: Doc
    annotation: str = ""
    condition: ast.expr | None = None
    prepare: tuple[tuple[ast.expr | None, Doc], ...] = ()
    """For a seq with conditional entries: the entries of its list, each with its condition."""
    loop: tuple[str, ast.expr] | None = None
    """For modules made in a loop: the index and the count; `name` is then an expression over the index."""


@dataclass
class ClassText:
    """Everything that is to be printed of a class."""

    variant: Variant
    nodes: list[Node]
    naming: Naming | None
    assignments: list[Assignment] = field(default_factory=list)
    lets: list[tuple[str, ast.expr]] = field(default_factory=list)
    functions: dict[int, Doc] = field(default_factory=dict)
    flags: dict[int, str] = field(default_factory=dict)
    """The attribute that holds a guard's condition, by the guard's identity."""


class NoCommonForm(Exception):
    """A value cannot be written as one expression for all instances."""


def write_class(variant: Variant, variants: Variants) -> ClassText:
    """Plan a class. The classes it uses must have been written before, since their arguments are needed."""
    return _Writer(variant, variants).write()


class _Writer:
    def __init__(self, variant: Variant, variants: Variants) -> None:
        self.variant = variant
        self.variants = variants
        self.constants: dict[str, Any] = dict(variant.constants())
        self.aliases: dict[str, ast.expr] = {}
        self.extra: dict[str, dict[int, Any]] = {}
        self.hosts = [Host(m, m, self.names(m)) for m in variant.instances]
        self.whole = frozenset(name for name, value in self.hosts[0].names.items() if is_whole(value))
        self.lets: list[tuple[str, ast.expr]] = []
        self.lets = self.local_names()
        self.flattened: tuple[int, ...] | None = None
        """The shape before the flatten in front of the current item: `512 * 7 * 7` says more than 25088."""

    def names(self, instance: Module) -> dict[str, Any]:
        return {**self.variant.symbols(instance), **{name: int_of(v) for name, v in instance.lets.items()}}

    def write(self) -> ClassText:
        body = self.variant.body
        if isinstance(body, Block) and body.seq is not None:
            return self.write_seq(body.seq)
        naming = Naming(body, self.hosts, self.variants.unrolled(self.variant))
        text = ClassText(self.variant, naming.nodes, naming)
        for number, node in enumerate(naming.nodes):
            self.flattened = self.flattened_shape(naming, node)
            if node.name is not None:
                text.assignments.append(self.assignment(node))
            elif node.calls is None:
                text.functions[number] = self.function(node, text)
        self.flags(text)
        last = self.variant.body.register_ or []
        text.assignments.sort(key=lambda a: last.index(a.name) + 1 if a.name in last else 0)
        text.lets = self.used_lets(text)
        self.variant.parameters = self.parameters(text)
        return text

    def write_seq(self, items: Sequence[Item]) -> ClassText:
        """A block that is itself an `nn.Sequential`."""
        text = ClassText(self.variant, [], None)
        try:
            text.assignments = [self.entries_assignment("super().__init__", self.entries(items, self.hosts, ()), None)]
        except NoCommonForm:
            raise Irregular("the entries differ") from None
        text.lets = self.used_lets(text)
        self.variant.parameters = self.parameters(text)
        return text

    def flags(self, text: ClassText) -> None:
        """Conditions on functions only: there is no module whose absence tells, so an attribute does."""
        for guard in dict.fromkeys(node.guard for node in text.nodes if node.guard is not None):
            inside = [node for node in text.nodes if node.guard is guard]
            if any(node.name is not None for node in inside):
                continue
            condition = self.condition(guard.condition)
            assert condition is not None
            name = condition.id if isinstance(condition, ast.Name) else f"use_{_identifier(guard.label)}"
            text.flags[id(guard)] = self.attribute(name, condition, text)

    # -- names ----------------------------------------------------------------------------------------------

    def local_names(self) -> list[tuple[str, ast.expr]]:
        """The `let` names that are worth a line; those that fold to a constant or another name are put in place."""
        kept: list[tuple[str, ast.expr]] = []
        for name in self.variant.body.let:
            seen = [(h.itself(), h.names[name], h.module.let_trees[name]) for h in self.hosts]
            try:
                tree = self.common(seen)
            except NoCommonForm:
                raise Irregular(f"'{name}' differs") from None
            if isinstance(tree, ast.Constant) and not isinstance(tree.value, float):
                self.constants[name] = tree.value
            elif isinstance(tree, ast.Name):
                self.aliases[name] = tree
            else:
                kept.append((name, tree))
        return kept

    def used_lets(self, text: ClassText) -> list[tuple[str, ast.expr]]:
        """The local names that are read, after putting those read once where they are read."""
        kept: list[tuple[str, ast.expr]] = []
        for name, tree in reversed(self.lets):
            used = sum(_count(name, tree) for tree in _all_trees(text)) + sum(_count(name, t) for _, t in kept)
            if used == 1:
                self.put_in(text, name, tree)
                kept = [(n, substitute(t, {name: tree})) for n, t in kept]
            elif used > 1:
                kept.insert(0, (name, tree))
        return kept

    @staticmethod
    def put_in(text: ClassText, name: str, tree: ast.expr) -> None:
        def change(found: ast.expr) -> ast.expr:
            return substitute(found, {name: tree})

        text.assignments = [
            Assignment(
                a.name, map_trees(a.doc, change), a.annotation, None if a.condition is None else change(a.condition),
                tuple((None if c is None else change(c), map_trees(d, change)) for c, d in a.prepare),
                None if a.loop is None else (a.loop[0], change(a.loop[1])),
            )
            for a in text.assignments
        ]  # fmt: skip
        text.functions = {number: map_trees(doc, change) for number, doc in text.functions.items()}

    def parameters(self, text: ClassText) -> list[Parameter]:
        """The constructor's arguments: the names that are read, those without a default first."""
        used = {name for tree in [*_all_trees(text), *(t for _, t in text.lets)] for name in names_in(tree)}
        used |= names_in_rules(self.variant) | self.variant.op_names
        body = self.variant.body
        found: list[Parameter] = []
        for name in self.hosts[0].names:
            if name in self.variant.kept and name in used and name not in body.let:
                values = {id(host.instance): host.names[name] for host in self.hosts}
                found.append(Parameter(name, values, self.default(name)))
        found += [Parameter(name, values) for name, values in self.extra.items()]
        return sorted(found, key=lambda p: p.default is not ...)

    def default(self, name: str) -> Any:
        given = self.variant.body.params.get(name, ...)
        if self.variant.is_root:
            return self.hosts[0].names[name]
        return ... if given is None or (isinstance(given, str) and given.startswith("=")) else given

    @staticmethod
    def flattened_shape(naming: Naming, node: Node) -> tuple[int, ...] | None:
        number = node.inputs[0].node if node.inputs else -1
        source = naming.nodes[number] if number >= 0 else None
        if source is None or not isinstance(source.step.target, Op) or source.step.target.kind != "flatten":
            return None
        shapes = {host.module.shapes(step)[0] for host, step in source.occurrences}
        shape = shapes.pop()
        return tuple(map(int, shape)) if not shapes and len(shape) == 3 and shape[1:] != (1, 1) else None

    def features(self, tree: ast.expr) -> ast.expr:
        """A number of features as channels × height × width, where it comes from a flattened map."""
        shape = self.flattened
        if shape is None or not isinstance(tree, ast.Constant) or tree.value != math.prod(shape):
            return tree
        self.flattened = None
        sizes = [tree_of(size) for size in shape]
        return ast.BinOp(ast.BinOp(sizes[0], ast.Mult(), sizes[1]), ast.Mult(), sizes[2])

    # -- values ---------------------------------------------------------------------------------------------

    def common(self, seen: Sequence[Seen]) -> ast.expr:
        """One expression that gives every instance its value."""
        candidates: dict[str, ast.expr] = {}
        constants = {**self.constants, **_same_indices(seen)}
        met: set[Any] = set()
        for occurrence, _, tree in seen:
            key = (type(tree.value), str(tree.value)) if isinstance(tree, ast.Constant) else id(tree)
            if key in met:
                continue
            met.add(key)
            folded = fold(substitute(tree, self.aliases), constants, self.whole | occurrence.step.indices.keys())
            candidates.setdefault(spelling(folded), folded)
            if len(candidates) > 8:
                break
        if len(candidates) == 1:
            return self.named(next(iter(candidates.values())))
        behind = frozenset().union(*(self.behind(tree) for tree in candidates.values()))
        if behind and not self.grows(seen):  # equal for the numbers given, but for others?
            raise Depends(behind)
        for candidate in [*candidates.values(), *self.growing(seen)]:
            if all(_same(value_of(candidate, occurrence.names), value) for occurrence, value, _ in seen):
                return self.named(candidate)
        raise NoCommonForm

    def named(self, tree: ast.expr) -> ast.expr:
        """The local name of an expression, if it has one; else itself."""
        text = spelling(tree)
        return next((ast.Name(name, ast.Load()) for name, let in self.lets if spelling(let) == text), tree)

    def behind(self, tree: ast.expr) -> frozenset[str]:
        """The network's parameters that an expression depends on."""
        for name, let in reversed(self.lets):
            tree = substitute(tree, {name: let})
        return behind_of(tree, self.variant)

    def grows(self, seen: Sequence[Seen]) -> bool:
        """Whether a value grows by the very same expression in each round of a loop, in all instances."""
        steps: set[str] = set()
        for (before, _, first), (after, _, second) in pairwise(seen):
            if before.host is after.host:
                trees = (fold(substitute(t, self.aliases), self.constants, self.whole) for t in (second, first))
                step = difference(*trees)
                steps.add("" if step is None else spelling(step))
        return len(steps) == 1 and steps != {""} and len({host.module for host, *_ in (o for o, *_ in seen)}) == 1

    def growing(self, seen: Sequence[Seen]) -> list[ast.expr]:
        """A value that grows by the same amount in each round of a loop: `in_channels + i * growth_rate`."""
        rounds = [(o, tree) for o, _, tree in seen if o.host is seen[0][0].host]
        if len(rounds) < 2 or not rounds[0][0].step.indices:
            return []
        index, start = list(rounds[0][0].step.indices.items())[-1]
        first, second = (fold(substitute(t, self.aliases), self.constants, self.whole) for _, t in rounds[:2])
        step = difference(second, first)
        if step is None:
            return []
        count: ast.expr = ast.Name(index, ast.Load())
        count = ast.BinOp(count, ast.Sub(), ast.Constant(start)) if start else count
        return [fold(ast.BinOp(first, ast.Add(), ast.BinOp(count, ast.Mult(), step)), {}, self.whole)]

    def value(self, seen: Sequence[Seen], hint: str, strict: bool) -> ast.expr:
        """One expression for a value; unless `strict`, a new parameter where there is none."""
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
            raise Depends(behind)
        missing = next(iter(values.values()))
        self.extra[hint] = {id(host.instance): values.get(id(host.instance), missing) for host in self.hosts}
        return ast.Name(hint, ast.Load())

    # -- assignments ----------------------------------------------------------------------------------------

    def assignment(self, node: Node) -> Assignment:
        assert node.name is not None
        condition = None if node.guard is None else self.condition(node.guard.condition)
        try:
            if node.loop is not None:
                return self.loop_assignment(node, node.loop)
            if node.item.seq is not None:
                hosts = [host.inside(step) for host, step in node.occurrences]
                entries = self.entries(node.item.seq, hosts, node.step.slot)
                return self.entries_assignment(node.name, entries, condition)
            doc = self.target(node.occurrences, node.item, node.name, strict=False)
        except NoCommonForm:
            raise Irregular(f"{node.name} differs") from None
        annotation = doc.head if isinstance(doc, Call) and condition is not None else ""
        return Assignment(node.name, doc, annotation, condition)

    def loop_assignment(self, node: Node, loop: Loop) -> Assignment:
        """The modules of a loop, each under its own name."""
        doc = self.target(node.occurrences, node.item, node.item.name or node.label, strict=True)
        rounds = [(host.itself(), count, tree) for host, tree, count in loop.counts]
        return Assignment(self.name_expression(loop.name), doc, loop=(loop.index, self.common(rounds)))

    def name_expression(self, template: str) -> str:
        """A name with an index in braces as an f-string, its expressions folded."""
        parts = re.split(r"\{([^{}]*)\}", template)
        for number in range(1, len(parts), 2):
            tree = fold(substitute(parse(parts[number]).tree, self.aliases), self.constants, self.whole)
            parts[number] = f"{{{text_of(tree)}}}"
        return f'f"{"".join(parts)}"' if len(parts) > 1 else f'"{template}"'

    def entries_assignment(self, name: str, entries: list[Entry], condition: ast.expr | None) -> Assignment:
        """A seq; where some of its entries are not always there, they are gathered in a list first."""
        own = name == "super().__init__"
        if all(found is None for found, *_ in entries):
            doc = self.sequential([(key, entry, note) for _, key, entry, note in entries])
            if own:
                doc = Call(name, doc.arguments, doc.explode, comments=doc.comments)
            return Assignment(name, doc, "nn.Sequential" if condition is not None else "", condition)
        if condition is not None or any(key is not None for _, key, *_ in entries):
            raise Irregular("conditional entries of a seq that has names or a condition itself")
        prepare = tuple((found, entry) for found, _, entry, _ in entries)
        return Assignment(name, Call(name if own else "nn.Sequential", ("*layers",)), prepare=prepare)

    def condition(self, found: list[tuple[Host, ast.expr, bool]]) -> ast.expr | None:
        if not found:
            return None
        try:
            return self.common([(h.itself(), holds, tree) for h, tree, holds in found])
        except NoCommonForm:
            raise Irregular("a condition that differs") from None

    def target(self, occurrences: Sequence[Occurrence], item: Item, hint: str, strict: bool) -> Doc:
        """The constructor call of a module."""
        if item.seq is not None:
            hosts = [host.inside(step) for host, step in occurrences]
            entries = self.entries(item.seq, hosts, occurrences[0].step.slot)
            if any(condition is not None for condition, *_ in entries):
                raise Irregular("conditional entries in a nested seq")
            return self.sequential([(name, doc, note) for _, name, doc, note in entries])
        if item.block is not None:
            return self.block_call(occurrences, hint, strict)
        return self.op_call(occurrences, hint, strict)

    def op_call(self, occurrences: Sequence[Occurrence], hint: str, strict: bool) -> Call:
        op = occurrences[0].step.target
        assert isinstance(op, Op)
        if any(type(o.step.target) is not type(op) for o in occurrences):
            return self.chosen_op(occurrences)
        if op.raw:
            return self.raw_parameter(occurrences, hint, strict)
        assert op.module is not None
        tables = [{a.name: a for a in _arguments(o)} for o in occurrences]
        arguments: list[Doc] = []
        for name, example in tables[0].items():
            seen = [_seen(o, table[name]) for o, table in zip(occurrences, tables, strict=True)]
            if all(a[name].value == a[name].default and name not in o.step.trees
                   for o, a in zip(occurrences, tables, strict=True)):  # fmt: skip
                continue
            tree = self.value(seen, f"{hint}_{name}", strict)
            if not example.positional and isinstance(tree, ast.Constant) and tree.value == example.default:
                continue
            tree = self.features(tree) if name == "in_features" else tree
            arguments.append(tree if example.positional else Keyword(name, tree))
        if _in_place(occurrences):
            arguments.append(Keyword("inplace", "True"))
        return Call(op.module, tuple(arguments))

    def chosen_op(self, occurrences: Sequence[Occurrence]) -> Call:
        """An op that is an argument of the block, such as the activation: the argument is its class."""
        seen: list[Seen] = []
        for occurrence in occurrences:
            op, tree = occurrence.step.target, occurrence.step.trees.get("op")
            assert isinstance(op, Op)
            if tree is None or any(a.value != a.default for a in _arguments(occurrence)):
                raise NoCommonForm
            seen.append((occurrence, op.kind, tree))
        tree = self.common(seen)
        if not isinstance(tree, ast.Name):
            raise NoCommonForm
        self.variant.op_names.add(tree.id)
        return Call(tree.id, (Keyword("inplace", "True"),) if _in_place(occurrences) else ())

    def raw_parameter(self, occurrences: Sequence[Occurrence], hint: str, strict: bool) -> Call:
        """A parameter of the block itself."""
        sizes, values = [], []
        for occurrence in occurrences:
            op, trees = occurrence.step.target, occurrence.step.trees
            assert isinstance(op, RawParameter)
            sizes.append((occurrence, list(_plain(op.shape)), trees.get("shape", tree_of(list(op.shape)))))
            values.append((occurrence, op.value, trees.get("value", tree_of(op.value))))
        shape = self.value(sizes, f"{hint}_shape", strict)
        return Call(
            "nn.Parameter", (Call("torch.full", (as_tuple(shape), self.value(values, f"{hint}_value", strict))),)
        )

    def block_call(self, occurrences: Sequence[Occurrence], hint: str, strict: bool) -> Call:
        used = {id(self.callee(o)): self.callee(o) for o in occurrences}
        if len(used) != 1:  # a block whose instances are written as several classes
            raise NoCommonForm
        (callee,) = used.values()
        arguments: list[Doc] = []
        required = [p for p in callee.parameters if p.default is ...]
        positional = required if len(required) == len(callee.parameters) else required[:2]
        uses = [_use(o, callee) for o in occurrences]
        for parameter in callee.parameters:
            seen = [_bound(use, parameter) for use in uses]
            tree = as_tuple(self.value(seen, f"{hint}_{parameter.name}", strict))
            if isinstance(tree, ast.Constant) and _same(tree.value, parameter.default):
                continue
            if parameter.name in callee.op_names:
                tree = self.op_class(tree)
            arguments.append(tree if parameter in positional else Keyword(parameter.name, tree))
        return Call(callee.class_name, tuple(arguments))

    def op_class(self, tree: ast.expr) -> ast.expr:
        """An argument that is an op: torch's class for it, or this block's own argument passed on."""
        if isinstance(tree, ast.Constant):
            return op_class(str(tree.value))
        if not isinstance(tree, ast.Name):
            raise Irregular("an op that is calculated")
        self.variant.op_names.add(tree.id)
        return tree

    def callee(self, occurrence: Occurrence) -> Variant:
        return self.variants.of[id(occurrence.step.target)]

    # -- seqs -----------------------------------------------------------------------------------------------

    def sequential(self, entries: list[tuple[str | None, Doc, str]]) -> Call:
        """An `nn.Sequential` with its entries on lines of their own, if there are several."""
        if any(name is not None for name, *_ in entries):
            return Call("nn.Sequential", (_ordered(entries),))
        docs = tuple(doc for _, doc, _ in entries)
        return Call("nn.Sequential", docs, explode=len(docs) > 1, comments=tuple(note for *_, note in entries))

    def entries(self, items: Sequence[Item], hosts: list[Host], slot: tuple[int, ...]) -> list[Entry]:
        """The entries of a seq: condition, name if it is not the next number, constructor call, comment."""
        if _some_named(items):
            return self.spelt_out(hosts, items, slot)
        found: list[Entry] = []
        steps, outer = index_steps(hosts), hosts[0].outer
        for number, item in enumerate(items):
            place = (*slot, number)
            if item.layers is not None:
                found += self.group(item, hosts, place, outer)
            elif item.repeat is not None:
                found += self.repeated(item, hosts, place, outer)
            else:
                found += self.single(item, hosts, place, outer, steps.get((place, outer), []))
        return found

    def spelt_out(self, hosts: list[Host], items: Sequence[Item], slot: tuple[int, ...]) -> list[Entry]:
        """The entries of a seq some of whose items have names: each with its name, be it a number."""
        if any(len(host.module.steps) != len(hosts[0].module.steps) for host in hosts):
            raise Irregular("entries of a seq that has names differ")
        found: list[Entry] = []
        for steps in zip(*(host.module.steps for host in hosts), strict=True):
            if len({(step.slot, step.name) for step in steps}) > 1:
                raise Irregular("names of a seq's entries differ")
            occurrences = [Occurrence(host, step) for host, step in zip(hosts, steps, strict=True)]
            item = _item_at(items, steps[0].slot[len(slot) :])
            doc = self.target(occurrences, item, f"{item.label}{steps[0].name}", strict=False)
            found.append((None, f'"{steps[0].name}"', doc, ""))
        return found

    def single(
        self, item: Item, hosts: list[Host], slot: tuple[int, ...], indices: tuple[tuple[str, int], ...],
        occurrences: list[Occurrence],
    ) -> list[Entry]:  # fmt: skip
        if not occurrences:
            return []
        condition = None
        if len(occurrences) < len(hosts):
            condition = self.condition(conditions(item, hosts, slot, indices))
        hint = item.name or f"{item.label}{slot[-1]}"
        doc = self.target(occurrences, item, hint, strict=False)
        name = None if item.name is None else f'"{occurrences[0].step.name}"'
        return [(condition, name, doc, "" if _has_notes(doc) else self.note(occurrences))]

    def note(self, occurrences: Sequence[Occurrence]) -> str:
        """In the network itself: the shape behind an entry that changes the size of the map."""
        host, step = occurrences[-1]
        before, after = host.module.shapes(step)[0], step.output
        if not self.variant.is_root or len(after) != 3 or before[1:] == after[1:]:
            return ""
        return f"{format_shape(after)}"

    def group(
        self, item: Item, hosts: list[Host], slot: tuple[int, ...], outer: tuple[tuple[str, int], ...]
    ) -> list[Entry]:
        """A group of entries, unrolled."""
        assert item.layers is not None
        if item.when is not None and len({holds for *_, holds in conditions(item, hosts, slot, outer)}) > 1:
            raise Irregular("a group of entries is there in some instances only")
        rounds: list[tuple[tuple[str, int], ...]] = [outer]
        if item.repeat is not None:
            counts = {repeat_count(host, slot, outer) for host in hosts}
            if len(counts) != 1:
                raise Irregular("a group of entries repeated differently")
            rounds = [(*outer, (item.index or "_", k)) for k in range(counts.pop())]
        steps = index_steps(hosts)
        found: list[Entry] = []
        for indices in rounds:
            for number, inner in enumerate(item.layers):
                if inner.layers is not None or inner.repeat is not None:
                    raise Irregular("groups inside a group")
                place = (*slot, number)
                found += self.single(inner, hosts, place, indices, steps.get((place, indices), []))
        return found

    def repeated(
        self, item: Item, hosts: list[Host], slot: tuple[int, ...], outer: tuple[tuple[str, int], ...]
    ) -> list[Entry]:
        """A repeated entry: one comprehension, or a first entry and a comprehension for the rest."""
        index = item.index or "_"
        rounds = [[o for s in h.module.steps if s.slot == slot for o in [Occurrence(h, s)]] for h in hosts]
        everything = [o for found in rounds for o in found]
        if not everything:
            return []
        if item.when is not None:
            return self.unrolled(item, hosts, slot, outer, rounds)
        count = self.count(hosts, slot, outer)
        for skip in (0, 1):
            if skip and min(map(len, rounds)) < 1:
                break
            try:
                first = [self.one_round(item, [r[k] for r in rounds], index, k) for k in range(skip)]
                rest = [o for found_rounds in rounds for o in found_rounds[skip:]]
                if not rest:
                    return first
                if isinstance(count, ast.Constant) and count.value == skip + 1:
                    return [*first, self.one_round(item, rest, index, skip)]
                doc = self.target(rest, item, item.label, strict=True)
                name = None if item.name is None else self.name_expression(item.name)
                named = doc if name is None else Call("", (name, doc))
                loop = self.comprehension(named, index, skip, count, name is not None)
                return [*first, (None, name, loop, self.note(everything))]
            except NoCommonForm:
                continue
        return self.unrolled(item, hosts, slot, outer, rounds)

    def one_round(self, item: Item, occurrences: list[Occurrence], index: str, number: int) -> Entry:
        """One round of a repeated entry on its own."""
        doc = self.target(occurrences, item, item.label, strict=True)
        doc = map_trees(doc, lambda tree: fold(tree, {index: number}, self.whole) if index in names_in(tree) else tree)
        return None, self.entry_name(occurrences[0]), doc, self.note(occurrences)

    def count(self, hosts: list[Host], slot: tuple[int, ...], outer: tuple[tuple[str, int], ...]) -> ast.expr:
        seen: list[Seen] = []
        for host in hosts:
            tree = host.module.controls[Control("repeat", slot, outer)]
            value = len([s for s in host.module.steps if s.slot == slot])
            seen.append((host.itself(), value, tree))
        try:
            return self.common(seen)
        except NoCommonForm:
            raise Irregular("a count that differs") from None

    @staticmethod
    def entry_name(occurrence: Occurrence) -> str | None:
        return None if str(occurrence.step.name).isdecimal() else f'"{occurrence.step.name}"'

    def comprehension(self, doc: Doc, index: str, skip: int, count: ast.expr, named: bool) -> Doc:
        """`*[doc for _ in range(count)]`; a single one needs no loop."""
        reads = named or any(index in names_in(tree) for tree in trees(doc))
        if skip and not reads:
            count = fold(ast.BinOp(count, ast.Sub(), ast.Constant(skip)), {}, self.whole)
        bounds = (ast.Constant(skip), count) if skip and reads else (count,)
        return Call("*", (doc,), brackets="[]", index=index if reads else "_", bounds=bounds)

    def unrolled(
        self, item: Item, hosts: list[Host], slot: tuple[int, ...], outer: tuple[tuple[str, int], ...],
        rounds: list[list[Occurrence]],
    ) -> list[Entry]:  # fmt: skip
        """Every round of a repeat on its own; equal neighbours are put together again."""
        if len({len(found) for found in rounds}) != 1:
            raise Irregular("rounds that differ")
        index = item.index or "_"
        entries = []
        for found in zip(*rounds, strict=True):
            indices = tuple(found[0].step.indices.items())
            entries += self.single(item, hosts, slot, indices or (*outer, (index, 0)), list(found))
        return _run_lengths(entries)

    # -- functions ------------------------------------------------------------------------------------------

    def function(self, node: Node, text: ClassText) -> Doc:
        """The arguments of a function call in `forward`, as a call whose inputs are still to be put in.

        An argument that varies is an attribute of the module: the constructor's argument, or what follows from it.
        """
        calls: list[tuple[Occurrence, FunctionCall]] = []
        for occurrence in node.occurrences:
            op = occurrence.step.target
            assert isinstance(op, Op)
            call = op.function(*occurrence.host.module.shapes(occurrence.step))
            assert call is not None
            calls.append((occurrence, call))
        first = calls[0][1]
        if any(
            (c.target, c.args, c.kwargs.keys()) != (first.target, first.args, first.kwargs.keys()) for _, c in calls
        ):
            raise Irregular("a function whose arguments vary")
        arguments = [
            arg if not isinstance(arg, int | float | tuple | list) else tree_of(_plain(arg)) for arg in first.args
        ]
        named = [Keyword(key, self.function_argument(key, node, calls, text)) for key in first.kwargs]
        if _in_place(node.occurrences):
            named.append(Keyword("inplace", "True"))
        return Call(first.target, (*arguments, *named))

    def function_argument(
        self, key: str, node: Node, calls: list[tuple[Occurrence, FunctionCall]], text: ClassText
    ) -> Doc:
        given = calls[0][1].kwargs[key]
        if given == TRAINING:
            return TRAINING
        seen = [(o, _plain(c.kwargs[key]), o.step.trees.get(key, tree_of(_plain(c.kwargs[key])))) for o, c in calls]
        try:
            tree = self.value(seen, f"{_identifier(node.label)}_{key}", strict=False)
        except NoCommonForm:
            raise Irregular("a function whose arguments vary") from None
        if not names_in(tree):
            return tree
        name = tree.id if isinstance(tree, ast.Name) else f"{_identifier(node.label)}_{key}"
        return self.attribute(name, tree, text)

    def attribute(self, name: str, tree: ast.expr, text: ClassText) -> str:
        """An attribute that holds a value; two of one value are one."""
        taken = {node.name for node in text.nodes} | MODULE_NAMES
        known = {a.name: a.doc for a in text.assignments if isinstance(a.doc, ast.expr)}
        while name in taken or (name in known and spelling(known[name]) != spelling(tree)):
            name = f"{name}_"
        if name not in known:
            text.assignments.append(Assignment(name, tree))
        return f"self.{name}"


def _same_indices(seen: Sequence[Seen]) -> dict[str, int]:
    """The loop indices that are the same in all of several occurrences, where these are of one round."""
    first, *rest = (occurrence.step.indices for occurrence, *_ in seen)
    return {name: value for name, value in first.items() if all(other.get(name) == value for other in rest)}


_SAME_IN_PLACE = frozenset({"relu", "relu6", "leaky_relu"})
"""Activations that come to the same number whether in place or not; others are rounded by the memory's layout."""


def _in_place(occurrences: Sequence[Occurrence]) -> bool:
    """Whether an activation runs in place."""
    flags = {step.inplace for _, step in occurrences}
    if len(flags) > 1 and any(s.inplace and isinstance(s.target, Op) and s.target.kind not in _SAME_IN_PLACE
                              for _, s in occurrences):  # fmt: skip
        raise Irregular("an activation that runs in place in some instances only")
    return flags == {True}


def _some_named(items: Sequence[Item]) -> bool:
    """Whether a seq mixes entries that have names with entries that have not."""
    flat_items = list(_flattened(items))
    return len({item.name is None for item in flat_items}) > 1


def _flattened(items: Sequence[Item]) -> Iterable[Item]:
    for item in items:
        yield from [item] if item.layers is None else _flattened(item.layers)


def _item_at(items: Sequence[Item], slot: tuple[int, ...]) -> Item:
    item = items[slot[0]]
    return item if item.layers is None or len(slot) == 1 else _item_at(item.layers, slot[1:])


def _ordered(entries: list[tuple[str | None, Doc, str]]) -> Call:
    """Named entries as an `OrderedDict`: by keyword, or as pairs where a name is no identifier."""
    names, notes = [str(name)[1:-1] for name, *_ in entries], tuple(note for *_, note in entries)
    if all(name.isidentifier() for name in names):
        keywords = tuple(Keyword(name, doc) for name, (_, doc, _) in zip(names, entries, strict=True))
        return Call("OrderedDict", keywords, explode=len(keywords) > 1, comments=notes)
    pairs = tuple(
        doc if isinstance(doc, Call) and doc.head == "*" else Call("", (str(name), doc)) for name, doc, _ in entries
    )
    return Call("OrderedDict", (Call("", pairs, explode=len(pairs) > 1, brackets="[]", comments=notes),))


def _has_notes(doc: Doc) -> bool:
    """Whether comments are printed inside a document."""
    if isinstance(doc, Keyword):
        return _has_notes(doc.value)
    return isinstance(doc, Call) and ((doc.explode and any(doc.comments)) or any(map(_has_notes, doc.arguments)))


def as_tuple(tree: ast.expr) -> ast.expr:
    """A list as a tuple, which is what torch takes for sizes."""
    return ast.Tuple(tree.elts, ast.Load()) if isinstance(tree, ast.List) else tree


@functools.cache
def op_class(kind: str) -> ast.expr:
    """torch's class for an op, as an expression."""
    return ast.parse(str(OPS[kind].module), mode="eval").body


def _identifier(label: str) -> str:
    return re.sub(r"\W", "_", label)


def _plain(value: Any) -> Any:
    return tuple(map(_plain, value)) if isinstance(value, list | tuple) else int_of(value)


def _arguments(occurrence: Occurrence) -> tuple[Argument, ...]:
    host, step = occurrence
    assert isinstance(step.target, Op)
    return step.target.constructor(*host.module.shapes(step))


def _seen(occurrence: Occurrence, argument: Argument) -> Seen:
    tree = occurrence.step.trees.get(argument.name)
    value = _plain(argument.value)
    return occurrence, value, (tree_of(argument.value) if tree is None else tree)


def _use(occurrence: Occurrence, callee: Variant) -> tuple[Occurrence, Module, dict[str, tuple[Any, ast.expr]]]:
    """A use of a block: its instance, and what is given to each of its names."""
    target = occurrence.step.target
    assert isinstance(target, Module)
    return occurrence, target, bindings(callee, target, occurrence.host.module, occurrence.step)


def _bound(use: tuple[Occurrence, Module, dict[str, tuple[Any, ast.expr]]], parameter: Parameter) -> Seen:
    """What one use of a block gives one of its parameters."""
    occurrence, target, bound = use
    value = parameter.values[id(target)]
    return (occurrence, *bound.get(parameter.name, (value, tree_of(value))))


def _same(left: Any, right: Any) -> bool:
    if isinstance(left, list | tuple) and isinstance(right, list | tuple):
        return len(left) == len(right) and all(map(_same, left, right))
    return type(int_of(left)) is type(int_of(right)) and bool(left == right)


def _count(name: str, tree: ast.expr) -> int:
    return sum(isinstance(node, ast.Name) and node.id == name for node in ast.walk(tree))


def _all_trees(text: ClassText) -> list[ast.expr]:
    found: list[ast.expr] = []
    for assignment in text.assignments:
        found += trees(assignment.doc)
        found += [] if assignment.condition is None else [assignment.condition]
        found += [] if assignment.loop is None else [assignment.loop[1]]
        for condition, doc in assignment.prepare:
            found += [] if condition is None else [condition]
            found += trees(doc)
    for doc in text.functions.values():
        found += trees(doc)
    return found


def _run_lengths(
    entries: list[Entry],
) -> list[Entry]:
    """Equal neighbours as one comprehension."""
    found: list[Entry] = []
    key: Callable[[Entry], Any] = lambda e: (e[0] is None, e[1], flat(e[2]))  # noqa: E731
    for _, group in groupby(entries, key):
        run = list(group)
        condition, name, doc, note = run[0]
        if len(run) > 1 and condition is None and name is None:
            bounds = (ast.Constant(len(run)),)
            found.append((None, None, Call("*", (doc,), brackets="[]", index="_", bounds=bounds), note))
        else:
            found += run
    return found


__all__ = ["Assignment", "Block", "ClassText", "Network", "write_class"]
