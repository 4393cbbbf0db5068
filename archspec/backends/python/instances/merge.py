"""The instances of a block side by side: their steps become the sites of one class.

Sites are derived from the instances, whose references specialisation has resolved. Instances that cannot be one class
raise `NotMergeable`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from archspec.backends.python.instances.sites import (
    ONE_OF_REST,
    Decision,
    Guard,
    Host,
    Loop,
    NotMergeable,
    Occurrence,
    Site,
    ValueId,
    counts_at,
    decisions_at,
    is_reached,
    rounds_of,
)
from archspec.diagnostics.budget import spend
from archspec.ir.definition import LAST, Definition, Position, ResolvedItem
from archspec.ir.module import Ref

SITE: Final = 150
"""Steps of the budget that writing a site costs, and for each instance of its block, or round of its loop:"""

OCCURRENCE: Final = 30

HOST: Final = 4
"""Steps of the budget that searching an instance for an item costs."""


class Body:
    """The sites of a class, in their order, and the values that leave it."""

    def __init__(
        self, definition: Definition, hosts: Sequence[Host], kept: Iterable[Ref] = (), unroll: bool = False
    ) -> None:
        self.definition = definition
        self.hosts = hosts
        self.unroll = unroll
        self.sites: list[Site] = []
        self.appending: list[int] = []
        """The sites that append to a list in a loop."""
        self.guard: Guard | None = None
        self.places: dict[Host, dict[int, int]] = {host: {} for host in hosts}
        """For each instance, the site of each of its steps."""
        self.walk(definition.items, (), hosts)
        if any(LAST in host.steps for host in hosts):
            self.site(definition.at(LAST), LAST, hosts)
        self.result = self.shared({host: host.module.result for host in hosts})
        self.kept = tuple(self.shared(dict.fromkeys(hosts, ref)) for ref in kept)

    # -- from items to sites ------------------------------------------------------------------------------------

    def walk(self, items: Iterable[ResolvedItem], position: Position, hosts: Sequence[Host]) -> None:
        """Add the sites of a list of items that these instances reach."""
        for number, item in enumerate(items):
            place = (*position, number)
            if item.repeat is None:
                self.walk_item(item, (*place, 0), hosts)
            elif not self.loop(item, place, hosts):
                for k in range(rounds_of(place, hosts, item.label)):
                    self.walk_item(item, (*place, k), hosts)

    def walk_item(self, item: ResolvedItem, position: Position, hosts: Sequence[Host]) -> None:
        """Add the sites of an item in one round, with its condition; none if a pass removed it from all instances."""
        spend(HOST * len(hosts))
        if not is_reached(position, hosts):
            return
        if item.when is None or not any(position in host.module.conditions for host in hosts):
            self.present(item, position, hosts)
            return
        decisions = decisions_at(position, hosts)
        there = [host for host, _, holds in decisions if holds]
        if len(there) == len(hosts):
            self.present(item, position, hosts)
        elif there:
            self.guarded(item, position, there, decisions)

    def guarded(self, item: ResolvedItem, position: Position, there: Sequence[Host], decisions: list[Decision]) -> None:
        if self.guard is not None:
            raise NotMergeable("a condition inside a condition")
        others = {host: host.module.conditions[position].otherwise for host, _, holds in decisions if not holds}
        label = item.body[0].label if item.kind == "group" else item.label
        self.guard = guard = Guard(label, decisions, self.shared(others))
        first = len(self.sites)
        self.present(item, position, there)
        guard.sites = range(first, len(self.sites))
        self.guard = None

    def present(self, item: ResolvedItem, position: Position, hosts: Sequence[Host]) -> None:
        if item.kind == "group":
            self.walk(item.body, position, hosts)
        else:
            self.site(item, position, hosts)

    def site(self, item: ResolvedItem, position: Position, hosts: Sequence[Host]) -> None:
        """Add the site of a step in each of these instances, unless a pass removed it from all of them."""
        occurrences = [Occurrence(host, host.steps[position]) for host in hosts if position in host.steps]
        if not occurrences:
            return
        if len(occurrences) < len(hosts) or len({(step.name, step.dropped) for _, step in occurrences}) > 1:
            raise NotMergeable(f"{item.label} is not the same everywhere")
        self.add(Site(item, occurrences, (), self.callee(occurrences), self.guard))
        site = self.sites[-1]
        heads, site.lists = self.grown(occurrences)
        site.inputs = tuple(
            self.shared({o.host: ref for o, ref in zip(occurrences, column, strict=True)})
            for column in _columns(item, heads)
        )

    def add(self, site: Site) -> None:
        spend(SITE + OCCURRENCE * len(site.occurrences))
        for host, step in site.occurrences:
            self.places[host][host.numbers[step.position]] = len(self.sites)
        if site.append is not None:
            self.appending.append(len(self.sites))
        self.sites.append(site)

    def callee(self, occurrences: Sequence[Occurrence]) -> int | None:
        """The site whose module runs again, if one does."""
        step = occurrences[0].step
        if not isinstance(step.target, int):
            return None
        owners = {self.places[host][host.numbers[host.module.owner(s).position]] for host, s in occurrences}
        names = {host.module.owner(s).name for host, s in occurrences}
        loop = self.sites[min(owners)].loop
        if len(owners) > 1 or (loop is not None and (len(names) > 1 or not loop.containers)):
            raise NotMergeable(f"{step.label} calls a round of a loop")
        return owners.pop()

    # -- values -------------------------------------------------------------------------------------------------

    def shared(self, refs: Mapping[Host, Ref]) -> ValueId:
        """The value of the class that corresponds to a value in each of these instances."""
        return self.merged({host: self.value(host, ref) for host, ref in refs.items()})

    def value(self, host: Host, ref: Ref) -> ValueId:
        """A value of one instance; after a loop, only the value of its last round can be read."""
        if ref.step < 0:
            return ValueId(ref.step, ref.part)
        number = self.places[host][ref.step]
        loop = self.sites[number].loop
        if loop is not None:
            rounds = next(count.number for other, count in loop.counts if other is host)
            is_last = loop.round_of(host.module.steps[ref.step]) == rounds - 1 and number + 1 == loop.sites.stop
            if loop.carried is None or not is_last or ref.part is not None:
                raise NotMergeable(f"{self.sites[number].label} is read, a round of a loop")
        return ValueId(number, ref.part)

    def merged(self, values: Mapping[Host, ValueId]) -> ValueId:
        """One value for all; if they differ, that of a condition that only some of these instances meet."""
        found = set(values.values())
        if len(found) == 1:
            return found.pop()
        for value in sorted(found, reverse=True):
            guard = self.sites[value.site].guard if value.site >= 0 else None
            if guard is None or value.part is not None or value.site + 1 != guard.sites.stop:
                continue
            meeting = set(guard.hosts)
            others = {host: other for host, other in values.items() if host not in meeting}
            there = all(other == value for host, other in values.items() if host in meeting)
            if there and others and self.merged(others) == guard.otherwise:
                return value
        raise NotMergeable("a value that is another one in some instances")

    # -- loops --------------------------------------------------------------------------------------------------

    def loop(self, item: ResolvedItem, place: Position, hosts: Sequence[Host]) -> bool:
        """Try to make the rounds of a repeat one loop over modules; `False` leaves them to be written out."""
        group = item.body if item.kind == "group" else (item,)
        if not group:  # no instance repeats anything
            return False
        names = [inner.name for inner in group if inner.name is not None and not inner.container]
        containers = _containers(item, place, group, hosts[0])
        plain = all(inner.when is None and inner.kind not in ("group", "call") for inner in group)
        plain = plain and (item.when is None and (item is group[0] or all(inner.repeat is None for inner in group)))
        if self.unroll or self.guard is not None or len(hosts) < len(self.hosts) or not plain:
            return False
        if len(names) > 1 or bool(names) == bool(containers) or len(set(containers)) < len(containers):
            return False
        counts = counts_at(place, hosts)
        numbers = [count.number for _, count in counts]
        if min(numbers) < 1 or max(numbers) < 3:
            return False
        first = len(self.sites)
        sites = range(first, first + len(group))
        loop = Loop(item.index, counts, str(*names), containers, len(place), sites)
        try:
            self.rounds(loop, item, place, group)
        except NotMergeable:
            del self.sites[first:]
            self.appending = [number for number in self.appending if number < first]
            self.places = {h: {n: s for n, s in sites.items() if s < first} for h, sites in self.places.items()}
            return False
        return True

    def rounds(self, loop: Loop, item: ResolvedItem, place: Position, group: Sequence[ResolvedItem]) -> None:
        """One site for each item of a loop's body, for all rounds in all instances."""
        for number, inner in enumerate(group):
            below = (number, 0) if item.kind == "group" else ()
            positions = [(host, (*place, k, *below)) for host, count in loop.counts for k in range(count.number)]
            if any(position not in host.steps for host, position in positions):
                raise NotMergeable(f"{inner.label} is not there in every round")
            occurrences = [Occurrence(host, host.steps[position]) for host, position in positions]
            if any(step.dropped for _, step in occurrences):
                raise NotMergeable(f"{inner.label} is dropped")
            if inner.container and not _fills(loop, inner, occurrences):
                raise NotMergeable(f"{inner.container} has other entries than those of a loop")
            self.add(Site(inner, occurrences, (), None, None, loop))
        for number in loop.sites:
            site = self.sites[number]
            heads, site.lists = self.grown(site.occurrences, loop)
            columns = _columns(site.item, heads)
            site.inputs = tuple(self.in_loop(loop, site.occurrences, column) for column in columns)
        if loop.carried is not None and self.reads_unchanged(loop):
            raise NotMergeable("a loop that replaces a value it reads in each round")

    def in_loop(self, loop: Loop, occurrences: Sequence[Occurrence], column: Sequence[Ref]) -> ValueId:
        """The value that a site of a loop reads in all its rounds."""
        if self.is_one_of_rest(loop, occurrences, column):
            return ONE_OF_REST
        before: set[ValueId] = set()
        inside: set[tuple[str, ValueId]] = set()
        for (host, step), ref in zip(occurrences, column, strict=True):
            if ref.step < 0 or self.places[host][ref.step] not in loop.sites:
                before.add(self.value(host, ref))
                continue
            behind = loop.round_of(step) - loop.round_of(host.module.steps[ref.step])
            kind = {0: "same", 1: "carried"}.get(behind, "other")
            inside.add((kind, ValueId(self.places[host][ref.step], ref.part)))
        if not inside and len(before) == 1:
            return before.pop()
        if len(inside) == 1 and len(before) < 2:
            ((kind, value),) = inside
            if kind == "same" and not before:
                return value
            if kind == "carried" and before and self.is_carried(loop, value, occurrences, column):
                (start,) = before
                if loop.carried in (None, start):
                    loop.carried = start
                    return start
        raise NotMergeable("a loop whose rounds read different values")

    def is_one_of_rest(self, loop: Loop, occurrences: Sequence[Occurrence], column: Sequence[Ref]) -> bool:
        """Whether each round reads the block's further input of its number, and there is a round for each of them."""
        first = len(self.definition.inputs) - 1
        if not self.definition.inputs[-1].startswith("*"):
            return False
        if any(len(host.module.inputs) != first + count.number for host, count in loop.counts):
            return False
        return all(
            ref == Ref(-1 - first - loop.round_of(step)) for (_, step), ref in zip(occurrences, column, strict=True)
        )

    def is_carried(self, loop: Loop, value: ValueId, occurrences: Sequence[Occurrence], column: Sequence[Ref]) -> bool:
        """Whether the first round reads a value from before the loop, and each other the result of the last."""
        outside = [
            ref.step < 0 or self.places[host][ref.step] not in loop.sites
            for (host, _), ref in zip(occurrences, column, strict=True)
        ]
        starts = [loop.round_of(step) == 0 for _, step in occurrences]
        return outside == starts and value == ValueId(loop.sites.stop - 1)

    def reads_unchanged(self, loop: Loop) -> bool:
        """Whether a site reads in every round a value from before the loop that the loop replaces."""
        for site in (self.sites[number] for number in loop.sites):
            for k, value in enumerate(site.inputs):
                later = [(h, s.inputs[k]) for h, s in site.occurrences if loop.round_of(s) > 0 and k < len(s.inputs)]
                if value == loop.carried and any(
                    ref.step < 0 or self.places[host][ref.step] not in loop.sites for host, ref in later
                ):
                    return True
        return False

    def grown(
        self, occurrences: Sequence[Occurrence], loop: Loop | None = None
    ) -> tuple[list[tuple[Ref, ...]], tuple[str, ...]]:
        """The inputs of a site without a list that a loop fills, and the list's name, if it reads one.

        In a round, the list contains the values appended by the rounds before; after the loop, those of all rounds.
        """
        everything = [step.inputs for _, step in occurrences]
        for number in self.appending:
            site = self.sites[number]
            if loop is not None and site.loop is not loop:
                continue
            appended = self.appended(number)
            heads = [self.without_list(o, appended.get(o.host, []), loop) for o in occurrences]
            if None not in heads and any(len(h or ()) < len(e) for h, e in zip(heads, everything, strict=True)):
                return [head for head in heads if head is not None], (str(site.append),)
        return everything, ()

    def appended(self, number: int) -> dict[Host, list[Ref]]:
        """The values that site `number` appends to a list, in each instance."""
        found: dict[Host, list[Ref]] = {}
        for host, step in self.sites[number].occurrences:
            found.setdefault(host, []).append(Ref(host.numbers[step.position]))
        return found

    @staticmethod
    def without_list(occurrence: Occurrence, appended: Sequence[Ref], loop: Loop | None) -> tuple[Ref, ...] | None:
        """An occurrence's inputs before the values that were appended to a list; `None` if any of those are missing."""
        step = occurrence.step
        count = len(appended) if loop is None else loop.round_of(step)
        head = len(step.inputs) - count
        return step.inputs[:head] if head >= 0 and [*step.inputs[head:]] == [*appended[:count]] else None


