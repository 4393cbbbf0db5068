"""Batch normalisation."""

from collections.abc import Mapping
from typing import Any

from pydantic import Field

from archspec.ops.base import Op
from archspec.ops.call import Argument
from archspec.ops.shapes import Shape, require_map
from archspec.ops.window import All, Window, Windows, same


class BatchNorm(Op):
    """Base class of batch norms (Ioffe & Szegedy, https://arxiv.org/abs/1502.03167)."""

    fresh = True
    role = "norm"
    word = "bn"
    numbers = frozenset({"eps", "momentum"})
    attributes = frozenset({"num_features"})
    vectors = frozenset({"weight", "bias"})

    eps: float = Field(1e-5, gt=0, description="added to the variance")
    momentum: float = Field(0.1, ge=0, le=1, description="weight of the new batch in the running statistics")
    affine: bool = Field(True, description="whether a learned scale and shift follow")
    track_running_stats: bool = Field(True, description="whether running statistics are kept for evaluation")

    def parameters(self, *inputs: Shape) -> dict[str, Shape]:
        return {"weight": inputs[0][:1], "bias": inputs[0][:1]} if self.affine else {}

    def buffers(self, *inputs: Shape) -> dict[str, Shape]:
        if not self.track_running_stats:
            return {}
        return {"running_mean": inputs[0][:1], "running_var": inputs[0][:1], "num_batches_tracked": ()}

    def windows(self, *inputs: Shape) -> Windows:
        rank = len(inputs[0])
        if self.track_running_stats:
            return (same(rank),)
        return ((Window(0), *map(All, range(1, rank))),)  # statistics of the batch, even in evaluation

    @classmethod
    def of_call(cls, given: Mapping[str, Any]) -> dict[str, Any]:
        tracked = given["running_mean"] is not None
        return {"eps": given["eps"], "momentum": given["momentum"], "affine": given["weight"] is not None,
                "track_running_stats": tracked}  # fmt: skip

    def constructor(self, *inputs: Shape) -> tuple[Argument, ...]:
        return (Argument("num_features", inputs[0][0], positional=True), *super().constructor(*inputs))


class BatchNorm2d(BatchNorm):
    """Batch normalisation of a feature map, per channel, `nn.BatchNorm2d`."""

    kind = "batch_norm2d"
    spelled = (
        "batch_norm(input, running_mean, running_var, weight=None, bias=None, training=False, momentum=0.1, eps=1e-05)",
    )
    module = "nn.BatchNorm2d"

    def infer(self, *inputs: Shape) -> Shape:
        return require_map(inputs[0], "batch_norm2d")
