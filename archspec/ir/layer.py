"""A layer as the static analysis describes it: its shapes, its cost, and its receptive field."""

from __future__ import annotations

from typing import Final, NamedTuple

from archspec.diagnostics.budget import CHARACTERS, spend
from archspec.ir.receptive_field import START, FieldSize, ReceptiveFields, compose, field_size
from archspec.ops.shapes import Shape

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
    within: ReceptiveFields
    """Its receptive field on the input of the module that it is in."""
    train_only: bool
    calls: int = 1
    before: ReceptiveFields = START
    """The receptive field of that module's input on the network's input."""

    @property
    def flops(self) -> int:
        """Floating-point operations, counted as two per multiply-accumulate."""
        return 2 * self.macs

    @property
    def field(self) -> FieldSize | None:
        """The receptive field of its output on the network's input."""
        return field_size(self.within, self.output_shape, self.before)

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

    def again(self, other: Layer) -> Layer:
        """This layer with the MACs and activations of another run added."""
        return self._replace(
            macs=self.macs + other.macs, activations=self.activations + other.activations,
            train_only=self.train_only and other.train_only, calls=self.calls + other.calls,
        )  # fmt: skip


class Inner(NamedTuple):
    """A run of a sub-module: its layers are listed when the whole network's are, each under its full name."""

    name: str
    parts: tuple[Layer | Inner, ...]
    before: ReceptiveFields
    """The receptive field of the input that the parts are measured on; `HERE` if it is the enclosing module's."""
    train_only: bool


MAX_FLAT: Final = 64
"""Sub-modules are put in place of their runs up to so many layers: a layer is not copied at every level of a deep
nesting."""


def flat(parts: tuple[Layer | Inner, ...]) -> tuple[Layer | Inner, ...]:
    """The same parts with the layers of sub-modules among them, if they are few.

    A block is measured once and listed wherever it is used, so its own sub-modules need not be entered each time.
    """
    if not any(isinstance(part, Inner) for part in parts) or _left(parts, MAX_FLAT) < 0:
        return parts
    found: list[Layer] = []
    list_layers(found, parts, "", HERE, False)
    return tuple(layer if layer.before is HERE else _placed(layer) for layer in found)


def _placed(layer: Layer) -> Layer:
    """The same layer with its receptive field on the input that its `before` is on."""
    *same, within, train_only, calls, before = layer
    return tuple.__new__(Layer, (*same, compose(before, within), train_only, calls, HERE))


def _left(parts: tuple[Layer | Inner, ...], most: int) -> int:
    """What is left of `most` layers after these; negative if they are more. It stops counting there."""
    for part in parts:
        most = _left(part.parts, most) if isinstance(part, Inner) else most - 1
        if most < 0:
            break
    return most


LAYER: Final = 3
"""Steps of the budget that listing a layer costs, without its name."""


def list_layers(
    found: list[Layer], parts: tuple[Layer | Inner, ...], prefix: str, before: ReceptiveFields, train_only: bool
) -> None:
    """Append the layers of each run to `found`, with the names and receptive fields that they have in the network."""
    spend(len(parts) * (LAYER + len(prefix) // CHARACTERS))
    new = tuple.__new__  # half the time of the constructor, in the one loop that runs for every layer
    for part in parts:
        if isinstance(part, Inner):
            inside = f"{prefix}{part.name}."
            outer = before if part.before is HERE else compose(before, part.before)
            list_layers(found, part.parts, inside, outer, train_only or part.train_only)
            continue
        name, kind, source, output, params, buffers, macs, activations, within, only, calls, _ = part
        found.append(new(Layer, (
            prefix + name, kind, source, output, params, buffers, 0 if train_only else macs, activations,
            within, train_only or only, calls, before,
        )))  # fmt: skip
