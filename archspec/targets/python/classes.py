"""A variant as the text of one class: constructor arguments, assignments, and what `forward` needs to know."""

from __future__ import annotations

import ast
import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from typing import Any

from archspec.elaborate import int_of
from archspec.expressions import tree_of
from archspec.graph import Control, Module
from archspec.language import Block, Item, Network
from archspec.ops.base import Argument, Op, format_shape
from archspec.scope import is_whole, substitute
from archspec.targets.python.layout import Call, Doc, Keyword, flat, map_trees, text_of, trees
from archspec.targets.python.nodes import Host, Irregular, Naming, Node, Occurrence, conditions, index_steps, repeat_count
from archspec.targets.python.trees import fold, names_in, value_of
from archspec.targets.python.variants import Parameter, Variant, Variants, bindings

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


@dataclass
class ClassText:
    """Everything that is to be printed of a class."""

    variant: Variant
    nodes: list[Node]
    naming: Naming
    assignments: list[Assignment] = field(default_factory=list)
    lets: list[tuple[str, ast.expr]] = field(default_factory=list)
    functions: dict[int, Doc] = field(default_factory=dict)


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
        self.lets = self.local_names()
        self.flattened: tuple[int, ...] | None = None
        """The shape before the flatten in front of the current item: `512 * 7 * 7` says more than 25088."""

    def names(self, instance: Module) -> dict[str, Any]:
        return {**self.variant.symbols(instance), **{name: int_of(v) for name, v in instance.lets.items()}}

    def write(self) -> ClassText:
        naming = Naming(self.variant.body, self.hosts, frozenset(self.variant.free))
        text = ClassText(self.variant, naming.nodes, naming)
        for number, node in enumerate(naming.nodes):
            self.flattened = self.flattened_shape(naming, node)
            if node.name is not None:
                text.assignments.append(self.assignment(node))
            elif node.calls is None:
                text.functions[number] = self.function(node)
        last = self.variant.body.register_ or []
        text.assignments.sort(key=lambda a: last.index(a.name) + 1 if a.name in last else 0)
        text.lets = self.used_lets(text)
        self.variant.parameters = self.parameters(text)
        return text

    # -- names ----------------------------------------------------------------------------------------------

    def local_names(self) -> list[tuple[str, ast.expr]]:
        """The `let` names that are worth a line; those that fold to a constant or another name are put in place."""
        kept: list[tuple[str, ast.expr]] = []
        for name in self.variant.body.let:
            seen = [(Occurrence(h, h.module.steps[0]), h.names[name], h.module.let_trees[name]) for h in self.hosts]
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
            )
            for a in text.assignments
        ]  # fmt: skip
        text.functions = {number: map_trees(doc, change) for number, doc in text.functions.items()}

    def parameters(self, text: ClassText) -> list[Parameter]:
        """The constructor's arguments: the names that are read, those without a default first."""
        used = {name for tree in [*_all_trees(text), *(t for _, t in text.lets)] for name in names_in(tree)}
        used |= self.used_by_rules()
        body = self.variant.body
        found: list[Parameter] = []
        for name in self.hosts[0].names:
            if name in self.variant.kept and name in used and name not in body.let:
                values = {id(host.instance): host.names[name] for host in self.hosts}
                found.append(Parameter(name, values, self.default(name)))
        found += [Parameter(name, values) for name, values in self.extra.items()]
        return sorted(found, key=lambda p: p.default is not ...)

    def used_by_rules(self) -> set[str]:
        """The names that initialisation rules depend on."""
        found: set[str] = set()
        for rule in self.variant.body.init:
            if isinstance(rule.when, str):
                found |= names_in(ast.parse(rule.when[1:].strip(), mode="eval").body)
        return found

    def default(self, name: str) -> Any:
        given = self.variant.body.params.get(name, ...)
        if self.variant.is_root:
            return self.hosts[0].names[name]
        return ... if given is None or (isinstance(given, str) and given.startswith("=")) else given

    @staticmethod
    def flattened_shape(naming: Naming, node: Node) -> tuple[int, ...] | None:
        source = naming.nodes[node.inputs[0].node] if node.inputs[0].node >= 0 else None
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
        for occurrence, _, tree in seen:
            folded = fold(substitute(tree, self.aliases), self.constants, self.whole | occurrence.step.indices.keys())
            candidates.setdefault(ast.unparse(folded), folded)
            if len(candidates) > 8:
                break
        if len(candidates) == 1:
            return next(iter(candidates.values()))
        for candidate in candidates.values():
            if all(_same(value_of(candidate, occurrence.names), value) for occurrence, value, _ in seen):
                return candidate
        raise NoCommonForm

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
        missing = next(iter(values.values()))
        self.extra[hint] = {id(host.instance): values.get(id(host.instance), missing) for host in self.hosts}
        return ast.Name(hint, ast.Load())

    # -- assignments ----------------------------------------------------------------------------------------

    def assignment(self, node: Node) -> Assignment:
        assert node.name is not None
        condition = self.condition(node.condition)
        try:
            if node.item.seq is not None:
                return self.seq_assignment(node, node.item.seq, condition)
            doc = self.target(node.occurrences, node.item, node.name, strict=False)
        except NoCommonForm:
            raise Irregular(f"{node.name} differs") from None
        annotation = doc.head if isinstance(doc, Call) and condition is not None else ""
        return Assignment(node.name, doc, annotation, condition)

    def seq_assignment(self, node: Node, items: Sequence[Item], condition: ast.expr | None) -> Assignment:
        """A seq; where some of its entries are not always there, they are gathered in a list first."""
        hosts = [host.inside(step) for host, step in node.occurrences]
        entries = self.entries(items, hosts, node.step.slot)
        name = str(node.name)
        if all(found is None for found, *_ in entries):
            doc = self.sequential([(key, entry, note) for _, key, entry, note in entries])
            return Assignment(name, doc, "nn.Sequential" if condition is not None else "", condition)
        if condition is not None or any(key is not None for _, key, *_ in entries):
            raise Irregular("conditional entries of a seq that has names or a condition itself")
        prepare = tuple((found, entry) for found, _, entry, _ in entries)
        return Assignment(name, Call("nn.Sequential", ("*layers",)), prepare=prepare)

    def condition(self, found: list[tuple[Host, ast.expr, bool]]) -> ast.expr | None:
        if not found:
            return None
        try:
            return self.common([(Occurrence(h, h.module.steps[0]), holds, tree) for h, tree, holds in found])
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
        if any(type(o.step.target) is not type(op) for o in occurrences):
            raise NoCommonForm
        assert isinstance(op, Op)
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
        if all(o.step.inplace for o in occurrences):
            arguments.append(Keyword("inplace", "True"))
        return Call(op.module, tuple(arguments))

    def block_call(self, occurrences: Sequence[Occurrence], hint: str, strict: bool) -> Call:
        used = {id(self.callee(o)): self.callee(o) for o in occurrences}
        if len(used) != 1:
            raise Irregular("a block whose instances are written as several classes")
        (callee,) = used.values()
        arguments: list[Doc] = []
        required = [p for p in callee.parameters if p.default is ...]
        positional = required if len(required) == len(callee.parameters) else required[:2]
        for parameter in callee.parameters:
            seen = [self.bound(o, callee, parameter) for o in occurrences]
            tree = self.value(seen, f"{hint}_{parameter.name}", strict)
            if isinstance(tree, ast.Constant) and _same(tree.value, parameter.default):
                continue
            arguments.append(tree if parameter in positional else Keyword(parameter.name, tree))
        return Call(callee.class_name, tuple(arguments))

    def callee(self, occurrence: Occurrence) -> Variant:
        return self.variants.of[id(occurrence.step.target)]

    def bound(self, occurrence: Occurrence, callee: Variant, parameter: Parameter) -> Seen:
        """What one use of a block gives one of its parameters."""
        target = occurrence.step.target
        assert isinstance(target, Module)
        given = bindings(callee, target, occurrence.host.module, occurrence.step).get(parameter.name)
        value = parameter.values[id(target)]
        return (occurrence, value, tree_of(value)) if given is None else (occurrence, *given)

    # -- seqs -----------------------------------------------------------------------------------------------

    def sequential(self, entries: list[tuple[str | None, Doc, str]]) -> Call:
        """An `nn.Sequential` with its entries on lines of their own, if there are several."""
        if any(name is not None for name, *_ in entries):
            named = [Call("", (f'"{name}"', doc)) for name, doc, _ in entries]
            inner = Call("OrderedDict", (Call("", tuple(named), explode=True, brackets="[]"),))
            return Call("nn.Sequential", (inner,))
        docs = tuple(doc for _, doc, _ in entries)
        return Call("nn.Sequential", docs, explode=len(docs) > 1, comments=tuple(note for *_, note in entries))

    def entries(
        self, items: Sequence[Item], hosts: list[Host], slot: tuple[int, ...]
    ) -> list[tuple[ast.expr | None, str | None, Doc, str]]:
        """The entries of a seq: condition, name if it is not the next number, constructor call, comment."""
        found: list[tuple[ast.expr | None, str | None, Doc, str]] = []
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

    def single(
        self, item: Item, hosts: list[Host], slot: tuple[int, ...], indices: tuple[tuple[str, int], ...],
        occurrences: list[Occurrence],
    ) -> list[tuple[ast.expr | None, str | None, Doc, str]]:  # fmt: skip
        if not occurrences:
            return []
        condition = None
        if len(occurrences) < len(hosts):
            condition = self.condition(conditions(item, hosts, slot, indices))
        hint = item.name or f"{item.label}{slot[-1]}"
        doc = self.target(occurrences, item, hint, strict=False)
        name = None if item.name is None else occurrences[0].step.name
        return [(condition, name, doc, self.note(occurrences))]

    def note(self, occurrences: Sequence[Occurrence]) -> str:
        """In the network itself: the shape behind an entry that changes the size of the map."""
        host, step = occurrences[-1]
        before, after = host.module.shapes(step)[0], step.output
        if not self.variant.is_root or len(after) != 3 or before[1:] == after[1:]:
            return ""
        return f"{format_shape(after)}"

    def group(
        self, item: Item, hosts: list[Host], slot: tuple[int, ...], outer: tuple[tuple[str, int], ...]
    ) -> list[tuple[ast.expr | None, str | None, Doc, str]]:
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
        found: list[tuple[ast.expr | None, str | None, Doc, str]] = []
        for indices in rounds:
            for number, inner in enumerate(item.layers):
                if inner.layers is not None or inner.repeat is not None:
                    raise Irregular("groups inside a group")
                place = (*slot, number)
                found += self.single(inner, hosts, place, indices, steps.get((place, indices), []))
        return found

    def repeated(
        self, item: Item, hosts: list[Host], slot: tuple[int, ...], outer: tuple[tuple[str, int], ...]
    ) -> list[tuple[ast.expr | None, str | None, Doc, str]]:
        """A repeated entry: one comprehension, or a first entry and a comprehension for the rest."""
        index = item.index or "_"
        rounds = [[o for s in h.module.steps if s.slot == slot for o in [Occurrence(h, s)]] for h in hosts]
        everything = [o for found in rounds for o in found]
        if not everything:
            return []
        if item.when is not None or item.name is not None:
            return self.unrolled(item, hosts, slot, outer, rounds)
        count = self.count(hosts, slot, outer)
        for skip in (0, 1):
            if skip and min(map(len, rounds)) < 1:
                break
            try:
                found = [self.target([r[k] for r in rounds], item, item.label, strict=True) for k in range(skip)]
                rest = [o for found_rounds in rounds for o in found_rounds[skip:]]
                if not rest:
                    return [(None, None, doc, "") for doc in found]
                doc = self.target(rest, item, item.label, strict=True)
                first = [(None, None, doc, "") for doc in found]
                return [*first, (None, None, self.comprehension(doc, index, skip, count), self.note(everything))]
            except NoCommonForm:
                continue
        return self.unrolled(item, hosts, slot, outer, rounds)

    def count(self, hosts: list[Host], slot: tuple[int, ...], outer: tuple[tuple[str, int], ...]) -> ast.expr:
        seen: list[Seen] = []
        for host in hosts:
            tree = host.module.controls[Control("repeat", slot, outer)]
            value = len([s for s in host.module.steps if s.slot == slot])
            seen.append((Occurrence(host, host.module.steps[0]), value, tree))
        try:
            return self.common(seen)
        except NoCommonForm:
            raise Irregular("a count that differs") from None

    def comprehension(self, doc: Doc, index: str, skip: int, count: ast.expr) -> Doc:
        """`*[doc for _ in range(count)]`; a single one needs no loop."""
        reads = any(index in names_in(tree) for tree in trees(doc))
        if skip and not reads:
            count = fold(ast.BinOp(count, ast.Sub(), ast.Constant(skip)), {}, self.whole)
        if isinstance(count, ast.Constant) and count.value == 1 and not reads:
            return doc
        bounds = f"{skip}, {text_of(count)}" if skip and reads else text_of(count)
        return Call("*", (doc,), brackets="[]", tail=f" for {index if reads else '_'} in range({bounds})")

    def unrolled(
        self, item: Item, hosts: list[Host], slot: tuple[int, ...], outer: tuple[tuple[str, int], ...],
        rounds: list[list[Occurrence]],
    ) -> list[tuple[ast.expr | None, str | None, Doc, str]]:  # fmt: skip
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

    def function(self, node: Node) -> Doc:
        """The arguments of a function call in `forward`, as a call whose inputs are still to be put in."""
        calls = []
        for host, step in node.occurrences:
            assert isinstance(step.target, Op)
            call = step.target.function(*host.module.shapes(step))
            assert call is not None
            calls.append((call, step))
        first, step = calls[0]
        if any(call != first for call, _ in calls) or any(names & self.variant.kept for names in _names(node)):
            raise Irregular("a function whose arguments vary")
        keywords = {**first.kwargs, **({"inplace": True} if all(s.inplace for _, s in calls) else {})}
        arguments = [arg if not isinstance(arg, int | float | tuple | list) else tree_of(_plain(arg)) for arg in first.args]
        named = [Keyword(key, value if isinstance(value, str) and value == "self.training" else tree_of(_plain(value)))
                 for key, value in keywords.items()]  # fmt: skip
        return Call(first.target, (*arguments, *named))  # type: ignore[arg-type]


def _names(node: Node) -> Iterable[set[str]]:
    return [names_in(tree) for _, step in node.occurrences for tree in step.trees.values()]


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
        for condition, doc in assignment.prepare:
            found += [] if condition is None else [condition]
            found += trees(doc)
    for doc in text.functions.values():
        found += trees(doc)
    return found


def _run_lengths(
    entries: list[tuple[ast.expr | None, str | None, Doc, str]],
) -> list[tuple[ast.expr | None, str | None, Doc, str]]:
    """Equal neighbours as one comprehension."""
    found: list[tuple[ast.expr | None, str | None, Doc, str]] = []
    key: Callable[[tuple[ast.expr | None, str | None, Doc, str]], Any] = lambda e: (e[0] is None, e[1], flat(e[2]))  # noqa: E731
    for _, group in groupby(entries, key):
        run = list(group)
        condition, name, doc, note = run[0]
        if len(run) > 1 and condition is None and name is None:
            found.append((None, None, Call("*", (doc,), brackets="[]", tail=f" for _ in range({len(run)})"), note))
        else:
            found += run
    return found


__all__ = ["Assignment", "Block", "ClassText", "Network", "write_class"]
