"""Dropout of whole channels."""

from archspec.ops.call import TRAINING, Call, Input
from archspec.ops.dropout import Dropout
from archspec.ops.shapes import Shape, require_map
from archspec.ops.window import Windows, same


class _ChannelDropout(Dropout):
    """Zeroes whole channels at random in training."""

    elementwise = False

    def infer(self, *inputs: Shape) -> Shape:
        return require_map(inputs[0], self.kind, self.rank)

    def windows(self, *inputs: Shape) -> Windows:
        return (same(self.rank + 1),)

    def function(self, *inputs: Shape) -> Call:
        return Call(f"F.{self.kind}", (Input(0),), {"p": self.p, "training": TRAINING})


class Dropout1d(_ChannelDropout):
    """Zeroes whole channels of channels × length at random in training, `nn.Dropout1d`."""

    kind = "dropout1d"
    spelled = ("dropout1d(input, p=0.5, training=True, inplace=False)",)
    module = "nn.Dropout1d"
    rank = 1


class Dropout2d(_ChannelDropout):
    """Zeroes whole channels at random in training, `nn.Dropout2d`."""

    kind = "dropout2d"
    spelled = ("dropout2d(input, p=0.5, training=True, inplace=False)",)
    module = "nn.Dropout2d"


class Dropout3d(_ChannelDropout):
    """Zeroes whole channels of channels × depth × height × width at random in training, `nn.Dropout3d`."""

    kind = "dropout3d"
    spelled = ("dropout3d(input, p=0.5, training=True, inplace=False)",)
    module = "nn.Dropout3d"
    rank = 3
