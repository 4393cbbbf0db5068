"""The costs of a box, as text: its parameters, multiply-accumulates and activations."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Final

from archspec.backends.diagram.grouping import Unit
from archspec.backends.op_labels import quantity
from archspec.diagnostics.budget import spend
from archspec.ir.layer import Inner, Parts
from archspec.ir.measure import measured
from archspec.ir.module import Module, Step
from archspec.ops.base import Op
from archspec.ops.shapes import count as elements
from archspec.ops.shapes import numel


def _params(module: Module, step: Step) -> int:
    if isinstance(step.target, Module):
        return step.target.params
    return sum(map(numel, step.target.parameters(*module.shapes(step)).values())) if isinstance(step.target, Op) else 0


def _macs(module: Module, step: Step) -> int:
    return 0 if step.train_only else module.step_macs(step)


def _activations(module: Module, step: Step) -> int:
    """The elements of the outputs of its layers, as in `archspec summary`: functions and parameters are not layers."""
    target, owner = module.runs(step), module.owner(step)
    if isinstance(target, Op):
        return 0 if owner.name is None or target.raw else elements(step.output)
    return _in_layers(measured(target)[0]) if measured(target)[0] else elements(step.output)


def _in_layers(parts: Parts) -> int:
    total = 0
    for part in parts:
        spend(1)
        total += _in_layers(part.parts) if isinstance(part, Inner) else part.activations
    return total


COUNTS: Final[dict[str, tuple[str, Callable[[Module, Step], int]]]] = {
    "params": ("params", _params), "macs": ("MACs", _macs), "activations": ("activations", _activations),
}  # fmt: skip
"""The counts that a box can show: their labels, and the functions that count."""


def counts_of(module: Module, run: Sequence[Unit], show: Iterable[str]) -> tuple[str, ...]:
    """The counts of a box; for equal units those of each, as in `22 × 1.12 M params`.

    The layers of a dense block, which differ in their inputs, show a range: `48 × 45.3 K – 239 K params`.
    """
    return tuple(filter(None, (_count(module, run, *COUNTS[name]) for name in show)))


def _count(module: Module, run: Sequence[Unit], name: str, count: Callable[[Module, Step], int]) -> str:
    counts = [sum(count(module, step) for step in _steps(module, unit)) for unit in run]
    if not any(counts):
        return ""
    least, most = quantity(min(counts)), quantity(max(counts))
    each = least if least == most else f"{least} – {most}"
    return f"{len(run)} × {each} {name}" if len(run) > 1 else f"{each} {name}"


def _steps(module: Module, unit: Unit) -> list[Step]:
    """The steps of a unit that can be counted; a failing step cannot."""
    steps = [module.steps[number] for number in unit.steps]
    return [step for step in steps if not step.failure]


def exact_counts(module: Module, run: Sequence[Unit]) -> Iterator[str]:
    """All counts of a box in full: `70,400 params each, 1,548,800 in all`."""
    for name, count in COUNTS.values():
        counts = [sum(count(module, step) for step in _steps(module, unit)) for unit in run]
        if len(counts) == 1 and counts[0]:
            yield f"{counts[0]:,} {name}"
        elif any(counts):
            least, most = min(counts), max(counts)
            each = f"{least:,}" if least == most else f"{least:,} to {most:,}"
            yield f"{each} {name} each, {sum(counts):,} in all"
