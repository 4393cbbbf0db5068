"""Which values of a `forward` are nested as expressions into others, and which get a line of their own."""

from __future__ import annotations

from typing import Final

from archspec.backends.python.forward.liveness import Liveness, is_concatenation, is_elementwise_join
from archspec.backends.python.forward.pending import Pending
from archspec.backends.python.forward.variables import Variables
from archspec.backends.python.instances.merge import Body
from archspec.backends.python.instances.sites import Site, ValueId
from archspec.diagnostics.budget import spend

SITE: Final = 3
"""Steps of the budget that examining a site costs."""

MAX_DEPTH: Final = 20
"""The most calls that are nested: Python itself cannot parse more than 200 nested brackets."""


class Inlining:
    """Decides which values stay pending, from `liveness` and from what has been written so far."""

    def __init__(
        self, body: Body, liveness: Liveness, pending: Pending, variables: Variables, in_training: bool
    ) -> None:
        self.sites = body.sites
        self.result = body.result
        self.liveness = liveness
        self.pending = pending
        self.variables = variables
        self.in_training = in_training
        """Whether the network returns several values in training only."""
        self.depths: dict[int, int] = {}
        """How many calls the expression of each site nests."""

    def nested_inputs(self, number: int, site: Site) -> set[int]:
        """The pending values that are nested into this site's expression."""
        nested = self._nested_inputs(number, site)
        self.depths[number] = 1 + max((self.depths.get(value, 0) for value in nested), default=0)
        return nested

    def _nested_inputs(self, number: int, site: Site) -> set[int]:
        if site.item.train_only:
            return set()
        if self.liveness.is_nested(site):
            return {value.site for value in site.inputs if value.site == number - 1}
        if site.append is not None and site.loop is not None:
            return {value.site for value in site.inputs}
        if is_concatenation(site):
            return self._branches(site)
        after_dropout = number > 0 and self.liveness.role(self.sites[number - 1]) == "dropout"
        if self.liveness.is_scaling(site) or (is_elementwise_join(site) and after_dropout):
            return {number - 1} & {value.site for value in site.inputs}
        return set()

    def _branches(self, site: Site) -> set[int]:
        """The inputs of a `cat` that can be nested calls: those computed just before it, in order, each used once."""
        wanted = [value.site for value in site.inputs]
        recent = [value for value in wanted if value in self.pending]
        in_order = recent == sorted(recent) == list(self.pending.code)
        return (
            set(recent) if in_order and all(self.liveness.uses[value] == 1 for value in wanted if value >= 0) else set()
        )

    def may_wait(self, number: int, site: Site) -> bool:
        """Whether a value's expression may stay pending, to be nested into the expression that reads it."""
        if number in self.variables.forced or site.item.train_only or self.liveness.uses[number] != 1:
            return False
        if self.liveness.is_conditional(number):
            return ValueId(number) == self.result and not self.in_training and not any(self.liveness.live(number + 1))
        if number == self.result.site:
            return self.result.part is None
        if self.depths.get(number, 0) >= MAX_DEPTH:
            return False
        following = self.sites[number + 1] if number + 1 < len(self.sites) else None
        if following is None or (following.guard, following.loop) != (site.guard, site.loop):
            return site.guard is None and site.loop is None and self._feeds(number)
        if self.liveness.is_nested(following) or (following.append is not None and following.loop is not None):
            return [value.site for value in following.inputs] == [number] and not following.lists
        if self.liveness.is_scaling(following) or (
            is_elementwise_join(following) and self.liveness.role(site) == "dropout"
        ):
            return number in {value.site for value in following.inputs}
        return self._feeds(number)

    def _feeds(self, number: int) -> bool:
        """Whether a value is a branch of a `cat`; if so, this is recorded."""
        if self._feeds_cat(number):
            self.pending.branches.add(number)
        return number in self.pending.branches

    def _feeds_cat(self, number: int) -> bool:
        """Whether a value is one of the branches of a `cat` with nothing else between."""
        for later in self.liveness.live(number + 1):
            spend(SITE)
            site = self.sites[later]
            if any(value.site == number for value in site.inputs):
                return self._holds_branches(later, site, number)
            if site.guard is not None or site.loop is not None or site.item.train_only or not self._is_branch(later):
                return False
        return False

    def _holds_branches(self, number: int, site: Site, first: int) -> bool:
        """Whether a site is a `cat` of branches with all that runs from `first` on, so that the order is kept."""
        if not is_concatenation(site) or site.guard is not None or site.loop is not None:
            return False
        spend(SITE * (len(site.inputs) + number - first))
        taken = {value.site for value in site.inputs}
        branches = all(v < 0 or v in self.pending.branches or (v >= first and self._is_branch(v)) for v in taken)
        between = self.liveness.live(first, number)
        return branches and all(
            self.liveness.uses[n] == 1 and (n in taken or self.liveness.is_refined(n)) for n in between
        )

    def _is_branch(self, number: int) -> bool:
        """Whether a site is a module called on values that have variables, or an op that refines the output of one."""
        site = self.sites[number]
        if site.name is None and site.calls is None:
            return False
        if self.liveness.is_nested(site) and [value.site for value in site.inputs] == [number - 1]:
            return number - 1 in self.variables.names or (
                self.liveness.uses[number - 1] == 1 and self._is_branch(number - 1)
            )
        return all(v.site in self.variables.names for v in site.inputs)
