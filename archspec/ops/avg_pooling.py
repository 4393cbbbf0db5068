"""The mean of windows that slide over a feature map."""

from pydantic import Field

from archspec.ops.fields import Pair, PositivePair
from archspec.ops.pooling import Pool


class AvgPool2d(Pool):
    """Mean over a sliding window, `nn.AvgPool2d`."""

    kind = "avg_pool2d"
    spelled = (
        "avg_pool2d(input, kernel_size, stride=None, padding=0, ceil_mode=False, count_include_pad=True, "
        "divisor_override=None)",
    )
    module = "nn.AvgPool2d"
    fresh = True

    kernel_size: PositivePair = Field(description="extent of the window, or [height, width]")
    stride: PositivePair | None = Field(None, description="step of the window; kernel_size if not given")
    padding: Pair = Field(0, description="rows and columns added on each side; at most half the kernel")
    ceil_mode: bool = Field(False, description="round the output size up: the last window may extend beyond the end")
    count_include_pad: bool = Field(True, description="whether padding counts in the mean")
