"""Pools of values with one axis (sound, text) or three (video, volumes)."""

from pydantic import Field

from archspec.ops.adaptive_pooling import AdaptivePool
from archspec.ops.fields import PositiveSingle, PositiveTriple, Single, Triple
from archspec.ops.pooling import Pool
from archspec.ops.shapes import Shape


class MaxPool1d(Pool):
    """Maximum over a sliding window of channels × length, `nn.MaxPool1d`."""

    kind = "max_pool1d"
    spelled = (
        "max_pool1d(input, kernel_size, stride=None, padding=0, dilation=1, ceil_mode=False, return_indices=False)",
    )
    module = "nn.MaxPool1d"
    rank = 1

    kernel_size: PositiveSingle = Field(description="extent of the window")
    stride: PositiveSingle | None = Field(None, description="step of the window; kernel_size if not given")
    padding: Single = Field(0, description="positions added on each side; at most half the kernel")
    dilation: PositiveSingle = Field(1, description="distance between the window's taps")
    ceil_mode: bool = Field(False, description="round the output size up: the last window may extend beyond the end")


class AvgPool1d(Pool):
    """Mean over a sliding window of channels × length, `nn.AvgPool1d`."""

    kind = "avg_pool1d"
    spelled = ("avg_pool1d(input, kernel_size, stride=None, padding=0, ceil_mode=False, count_include_pad=True)",)
    module = "nn.AvgPool1d"
    rank = 1

    kernel_size: PositiveSingle = Field(description="extent of the window")
    stride: PositiveSingle | None = Field(None, description="step of the window; kernel_size if not given")
    padding: Single = Field(0, description="positions added on each side; at most half the kernel")
    ceil_mode: bool = Field(False, description="round the output size up: the last window may extend beyond the end")
    count_include_pad: bool = Field(True, description="whether padding counts in the mean")


class AdaptiveAvgPool1d(AdaptivePool):
    """Mean over windows of channels × length chosen so that the output has a given size,
    `nn.AdaptiveAvgPool1d`."""

    kind = "adaptive_avg_pool1d"
    spelled = ("adaptive_avg_pool1d(input, output_size)",)
    module = "nn.AdaptiveAvgPool1d"
    rank = 1

    output_size: PositiveSingle = Field(description="length of the output")


class AdaptiveMaxPool1d(AdaptivePool):
    """Maximum over windows of channels × length chosen so that the output has a given size,
    `nn.AdaptiveMaxPool1d`."""

    kind = "adaptive_max_pool1d"
    spelled = ("adaptive_max_pool1d(input, output_size, return_indices=False)",)
    module = "nn.AdaptiveMaxPool1d"
    rank = 1

    output_size: PositiveSingle = Field(description="length of the output")


class MaxPool3d(Pool):
    """Maximum over a sliding window of channels × depth × height × width, `nn.MaxPool3d`."""

    kind = "max_pool3d"
    spelled = (
        "max_pool3d(input, kernel_size, stride=None, padding=0, dilation=1, ceil_mode=False, return_indices=False)",
    )
    module = "nn.MaxPool3d"
    rank = 3

    kernel_size: PositiveTriple = Field(description="extent of the window, or [depth, height, width]")
    stride: PositiveTriple | None = Field(None, description="step of the window; kernel_size if not given")
    padding: Triple = Field(0, description="positions added on each side; at most half the kernel")
    dilation: PositiveTriple = Field(1, description="distance between the window's taps")
    ceil_mode: bool = Field(False, description="round the output size up: the last window may extend beyond the end")


class AvgPool3d(Pool):
    """Mean over a sliding window of channels × depth × height × width, `nn.AvgPool3d`."""

    kind = "avg_pool3d"
    spelled = (
        "avg_pool3d(input, kernel_size, stride=None, padding=0, ceil_mode=False, count_include_pad=True, "
        "divisor_override=None)",
    )
    module = "nn.AvgPool3d"
    rank = 3
    fresh = True

    kernel_size: PositiveTriple = Field(description="extent of the window, or [depth, height, width]")
    stride: PositiveTriple | None = Field(None, description="step of the window; kernel_size if not given")
    padding: Triple = Field(0, description="positions added on each side; at most half the kernel")
    ceil_mode: bool = Field(False, description="round the output size up: the last window may extend beyond the end")
    count_include_pad: bool = Field(True, description="whether padding counts in the mean")

    def infer(self, *inputs: Shape) -> Shape:
        output = super().infer(*inputs)
        self.require_fit(inputs[0])
        return output


class AdaptiveAvgPool3d(AdaptivePool):
    """Mean over windows of channels × depth × height × width chosen so that the output has a given size,
    `nn.AdaptiveAvgPool3d`."""

    kind = "adaptive_avg_pool3d"
    spelled = ("adaptive_avg_pool3d(input, output_size)",)
    module = "nn.AdaptiveAvgPool3d"
    rank = 3
    fresh = True

    output_size: PositiveTriple = Field(description="depth, height and width of the output")


class AdaptiveMaxPool3d(AdaptivePool):
    """Maximum over windows of channels × depth × height × width chosen so that the output has a given size,
    `nn.AdaptiveMaxPool3d`."""

    kind = "adaptive_max_pool3d"
    spelled = ("adaptive_max_pool3d(input, output_size, return_indices=False)",)
    module = "nn.AdaptiveMaxPool3d"
    rank = 3

    output_size: PositiveTriple = Field(description="depth, height and width of the output")
