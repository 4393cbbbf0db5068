"""The modules of a network as plain data, each once, however often it is used."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from itertools import pairwise
from typing import Any, Final, NamedTuple

from archspec.backends.html.repeats import runs
from archspec.backends.op_labels import block_title, phrase
from archspec.backends.theme import LIGHT
from archspec.diagnostics.budget import spend
from archspec.ir.layer import Inner, Parts
from archspec.ir.measure import measured
from archspec.ir.module import Module, Ref, Step, is_buffer
from archspec.ops.base import Op, fields_of
from archspec.ops.shapes import count, format_shape

STEP: Final = 30
"""Steps of the budget that describing a step of a module costs."""

SAFE: Final = 1 << 53
"""Integers from here on are not exact in JavaScript, so they are text."""


class Lines(NamedTuple):
    """The lines of a step in the texts, from 1; 0 if it is not there."""

    spec: int = 0
    core: int = 0
    made: int = 0
    run: int = 0


LinesOf = Callable[[Module, int], Lines]
"""The lines of step number `n` of a module."""


def describe(module: Module, numbers: Mapping[int, int], lines: LinesOf) -> dict[str, Any]:
    """A module: its inputs, steps and outputs; `numbers` are those of the modules in it, by `id`."""
    spend(STEP * (1 + len(module.steps)))
    names, refining = names_of(module), _refining(module)
    block = module.block
    found = {
        "type": module.definition or "Sequential", "shapes": [format_shape(shape) for shape in module.inputs],
        "steps": [_step(module, number, names[number], numbers, lines) | _present(refines=number in refining)
                  for number in range(len(module.steps))],
        "result": _ref(module.result), "runs": [list(run) for run in runs(module)], "holds": _contents(module),
    }  # fmt: skip
    given = {name: plain(value) for name, value in module.arguments.items()}
    return {**found, **_present(description=block and block.description, arguments=given)}


def names_of(module: Module) -> list[str]:
    """A unique name for each step: that of its module or its value, with a number if necessary."""
    names: list[str] = []
    taken = {step.name for step in module.steps}
    for number, step in enumerate(module.steps):
        name = step.label if step.name is None else step.name
        names.append(f"{name}#{number}" if step.name is None and name in taken else name)
        taken.add(names[-1])
    return names


def _step(
    module: Module, number: int, name: str, numbers: Mapping[int, int], lines: LinesOf
) -> dict[str, Any]:  # fmt: skip
    step = module.steps[number]
    target = module.runs(step)
    found: dict[str, Any] = {
        "name": name, "reads": [_ref(ref) for ref in step.inputs],
        "output": format_shape(step.output), "at": list(lines(module, number)),
    }  # fmt: skip
    counted = {
        "params": module.count(step, "params"), "buffers": module.count(step, "buffers"),
        "macs": 0 if step.train_only else module.step_macs(step), "activations": activations(module, step),
    }  # fmt: skip
    found |= {name: exact(value) for name, value in counted.items() if value}
    parts = any(ref.part is not None for ref in step.inputs)
    found |= _present(
        shapes=[format_shape(shape) for shape in module.shapes(step)] if parts else None,
        function=step.name is None, trainOnly=step.train_only,
        calls=step.target if isinstance(step.target, int) else None,
    )  # fmt: skip
    if isinstance(target, Module):
        title = block_title(target)
        found |= _present(label=title if title != target.definition else None)
        return {**found, "type": target.definition or "Sequential", "module": numbers[id(target)]}
    return {**found, **_op(module, number, target)}


def _op(module: Module, number: int, op: Op) -> dict[str, Any]:
    """The data of a step that runs an op."""
    step = module.steps[number]
    shapes = module.shapes(step)
    found = {"type": op.kind, "role": _role(step, op), "label": phrase(op, shapes)}
    fields = {name: plain(value) for name, value in _fields(op)}
    return {**found, **_present(fields=fields, tensors=_tensors(module, step, op))}


def _role(step: Step, op: Op) -> str:
    """The role that determines the step's colour; calls of modules with weights have a role of their own."""
    return "call" if isinstance(step.target, int) and op.role not in LIGHT else op.role


def _present(**found: Any) -> dict[str, Any]:
    """The arguments that are not empty; the number 0 is kept."""
    return {name: value for name, value in found.items() if value or (value == 0 and value is not False)}


def _refining(module: Module) -> set[int]:
    """The steps that are drawn close to the one before: they refine the value of an op, and nothing else reads it."""
    readers = Counter([module.result.step, *(ref.step for step in module.steps for ref in step.inputs)])
    found: set[int] = set()
    for number, (before, step) in enumerate(pairwise(module.steps)):
        follows = step.inputs == (Ref(number),) and readers[number] == 1 and before.train_only == step.train_only
        if follows and before.inputs and isinstance(module.runs(before), Op) and _is_light(module, step):
            found.add(number + 1)
    return found


def _is_light(module: Module, step: Step) -> bool:
    target = module.runs(step)
    return isinstance(target, Op) and target.role in LIGHT


def _ref(ref: Ref) -> int:
    return ref.step


def _fields(op: Op) -> Iterator[tuple[str, Any]]:
    """The fields that differ from torch's defaults, including those that the user named."""
    declared = fields_of(type(op))
    for name, value in dict(op).items():
        if name not in declared or value != declared[name]:
            yield name, value


def _tensors(module: Module, step: Step, op: Op) -> dict[str, str]:
    """The tensors of a step in a `state_dict`, by the last parts of their keys, with their shapes."""
    if isinstance(step.target, int) or step.name is None:
        return {}
    return {name: format_shape(shape) for name, shape in op.saved(*module.shapes(step)).items()}


def activations(module: Module, step: Step) -> int:
    """The elements of the outputs of its layers, as in `archspec summary`: functions and parameters are not layers."""
    target, owner = module.runs(step), module.owner(step)
    if step.train_only or (isinstance(target, Op) and (owner.name is None or target.raw)):
        return 0
    if isinstance(target, Module) and measured(target)[0]:
        return _in_layers(measured(target)[0])
    return count(step.output)


def _in_layers(parts: Parts) -> int:
    total = 0
    for part in parts:
        spend(1)
        if not part.train_only:
            total += _in_layers(part.parts) if isinstance(part, Inner) else part.activations
    return total


def _contents(module: Module) -> str:
    """The contents of a module in short: `23 × Bottleneck`, `conv2d · batch_norm2d`."""
    if not module.steps:
        return "identity"
    kinds = Counter(_kind(module.runs(step)) for step in module.steps if step.name is not None and not is_buffer(step))
    words = [f"{times} × {kind}" if times > 1 else kind for kind, times in kinds.items()]
    return " · ".join(words) if len(words) <= 3 else f"{sum(kinds.values())} parts"


def _kind(target: Op | Module) -> str:
    return target.kind if isinstance(target, Op) else block_title(target) or "Sequential"


def exact(value: int) -> int | str:
    """An integer in a form that is exact in JavaScript."""
    return int(value) if value < SAFE else str(int(value))


def plain(value: Any) -> Any:
    """The value of a field or argument as JSON."""
    if isinstance(value, bool | str | None):
        return value
    if isinstance(value, int):
        return exact(int(value)) if value >= 0 else int(value)
    if isinstance(value, float):
        return value
    if isinstance(value, Mapping):
        return {str(name): plain(inner) for name, inner in value.items()}
    return [plain(inner) for inner in value] if isinstance(value, list | tuple) else str(value)
