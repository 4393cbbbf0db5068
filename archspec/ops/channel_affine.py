"""A constant scale and shift of each channel."""

from pydantic import Field

from archspec.ops.base import Op
from archspec.ops.call import Call, Input
from archspec.ops.shapes import Shape, ShapeError, require_map
from archspec.ops.window import Windows, same


class ChannelAffine(Op):
    """Scales and shifts each channel by a fixed number: x[:, c] × scale[c] + shift[c]."""

    kind = "channel_affine"
    helpers = ("archspec.backends.torch.helpers:channel_affine",)
    fresh = True
    role = "norm"

    scale: list[float] = Field(min_length=1, max_length=1024, description="one factor per channel")
    shift: list[float] = Field(min_length=1, max_length=1024, description="one offset per channel")

    def infer(self, *inputs: Shape) -> Shape:
        channels, *_ = require_map(inputs[0], "channel_affine")
        for name in ("scale", "shift"):
            if len(getattr(self, name)) != channels:
                raise ShapeError(f"{name} has {len(getattr(self, name))} numbers for {channels} channels",
                                 "write one per channel", name)  # fmt: skip
        return inputs[0]

    def windows(self, *inputs: Shape) -> Windows:
        return (same(3),)

    def function(self, *inputs: Shape) -> Call:
        return Call("channel_affine", (Input(0), self.scale, self.shift))
