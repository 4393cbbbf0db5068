"""A layer or block of one of the networks, as a difference describes it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from archspec.changes.digest import kind_of, name_of, read_shapes
from archspec.ir.graph import Graph
from archspec.ir.module import Module, Ref, Step
from archspec.ops.shapes import Shape, Value


class Layer(NamedTuple):
    """A layer or block; `macs` is 0 if it runs in training only."""

    name: str
    """Its name in the module around it; that of its value if it is not a module."""
    type: str
    input_shapes: tuple[Shape, ...]
    output_shape: Value
    params: int
    buffers: int
    macs: int
    train_only: bool
    is_module: bool
    """Whether it is registered, rather than a function or a call."""


def layer_of(module: Module, step: Step, train_only: bool) -> Layer:
    """A step of a module as a layer; `train_only` says whether the module runs in training only."""
    return Layer(
        name_of(step), kind_of(module, step), read_shapes(module, step), step.output, module.count(step, "params"),
        module.count(step, "buffers"), 0 if train_only or step.train_only else module.step_macs(step), step.train_only,
        step.name is not None,
    )  # fmt: skip


def layer_of_network(graph: Graph) -> Layer:
    """A whole network."""
    root = graph.root
    return Layer(
        graph.name, graph.class_name, root.inputs, root.output, root.params, root.buffers, root.macs, False, True
    )  # fmt: skip


def sources(module: Module, refs: Sequence[Ref]) -> list[str]:
    """The names of values: those of the steps or inputs they come from, with the number of the part."""
    return [*_sources(module, refs)]


def _sources(module: Module, refs: Sequence[Ref]) -> Iterator[str]:
    for ref in refs:
        name = _input(module, -1 - ref.step) if ref.step < 0 else name_of(module.steps[ref.step])
        yield name if ref.part is None else f"{name}.{ref.part}"


def _input(module: Module, number: int) -> str:
    names = module.input_names
    return names[number] if number < len(names) else f"input {number + 1}"
