"""What differs in each use of a module: the receptive field of its value, and the initialisation of its parameters.

Uses are listed in the order of a walk through the network: each step, then the steps of the module that it makes. The
page counts the same way.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from archspec.diagnostics.budget import spend
from archspec.ir.definition import Initialisation
from archspec.ir.graph import Graph
from archspec.ir.measure import follow
from archspec.ir.module import Module, Step
from archspec.ir.receptive_field import FieldSize, ReceptiveFields, field_size, start_of
from archspec.ops.base import Op
from archspec.ops.initialisers import parse_initialiser

STEP: Final = 10
"""Steps of the budget that each use of a step costs."""

Rules = tuple[tuple[str, tuple[Initialisation, ...]], ...]
"""The rules of the modules around a step, from inside out, each with the name of the step in that module."""


def receptive_fields(graph: Graph) -> dict[str, Any]:
    """The receptive field and stride of each step's value, as text: the distinct ones, and the index for each step."""
    starts = [start_of(shape) for shape in graph.root.inputs]
    return _table(map(_texts, _fields(graph.root, starts)))


def initialisers(graph: Graph) -> dict[str, Any]:
    """The initialisers of each step's parameters, by name: the distinct ones, and the index for each step."""
    return _table(_initial(graph.root, ()))


def _table(values: Iterator[Any]) -> dict[str, Any]:
    """Values as a list of the distinct ones, and the index for each value."""
    numbers: dict[str, int] = {}
    different: list[Any] = []
    which: list[int] = []
    for value in values:
        spend(STEP)
        key = repr(value)
        if key not in numbers:
            numbers[key] = len(different)
            different.append(value)
        which.append(numbers[key])
    return {"different": different, "which": which}


def _fields(module: Module, starts: Sequence[ReceptiveFields]) -> Iterator[FieldSize | None]:
    for step, (arrived, field) in zip(module.steps, follow(module, starts), strict=True):
        yield field_size(field, step.output)
        if isinstance(step.target, Module):
            yield from _fields(step.target, arrived)


def _texts(field: FieldSize | None) -> list[str]:
    """`["7", "2"]`, or `["7×5", "2×1"]`; empty if it is undefined."""
    return [f"{one:g}×{other:g}" if one != other else f"{one:g}" for one, other in field or ()]


def _initial(module: Module, around: Rules) -> Iterator[dict[str, str]]:
    for step in module.steps:
        rules = tuple((f"{name}.{step.name}" if name else str(step.name), own) for name, own in around)
        rules = ((str(step.name), module.init), *rules)
        if isinstance(step.target, Module):
            yield {}
            yield from _initial(step.target, rules)
        else:
            yield _of_op(step, rules) if isinstance(step.target, Op) and step.name is not None else {}


def _of_op(step: Step, rules: Rules) -> dict[str, str]:
    """The initialisers of an op's parameters. The modules around it apply their rules in turn, the outermost last."""
    op = step.target
    assert isinstance(op, Op)
    if op.raw:
        return {} if op.tensor() is not None else {"": _written(*op.filling())}
    found: dict[str, Any] = {}
    for name, own in rules:
        rule = next((rule for rule in own if rule.matches(name, op)), None)
        found.update({} if rule is None else rule.parameters)
    return {name: _written(*parse_initialiser(given)) for name, given in found.items()}


def _written(name: str, arguments: Mapping[str, Any]) -> str:
    """`kaiming_normal(mode=fan_out)`."""
    given = ", ".join(f"{key}={value}" for key, value in arguments.items())
    return f"{name}({given})" if given else name
