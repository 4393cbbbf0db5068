"""The entries of an `nn.Sequential`: with names or without, under conditions, in comprehensions."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from itertools import groupby
from typing import Any

from archspec.backends.python.classes.calls import ConstructorCalls
from archspec.backends.python.formatter import Bracketed, Code, KeywordArgument, flat, map_trees, trees
from archspec.backends.python.instances.anti_unification import AntiUnifier, NoCommonForm, names_in_template
from archspec.backends.python.instances.sites import (
    Decision,
    Host,
    NotMergeable,
    Occurrence,
    counts_at,
    decisions_at,
    is_reached,
    rounds_of,
)
from archspec.backends.python.instances.variants import MustBeFixed
from archspec.expressions.rewrite import names_in
from archspec.expressions.simplify import simplify
from archspec.ir.definition import Position, ResolvedItem
from archspec.ir.module import Count, Module
from archspec.ops.shapes import format_shape

Entry = tuple[ast.expr | None, str | None, Code, str]
"""An entry of a seq: its condition, its name as an expression if it is not the next number, its call, a comment."""


class Sequentials:
    """Writes constructor calls that contain others, such as an `nn.Sequential` with its entries."""

    def __init__(self, unifier: AntiUnifier, calls: ConstructorCalls) -> None:
        self.unifier = unifier
        self.calls = calls

    def target(self, occurrences: Sequence[Occurrence], item: ResolvedItem, hint: str, strict: bool) -> Code:
        """The constructor call of a module."""
        if is_seq(occurrences):
            hosts = [host.inside(step, item) for host, step in occurrences]
            entries = self.entries(item.body, hosts)
            if any(condition is not None for condition, *_ in entries):
                raise NotMergeable("conditional entries in a nested seq")
            return sequential_call([(name, code, note) for _, name, code, note in entries])
        if isinstance(occurrences[0].step.target, Module):
            return self.calls.block_call(occurrences, hint, strict)
        return self.calls.op_call(occurrences, hint, strict)

    def entries(self, items: Sequence[ResolvedItem], hosts: list[Host]) -> list[Entry]:
        """The entries of a seq: condition, name if it is not the next number, constructor call, comment."""
        position = hosts[0].position
        if any(host.position != position for host in hosts):  # which items exist may depend on the round
            raise NoCommonForm
        if len({item.name is None for item in _flattened(items)}) > 1:
            return self.spelt_out(len(items), hosts)
        return self.listed(items, hosts, position)

    def listed(self, items: Sequence[ResolvedItem], hosts: list[Host], position: Position) -> list[Entry]:
        """The entries of a list of items."""
        found: list[Entry] = []
        for number, item in enumerate(items):
            place = (*position, number)
            if item.kind == "group":
                found += self.group(item, hosts, place)
            elif item.repeat is not None:
                found += self.repeated(item, hosts, place)
            else:
                found += self.single(item, hosts, (*place, 0))
        return found

    def spelt_out(self, count: int, hosts: list[Host]) -> list[Entry]:
        """The entries of a seq with named items: each with its name, even if that is a number."""
        depth = len(hosts[0].position)
        columns = [[step for step in host.module.steps if step.position[depth:][:1] < (count,)] for host in hosts]
        if len(set(map(len, columns))) > 1:
            raise NotMergeable("entries of a seq that has names differ")
        found: list[Entry] = []
        for steps in zip(*columns, strict=True):
            if len({(step.position, step.name) for step in steps}) > 1:
                raise NotMergeable("names of a seq's entries differ")
            occurrences = [Occurrence(host, step) for host, step in zip(hosts, steps, strict=True)]
            item = _item_at(hosts[0].items, steps[0].position[len(hosts[0].position) :])
            code = self.target(occurrences, item, f"{item.label}{steps[0].name}", strict=False)
            found.append((None, f'"{steps[0].name}"', code, ""))
        return found

    def single(self, item: ResolvedItem, hosts: list[Host], position: Position) -> list[Entry]:
        """One entry, if any instance has it."""
        occurrences = [Occurrence(host, host.steps[position]) for host in hosts if position in host.steps]
        if not occurrences:
            return []
        condition = None
        if len(occurrences) < len(hosts):
            condition = self.unifier.condition(self.held(position, hosts, occurrences))
        hint = item.name or f"{item.label}{position[-2]}"
        code = self.target(occurrences, item, hint, strict=False)
        name = None if item.name is None else self.entry_name(item, occurrences)
        return [(condition, name, code, "" if _has_notes(code) else self.note(occurrences))]

    @staticmethod
    def held(position: Position, hosts: list[Host], occurrences: Sequence[Occurrence]) -> list[Decision]:
        """The condition under which an entry is in these instances and in no others."""
        decisions = decisions_at(position, hosts)
        there = {occurrence.host for occurrence in occurrences}
        if any(holds != (host in there) for host, _, holds in decisions):
            raise NotMergeable("an entry that is there in some instances only")
        return decisions

    def note(self, occurrences: Sequence[Occurrence]) -> str:
        """In the network's own class: the shape after an entry that changes the size of the feature map."""
        host, step = occurrences[-1]
        before, after = host.module.shapes(step)[0], step.output
        if not self.unifier.variant.is_root or len(after) != 3 or before[1:] == after[1:]:
            return ""
        return f"{format_shape(after)}"

    def group(self, item: ResolvedItem, hosts: list[Host], place: Position) -> list[Entry]:
        """A group of entries, unrolled; under its condition if only some instances have it."""
        found: list[Entry] = []
        for k in range(1 if item.repeat is None else rounds_of(place, hosts, "a group")):
            position = (*place, k)
            if not is_reached(position, hosts):
                continue
            decisions = [] if item.when is None else decisions_at(position, hosts)
            there = [host for host, _, holds in decisions if holds]
            if len(there) == len(decisions):
                found += self.listed(item.body, hosts, position)
            elif there:
                found += self.under(self.unifier.condition(decisions), self.listed(item.body, there, position))
        return found

    @staticmethod
    def under(condition: ast.expr | None, entries: Sequence[Entry]) -> list[Entry]:
        """Entries under a condition."""
        if any(own is not None for own, *_ in entries):
            raise NotMergeable("a condition inside a condition")
        return [(condition, name, code, note) for _, name, code, note in entries]

    def repeated(self, item: ResolvedItem, hosts: list[Host], place: Position) -> list[Entry]:
        """A repeated entry: one comprehension, or a first entry and a comprehension for the rest."""
        counts = counts_at(place, hosts)
        positions = [[(*place, k) for k in range(count.number)] for _, count in counts]
        rounds = [
            [Occurrence(host, host.steps[position]) for position in found if position in host.steps]
            for host, found in zip(hosts, positions, strict=True)
        ]
        everything = [o for found in rounds for o in found]
        if not everything:
            return []
        if item.when is not None or any(len(r) != len(p) for r, p in zip(rounds, positions, strict=True)):
            return self.unrolled(item, hosts, place)
        if all(len(found) == 1 for found in rounds):
            return self.single(item, hosts, (*place, 0))
        found = self.in_rounds(item, rounds, item.index, self.count(counts), names=True)
        return self.unrolled(item, hosts, place) if found is None else found

    def in_rounds(
        self, item: ResolvedItem, rounds: list[list[Occurrence]], index: str, count: ast.expr, names: bool
    ) -> list[Entry] | None:
        """The rounds of an item, in each instance, as one comprehension, or as a first entry and one for the rest.

        `None` if that is not possible. Without `names`, all entries are numbered.
        """
        for skip in (0, 1):
            if skip and min(map(len, rounds)) < 1:
                break
            try:
                first = [self.one_round(item, [r[k] for r in rounds], k, index, names) for k in range(skip)]
                rest = [o for found_rounds in rounds for o in found_rounds[skip:]]
                if not rest:
                    return first
                if isinstance(count, ast.Constant) and count.value == skip + 1:
                    return [*first, self.one_round(item, rest, skip, index, names)]
                code = self.target(rest, item, item.label, strict=True)
                template = item.name if names else None
                name = None if template is None else self.unifier.name_expression(template, rest[0], index)
                named = code if name is None else Bracketed("", (name, code))
                loop = self.comprehension(named, index, skip, count, name is not None)
                return [*first, (None, name, loop, self.note([o for r in rounds for o in r]))]
            except (NoCommonForm, MustBeFixed, NotMergeable):
                continue
        return None

    def one_round(
        self, item: ResolvedItem, occurrences: list[Occurrence], number: int, index: str, names: bool
    ) -> Entry:
        """One round of a repeated entry as an entry of its own."""
        code = self.target(occurrences, item, item.label, strict=True)
        code = map_trees(
            code, lambda tree: simplify(tree, {index: number}, self.unifier.whole) if index in names_in(tree) else tree
        )
        return None, self.entry_name(item, occurrences) if names else None, code, self.note(occurrences)

    def count(self, counts: list[tuple[Host, Count]]) -> ast.expr:
        """How often an entry is repeated."""
        try:
            return self.unifier.count(counts)
        except NoCommonForm:
            raise NotMergeable("a count that differs") from None

    def entry_name(self, item: ResolvedItem, occurrences: Sequence[Occurrence]) -> str | None:
        """An entry's name as source, if it is not a number: the same in all instances, or an f-string."""
        names = {str(step.name) for _, step in occurrences}
        if len(names) == 1:
            return None if names.pop().isdecimal() else f'"{occurrences[0].step.name}"'
        if item.name is None or any(index in names_in_template(item.name) for index in occurrences[0].step.indices):
            raise NotMergeable("names of a seq's entries differ")
        return self.unifier.name_expression(item.name, occurrences[0])

    def comprehension(self, code: Code, index: str, skip: int, count: ast.expr, named: bool) -> Code:
        """`*[code for _ in range(count)]`; a single one needs no loop."""
        reads = named or any(index in names_in(tree) for tree in trees(code))
        if skip and not reads:
            count = simplify(ast.BinOp(count, ast.Sub(), ast.Constant(skip)), {}, self.unifier.whole)
        bounds = (ast.Constant(skip), count) if skip and reads else (count,)
        return Bracketed("*", (code,), brackets="[]", index=index if reads else "_", bounds=bounds)

    def unrolled(self, item: ResolvedItem, hosts: list[Host], place: Position) -> list[Entry]:
        """Every round of a repeat as an entry of its own; equal neighbours are grouped again."""
        entries: list[Entry] = []
        for k in range(rounds_of(place, hosts, item.label)):
            entries += self.single(item, hosts, (*place, k))
        return run_lengths(entries)


