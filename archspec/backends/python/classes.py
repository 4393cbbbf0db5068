"""A variant as the text of one class: constructor arguments, assignments, and what `forward` needs to know.

Values   one expression for all instances      values.py
Calls    ops and blocks as constructor calls   calls.py
Seqs     the entries of an `nn.Sequential`     seqs.py
_Writer  assignments, arguments, functions     (this file)
"""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import count
from typing import Any

from archspec.backends.python.calls import as_tuple, in_place
from archspec.backends.python.initialisation import WrittenRule, written_rules
from archspec.backends.python.instances import Body, Irregular, Loop, Occurrence, Site
from archspec.backends.python.layout import Call, Doc, Keyword, map_trees, trees
from archspec.backends.python.sequential import Entry, Seqs, is_seq
from archspec.backends.python.values import NoCommonForm, plain_value
from archspec.backends.python.variants import Depends, Parameter, Variant, Variants
from archspec.expressions.printer import spelling
from archspec.expressions.rewrite import names_in, rebuild, substitute
from archspec.expressions.sizes import tree_of
from archspec.frontend.field_types import MODULE_NAMES, VARIABLES, source_names
from archspec.ir.definition import LAST, Definition
from archspec.ir.graph import Ref
from archspec.ops.base import TRAINING, Op
from archspec.ops.base import Call as FunctionCall

_LONG = 20
"""Characters from which on a call that is repeated is calculated once."""


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
    body: Body | None
    """Its sites; `None` where it has the `forward` of `nn.Sequential`."""
    is_sequential: bool = False
    """Whether it is derived from `nn.Sequential`."""
    assignments: list[Assignment] = field(default_factory=list)
    lets: list[tuple[str, ast.expr]] = field(default_factory=list)
    rules: list[WrittenRule] = field(default_factory=list)
    functions: dict[int, Doc] = field(default_factory=dict)
    flags: dict[int, str] = field(default_factory=dict)
    """The attribute that holds a guard's condition, by the guard's identity."""

    @property
    def sites(self) -> list[Site]:
        """The sites of its body."""
        return [] if self.body is None else self.body.sites


def write_class(variant: Variant, variants: Variants, kept: Iterable[Ref] = ()) -> ClassText:
    """Plan a class, which yields the values `kept`, too. The classes it uses must have been written before, since
    their arguments are needed."""
    return _Writer(variant, variants).write(kept)


