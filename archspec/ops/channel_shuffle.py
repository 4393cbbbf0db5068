"""Channels in another order."""

from pydantic import Field

from archspec.ops.base import Op
from archspec.ops.call import Argument, Call, Input
from archspec.ops.fields import Size, may_be
from archspec.ops.shapes import Shape, ShapeError, require_map  # fmt: skip
from archspec.ops.window import Fold, Windows, without


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
