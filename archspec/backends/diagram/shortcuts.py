"""Whether a block adds a shortcut, and of which kind: its unchanged input, or a projection.

He et al., "Deep Residual Learning for Image Recognition", https://arxiv.org/abs/1512.03385, section 3.3.
"""

from __future__ import annotations

from collections import Counter

from archspec.backends.theme import LIGHT
from archspec.diagnostics.budget import spend
from archspec.ir.module import Module, Ref, Step
from archspec.ops.base import Op


def shortcuts_of(body: Module) -> str:
    """The shortcuts of a block, for a line of its box: `identity shortcut`, `2 identity shortcuts`, or nothing."""
    kinds = Counter(kind for step in body.steps if (kind := _shortcut(body, step)))
    return ", ".join(f"{count} {kind} shortcuts" if count > 1 else f"{kind} shortcut" for kind, count in kinds.items())


def _shortcut(body: Module, step: Step) -> str:
    """The kind of shortcut that a sum adds to the longer path: a value of that path, or a projection of one."""
    target = body.runs(step)
    if not isinstance(target, Op) or not target.adds or len(step.inputs) != 2:
        return ""
    (one, left), (other, right) = ((ref.step, _behind(body, ref)) for ref in step.inputs)
    if one != other and (one in right or other in left):
        return "identity"
    if len(body.inputs) != 1:  # two inputs that are each projected and added: neither is the shortcut of the other
        return ""
    layers = sorted(sum(_layers(body, number) for number in way) for way in (left - right, right - left))
    if not left & right or layers[0] == layers[1]:
        return ""
    short = min(left - right, right - left, key=lambda way: sum(_layers(body, number) for number in way))
    return "projection" if layers[0] else "identity" if _is_light(body, short) else "parameter-free"


def _behind(body: Module, ref: Ref) -> frozenset[int]:
    """The steps that a value depends on, including its own, and the inputs (-1, -2, …)."""
    found, waiting = {ref.step}, [ref.step]
    while waiting:
        number = waiting.pop()
        new = {ref.step for ref in body.steps[number].inputs} - found if number >= 0 else ()
        found.update(new)
        waiting += new
    spend(len(found))
    return frozenset(found)


def _layers(body: Module, number: int) -> int:
    """The number of layers with parameters that a step runs."""
    return 0 if number < 0 else _count(body.runs(body.steps[number]), body.shapes(body.steps[number]))


def _count(target: Op | Module, shapes: tuple[tuple[int, ...], ...]) -> int:
    spend(1)
    if isinstance(target, Op):
        return bool(target.parameters(*shapes))
    return sum(_count(target.runs(step), target.shapes(step)) for step in target.steps)


def _is_light(body: Module, way: frozenset[int]) -> bool:
    targets = [body.runs(body.steps[number]) for number in way if number >= 0]
    return all(isinstance(target, Op) and target.role in LIGHT for target in targets)
