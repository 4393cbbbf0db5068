"""MobileNetV2: Sandler et al., "MobileNetV2: Inverted Residuals and Linear Bottlenecks",
https://arxiv.org/abs/1801.04381."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any, Literal

from pydantic import Field

from archspec.expressions.functions import make_divisible
from archspec.frontend.families.base import FamilySpec, Item, columns, item
from archspec.ops.fields import Probability, Size

Row = Annotated[list[Size], Field(min_length=4, max_length=4), columns("t", "c", "n", "s")]
"""t, c, n, s: a row of the paper's table 2."""

_STEM, _LAST = 32, 1280
"""Channels of the first and the last convolution, before they are scaled."""


class MobileNetV2(FamilySpec):
    """A 3×3 stem, stages of inverted residuals, and a 1×1 convolution before pooling; ReLU6 throughout."""

    family: Literal["mobilenet_v2"]
    inverted_residual_setting: Annotated[list[Row], Field(min_length=1, max_length=100)] = Field(
        description="t, c, n, s of each stage: expansion, channels, blocks, and the stride of the first block"
    )
    width_mult: float = Field(1.0, gt=0, le=100, description="factor of all channel counts; the last one never shrinks")
    round_nearest: Size = Field(8, description="channel counts are rounded to a multiple of this")
    dropout: Probability = Field(0.2, description="dropout before the classifier")

    def layers(self) -> list[Item]:
        classifier = [{"op": "dropout", "p": self.dropout}, {"op": "linear", "out_features": "=num_classes"}]
        return [
            item("features", seq=list(self._features())),
            {"op": "adaptive_avg_pool2d", "output_size": 1},
            {"op": "flatten"},
            item("classifier", seq=classifier),
        ]

    def _features(self) -> Iterator[Item]:
        norm = {"block": "ConvNormActivation", "activation": "relu6"}
        yield {**norm, "out_channels": self._width(_STEM), "stride": 2}
        for t, c, n, s in self.inverted_residual_setting:
            block = {"block": "InvertedResidual", "out_channels": self._width(c), "expand_ratio": t}
            yield {**block, "stride": s} if s != 1 else block
            if n > 1:
                yield {**block, "repeat": n - 1}
        last = make_divisible(_LAST * max(1.0, self.width_mult), self.round_nearest)
        yield {**norm, "out_channels": last, "kernel_size": 1}

    def _width(self, channels: int) -> int:
        return make_divisible(channels * self.width_mult, self.round_nearest)

    def init_rules(self) -> list[Any]:
        return [
            {"op": "conv2d", "weight": {"kaiming_normal": {"mode": "fan_out"}}, "bias": 0},
            {"op": "linear", "weight": {"normal": {"std": 0.01}}, "bias": 0},
        ]

    def origins(self) -> dict[str, tuple[str | int, ...]]:
        return {"features": ("inverted_residual_setting",), "classifier": ("dropout",)}
