"""A compiled network: its root module, and the properties of the whole.

Graphs are frozen. Two are equal if they are the same network, wherever and however their specs are written.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, NamedTuple

from archspec.ir.equality import same, same_modules
from archspec.ir.layer import Layer, add_run, list_layers
from archspec.ir.measure import measured
from archspec.ir.module import Module, Ref
from archspec.ir.notebook_display import Explorable
from archspec.ir.receptive_field import start_of
from archspec.ir.verify import verify_module
from archspec.ops import OPS, Ops
from archspec.ops.base import Op
from archspec.ops.shapes import Shape, format_input, format_shape


@dataclass(frozen=True)
class Outputs:
    """The outputs of a network that does not return one tensor, in training or `always`; if always, the root's result
    is all of them together."""

    type: str
    """`tuple`, `list`, `dict`, or the name of a named tuple's class."""
    fields: Mapping[str, Ref]
    always: bool = False

    @property
    def record(self) -> str:
        """The name of the named tuple's class; empty for a tuple, list or dict."""
        return "" if self.type in ("tuple", "list", "dict") else self.type


class Feature(NamedTuple):
    """An inner value that a network returns. `shape` is without the batch; `stride` and `receptive_field` are (height,
    width) in pixels of the input, or None as for a layer."""

    name: str
    shape: Shape
    stride: tuple[float, float] | None
    receptive_field: tuple[int, int] | None

    @property
    def channels(self) -> int:
        """The first size of the shape: the channels of a feature map, the features of a vector."""
        return int(self.shape[0])

    def __str__(self) -> str:
        pairs = (pair or ("–", "–") for pair in (self.stride, self.receptive_field))
        stride, field = (str(a) if a == b else f"{a}×{b}" for a, b in pairs)
        return f"feature {self.name}: {format_shape(self.shape)}, stride {stride}, receptive field {field}"


@dataclass(frozen=True)
class Graph(Explorable):
    """A compiled network: everything that backends need.

    `input_shape` and `output_shape` are without the batch; `params` counts training-only items too, `macs`
    is for one sample in evaluation mode.
    """

    name: str
    class_name: str
    root: Module
    description: str = ""
    reference: str = ""
    init: tuple[Any, ...] = ()
    outputs: Outputs | None = None
    source: Any = field(default=None, repr=False)
    """The core-language network this was elaborated from."""
    features: tuple[Feature, ...] = ()
    """The values it returns, by name, if it was cut down to features."""
    spec: Any = None
    """The spec it was compiled from (`archspec.Spec`), which codegen, expand and overrides use."""
    ops: Ops = OPS
    """The ops that it may use."""

    @property
    def input_shape(self) -> Shape:
        """The shape of one sample."""
        return self.root.inputs[0]

    @property
    def output_shape(self) -> Shape:
        """The shape of one sample's output in evaluation; for several outputs, a tuple of their shapes."""
        return self.root.output  # type: ignore[return-value]

    @property
    def params(self) -> int:
        """Number of trainable parameters, training-only items included."""
        return self.root.params

    @property
    def train_only_params(self) -> int:
        """Number of trainable parameters of training-only items."""
        return self.root.train_only_params

    @property
    def buffers(self) -> int:
        """Number of values in buffers, which are not trained."""
        return self.root.buffers

    @property
    def macs(self) -> int:
        """Multiply-accumulates of one evaluation pass of one sample."""
        return self.root.macs

    @property
    def flops(self) -> int:
        """Floating-point operations, counted as two per multiply-accumulate."""
        return 2 * self.root.macs

    @cached_property
    def layers(self) -> tuple[Layer, ...]:
        """The leaf modules in the order they first run."""
        runs: list[Layer] = []
        list_layers(runs, measured(self.root)[0], "", start_of(self.input_shape), False)
        found = {layer.name: layer for layer in runs}
        if len(found) < len(runs):
            found = {}
            for layer in runs:
                add_run(found, layer)
        return tuple(found.values())

    def state_dict_shapes(self) -> dict[str, Shape]:
        """Names and shapes of all parameters and persistent buffers, in state_dict order.

        >>> import archspec
        >>> archspec.compile("lenet").state_dict_shapes()["fc3.weight"]
        (10, 84)
        """
        return dict(_tensors(self.root, ""))

    def verify(self) -> None:
        """Check the invariants of the representation; raises `AssertionError`, naming the place, if one does not hold.

        This is the executable contract between specialisation and the backends; the tests run it on every graph.
        """
        for module in self.root.modules:
            verify_module(module)
        for ref in self.outputs.fields.values() if self.outputs else ():
            assert ref.step < len(self.root.steps), f"{self.name}: output {ref} does not exist"

    @property
    def is_partial(self) -> bool:
        """Whether it ends at a layer that fails; such a graph can only be drawn."""
        return any(step.failure for step in self.root.steps[-1:])

    def __eq__(self, other: object) -> bool:
        """Whether another graph is the same network, wherever and however its spec is written."""
        if not isinstance(other, Graph):
            return NotImplemented
        return same(_head(self), _head(other)) and same_modules(self.root, other.root)

    def __hash__(self) -> int:
        return hash((self.name, self.class_name, self.root.inputs, self.root.size))

    def __repr__(self) -> str:
        source = format_input(self.input_shape)
        if self.is_partial:
            return f"Graph({self.name}: {source} → ?)"
        return f"Graph({self.name}: {source} → {format_shape(self.root.output)}, {self.params:,} params)"


def _head(graph: Graph) -> tuple[Any, ...]:
    """The properties of a graph, other than its modules, that must be equal."""
    returned = graph.outputs
    outputs = None if returned is None else (returned.type, returned.always, *returned.fields.items())
    return (graph.name, graph.class_name, graph.description, graph.reference, outputs, graph.features)


def _tensors(module: Module, prefix: str) -> Iterator[tuple[str, Shape]]:
    for step in module.registered:
        if isinstance(step.target, Module):
            yield from _tensors(step.target, f"{prefix}{step.name}.")
        elif isinstance(step.target, Op):
            tensors = step.target.saved(*module.shapes(step))
            yield from ((f"{prefix}{step.name}.{name}".rstrip("."), shape) for name, shape in tensors.items())