def sequential_call(entries: list[tuple[str | None, Code, str]]) -> Bracketed:
    """An `nn.Sequential` with its entries on lines of their own, if there are several."""
    if any(name is not None for name, *_ in entries):
        return Bracketed("nn.Sequential", (_ordered(entries),))
    codes = tuple(code for _, code, _ in entries)
    return Bracketed("nn.Sequential", codes, explode=len(codes) > 1, comments=tuple(note for *_, note in entries))


def is_seq(occurrences: Sequence[Occurrence]) -> bool:
    """Whether modules are seqs; some of them may have become blocks."""
    kinds = {isinstance(step.target, Module) and step.target.is_seq for _, step in occurrences}
    if len(kinds) > 1:
        raise NoCommonForm
    return kinds.pop()


def _flattened(items: Iterable[ResolvedItem]) -> Iterable[ResolvedItem]:
    for item in items:
        yield from [item] if item.kind != "group" else _flattened(item.body)


def _item_at(items: Sequence[ResolvedItem], position: Position) -> ResolvedItem:
    item = items[position[0]]
    return item if item.kind != "group" else _item_at(item.body, position[2:])


def _ordered(entries: list[tuple[str | None, Code, str]]) -> Bracketed:
    """Named entries as an `OrderedDict`: by keyword, or as pairs if a name is not an identifier."""
    names, notes = [str(name)[1:-1] for name, *_ in entries], tuple(note for *_, note in entries)
    if all(name.isidentifier() for name in names):
        keywords = tuple(KeywordArgument(name, code) for name, (_, code, _) in zip(names, entries, strict=True))
        return Bracketed("OrderedDict", keywords, explode=len(keywords) > 1, comments=notes)
    pairs = tuple(
        code if isinstance(code, Bracketed) and code.head == "*" else Bracketed("", (str(name), code))
        for name, code, _ in entries
    )
    first = pairs[0]
    if len(pairs) == 1 and isinstance(first, Bracketed) and first.bounds:  # a generator alone
        return replace(first, head="OrderedDict", brackets="()")
    return Bracketed("OrderedDict", (Bracketed("", pairs, explode=len(pairs) > 1, brackets="[]", comments=notes),))


def _has_notes(code: Code) -> bool:
    """Whether comments are printed inside a piece of code."""
    if isinstance(code, KeywordArgument):
        return _has_notes(code.value)
    return isinstance(code, Bracketed) and (
        (code.explode and any(code.comments)) or any(map(_has_notes, code.arguments))
    )


def run_lengths(entries: list[Entry]) -> list[Entry]:
    """Equal neighbours as one comprehension."""
    found: list[Entry] = []
    key: Callable[[Entry], Any] = lambda e: (e[0] is None, e[1], flat(e[2]))  # noqa: E731
    for _, group in groupby(entries, key):
        run = list(group)
        condition, name, code, note = run[0]
        if len(run) > 1 and condition is None and name is None:
            bounds = (ast.Constant(len(run)),)
            found.append((None, None, Bracketed("*", (code,), brackets="[]", index="_", bounds=bounds), note))
        else:
            found += run
    return found
