"""Which activations and sums can run in place, overwriting their first input.

The compiler decides this, not the spec. An input is overwritten if it is the output of an op that allocates new memory
and does not need its output in the backward pass, and if nothing else reads it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

from archspec.ir.module import Ref, Step
from archspec.ops.base import Op


def with_inplace(steps: Sequence[Step], result: Ref, kept: Sequence[Ref] = ()) -> tuple[Step, ...]:
    """The steps, each with the flag that says whether its op runs in place.

    `result` and `kept` are read from outside. A module that runs several times (a shared ReLU) has one `inplace` flag,
    so every run must allow it.
    """
    overwriting = _overwriting(steps, result, kept)
    return tuple([
        step if step.inplace == (number in overwriting) else replace(step, inplace=not step.inplace)
        for number, step in enumerate(steps)
    ])  # fmt: skip


def _overwriting(steps: Sequence[Step], result: Ref, kept: Sequence[Ref]) -> set[int]:
    """The numbers of the steps whose op can run in place."""
    if not any(isinstance(step.target, Op) and step.target.inplace for step in steps):
        return set()
    readers = Counter(ref.step for step in steps for ref in step.inputs)
    readers.update(ref.step for ref in {result, *kept})
    allowed: dict[int, bool] = {}
    for number, step in enumerate(steps):
        owner = _owner(steps, number)
        target = steps[owner].target
        if isinstance(target, Op) and target.inplace:
            allowed[owner] = allowed.get(owner, True) and _may_overwrite(steps, step, target, readers)
    return {number for number, yes in allowed.items() if yes}


def _owner(steps: Sequence[Step], number: int) -> int:
    target = steps[number].target
    return _owner(steps, target) if isinstance(target, int) else number


def _may_overwrite(steps: Sequence[Step], step: Step, op: Op, readers: Counter[int]) -> bool:
    ref = step.inputs[0]
    if not op.can_overwrite(len(step.inputs)) or ref.step < 0 or ref.part is not None or readers[ref.step] != 1:
        return False
    if steps[ref.step].output != step.output:  # it is broadcast: a parameter, to which a batch is added
        return False
    producer = steps[_owner(steps, ref.step)].target
    return isinstance(producer, Op) and producer.may_be_overwritten(steps[ref.step].output)
