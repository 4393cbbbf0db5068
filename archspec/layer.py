"""A layer as the static analysis sees it: its shapes, what it costs, and how far its value looks on the input."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Final, NamedTuple

from archspec.ops.base import Shape


class Reach(NamedTuple):
    """How far a value looks, per axis (height, width), in units of the value it is measured on.

    `extent` counts the positions beyond the first, `jump` is the distance of its neighbours. Reaches compose,
    so that a module's layers are measured once, on its own input, whatever lies before it.
    """

    extent: tuple[float, float] = (0.0, 0.0)
    jump: tuple[float, float] = (1.0, 1.0)

    @property
    def pixels(self) -> tuple[int, int]:
        """How many positions it touches: behind an upsampling it begins or ends inside one."""
        height, width = (math.ceil(round(extent, 6)) + 1 for extent in self.extent)
        return height, width

    def then(self, extent: tuple[float, float], jump: tuple[float, float]) -> Reach:
        """The reach of something that looks `extent` far on this value and moves by `jump`."""
        (e0, e1), (j0, j1) = self
        return Reach((e0 + extent[0] * j0, e1 + extent[1] * j1), (j0 * jump[0], j1 * jump[1]))


START: Final = Reach()
"""The reach of an input, which sees itself."""


def meeting(reaches: list[Reach], shapes: Sequence[Any], output: Any) -> Reach:
    """The reach of values that meet: the widest of all, with the jump of those that have the output's height and width.

    Squeeze-and-excitation spreads one number per channel over a map: the result sees what both see, pixel by pixel.
    """
    if not reaches:
        return START
    height, width = zip(*(reach.extent for reach in reaches), strict=True)
    own = [reach.jump for reach, shape in zip(reaches, shapes, strict=True) if shape[1:] == output[1:]]
    vertical, horizontal = zip(*(own or [reach.jump for reach in reaches]), strict=True)
    return Reach((max(height), max(width)), (max(vertical), max(horizontal)))


class Layer(NamedTuple):
    """One leaf module of the network, as the static analysis sees it.

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
    reach: Reach
    train_only: bool
    calls: int = 1

    @property
    def flops(self) -> int:
        """Floating-point operations, counted as two per multiply-accumulate."""
        return 2 * self.macs

    @property
    def receptive_field(self) -> tuple[int, int]:
        """(height, width) of the input that one output position depends on, in pixels."""
        return self.reach.pixels

    @property
    def output_stride(self) -> tuple[float, float]:
        """Distance of neighbouring output positions on the input, in pixels."""
        return self.reach.jump

    def again(self, other: Layer) -> Layer:
        """This layer with another run of it counted in."""
        return self._replace(
            macs=self.macs + other.macs, activations=self.activations + other.activations,
            train_only=self.train_only and other.train_only, calls=self.calls + other.calls,
        )  # fmt: skip


class Inner(NamedTuple):
    """A run of a sub-module: its layers are listed when the whole network's are, each under its full name."""

    name: str
    parts: tuple[Layer | Inner, ...]
    before: Reach
    """How far the input looks that the parts are measured on."""
    train_only: bool


def list_layers(
    found: list[Layer], parts: tuple[Layer | Inner, ...], prefix: str, before: Reach, train_only: bool
) -> None:
    """Add the layers of each run, as the network around the parts sees them."""
    (e0, e1), (j0, j1) = before
    new = tuple.__new__  # half the time of the constructors, in the one loop that runs for every layer
    for part in parts:
        if isinstance(part, Inner):
            inside = f"{prefix}{part.name}."
            list_layers(found, part.parts, inside, before.then(*part.before), train_only or part.train_only)
            continue
        name, kind, source, output, params, buffers, macs, activations, ((d0, d1), (k0, k1)), only, calls = part
        reach = new(Reach, ((e0 + d0 * j0, e1 + d1 * j1), (j0 * k0, j1 * k1)))
        found.append(new(Layer, (
            prefix + name, kind, source, output, params, buffers, 0 if train_only else macs, activations,
            reach, train_only or only, calls,
        )))  # fmt: skip
