"""Ops that move values between channels and positions: windows to columns, and channels to pixels."""

from collections.abc import Mapping
from math import prod
from typing import Any

from pydantic import Field

from archspec.ops.base import Op
from archspec.ops.call import Argument, Call, Input
from archspec.ops.convolution import slide
from archspec.ops.dimensions import Dimension, axis_of, sized
from archspec.ops.fields import Pair, PositivePair, Size, each, may_be
from archspec.ops.shapes import Shape, ShapeError, Value, count, format_shape, require_map  # fmt: skip
from archspec.ops.window import MAX_PHASES, UnknownWindow, Window, Windows


class _Columns(Op):
    """Base class of `unfold` and `fold`: the windows."""

    role = "shape"

    kernel_size: PositivePair = Field(description="extent of the window, or [height, width]")
    dilation: PositivePair = Field(1, description="distance between the window's taps")
    padding: Pair = Field(0, description="zeros added on each side")
    stride: PositivePair = Field(1, description="step of the window")

    def _windows(self, height: int, width: int) -> int:
        """The number of windows of a feature map."""
        return prod(slide((height, width), self.kernel_size, self.stride, self.padding, self.dilation))

    def constructor(self, *inputs: Shape) -> tuple[Argument, ...]:
        names = ("kernel_size", "dilation", "padding", "stride")
        return tuple(self.argument(name) for name in names)

    def work(self, inputs: tuple[Shape, ...], output: Value) -> int:
        return count(output) * 2 + sum(map(count, inputs))


class Unfold(_Columns):
    """Each window of a feature map as a column: (channels × kernel) × windows, `nn.Unfold`."""

    kind = "unfold"
    spelled = ("unfold(input, kernel_size, dilation=1, padding=0, stride=1)",)
    module = "nn.Unfold"

    def infer(self, *inputs: Shape) -> Shape:
        channels, height, width = require_map(inputs[0], "unfold")
        return (channels * prod(each(self.kernel_size)), self._windows(height, width))

    def windows(self, *inputs: Shape) -> Windows:
        return ((None, UnknownWindow(1), UnknownWindow(2)),)

    def function(self, *inputs: Shape) -> Call:
        given = {a.name: a.value for a in self.constructor(*inputs) if a.value != a.default}
        return Call("F.unfold", (Input(0),), given)


