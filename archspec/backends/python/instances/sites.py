"""The sites of a class: the steps that each line of its source stands for, in all instances of the block.

A site is one step in all instances that have it. If a condition leaves a step out of some instances, a `Guard` says
which value replaces it; if a repeat becomes a loop, one site stands for all rounds.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final, NamedTuple

from archspec.ir.definition import Position, ResolvedItem
from archspec.ir.module import Count, Module, Step
from archspec.ops.base import Op


class NotMergeable(Exception):
    """Instances of a block differ in more than values: they cannot be written as one class."""


@dataclass(frozen=True, eq=False)
class Host:
    """A module being written (an instance, or a seq inside one), and its instance's names with their values."""

    module: Module
    instance: Module
    names: Mapping[str, Any]
    items: tuple[ResolvedItem, ...]
    """The items of its definition: for a seq, those inside the seq's item."""
    position: Position = ()
    """The position of a seq in its block."""

    def inside(self, step: Step, item: ResolvedItem) -> Host:
        """The seq that a step of this host runs."""
        assert isinstance(step.target, Module)
        return Host(step.target, self.instance, self.names, item.body, step.position)

    def itself(self) -> Occurrence:
        """An occurrence of the host itself, for values that do not belong to an item."""
        return Occurrence(self, _NO_STEP)

    @cached_property
    def steps(self) -> Mapping[Position, Step]:
        """The module's steps by their positions."""
        return {step.position: step for step in self.module.steps}

    @cached_property
    def reached(self) -> frozenset[Position]:
        """The positions of the module's steps, and of the groups around them."""
        found = (step.position[:length] for step in self.module.steps for length in range(len(step.position), 0, -2))
        return frozenset(found)

    @cached_property
    def numbers(self) -> Mapping[Position, int]:
        """The numbers of the module's steps by their positions."""
        return {step.position: number for number, step in enumerate(self.module.steps)}


_NO_STEP: Final = Step(0, (), (), None, "")


class Occurrence(NamedTuple):
    """A site in one instance: its step."""

    host: Host
    step: Step

    @property
    def names(self) -> dict[str, Any]:
        """Names and their values at the step, loop indices included."""
        return {**self.host.names, **self.step.indices}


class ValueId(NamedTuple):
    """A value of a class: the output of site `site`, or input number `-1 - site`; `part` of several."""

    site: int
    part: int | None = None


ONE_OF_REST: Final = ValueId(-(1 << 20))
"""In a loop over all further inputs of a block: the one of the round."""


Decision = tuple[Host, ast.expr, bool]
"""A condition in one instance, and whether it is true there."""


@dataclass(eq=False)
class Guard:
    """A condition on one site or several consecutive ones that not all instances meet.

    If it is false, `otherwise` replaces the value of the last of these sites.
    """

    label: str
    condition: list[Decision]
    otherwise: ValueId
    sites: range = range(0)

    @property
    def hosts(self) -> list[Host]:
        """The instances that meet it."""
        return [host for host, _, holds in self.condition if holds]


@dataclass(eq=False)
class Loop:
    """A repeated group that instances may run different numbers of times. Its modules are the only ones of the class,
    one for each round, or all entries of containers, one of each container for each round."""

    index: str
    counts: list[tuple[Host, Count]]
    name: str
    """The module's name, with the index still in braces; empty if there are containers."""
    containers: tuple[str, ...]
    """The containers that the modules are the entries of, in the order of their items."""
    depth: int
    """The index, in a position, of the number of the round."""
    sites: range
    carried: ValueId | None = None
    """The input of the first round, which the output of each round replaces in the next."""

    def round_of(self, step: Step) -> int:
        """The round of one of its steps."""
        return step.position[self.depth]


@dataclass(eq=False)
class Site:
    """One line of a class."""

    item: ResolvedItem
    occurrences: list[Occurrence]
    inputs: tuple[ValueId, ...]
    calls: int | None = None
    """The site whose module runs again."""
    guard: Guard | None = None
    loop: Loop | None = None
    lists: tuple[str, ...] = ()
    """The list, filled by the rounds of a loop, that follows the inputs."""

    @property
    def step(self) -> Step:
        """The step of its first instance."""
        return self.occurrences[0].step

    @property
    def name(self) -> str | None:
        """The attribute that holds its module."""
        return self.step.name

    @property
    def container(self) -> str:
        """The container that its module is an entry of."""
        return "" if self.name is None else self.name.rpartition(".")[0]

    @property
    def label(self) -> str:
        """The name of its value."""
        return self.step.label

    @property
    def append(self) -> str | None:
        """The list that its value is appended to, if a loop fills one."""
        return self.item.append if self.loop is not None else None

    @property
    def dropped(self) -> bool:
        """Whether it never runs, and what it owns is removed at the end of the constructor."""
        return self.step.dropped

    @property
    def is_raw(self) -> bool:
        """Whether it is a parameter of the block itself."""
        target = self.step.target
        return isinstance(target, Op) and target.raw


def is_reached(position: Position, hosts: Iterable[Host]) -> bool:
    """Whether any instance has a step at a position, or below it."""
    return any(position in host.reached for host in hosts)


def decisions_at(position: Position, hosts: Sequence[Host]) -> list[Decision]:
    """An item's condition in each instance, and whether it is true there."""
    found: list[Decision] = []
    for host in hosts:
        condition = host.module.conditions.get(position)
        if condition is None:
            raise NotMergeable("a condition that is not reached everywhere")
        found.append((host, condition.tree, condition.holds))
    return found


def counts_at(place: Position, hosts: Sequence[Host]) -> list[tuple[Host, Count]]:
    """How often an item is repeated in each instance."""
    if any(place not in host.module.counts for host in hosts):
        raise NotMergeable("a repeat that is not reached everywhere")
    return [(host, host.module.counts[place]) for host in hosts]


def rounds_of(place: Position, hosts: Sequence[Host], label: str) -> int:
    """How often an item is repeated, if it is the same in all instances."""
    counts = {count.number for _, count in counts_at(place, hosts)}
    if len(counts) != 1:
        raise NotMergeable(f"{label} is repeated {sorted(counts)} times")
    return counts.pop()
