"""Dropout: of activations, of channels, of whole branches."""

from typing import Any, Literal

from pydantic import Field

from archspec.ops.base import Op, Unsupported
from archspec.ops.call import TRAINING, Argument, Call, Input
from archspec.ops.fields import Probability
from archspec.ops.shapes import Shape, require_map
from archspec.ops.window import Windows, same


class StochasticDepth(Op):
    """Drops a residual branch at random in training, for the whole batch or sample by sample
    (Huang et al., https://arxiv.org/abs/1603.09382)."""

    kind = "stochastic_depth"
    also = ("torchvision.ops.stochastic_depth:StochasticDepth", "timm.layers.drop:DropPath")
    module = "StochasticDepth"
    helpers = ("archspec.backends.torch.helpers:StochasticDepth",)
    view = True
    idle = True
    role = "dropout"
    shown = ("p",)
    numbers = frozenset({"p"})
    varying = frozenset({"p"})

    p: Probability = Field(description="probability that the branch is dropped")
    mode: Literal["row", "batch"] = Field("row", description="row: for each sample separately; batch: for all together")

    def windows(self, *inputs: Shape) -> Windows:
        return (same(len(inputs[0])),)

    @classmethod
    def of_module(cls, module: Any) -> dict[str, Any]:
        if not getattr(module, "scale_by_keep", True):
            raise Unsupported("scale_by_keep=False")
        return {"p": float(getattr(module, "drop_prob", getattr(module, "p", 0.0)) or 0.0),
                "mode": getattr(module, "mode", "row")}  # fmt: skip

    def constructor(self, *inputs: Shape) -> tuple[Argument, ...]:
        return (self.argument("p", positional=True), self.argument("mode"))


class Dropout(Op):
    """Zeroes activations at random in training, `nn.Dropout` (Srivastava et al., JMLR 15, 2014)."""

    kind = "dropout"
    spelled = ("dropout(input, p=0.5, training=True, inplace=False)",)
    module = "nn.Dropout"
    elementwise = True
    view = True
    idle = True
    role = "dropout"
    shown = ("p",)
    numbers = frozenset({"p"})

    p: Probability = Field(0.5, description="share of activations that are zeroed")

    def function(self, *inputs: Shape) -> Call:
        return Call("F.dropout", kwargs={"p": self.p, "training": TRAINING})


class AlphaDropout(Dropout):
    """Sets activations to SELU's limit at random in training and keeps their mean and variance, `nn.AlphaDropout`
    (Klambauer et al., https://arxiv.org/abs/1706.02515)."""

    kind = "alpha_dropout"
    spelled = ("alpha_dropout(input, p=0.5, training=True, inplace=False)",)
    module = "nn.AlphaDropout"

    def function(self, *inputs: Shape) -> Call:
        return Call("F.alpha_dropout", kwargs={"p": self.p, "training": TRAINING})


class _ChannelDropout(Dropout):
    """Zeroes whole channels at random in training."""

    elementwise = False

    def infer(self, *inputs: Shape) -> Shape:
        return require_map(inputs[0], self.kind, self.rank)

    def windows(self, *inputs: Shape) -> Windows:
        return (same(self.rank + 1),)

    def function(self, *inputs: Shape) -> Call:
        return Call(f"F.{self.kind}", (Input(0),), {"p": self.p, "training": TRAINING})


class Dropout2d(_ChannelDropout):
    """Zeroes whole channels at random in training, `nn.Dropout2d`."""

    kind = "dropout2d"
    spelled = ("dropout2d(input, p=0.5, training=True, inplace=False)",)
    module = "nn.Dropout2d"


class Dropout1d(_ChannelDropout):
    """Zeroes whole channels of channels × length at random in training, `nn.Dropout1d`."""

    kind = "dropout1d"
    spelled = ("dropout1d(input, p=0.5, training=True, inplace=False)",)
    module = "nn.Dropout1d"
    rank = 1


class Dropout3d(_ChannelDropout):
    """Zeroes whole channels of channels × depth × height × width at random in training, `nn.Dropout3d`."""

    kind = "dropout3d"
    spelled = ("dropout3d(input, p=0.5, training=True, inplace=False)",)
    module = "nn.Dropout3d"
    rank = 3