class Fold(_Columns):
    """A feature map from its windows as columns, with the sum where windows overlap, `nn.Fold`."""

    kind = "fold"
    spelled = ("fold(input, output_size, kernel_size, dilation=1, padding=0, stride=1)",)
    module = "nn.Fold"

    output_size: PositivePair = Field(description="height and width of the output")

    def infer(self, *inputs: Shape) -> Shape:
        shape, taps = inputs[0], prod(each(self.kernel_size))
        if len(shape) != 2 or int(shape[0]) % taps:
            raise ShapeError(f"fold expects (channels × {taps}) × windows, got {format_shape(shape)}",
                             may_be("kernel_size", int(shape[0])) if len(shape) == 2 else "")  # fmt: skip
        height, width = each(self.output_size)
        windows = self._windows(height, width)
        if windows != shape[1]:
            raise ShapeError(f"a map of {height}×{width} has {windows} windows, the input {int(shape[1])}",
                             "unfold with the same fields gives as many as fold expects", "output_size")  # fmt: skip
        return (shape[0] // taps, height, width)

    def constructor(self, *inputs: Shape) -> tuple[Argument, ...]:
        return (self.argument("output_size"), *super().constructor(*inputs))

    def function(self, *inputs: Shape) -> Call:
        given = {a.name: a.value for a in self.constructor(*inputs) if a.value != a.default}
        return Call("F.fold", (Input(0),), given)


class SlidingWindow(Op):
    """The windows of one dimension, `Tensor.unfold`: it becomes the number of windows, and the positions in a window
    are a new last dimension."""

    kind = "sliding_window"
    spelled = ("unfold(input, dimension, size, step)",)
    needs_batch = False
    view = True
    role = "shape"
    shown = ("size",)
    reads = frozenset({"dimension"})

    dim: Dimension = Field(1, description="the dimension, counted with the batch as 0")
    size: Size = Field(description="positions of a window")
    step: Size = Field(1, description="positions from the beginning of a window to that of the next")

    def infer(self, *inputs: Shape) -> Shape:
        shape, axis = inputs[0], axis_of(inputs[0], self.dim)
        if int(self.size) > int(shape[axis]):
            raise ShapeError(f"a window of {int(self.size)} does not fit into the {int(shape[axis])} positions of "
                             f"dimension {self.dim}", f"size may be 1 to {int(shape[axis])}", "size")  # fmt: skip
        windows = (shape[axis] - self.size) // self.step + 1
        return sized(shape, (*shape[:axis], windows, *shape[axis + 1 :], self.size))

    def windows(self, *inputs: Shape) -> Windows:
        axis = axis_of(inputs[0], self.dim)
        return ((*(UnknownWindow(dim) if dim == axis else Window(dim) for dim in range(len(inputs[0]))), None),)

    def work(self, inputs: tuple[Shape, ...], output: Value) -> int:
        return 0

    @classmethod
    def of_call(cls, given: Mapping[str, Any]) -> dict[str, Any]:
        return {"dim": given["dimension"], "size": given["size"], "step": given["step"]}

    def function(self, *inputs: Shape) -> Call:
        return Call("Tensor.unfold", (Input(0), self.dim, self.size, self.step))


class PixelShuffle(Op):
    """Channels as pixels: r² × fewer channels, r × more rows and columns, `nn.PixelShuffle` (Shi et al.,
    https://arxiv.org/abs/1609.05158)."""

    kind = "pixel_shuffle"
    spelled = ("pixel_shuffle(input, upscale_factor)",)
    module = "nn.PixelShuffle"
    role = "shape"
    shown = ("upscale_factor",)

    upscale_factor: Size = Field(le=4096, description="r, the factor by which the map grows")

    def infer(self, *inputs: Shape) -> Shape:
        channels, height, width = require_map(inputs[0], "pixel_shuffle")
        factor = self.upscale_factor
        if channels % (factor * factor):
            raise ShapeError(f"{int(channels)} channels cannot be split into {int(factor)}×{int(factor)} pixels",
                             "the channels must be divisible by its square", "upscale_factor")  # fmt: skip
        return (channels // (factor * factor), height * factor, width * factor)

    def windows(self, *inputs: Shape) -> Windows:
        return ((None, _enlarged(1, self.upscale_factor), _enlarged(2, self.upscale_factor)),)

    def constructor(self, *inputs: Shape) -> tuple[Argument, ...]:
        return (self.argument("upscale_factor", positional=True),)

    def function(self, *inputs: Shape) -> Call:
        return Call("F.pixel_shuffle", (Input(0), self.upscale_factor))


def _enlarged(dim: int, factor: int) -> Window | UnknownWindow:
    return UnknownWindow(dim) if factor > MAX_PHASES else Window(dim, (0,) * factor, (0,) * factor, 1)


class PixelUnshuffle(Op):
    """Pixels as channels: r² × more channels, r × fewer rows and columns, `nn.PixelUnshuffle`."""

    kind = "pixel_unshuffle"
    spelled = ("pixel_unshuffle(input, downscale_factor)",)
    module = "nn.PixelUnshuffle"
    role = "shape"
    shown = ("downscale_factor",)

    downscale_factor: Size = Field(le=4096, description="r, the factor by which the map shrinks")

    def infer(self, *inputs: Shape) -> Shape:
        channels, height, width = require_map(inputs[0], "pixel_unshuffle")
        factor = self.downscale_factor
        if height % factor or width % factor:
            raise ShapeError(f"{int(height)}×{int(width)} positions cannot be split by {int(factor)}",
                             may_be("downscale_factor", int(height), int(width)), "downscale_factor")  # fmt: skip
        return (channels * (factor * factor), height // factor, width // factor)

    def windows(self, *inputs: Shape) -> Windows:
        rows, columns = (Window(dim, (0,), (self.downscale_factor - 1,), self.downscale_factor) for dim in (1, 2))
        return ((None, rows, columns),)

    def constructor(self, *inputs: Shape) -> tuple[Argument, ...]:
        return (self.argument("downscale_factor", positional=True),)

    def function(self, *inputs: Shape) -> Call:
        return Call("F.pixel_unshuffle", (Input(0), self.downscale_factor))
