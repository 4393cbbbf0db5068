"""The context of a shape error: the inputs of the layer that fails, and the layers before it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

from archspec.diagnostics.diagnostic import LayerInput, LayerOutput
from archspec.ir.module import Ref, Step
from archspec.ops.base import Op
from archspec.ops.shapes import format_shape

if TYPE_CHECKING:
    from archspec.passes.specialize.value_table import Operand, ValueTable


def failing_inputs(values: ValueTable, operands: Iterable[Operand]) -> tuple[LayerInput, ...]:
    """The inputs of a failing item, with their shapes and the layers that these shapes come from."""
    return tuple(LayerInput(values.title(ref), _shape(value), _origin(values, ref)) for ref, value in operands)


def layers_before(values: ValueTable) -> Iterator[LayerOutput]:
    """The layers of one body so far."""
    for step in values.steps:
        yield LayerOutput(values.dotted(step.name or step.label), _kind(values.steps, step), format_shape(step.output))


def _shape(value: object) -> str:
    return format_shape(value) if isinstance(value, tuple) else "?"


def _origin(values: ValueTable, ref: Ref) -> str:
    """The layer that a value's shape comes from."""
    while ref.step >= 0 and _keeps_shape(values, values.steps[ref.step]):
        (ref,) = values.steps[ref.step].inputs
    if ref.step < 0:
        return f"the input of {values.where}" if values.where else "the network's input"
    step = values.steps[ref.step]
    return f"from {values.dotted(step.name or step.label)}{_stride(step)}"


def _keeps_shape(values: ValueTable, step: Step) -> bool:
    return isinstance(step.target, Op) and len(step.inputs) == 1 and values.shape_of(step.inputs[0]) == step.output


def _kind(steps: Sequence[Step], step: Step) -> str:
    target = step.target
    if isinstance(target, int):
        return _kind(steps, steps[target])
    return target.kind if isinstance(target, Op) else target.definition or "seq"


def _stride(step: Step) -> str:
    stride = getattr(step.target, "stride", None) if step.inputs else None  # that of a buffer is of what it holds
    return f" (stride {stride})" if stride is not None else ""
