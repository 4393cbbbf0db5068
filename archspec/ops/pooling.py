"""Pools, whose windows slide over a feature map: their base class, and the maximum."""

import math
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from pydantic import Field

from archspec.ops.base import Op, fields_of
from archspec.ops.call import Argument, Call
from archspec.ops.convolution import slid, slide
from archspec.ops.fields import Pair, PositivePair, each
from archspec.ops.shapes import Shape, ShapeError, TooSmallError, Value, count, of_channels, require_map  # fmt: skip
from archspec.ops.window import Window, Windows


class Pool(Op):
    """Base class of pools over a sliding window. As in torch, the stride defaults to the kernel size."""

    role = "pool"
    fixed = MappingProxyType({"return_indices": False, "divisor_override": None})

    if TYPE_CHECKING:
        kernel_size: Any
        stride: Any
        padding: Any
        dilation: Any
        ceil_mode: bool

    @property
    def step(self) -> Any:
        """The step of the window."""
        return self.kernel_size if self.stride is None else self.stride

    def computed_fields(self, *inputs: Shape) -> dict[str, Any]:
        found = super().computed_fields(*inputs)
        return {**found, "stride": found["kernel_size"] if self.stride is None else found["stride"]}

    def infer(self, *inputs: Shape) -> Shape:
        channels, *sizes = require_map(inputs[0], self.kind, self.rank)
        padding = getattr(self, "padding", 0)
        for kernel, pad in zip(each(self.kernel_size, self.rank), each(padding, self.rank), strict=True):
            if pad > kernel // 2:
                raise ShapeError(f"padding {pad} is more than half of kernel_size {kernel}",
                                 f"padding may be at most {kernel // 2}", "padding")  # fmt: skip
        dilation = getattr(self, "dilation", 1)
        return of_channels((channels, *slide(sizes, self.kernel_size, self.step, padding, dilation, self.ceil_mode)))

    def require_fit(self, shape: Shape) -> None:
        """Refuse an input smaller than the window, whatever the padding, as torch's 3-D average pool does."""
        for size, kernel in zip(shape[1:], each(self.kernel_size, self.rank), strict=True):
            if size < kernel:
                raise TooSmallError(f"a window of {kernel} does not fit into {int(size)}, whatever the padding",
                                    "use a smaller kernel, or smaller strides before it", "kernel_size")  # fmt: skip

    def windows(self, *inputs: Shape) -> Windows:
        padding, dilation = getattr(self, "padding", 0), getattr(self, "dilation", 1)
        return ((Window(0), *slid(self.kernel_size, self.step, padding, dilation, self.rank)),)

    def constructor(self, *inputs: Shape) -> tuple[Argument, ...]:
        stride = Argument("stride", self.step, self.kernel_size)
        return tuple(stride if name == "stride" else self.argument(name) for name in fields_of(type(self)))

    def left_out(self, name: str) -> Any:
        return self.kernel_size if name == "stride" else super().left_out(name)

    def work(self, inputs: tuple[Shape, ...], output: Value) -> int:
        return count(output) * (1 + math.prod(each(self.kernel_size, self.rank)))

    def function(self, *inputs: Shape) -> Call:
        given = [a for a in self.constructor(*inputs) if a.value != a.default]
        return Call(f"F.{self.kind}", kwargs={a.name: a.value for a in given})


class MaxPool2d(Pool):
    """Maximum over a sliding window, `nn.MaxPool2d`."""

    kind = "max_pool2d"
    spelled = (
        "max_pool2d(input, kernel_size, stride=None, padding=0, dilation=1, ceil_mode=False, return_indices=False)",
    )
    module = "nn.MaxPool2d"

    kernel_size: PositivePair = Field(description="extent of the window, or [height, width]")
    stride: PositivePair | None = Field(None, description="step of the window; kernel_size if not given")
    padding: Pair = Field(0, description="rows and columns added on each side; at most half the kernel")
    dilation: PositivePair = Field(1, description="distance between the window's taps")
    ceil_mode: bool = Field(False, description="round the output size up: the last window may extend beyond the end")
