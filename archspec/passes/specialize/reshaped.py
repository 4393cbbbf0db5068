"""Instances of a block that differ in their input shapes alone, of a block that reads none: the same ops on others.

The layers of a DenseNet differ in nothing but the channels of their input.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Final

from archspec.diagnostics.budget import spend
from archspec.ir.module import Module, Ref, Step
from archspec.ops.base import Op, is_own
from archspec.ops.shapes import Shape, ShapeError, Value, is_parts, numel
from archspec.passes.inplace import inplace_steps
from archspec.passes.specialize.items import MAX_ELEMENTS

STEP: Final = 10
"""Steps of the budget that a step on other shapes costs; each of its inputs costs one more."""


def reshaped(module: Module, inputs: tuple[Value, ...]) -> Module | None:
    """A module on inputs of other shapes; `None` if they do not fit, or if more than shapes may follow from them."""
    if module.init or module.dropped:
        return None
    steps: list[Step] = []
    for step in module.steps:
        spend(STEP + len(step.inputs))
        output = _output(step.target, [_value(inputs, steps, ref) for ref in step.inputs])
        if output is None:
            return None
        steps.append(replace(step, output=output, inplace=False))
    overwriting = inplace_steps(steps, module.result)
    flagged = (replace(step, inplace=True) if i in overwriting else step for i, step in enumerate(steps))
    return replace(module, inputs=inputs, steps=tuple(flagged))  # type: ignore[arg-type]


def _value(inputs: tuple[Value, ...], steps: list[Step], ref: Ref) -> Any:
    return inputs[-1 - ref.step] if ref.step < 0 else steps[ref.step].output


def _output(target: Op | Module | int, shapes: list[Shape]) -> Shape | None:
    """The output shape of one of archspec's ops, if it is one tensor of a size that is allowed."""
    if not isinstance(target, Op) or is_own(type(target)):
        return None
    try:
        output: Any = target.yields(*shapes)
    except ShapeError:
        return None
    return None if is_parts(output) or numel(output) > MAX_ELEMENTS else output
