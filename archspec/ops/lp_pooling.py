"""Pools that compute a norm: the root of the sum of powers in a window."""

from pydantic import Field

from archspec.ops.call import Argument, Call, Input
from archspec.ops.fields import PositivePair, PositiveSingle, PositiveTriple
from archspec.ops.pooling import Pool
from archspec.ops.shapes import Shape


class _LPPool(Pool):
    """(Σ xᵖ)^(1/p) over a sliding window, where p is `norm_type`."""

    norm_type: float = Field(gt=0, description="the exponent p")

    def constructor(self, *inputs: Shape) -> tuple[Argument, ...]:
        exponent, *others = super().constructor(*inputs)
        return (exponent._replace(positional=True), *others)

    def function(self, *inputs: Shape) -> Call:
        exponent, *others = self.constructor(*inputs)
        given = {a.name: a.value for a in others if a.value != a.default}
        return Call(f"F.{self.kind}", (Input(0), exponent.value), given)


class LPPool1d(_LPPool):
    """(Σ xᵖ)^(1/p) over a sliding window of channels × length, `nn.LPPool1d`."""

    kind = "lp_pool1d"
    spelled = ("lp_pool1d(input, norm_type, kernel_size, stride=None, ceil_mode=False)",)
    module = "nn.LPPool1d"
    word = "lp pool1d"
    rank = 1

    kernel_size: PositiveSingle = Field(description="extent of the window")
    stride: PositiveSingle | None = Field(None, description="step of the window; kernel_size if not given")
    ceil_mode: bool = Field(False, description="round the output size up: the last window may extend beyond the end")


class LPPool2d(_LPPool):
    """(Σ xᵖ)^(1/p) over a sliding window, `nn.LPPool2d`."""

    kind = "lp_pool2d"
    spelled = ("lp_pool2d(input, norm_type, kernel_size, stride=None, ceil_mode=False)",)
    module = "nn.LPPool2d"
    word = "lp pool"
    rank = 2

    kernel_size: PositivePair = Field(description="extent of the window, or [height, width]")
    stride: PositivePair | None = Field(None, description="step of the window; kernel_size if not given")
    ceil_mode: bool = Field(False, description="round the output size up: the last window may extend beyond the end")


class LPPool3d(_LPPool):
    """(Σ xᵖ)^(1/p) over a sliding window of channels × depth × height × width, `nn.LPPool3d`."""

    kind = "lp_pool3d"
    spelled = ("lp_pool3d(input, norm_type, kernel_size, stride=None, ceil_mode=False)",)
    module = "nn.LPPool3d"
    word = "lp pool3d"
    rank = 3

    kernel_size: PositiveTriple = Field(description="extent of the window, or [depth, height, width]")
    stride: PositiveTriple | None = Field(None, description="step of the window; kernel_size if not given")
    ceil_mode: bool = Field(False, description="round the output size up: the last window may extend beyond the end")

    def infer(self, *inputs: Shape) -> Shape:
        output = super().infer(*inputs)
        self.require_fit(inputs[0])
        return output