class _Writer(Seqs):
    """Seqs, calls and values, put together to a class."""

    def write(self, kept: Iterable[Ref]) -> ClassText:
        definition = self.variant.body
        collects = any(LAST in host.steps for host in self.hosts)
        if definition.is_sequential and not (collects and self.has_attributes()):
            return self.write_seq(definition, collects)
        body = Body(definition, self.hosts, kept, self.variants.unrolled(self.variant))
        text = ClassText(self.variant, body)
        for number, site in enumerate(body.sites):
            self.flattened = self.flattened_shape(body, site)
            if site.name is not None:
                text.assignments.append(self.assignment(site))
            elif site.calls is None:
                text.functions[number] = self.function(site, text)
        self.flags(text)
        self.register(text)
        text.rules = written_rules(self)
        text.lets = self.used_lets(text)
        text.lets += self.shared_calls(text)
        self.variant.parameters = self.parameters(text)
        return text

    def register(self, text: ClassText) -> None:
        """Put the assignments in the order of registration."""
        last = self.variant.body.registered_last
        if any(site.loop is not None and step.name in last for site in text.sites for _, step in site.occurrences):
            raise Irregular("a round of a loop that is registered last")
        text.assignments.sort(key=lambda a: last.index(a.name) + 1 if a.name in last else 0)

    def has_attributes(self) -> bool:
        """Whether all entries of a seq have names that a type checker can follow once they are assigned."""
        return all(str(step.name).isidentifier() for host in self.hosts for step in host.module.registered)

    def write_seq(self, definition: Definition, collects: bool) -> ClassText:
        """A block that is itself an `nn.Sequential`, with a `forward` of its own if it `collects` several values."""
        text = ClassText(self.variant, Body(definition, self.hosts, unroll=True) if collects else None, True)
        try:
            entries = self.entries(definition.items, self.hosts)
            text.assignments = [self.entries_assignment("super().__init__", entries, None)]
        except NoCommonForm:
            raise Irregular("the entries differ") from None
        if any(site.guard is not None for site in text.sites):
            raise Irregular("entries under a condition, whose numbers vary")
        text.rules = written_rules(self)
        text.lets = self.used_lets(text)
        text.lets += self.shared_calls(text)
        self.variant.parameters = self.parameters(text)
        return text

    def flags(self, text: ClassText) -> None:
        """Conditions on functions only: there is no module whose absence tells, so an attribute does."""
        for guard in dict.fromkeys(site.guard for site in text.sites if site.guard is not None):
            inside = [site for site in text.sites if site.guard is guard]
            if any(site.name is not None for site in inside):
                continue
            condition = self.condition(guard.condition)
            assert condition is not None
            name = condition.id if isinstance(condition, ast.Name) else f"use_{_identifier(guard.label)}"
            text.flags[id(guard)] = self.attribute(name, condition, text)

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
        _change(text, lambda found: substitute(found, {name: tree}))

    def shared_calls(self, text: ClassText) -> list[tuple[str, ast.expr]]:
        """Long calls that are written several times, as local names that are put in their place."""
        own = self.hosts[0].names.keys()
        calls: dict[str, list[ast.Call]] = {}
        for tree in [*_all_trees(text), *(tree for _, tree in text.lets)]:
            for call in ast.walk(tree):
                if isinstance(call, ast.Call) and names_in(call) <= own and len(spelling(call)) >= _LONG:
                    calls.setdefault(spelling(call), []).append(call)
        found: list[tuple[str, ast.expr]] = []
        for words, same in sorted(calls.items(), key=lambda item: len(item[0])):
            if len(same) > 1:
                name = self.local_name(found)
                found.append((name, same[0]))
                _change(text, partial(_replaced, words=words, name=name))
        return found

    def local_name(self, others: Sequence[tuple[str, ast.expr]]) -> str:
        """A name for what is calculated once."""
        taken = {*self.hosts[0].names, *self.extra, *(name for name, _ in others), *source_names(), *VARIABLES}
        taken |= self.variant.body.indices
        return next(name for number in count(1) if (name := f"size{number}" if number > 1 else "size") not in taken)

    def parameters(self, text: ClassText) -> list[Parameter]:
        """The constructor's arguments: the names that are read, those without a default first."""
        used = {name for tree in [*_all_trees(text), *(t for _, t in text.lets)] for name in names_in(tree)}
        used |= self.variant.op_names | self.in_names
        body = self.variant.body
        found: list[Parameter] = []
        for name in self.hosts[0].names:
            if name in self.variant.kept and name in used and name not in body.lets:
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
    def flattened_shape(body: Body, site: Site) -> tuple[int, ...] | None:
        number = site.inputs[0].site if site.inputs else -1
        source = body.sites[number] if number >= 0 else None
        if source is None or not isinstance(source.step.target, Op) or not source.step.target.flattens:
            return None
        shapes = {host.module.shapes(step)[0] for host, step in source.occurrences}
        shape = shapes.pop()
        return tuple(map(int, shape)) if not shapes and len(shape) == 3 and shape[1:] != (1, 1) else None

    def assignment(self, site: Site) -> Assignment:
        assert site.name is not None
        condition = None if site.guard is None else self.condition(site.guard.condition)
        try:
            if site.loop is not None:
                return self.loop_assignment(site, site.loop)
            if is_seq(site.occurrences):
                hosts = [host.inside(step, site.node) for host, step in site.occurrences]
                entries = self.entries(site.node.body, hosts)
                return self.entries_assignment(site.name, entries, condition)
            doc = self.target(site.occurrences, site.node, site.name, strict=False)
        except NoCommonForm:
            raise Irregular(f"{site.name} differs") from None
        except Depends:
            if site.loop is None or not self.variant.is_root:
                raise
            raise Irregular(f"{site.name} differs") from None  # without a loop its parameters may stay
        annotation = doc.head if isinstance(doc, Call) and condition is not None else ""
        return Assignment(site.name, doc, annotation, condition)

    def loop_assignment(self, site: Site, loop: Loop) -> Assignment:
        """The modules of a loop, each under its own name."""
        doc = self.target(site.occurrences, site.node, site.node.name or site.label, strict=True)
        rounds = [(host.itself(), count.number, count.tree) for host, count in loop.counts]
        return Assignment(
            self.name_expression(loop.name, site.occurrences[0], loop.index),
            doc,
            loop=(loop.index, self.common(rounds)),
        )

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

    def function(self, site: Site, text: ClassText) -> Doc:
        """The arguments of a function call in `forward`, as a call whose inputs are still to be put in.

        An argument that varies is an attribute of the module: the constructor's argument, or what follows from it.
        """
        overwrites = in_place(site.occurrences)
        calls: list[tuple[Occurrence, FunctionCall]] = []
        for occurrence in site.occurrences:
            op = occurrence.step.target
            assert isinstance(op, Op)
            call = op.function(*occurrence.host.module.shapes(occurrence.step))
            assert call is not None
            calls.append((occurrence, call.in_place() if overwrites else call))
        first = calls[0][1]
        if any(
            (c.target, c.args, c.kwargs.keys()) != (first.target, first.args, first.kwargs.keys()) for _, c in calls
        ):
            raise Irregular("a function whose arguments vary")
        arguments = [
            arg if not isinstance(arg, int | float | tuple | list) else tree_of(_plain(arg)) for arg in first.args
        ]
        named = [Keyword(key, self.function_argument(key, site, calls, text)) for key in first.kwargs]
        return Call(first.target, (*arguments, *named))

    def function_argument(
        self, key: str, site: Site, calls: list[tuple[Occurrence, FunctionCall]], text: ClassText
    ) -> Doc:
        given = calls[0][1].kwargs[key]
        if given == TRAINING:
            return TRAINING
        values = [(occurrence, plain_value(call.kwargs[key])) for occurrence, call in calls]
        seen = [(o, value, o.step.trees.get(key, tree_of(value))) for o, value in values]
        try:
            tree = as_tuple(self.value(seen, f"{_identifier(site.label)}_{key}", strict=False))
        except NoCommonForm:
            raise Irregular("a function whose arguments vary") from None
        if not names_in(tree):
            return tree
        name = tree.id if isinstance(tree, ast.Name) else f"{_identifier(site.label)}_{key}"
        return self.attribute(name, tree, text)

    def attribute(self, name: str, tree: ast.expr, text: ClassText) -> str:
        """An attribute that holds a value; two of one value are one."""
        taken = {site.name for site in text.sites} | MODULE_NAMES
        known = {a.name: a.doc for a in text.assignments if isinstance(a.doc, ast.expr)}
        while name in taken or (name in known and spelling(known[name]) != spelling(tree)):
            name = f"{name}_"
        if name not in known:
            text.assignments.append(Assignment(name, tree))
        return f"self.{name}"


