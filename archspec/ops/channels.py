"""Ops on the channels of a feature map: shuffling them, a constant scale and shift of each."""

from pydantic import Field

from archspec.ops.base import Op
from archspec.ops.call import Argument, Call, Input
from archspec.ops.fields import Size, may_be
from archspec.ops.shapes import Shape, ShapeError, require_map  # fmt: skip
from archspec.ops.window import Fold, Windows, same, without


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


class ChannelShuffle(Op):
    """Interleaves groups of channels, `nn.ChannelShuffle` (ShuffleNet, https://arxiv.org/abs/1707.01083)."""

    kind = "channel_shuffle"
    spelled = ("channel_shuffle(input, groups)",)
    module = "nn.ChannelShuffle"
    role = "shape"
    numbers = frozenset({"groups"})

    groups: Size = Field(description="number of groups; must divide the channels")

    def infer(self, *inputs: Shape) -> Shape:
        channels, *_ = require_map(inputs[0], "channel_shuffle")
        if channels % self.groups:
            raise ShapeError(f"{channels} channels cannot be split into {self.groups} groups",
                             may_be("groups", channels), "groups")  # fmt: skip
        return inputs[0]

    def windows(self, *inputs: Shape) -> Windows:
        return (without(3, Fold((0,), moved=True)),)

    def constructor(self, *inputs: Shape) -> tuple[Argument, ...]:
        return (self.argument("groups", positional=True),)

    def function(self, *inputs: Shape) -> Call:
        return Call("F.channel_shuffle", (Input(0), self.groups))
