"""A module → the same without what stands behind its outputs, which is constructed with it and then removed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from archspec.diagnostics.diagnostic import Path
from archspec.ir.module import Condition, Module, Ref, Step
from archspec.ops.collect import Collect
from archspec.passes.inplace import with_inplace
from archspec.passes.specialize.errors import BodyErrors
from archspec.passes.unknown import UNKNOWN, Unknown


def cut(module: Module, path: Path, errors: BodyErrors) -> Module | Unknown:
    """A block's instance that ends at the last of its outputs. The steps behind it never run; since their modules draw
    random numbers, they are constructed and initialised all the same."""
    outputs = _outputs(module)
    count = max(0, *(1 + ref.step for ref in outputs))  # inputs have negative numbers
    kept, dropped = module.steps[:count], module.steps[count:]
    collect = [step for step in dropped if isinstance(step.target, Collect)]
    dropped = tuple(step for step in dropped if not isinstance(step.target, Collect))
    if collect:  # it takes its place behind what is kept, and the dropped steps have other numbers
        kept = (*kept, *collect)
    if not _can_be_cut(kept, dropped, path, errors):
        return UNKNOWN
    numbers = _numbers(module, count, bool(collect))
    result = Ref(numbers[module.result.step], module.result.part) if module.result.step >= 0 else module.result
    return replace(
        module, result=result, steps=with_inplace(kept, result),
        dropped=tuple(_dropped(step, numbers) for step in dropped),
        registration=_order(module.registration, numbers), construction=_order(module.construction, numbers),
        conditions=dict(_conditions(module, numbers)),
    )  # fmt: skip


def _outputs(module: Module) -> Sequence[Ref]:
    """The values that a module yields."""
    step = module.steps[module.result.step] if module.result.step >= 0 else None
    return step.inputs if step is not None and isinstance(step.target, Collect) else [module.result]


def _numbers(module: Module, count: int, collects: bool) -> dict[int, int]:
    """The new numbers of the steps: what yields the outputs together follows those that are kept."""
    numbers = {number: number + (collects and number >= count) for number in range(len(module.steps) - collects)}
    return {**numbers, len(module.steps) - 1: count} if collects else numbers


def _moved(ref: Ref, numbers: Mapping[int, int]) -> Ref:
    return ref if ref.step < 0 else Ref(numbers[ref.step], ref.part)


def _dropped(step: Step, numbers: Mapping[int, int]) -> Step:
    target = numbers[step.target] if isinstance(step.target, int) else step.target
    inputs = tuple(_moved(ref, numbers) for ref in step.inputs)
    return replace(step, target=target, inputs=inputs, inplace=False, dropped=True)


def _order(order: Sequence[int] | None, numbers: Mapping[int, int]) -> tuple[int, ...] | None:
    return None if order is None else tuple(numbers[number] for number in order)


def _conditions(module: Module, numbers: Mapping[int, int]) -> Iterator[tuple[tuple[int, ...], Condition]]:
    for position, condition in module.conditions.items():
        yield position, condition._replace(otherwise=_moved(condition.otherwise, numbers))


def _can_be_cut(kept: Sequence[Step], dropped: Sequence[Step], path: Path, errors: BodyErrors) -> bool:
    """Whether nothing that is kept runs in training only, and no container is on both sides."""
    for step in kept:
        if step.train_only:
            help = "leave it out: a block has no outputs in training"
            errors.report("schema", f"'{step.label}' is train_only, and in front of an output", path, help=help)
            return False
    sides = [
        {str(step.name).rpartition(".")[0] for step in steps if "." in str(step.name)} for steps in (kept, dropped)
    ]
    for name in sorted(sides[0] & sides[1]):
        help = "an output behind all entries of a container is possible"
        errors.report("schema", f"the container '{name}' would be cut in two", path, help=help)
        return False
    return True
