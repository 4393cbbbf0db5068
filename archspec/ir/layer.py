"""A layer as the static analysis describes it: its shapes, its cost, and its receptive field."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property
from typing import Any, Final, NamedTuple, TypeVar

from archspec.diagnostics.budget import CHARACTERS, spend
from archspec.ir.receptive_field import START, FieldSize, ReceptiveFields, compose, field_size
from archspec.ops.shapes import Shape, samples

HERE: Final = START
"""The `before` of parts whose receptive field is measured on the input of the module around them."""


class Layer(NamedTuple):
    """One leaf module of the network, as the static analysis describes it.

    Shapes are without the batch. A module that runs several times is one layer, with the shapes of its
    first run and the MACs of all. `macs` is 0 for a training-only layer; `activations` counts the elements
    of its outputs.
    """

    name: str
    type: str
    input_shape: Shape
    output_shape: Shape
    params: int
    buffers: int
    macs: int
    activations: int
    train_only: bool
    calls: int
    field: FieldSize | None
    """The receptive field of its output on the network's input."""

    @property
    def flops(self) -> int:
        """Floating-point operations, counted as two per multiply-accumulate."""
        return 2 * self.macs

    @property
    def parts_per_sample(self) -> int:
        """How many parts of each sample the batch of its output holds: 1, unless `flatten_batch` put dimensions of the
        sample into the batch."""
        return samples(self.output_shape)

    @property
    def receptive_field(self) -> tuple[int, int] | None:
        """(height, width) of the part of the input that an output position depends on, in pixels; the largest of any.

        Padding counts. None if it is undefined: the network's input is not a feature map, the value depends on
        parameters only, or its positions do not see the input in a regular pattern.
        """
        field = self.field
        return None if field is None else field.pixels

    @property
    def output_stride(self) -> tuple[float, float] | None:
        """Distance of neighbouring output positions on the input, in pixels; None as for the receptive field."""
        field = self.field
        return None if field is None else field.stride


class Leaf(NamedTuple):
    """A leaf module as it is measured in the module that it is in: a layer, before it has its place in the network."""

    name: str
    type: str
    input_shape: Shape
    output_shape: Shape
    params: int
    buffers: int
    macs: int
    activations: int
    train_only: bool
    calls: int
    within: ReceptiveFields
    """The receptive field of its output on the input of that module."""


class Inner(NamedTuple):
    """A run of a sub-module: its layers are listed when the whole network's are, each under its full name."""

    name: str
    parts: Parts
    before: ReceptiveFields
    """The receptive field of the input that the parts are measured on; `HERE` if it is the enclosing module's."""
    train_only: bool


MAX_KNOWN: Final = 64
"""The receptive fields of a module's layers are kept for at most so many places in a network."""


class Parts(tuple["Leaf | Inner", ...]):
    """The leaf modules and sub-modules of a module, in the order they first run."""

    @cached_property
    def _fields(self) -> dict[Any, tuple[FieldSize | None, ...]]:
        return {}

    def fields(self, before: ReceptiveFields) -> tuple[FieldSize | None, ...]:
        """The receptive fields of the leaf modules on the network's input, from that of the module's input, `before`;
        `None` for a sub-module. Equal blocks at the same place of networks that are analysed one after the other share
        them."""
        known = self._fields
        if before not in known:
            if len(known) >= MAX_KNOWN:
                known.clear()
            known[before] = tuple([
                None if isinstance(part, Inner) else field_size(part.within, part.output_shape, before) for part in self
            ])  # fmt: skip
        return known[before]


R = TypeVar("R", Layer, Leaf)


def add_run(found: dict[Any, Any], run: R) -> None:
    """Add a run of a leaf module to those found so far, by name: several runs are one layer, with the MACs and
    activations of all."""
    first: R = found.setdefault(run.name, run)
    if first is not run:
        found[run.name] = first._replace(
            macs=first.macs + run.macs, activations=first.activations + run.activations,
            train_only=first.train_only and run.train_only, calls=first.calls + run.calls,
        )  # fmt: skip


MAX_FLAT: Final = 64
"""Sub-modules are put in place of their runs up to so many layers: a layer is not copied at every level of a deep
nesting."""


def flat(parts: Parts) -> Parts:
    """The same parts with the layers of sub-modules among them, if they are few.

    A block is measured once and listed wherever it is used, so its own sub-modules need not be entered each time.
    """
    if not any(isinstance(part, Inner) for part in parts) or _left(parts, MAX_FLAT) < 0:
        return parts
    return Parts(_leaves(parts, "", HERE, False))


def _leaves(parts: Parts, prefix: str, before: ReceptiveFields, train_only: bool) -> Iterator[Leaf]:
    """The leaf modules of each run, with their names and receptive fields in the module around them."""
    spend(len(parts) * (LAYER + len(prefix) // CHARACTERS))
    for part in parts:
        if isinstance(part, Inner):
            outer = before if part.before is HERE else compose(before, part.before)
            yield from _leaves(part.parts, f"{prefix}{part.name}.", outer, train_only or part.train_only)
        else:
            yield part._replace(
                name=prefix + part.name, macs=0 if train_only else part.macs, train_only=train_only or part.train_only,
                within=part.within if before is HERE else compose(before, part.within),
            )  # fmt: skip


def _left(parts: Parts, most: int) -> int:
    """What is left of `most` layers after these; negative if they are more. It stops counting there."""
    for part in parts:
        most = _left(part.parts, most) if isinstance(part, Inner) else most - 1
        if most < 0:
            break
    return most


LAYER: Final = 3
"""Steps of the budget that listing a layer costs, without its name."""


def list_layers(found: list[Layer], parts: Parts, prefix: str, before: ReceptiveFields, train_only: bool) -> None:
    """Append the layers of each run to `found`, with the names and receptive fields that they have in the network."""
    spend(len(parts) * (LAYER + len(prefix) // CHARACTERS))
    new = tuple.__new__  # half the time of the constructor, in the one loop that runs for every layer
    for part, field in zip(parts, parts.fields(before), strict=True):
        if isinstance(part, Inner):
            outer = before if part.before is HERE else compose(before, part.before)
            list_layers(found, part.parts, f"{prefix}{part.name}.", outer, train_only or part.train_only)
            continue
        name, kind, source, output, params, buffers, macs, activations, only, calls, _ = part
        found.append(new(Layer, (
            prefix + name, kind, source, output, params, buffers, 0 if train_only else macs, activations,
            train_only or only, calls, field,
        )))  # fmt: skip