def _plain(value: Any) -> Any:
    """A value without expressions; a function that takes a list gets one."""
    return list(plain_value(value)) if isinstance(value, list) else plain_value(value)


def _change(text: ClassText, change: Callable[[ast.expr], ast.expr]) -> None:
    """Change every expression of a class."""
    text.assignments = [
        Assignment(
            a.name, map_trees(a.doc, change), a.annotation, None if a.condition is None else change(a.condition),
            tuple((None if c is None else change(c), map_trees(d, change)) for c, d in a.prepare),
            None if a.loop is None else (a.loop[0], change(a.loop[1])),
        )
        for a in text.assignments
    ]  # fmt: skip
    text.functions = {number: map_trees(doc, change) for number, doc in text.functions.items()}
    text.rules = [rule.changed(change) for rule in text.rules]


def _replaced(tree: ast.expr, words: str, name: str) -> ast.expr:
    """An expression with a name in place of a call that is written with these words."""
    if isinstance(tree, ast.Call) and spelling(tree) == words:
        return ast.Name(name, ast.Load())
    return rebuild(tree, partial(_replaced, words=words, name=name))


def _identifier(label: str) -> str:
    return re.sub(r"\W", "_", label)


def _count(name: str, tree: ast.expr) -> int:
    return sum(isinstance(site, ast.Name) and site.id == name for site in ast.walk(tree))


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
    for rule in text.rules:
        found += rule.trees
    return found
