"""MnasNet-B1: Tan et al., "MnasNet: Platform-Aware Neural Architecture Search for Mobile",
https://arxiv.org/abs/1807.11626."""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal

from pydantic import Field

from archspec.expressions.functions import make_divisible
from archspec.frontend.families.base import FamilySpec, Item, columns, item
from archspec.ops.fields import Probability, Size

Row = Annotated[list[Size], Field(min_length=5, max_length=5), columns("t", "c", "n", "s", "k")]
"""t, c, n, s, k: a box of the paper's figure 7 (a)."""

_B1: Final = [
    [3, 24, 3, 2, 3], [3, 40, 3, 2, 5], [6, 80, 3, 2, 5], [6, 96, 2, 1, 3], [6, 192, 4, 2, 5], [6, 320, 1, 1, 3],
]  # fmt: skip
_STEM, _SEPARABLE, _LAST = 32, 16, 1280
"""Channels of the stem, of the separable convolution after it, and of the last convolution, which is not scaled."""

_MOMENTUM: Final = "=1 - 0.9997"
"""torch's momentum is the weight of the new batch; the paper's is the weight of the running average."""


def _conv(channels: int, kernel_size: int = 1, **settings: int) -> Item:
    return {"op": "conv2d", "out_channels": channels, "kernel_size": kernel_size, **settings, "bias": False}


class MNASNet(FamilySpec):
    """A 3×3 stem, a depthwise separable convolution, and stages of inverted residuals found by search."""

    family: Literal["mnasnet"]
    alpha: float = Field(description="factor of all channel counts but the last", gt=0, le=100)
    inverted_residual_setting: Annotated[list[Row], Field(min_length=1, max_length=100)] = Field(
        _B1, description="t, c, n, s, k of each stage: expansion, channels, blocks, stride of the first, kernel"
    )
    dropout: Probability = Field(0.2, description="dropout before the classifier")

    def layers(self) -> list[Item]:
        stem, norm, relu = self._width(_STEM), {"op": "batch_norm2d", "momentum": _MOMENTUM}, {"op": "relu"}
        features = [
            _conv(stem, kernel_size=3, stride=2, padding=1), norm, relu,
            _conv(stem, kernel_size=3, padding=1, groups=stem), norm, relu,
            _conv(self._width(_SEPARABLE)), norm,
            *map(self._stage, self.inverted_residual_setting),
            _conv(_LAST), norm, relu,
        ]  # fmt: skip
        classifier = [{"op": "dropout", "p": self.dropout}, {"op": "linear", "out_features": "=num_classes"}]
        return [item("layers", seq=features), {"op": "mean", "dim": [2, 3]}, item("classifier", seq=classifier)]

    def _stage(self, row: list[int]) -> Item:
        t, c, n, s, k = row
        kernel = {"kernel_size": k} if k != 3 else {}
        block = {"block": "MnasInvertedResidual", "out_channels": self._width(c), "expand_ratio": t, **kernel}
        first = {**block, "stride": s} if s != 1 else block
        return {"seq": [first, *([{**block, "repeat": n - 1}] if n > 1 else [])]}

    def _width(self, channels: int) -> int:
        return make_divisible(channels * self.alpha)

    def init_rules(self) -> list[Any]:
        return [
            {"op": "conv2d", "weight": {"kaiming_normal": {"mode": "fan_out", "nonlinearity": "relu"}}},
            {
                "op": "linear",
                "weight": {"kaiming_uniform": {"mode": "fan_out", "nonlinearity": "sigmoid"}},
                "bias": 0,
            },
        ]

    def origins(self) -> dict[str, tuple[str | int, ...]]:
        return {"layers": ("inverted_residual_setting",), "classifier": ("dropout",)}
