"""The maximum of windows that follow from a given size."""

from pydantic import Field

from archspec.ops.adaptive_pooling import AdaptivePool
from archspec.ops.fields import PositivePair


class AdaptiveMaxPool2d(AdaptivePool):
    """Maximum over windows chosen so that the output has a given size, `nn.AdaptiveMaxPool2d`."""

    kind = "adaptive_max_pool2d"
    spelled = ("adaptive_max_pool2d(input, output_size, return_indices=False)",)
    word = "max pool"
    module = "nn.AdaptiveMaxPool2d"

    output_size: PositivePair = Field(description="height and width of the output")
