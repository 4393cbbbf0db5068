"""Ops that reduce a feature map: pools."""

import math

from pydantic import Field

from archspec.ops.base import (
    Argument,
    Call,
    Input,
    Op,
    Pair,
    PositivePair,
    Shape,
    ShapeError,
    Value,
    count,
    fields_of,
    pair_of,
    require_map,
)  # fmt: skip
from archspec.ops.convolution import slid, slide
from archspec.ops.window import Looks, Window, adaptive


class _Pool(Op):
    """Base class of max and average pools. As in torch, the stride defaults to the kernel size."""

    role = "pool"

    kernel_size: PositivePair = Field(description="extent of the window, or [height, width]")
    stride: PositivePair | None = Field(None, description="step of the window; kernel_size if not given")
    padding: Pair = Field(0, description="rows and columns added on each side; at most half the kernel")

    @property
    def step(self) -> int | tuple[int, int]:
        return self.kernel_size if self.stride is None else self.stride

    def _slide(self, shape: Shape, dilation: int | tuple[int, int], ceil_mode: bool) -> Shape:
        channels, *size = require_map(shape, self.kind)
        for kernel, padding in zip(pair_of(self.kernel_size), pair_of(self.padding), strict=True):
            if padding > kernel // 2:
                raise ShapeError(f"padding {padding} is more than half of kernel_size {kernel}",
                                 f"padding may be at most {kernel // 2}", "padding")  # fmt: skip
        return (channels, *slide(size, self.kernel_size, self.step, self.padding, dilation, ceil_mode))

    def constructor(self, *inputs: Shape) -> tuple[Argument, ...]:
        rest = [name for name in fields_of(type(self)) if name not in ("kernel_size", "stride")]
        stride = Argument("stride", self.step, self.kernel_size)
        return (self.argument("kernel_size"), stride, *(self.argument(name) for name in rest))

    def work(self, inputs: tuple[Shape, ...], output: Value) -> int:
        return count(output) * (1 + math.prod(pair_of(self.kernel_size)))

    def function(self, *inputs: Shape) -> Call:
        given = [a for a in self.constructor(*inputs) if a.value != a.default]
        return Call(f"F.{self.kind}", kwargs={a.name: a.value for a in given})


class MaxPool2d(_Pool):
    """Maximum over a sliding window, `nn.MaxPool2d`."""

    kind = "max_pool2d"
    module = "nn.MaxPool2d"

    dilation: PositivePair = Field(1, description="distance between the window's taps")
    ceil_mode: bool = Field(False, description="round the output size up: the last window may hang over the end")

    def infer(self, *inputs: Shape) -> Shape:
        return self._slide(inputs[0], self.dilation, self.ceil_mode)

    def looks(self, *inputs: Shape) -> Looks:
        return ((Window(0), *slid(self.kernel_size, self.step, self.padding, self.dilation)),)


class AvgPool2d(_Pool):
    """Mean over a sliding window, `nn.AvgPool2d`."""

    kind = "avg_pool2d"
    module = "nn.AvgPool2d"
    fresh = True

    ceil_mode: bool = Field(False, description="round the output size up: the last window may hang over the end")
    count_include_pad: bool = Field(True, description="whether padding counts in the mean")

    def infer(self, *inputs: Shape) -> Shape:
        return self._slide(inputs[0], 1, self.ceil_mode)

    def looks(self, *inputs: Shape) -> Looks:
        return ((Window(0), *slid(self.kernel_size, self.step, self.padding)),)


class _AdaptivePool(Op):
    """Base class of adaptive pools: the output's size is given, the windows follow from it."""

    role = "pool"

    output_size: PositivePair = Field(description="height and width of the output")

    def infer(self, *inputs: Shape) -> Shape:
        channels, *_ = require_map(inputs[0], self.kind)
        return (channels, *pair_of(self.output_size))

    def looks(self, *inputs: Shape) -> Looks:
        (_, height, width), (rows, columns) = inputs[0], pair_of(self.output_size)
        return ((Window(0), adaptive(1, height, rows), adaptive(2, width, columns)),)

    def work(self, inputs: tuple[Shape, ...], output: Value) -> int:
        """All windows of an axis together have fewer positions than its input and twice its output."""
        channels, *sizes = inputs[0]
        reads = (size + 2 * pooled for size, pooled in zip(sizes, pair_of(self.output_size), strict=True))
        return channels * math.prod(reads)

    def constructor(self, *inputs: Shape) -> tuple[Argument, ...]:
        return (Argument("output_size", self.output_size, positional=True),)

    def function(self, *inputs: Shape) -> Call:
        return Call(f"F.{self.kind}", (Input(0), self.output_size))


class AdaptiveAvgPool2d(_AdaptivePool):
    """Mean over windows chosen so that the output has a given size, `nn.AdaptiveAvgPool2d`."""

    kind = "adaptive_avg_pool2d"
    word = "avg pool"
    module = "nn.AdaptiveAvgPool2d"
    fresh = True


class AdaptiveMaxPool2d(_AdaptivePool):
    """Maximum over windows chosen so that the output has a given size, `nn.AdaptiveMaxPool2d`."""

    kind = "adaptive_max_pool2d"
    word = "max pool"
    module = "nn.AdaptiveMaxPool2d"
