"""The entries of an `nn.Sequential`: with names or without, under conditions, in comprehensions."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterable, Sequence
from itertools import groupby
from typing import Any

from archspec.graph import Control
from archspec.language import Item
from archspec.ops.base import format_shape
from archspec.scope import names_in
from archspec.targets.python.calls import Calls
from archspec.targets.python.layout import Call, Doc, Keyword, flat, map_trees, trees
from archspec.targets.python.nodes import (
    Host,
    Indices,
    Irregular,
    Occurrence,
    Steps,
    conditions,
    index_steps,
    is_within,
    repeat_count,
)
from archspec.targets.python.trees import fold
from archspec.targets.python.values import NoCommonForm, Seen
from archspec.targets.python.variants import Depends

Entry = tuple[ast.expr | None, str | None, Doc, str]
"""An entry of a seq: its condition, its name as an expression if it is not the next number, its call, a comment."""


class Seqs(Calls):
    """Calls, and those that hold others."""

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

    def sequential(self, entries: list[tuple[str | None, Doc, str]]) -> Call:
        """An `nn.Sequential` with its entries on lines of their own, if there are several."""
        if any(name is not None for name, *_ in entries):
            return Call("nn.Sequential", (_ordered(entries),))
        docs = tuple(doc for _, doc, _ in entries)
        return Call("nn.Sequential", docs, explode=len(docs) > 1, comments=tuple(note for *_, note in entries))

    def entries(self, items: Sequence[Item], hosts: list[Host], slot: tuple[int, ...]) -> list[Entry]:
        """The entries of a seq: condition, name if it is not the next number, constructor call, comment."""
        if len({host.outer for host in hosts}) > 1:  # what is there may depend on the round
            raise NoCommonForm
        if _some_named(items):
            return self.spelt_out(hosts, items, slot)
        return self.listed(items, hosts, slot, hosts[0].outer, index_steps(hosts))

    def listed(
        self, items: Sequence[Item], hosts: list[Host], slot: tuple[int, ...], outer: Indices, steps: Steps
    ) -> list[Entry]:
        """The entries of a list of items, with these loop indices around it."""
        found: list[Entry] = []
        for number, item in enumerate(items):
            place = (*slot, number)
            if item.layers is not None:
                found += self.group(item, hosts, place, outer, steps)
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
        self, item: Item, hosts: list[Host], slot: tuple[int, ...], indices: Indices,
        occurrences: list[Occurrence],
    ) -> list[Entry]:  # fmt: skip
        """An entry that is not repeated, if any instance has it."""
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

    def group(self, item: Item, hosts: list[Host], slot: tuple[int, ...], outer: Indices, steps: Steps) -> list[Entry]:
        """A group of entries, unrolled."""
        assert item.layers is not None
        rounds: list[Indices] = [outer]
        if item.repeat is not None:
            counts = {repeat_count(host, slot, outer) for host in hosts}
            if len(counts) != 1:
                raise Irregular("a group of entries repeated differently")
            rounds = [(*outer, (item.index_within(len(outer)), k)) for k in range(counts.pop())]
        found: list[Entry] = []
        for indices in rounds:
            there = {any(is_within(step, slot, indices) for step in host.module.steps) for host in hosts}
            if len(there) > 1:
                raise Irregular("a group of entries is there in some instances only")
            if there == {True}:
                found += self.listed(item.layers, hosts, slot, indices, steps)
        return found

    def repeated(self, item: Item, hosts: list[Host], slot: tuple[int, ...], outer: Indices) -> list[Entry]:
        """A repeated entry: one comprehension, or a first entry and a comprehension for the rest."""
        index = item.index_within(len(outer))
        rounds = [
            [Occurrence(h, s) for s in h.module.steps if s.slot == slot and is_within(s, slot, outer)] for h in hosts
        ]
        everything = [o for found in rounds for o in found]
        if not everything:
            return []
        if item.when is not None:
            return self.unrolled(item, hosts, slot, rounds)
        count = self.count(hosts, slot, outer, rounds)
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
            except (NoCommonForm, Depends):
                continue
        return self.unrolled(item, hosts, slot, rounds)

    def one_round(self, item: Item, occurrences: list[Occurrence], index: str, number: int) -> Entry:
        """One round of a repeated entry on its own."""
        doc = self.target(occurrences, item, item.label, strict=True)
        doc = map_trees(doc, lambda tree: fold(tree, {index: number}, self.whole) if index in names_in(tree) else tree)
        return None, self.entry_name(occurrences[0]), doc, self.note(occurrences)

    def count(
        self, hosts: list[Host], slot: tuple[int, ...], outer: Indices, rounds: list[list[Occurrence]]
    ) -> ast.expr:
        """How often an entry is repeated."""
        control = Control("repeat", slot, outer)
        seen: list[Seen] = [
            (host.itself(), len(found), host.module.controls[control])
            for host, found in zip(hosts, rounds, strict=True)
        ]
        try:
            return self.common(seen)
        except NoCommonForm:
            raise Irregular("a count that differs") from None

    @staticmethod
    def entry_name(occurrence: Occurrence) -> str | None:
        """An entry's name as it is written, if it is not a number."""
        return None if str(occurrence.step.name).isdecimal() else f'"{occurrence.step.name}"'

    def comprehension(self, doc: Doc, index: str, skip: int, count: ast.expr, named: bool) -> Doc:
        """`*[doc for _ in range(count)]`; a single one needs no loop."""
        reads = named or any(index in names_in(tree) for tree in trees(doc))
        if skip and not reads:
            count = fold(ast.BinOp(count, ast.Sub(), ast.Constant(skip)), {}, self.whole)
        bounds = (ast.Constant(skip), count) if skip and reads else (count,)
        return Call("*", (doc,), brackets="[]", index=index if reads else "_", bounds=bounds)

    def unrolled(
        self, item: Item, hosts: list[Host], slot: tuple[int, ...], rounds: list[list[Occurrence]]
    ) -> list[Entry]:
        """Every round of a repeat on its own; equal neighbours are put together again."""
        if len({len(found) for found in rounds}) != 1:
            raise Irregular("rounds that differ")
        entries = []
        for found in zip(*rounds, strict=True):
            entries += self.single(item, hosts, slot, tuple(found[0].step.indices.items()), list(found))
        return _run_lengths(entries)


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


def _run_lengths(entries: list[Entry]) -> list[Entry]:
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
