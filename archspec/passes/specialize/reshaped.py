"""Instances of a block that differ in their input shapes alone, of a block that reads none: the same ops on others.

The layers of a DenseNet differ in nothing but the channels of their input.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from archspec.diagnostics.budget import spend
from archspec.ir.module import Module, Ref, Step
from archspec.ops.base import Op, is_own
from archspec.ops.shapes import Shape, ShapeError, Value, is_parts, numel
from archspec.passes.inplace import with_inplace
from archspec.passes.specialize.items import MAX_ELEMENTS
from archspec.passes.specialize.steps import ITEM


def reshaped(module: Module, inputs: tuple[Value, ...]) -> Module | None:
    """A module on inputs of other shapes; `None` if they do not fit, or if more than shapes may follow from them."""
    if module.init or module.dropped:
        return None
    steps: list[Step] = []
    for step in module.steps:
        spend(ITEM + len(step.inputs))
        output = _output(step.target, [_value(inputs, steps, ref) for ref in step.inputs])
        if output is None:
            return None
        steps.append(replace(step, output=output))
    return replace(module, inputs=inputs, steps=with_inplace(steps, module.result))  # type: ignore[arg-type]


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
