"""Consecutive blocks that differ only in the rates at which branches are dropped, drawn as one with the range.

The blocks of a stage often differ in nothing else. They share a box, which shows the lowest and the highest rate.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

from archspec.diagnostics.budget import spend
from archspec.ir.module import Module, Step
from archspec.ops.base import Op


class Range(float):
    """A rate that differs from block to block: the lowest as a number, formatted with the highest.

    >>> f"{Range(0.0, 0.05):g}"
    '0 – 0.05'
    """

    most: float

    def __new__(cls, least: float, most: float) -> Range:
        """The rates from `least` to `most`."""
        made = super().__new__(cls, least)
        made.most = most
        return made

    def __format__(self, spec: str) -> str:
        return f"{float(self):.3g} – {self.most:.3g}"


def merged(bodies: Sequence[Module]) -> Module:
    """The first of several similar modules, with ranges for the rates that differ."""
    first = bodies[0]
    if all(body is first for body in bodies):
        return first
    spend(len(bodies) * len(first.steps))
    return replace(first, steps=tuple(map(_merged_step, zip(*(body.steps for body in bodies), strict=True))))


def _merged_step(steps: tuple[Step, ...]) -> Step:
    targets: list[Any] = [step.target for step in steps]
    if isinstance(targets[0], Module):
        return replace(steps[0], target=merged(targets))
    if not isinstance(targets[0], Op) or all(target == targets[0] for target in targets):
        return steps[0]
    rates = {name: [getattr(target, name) for target in targets] for name in sorted(targets[0].varying)}
    ranges = {name: Range(min(found), max(found)) for name, found in rates.items() if min(found) < max(found)}
    return replace(steps[0], target=targets[0].model_copy(update=ranges))


def ranges_in(module: Module) -> Iterator[str]:
    """The rates of a merged module that differ: `stochastic depth 0 – 0.05`."""
    for step in module.steps:
        spend(1)
        if isinstance(step.target, Module):
            yield from ranges_in(step.target)
        elif isinstance(step.target, Op):
            rates = (getattr(step.target, name) for name in sorted(step.target.varying))
            yield from (f"{step.target.title()} {rate:g}" for rate in rates if isinstance(rate, Range))