def _columns(item: ResolvedItem, heads: Sequence[tuple[Ref, ...]]) -> Iterable[tuple[Ref, ...]]:
    """The inputs of all occurrences, transposed: all first inputs, all second inputs, …"""
    if len({len(head) for head in heads}) > 1:
        raise NotMergeable(f"{item.label} takes different numbers of values")
    return zip(*heads, strict=True)


def _containers(
    item: ResolvedItem, place: Position, group: Sequence[ResolvedItem], host: Host
) -> tuple[str, ...]:  # fmt: skip
    """The containers that the modules of a repeated item's first round are in."""
    below = [(number, 0) if item.kind == "group" else () for number in range(len(group))]
    steps = [host.steps.get((*place, 0, *number)) for number in below]
    return tuple(str(step.name).rpartition(".")[0] for step in steps if step is not None and "." in str(step.name))


def _fills(loop: Loop, item: ResolvedItem, occurrences: Sequence[Occurrence]) -> bool:
    """Whether the rounds of an item are all entries of a list in order; functions are not in lists."""
    if occurrences[0].step.name is None:
        return True
    for host, count in loop.counts:
        names = [str(step.name) for other, step in occurrences if other is host]
        container = names[0].rpartition(".")[0]
        inside = [str(step.name) for step in host.module.steps if str(step.name).startswith(f"{container}.")]
        if not names == inside == [f"{container}.{number}" for number in range(count.number)]:
            return False
    return True
