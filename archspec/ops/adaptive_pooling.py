"""Pools to a given size: their base class, and the mean."""

import math
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from pydantic import Field

from archspec.ops.base import Op
from archspec.ops.call import Argument, Call, Input
from archspec.ops.fields import PositivePair, each
from archspec.ops.shapes import Shape, Value, of_channels, require_map  # fmt: skip
from archspec.ops.window import Window, Windows, adaptive


class AdaptivePool(Op):
    """Base class of adaptive pools: the output's size is given, the windows follow from it."""

    role = "pool"
    fixed = MappingProxyType({"return_indices": False})

    if TYPE_CHECKING:
        output_size: Any

    def infer(self, *inputs: Shape) -> Shape:
        channels, *_ = require_map(inputs[0], self.kind, self.rank)
        return of_channels((channels, *each(self.output_size, self.rank)))

    def windows(self, *inputs: Shape) -> Windows:
        sizes = zip(inputs[0][1:], each(self.output_size, self.rank), strict=True)
        return ((Window(0), *(adaptive(dim, *size) for dim, size in enumerate(sizes, 1))),)

    def work(self, inputs: tuple[Shape, ...], output: Value) -> int:
        """All windows of an axis together have fewer positions than its input and twice its output."""
        channels, *sizes = inputs[0]
        reads = (size + 2 * pooled for size, pooled in zip(sizes, each(self.output_size, self.rank), strict=True))
        return channels * math.prod(reads)

    def constructor(self, *inputs: Shape) -> tuple[Argument, ...]:
        return (Argument("output_size", self.output_size, positional=True),)

    def function(self, *inputs: Shape) -> Call:
        return Call(f"F.{self.kind}", (Input(0), self.output_size))


class AdaptiveAvgPool2d(AdaptivePool):
    """Mean over windows chosen so that the output has a given size, `nn.AdaptiveAvgPool2d`."""

    kind = "adaptive_avg_pool2d"
    spelled = ("adaptive_avg_pool2d(input, output_size)",)
    word = "avg pool"
    module = "nn.AdaptiveAvgPool2d"
    fresh = True

    output_size: PositivePair = Field(description="height and width of the output")
