"""Liveness: which values of a `forward` are read, and by which site last. Computed before the text is written."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Final, TypeVar

from archspec.backends.python.instances.merge import Body
from archspec.backends.python.instances.sites import Site, ValueId
from archspec.diagnostics.budget import spend
from archspec.ops.base import Op
from archspec.ops.collect import Collect

_NESTING_ROLES: Final = frozenset({"norm", "activation", "dropout"})

V = TypeVar("V", int, ValueId)

_END: Final = 1 << 30
"""The number of the `return`, which is after every site."""


class Liveness:
    """The values of a body and the sites that read them. Immutable after construction."""

    def __init__(self, body: Body) -> None:
        self.sites = body.sites
        self.results = (body.result, *body.kept)
        """The values that leave the body."""
        results = {value.site for value in self.results}
        self.dead = self._dead(results)
        """The sites that are not written: their values are never read, and they have no side effect."""
        read = [(value, number) for number in self.live() for value in self.read_by(number)]
        self.uses = Counter([*(value for value, _ in read), *results])
        """How many times each site's value is read."""
        self.last = {**self._last_reads(read), **dict.fromkeys(results, _END)}
        """The last site that reads each site's value."""
        self.collected = self._collected()
        """The names of the values that leave the body together; the block's own result has none."""
        parts = [(value, number) for number in self.live() for value in self.sites[number].inputs]
        self.last_parts = {**self._last_reads(parts), **dict.fromkeys([*self.results, *self.collected], _END)}
        """The last site that reads each part of a value."""

    def _last_reads(self, reads: Iterable[tuple[V, int]]) -> dict[V, int]:
        """The last site that reads each value; the end of a loop, if every round of the loop reads it."""
        last: dict[V, int] = {}
        for value, number in reads:
            loop, made = self.sites[number].loop, value.site if isinstance(value, ValueId) else value
            is_carried = loop is not None and loop.carried is not None and made == loop.carried.site
            again = loop is not None and not is_carried and made < loop.sites.start
            last[value] = loop.sites.stop if loop is not None and again else number
        return last

    def _dead(self, results: set[int]) -> frozenset[int]:
        needed, dead = set(results), set()
        for number in reversed(range(len(self.sites))):
            site = self.sites[number]
            if site.dropped:
                dead.add(number)
            elif number in needed or site.append is not None or self.has_effect(site):
                needed.update(self.read_by(number))
            else:
                dead.add(number)
        return frozenset(dead)

    def _collected(self) -> dict[ValueId, str]:
        """The names of the values that a pass collected as the result."""
        collect = self.sites[self.results[0].site].step.target if self.results[0].site >= 0 else None
        if not isinstance(collect, Collect):
            return {}
        values = self.sites[self.results[0].site].inputs
        return {value: name for value, name in reversed([*zip(values, collect.names, strict=True)]) if name}

    def live(self, first: int = 0, end: int | None = None) -> Iterator[int]:
        """The sites that are written, from `first` on."""
        return (n for n in range(first, len(self.sites) if end is None else end) if n not in self.dead)

    def read_by(self, number: int) -> list[int]:
        """The values a site reads; the last site under a condition also reads the value that may replace it."""
        site = self.sites[number]
        inputs = [value.site for value in site.inputs]
        guard = site.guard
        if guard is None or (number + 1 < len(self.sites) and self.sites[number + 1].guard is guard):
            return inputs
        return [*inputs, guard.otherwise.site]

    def last_use(self, value: int) -> int:
        """The last site that reads a value; -1 where none does."""
        return self.last.get(value, -1)

    def parts_read(self, number: int) -> set[int]:
        """The parts of a site's output that are read; all of them if a reader takes the whole output."""
        spend(len(self.last_parts))
        read = {*self.results, *(value for other in self.live() for value in self.sites[other].inputs)}
        if ValueId(number) in read:
            return set(range(part_count(self.sites[number])))
        return {value.part for value in read if value.site == number and value.part is not None}

    # -- what sites have in common ----------------------------------------------------------------------------

    def region(self, number: int) -> range:
        """The sites from here on that are under the same condition or in the same loop."""
        site, end = self.sites[number], number + 1
        if site.guard is None and site.loop is None:
            return range(number, end)
        while end < len(self.sites) and (self.sites[end].guard, self.sites[end].loop) == (site.guard, site.loop):
            end += 1
        spend(1 + (end - number) // 4)
        return range(number, end)

    def is_statement(self, number: int) -> bool:
        """Whether a site is one statement: without a condition, or `x if self.shortcut is None else …`."""
        site = self.sites[number]
        if len(self.region(number)) > 1 or site.loop is not None:
            return False
        if site.guard is None:
            return True
        same = list(site.inputs) == [site.guard.otherwise] and not site.item.replaced
        passes_on = same and self.last_use(site.guard.otherwise.site) <= number  # its variable may be reused
        return site.name is not None and not passes_on

    def is_conditional(self, number: int) -> bool:
        """Whether a site is written as `x if … else …`, since no other site is under its condition."""
        guard = self.sites[number].guard
        return (
            guard is not None and self.is_statement(number) and not (number and self.sites[number - 1].guard is guard)
        )

    def is_refined(self, number: int) -> bool:
        """Whether the next site is nested around this one."""
        following = self.sites[number + 1]
        return self.is_nested(following) and [value.site for value in following.inputs] == [number]

    def end_of_next(self, number: int) -> int:
        """The last site of the next statement: that of the next site, with the sites nested around it."""
        following = number + 1
        if following < len(self.sites) and len(self.region(following)) > 1:
            return self.region(following)[-1]
        while following + 1 < len(self.sites) and self.is_nested(self.sites[following + 1]):
            following += 1
        return following

    # -- what a site is ---------------------------------------------------------------------------------------

    def owner(self, site: Site) -> Site:
        """The site whose module runs."""
        return site if site.calls is None else self.sites[site.calls]

    def role(self, site: Site) -> str:
        """The role of the op that runs, or `block`."""
        target = self.owner(site).step.target
        return target.role if isinstance(target, Op) else "block"

    def is_nested(self, site: Site) -> bool:
        """Whether a site is of a kind that is nested around the expression it follows."""
        return self.role(site) in _NESTING_ROLES

    def has_effect(self, site: Site) -> bool:
        """Whether a site has a side effect: it updates running statistics or draws random numbers."""
        if site.loop is not None and site.loop.carried is not None and site is self.sites[site.loop.sites.stop - 1]:
            return True  # the next round reads it
        target = self.owner(site).step.target
        is_random = isinstance(target, Op) and target.is_random()
        return (site.name is not None and not site.is_raw) or site.calls is not None or is_random

    def is_scaling(self, site: Site) -> bool:
        """Whether a site multiplies a value by a parameter of the block."""
        parameters = [value.site >= 0 and self.sites[value.site].is_raw for value in site.inputs]
        return is_elementwise_join(site) and any(parameters)


def is_concatenation(site: Site) -> bool:
    """Whether a site concatenates values."""
    return isinstance(site.step.target, Op) and site.step.target.concatenates


def is_elementwise_join(site: Site) -> bool:
    """Whether a site is an operator between values: `x + y`."""
    op = site.step.target
    return isinstance(op, Op) and op.elementwise and op.role == "join"


def part_count(site: Site) -> int:
    """How many values a site returns, if several; otherwise 0."""
    output = site.step.output
    return len(output) if output and isinstance(output[0], tuple) else 0
