"""Dropout of whole branches."""

from typing import Any, Literal

from pydantic import Field

from archspec.ops.base import Op, Unsupported
from archspec.ops.call import Argument
from archspec.ops.fields import Probability
from archspec.ops.shapes import Shape
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
