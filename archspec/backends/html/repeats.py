"""Consecutive equal steps, which are drawn as one with ×N until they are expanded."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import NamedTuple

from archspec.diagnostics.budget import spend
from archspec.ir.module import Module, Ref, Step
from archspec.ops.base import Op


class Run(NamedTuple):
    """Equal steps from number `first` on: `times` times `period` steps. The last of each period is the one drawn."""

    first: int
    times: int
    period: int


def runs(module: Module) -> Iterator[Run]:
    """The runs of a module, in order: equal blocks in a chain, and the layers of a dense block."""
    number, readers = 0, _readers(module)
    while number < len(module.steps):
        found = max((_run(module, number, period, readers) for period in (1, 2)), key=lambda run: run.times)
        if found.times > 1:
            yield found
        number += max(1, found.times * found.period) if found.times > 1 else 1


def _readers(module: Module) -> Counter[int]:
    return Counter([module.result.step, *(ref.step for step in module.steps for ref in step.inputs)])


def _run(module: Module, first: int, period: int, readers: Counter[int]) -> Run:
    goes_on = _chained if period == 1 else _grown
    last = first + period - 1
    if last >= len(module.steps) or not isinstance(module.steps[last].target, Module):
        return Run(first, 1, period)
    count = 1
    while last + period < len(module.steps) and goes_on(module, last, readers):
        last, count = last + period, count + 1
    spend(count)
    return Run(first, count, period)


def _chained(module: Module, number: int, readers: Counter[int]) -> bool:
    """Whether the next step is like step `number`, reads its value, and is the only one that does."""
    here, step = module.steps[number], module.steps[number + 1]
    if step.inputs != (Ref(number),) or readers[number] != 1 or step.train_only != here.train_only:
        return False
    same_shapes = (module.shapes(here), here.output) == (module.shapes(step), step.output)
    return same_shapes and _alike(here, step)


def _alike(one: Step, other: Step) -> bool:
    targets = (one.target, other.target)
    return all(isinstance(target, Module) for target in targets) and targets[0].is_like(targets[1])  # type: ignore[union-attr, arg-type]


def _grown(module: Module, number: int, readers: Counter[int]) -> bool:
    """Whether a `cat` and a block follow a `cat` and block `number`, and read the inputs and the output of those."""
    cats, blocks = module.steps[number - 1 : number + 2 : 2], module.steps[number : number + 3 : 2]
    if len(blocks) < 2 or not all(isinstance(cat.target, Op) and cat.target.concatenates for cat in cats):
        return False
    one, other = (block.target for block in blocks)
    same = isinstance(one, Module) and isinstance(other, Module) and one.definition == other.definition
    reads = blocks[0].inputs == (Ref(number - 1),) and blocks[1].inputs == (Ref(number + 1),)
    return same and reads and cats[1].inputs == (*cats[0].inputs, Ref(number))
