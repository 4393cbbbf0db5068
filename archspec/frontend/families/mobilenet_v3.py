"""MobileNetV3: Howard et al., "Searching for MobileNetV3", https://arxiv.org/abs/1905.02244."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby
from typing import Annotated, Any, Literal

from pydantic import Field

from archspec.diagnostics.checked import Prepared
from archspec.expressions.functions import make_divisible
from archspec.frontend.families.base import FamilySpec, Item, columns, item
from archspec.ops.fields import Probability, Size

_COLUMNS = columns("kernel", "expansion size", "output", "SE", "nonlinearity", "stride")

Row = Annotated[tuple[Size, Size, Size, bool, Literal["RE", "HS"], Size], Prepared(tuple), _COLUMNS]
"""Kernel, expansion size, output, SE, nonlinearity, stride: a row of the paper's tables 1 and 2."""

_ACTIVATIONS = {"RE": "relu", "HS": "hardswish"}
_STEM = 16
"""Channels of the first convolution, before they are scaled."""


class MobileNetV3(FamilySpec):
    """A 3×3 stem, inverted residuals with squeeze-and-excitation, and a head with hard swish."""

    family: Literal["mobilenet_v3"]
    inverted_residual_setting: Annotated[list[Row], Field(min_length=1, max_length=200)] = Field(
        description="each bottleneck: kernel, expansion size, output, whether SE, nonlinearity (RE or HS), stride"
    )
    last_channel: Size = Field(description="width of the hidden layer of the classifier")
    width_mult: float = Field(1.0, gt=0, le=100, description="factor of all channel counts")
    reduced_tail: bool = Field(False, description="halve the channels after the last stride, as for segmentation")
    dilated: bool = Field(False, description="dilate in place of the last stride and after it, as for segmentation")
    dropout: Probability = Field(0.2, description="dropout before the classifier")

    def layers(self) -> list[Item]:
        return [
            item("features", seq=list(self._features())),
            item("avgpool", op="adaptive_avg_pool2d", output_size=1),
            {"op": "flatten"},
            item("classifier", seq=[
                {"op": "linear", "out_features": self._width(self.last_channel // (2 if self.reduced_tail else 1))},
                {"op": "hardswish"},
                {"op": "dropout", "p": self.dropout},
                {"op": "linear", "out_features": "=num_classes"},
            ]),
        ]  # fmt: skip

    def _features(self) -> Iterator[Item]:
        norm = {"block": "ConvNormActivation", "activation": "hardswish", "eps": 0.001, "momentum": 0.01}
        yield {**norm, "out_channels": self._width(_STEM), "stride": 2}
        blocks = [self._bottleneck(number) for number in range(len(self.inverted_residual_setting))]
        for block, run in groupby(blocks):
            count = len(list(run))
            yield block if count == 1 else {**block, "repeat": count}
        yield {**norm, "out_channels": 6 * blocks[-1]["out_channels"], "kernel_size": 1}

    @property
    def _tail(self) -> int:
        """The last bottleneck that has a stride."""
        strided = [number for number, row in enumerate(self.inverted_residual_setting) if row[-1] > 1]
        return strided[-1] if strided else len(self.inverted_residual_setting)

    def _bottleneck(self, number: int) -> Item:
        kernel, expanded, out, se, nonlinearity, stride = self.inverted_residual_setting[number]
        if self.reduced_tail and number >= self._tail:
            expanded, out = expanded if number == self._tail else expanded // 2, out // 2
        settings: list[tuple[str, Any, Any]] = [
            ("kernel_size", kernel, 3), ("use_se", se, False), ("activation", _ACTIVATIONS[nonlinearity], "relu"),
            ("stride", stride, 1), ("dilation", 2 if self.dilated and number >= self._tail else 1, 1),
        ]  # fmt: skip
        given = {name: value for name, value, default in settings if value != default}
        widths = {"expanded_channels": self._width(expanded), "out_channels": self._width(out)}
        return {"block": "InvertedResidualSE", **widths, **given}

    def _width(self, channels: int) -> int:
        return make_divisible(channels * self.width_mult)

    def init_rules(self) -> list[Any]:
        return [
            {"op": "conv2d", "weight": {"kaiming_normal": {"mode": "fan_out"}}, "bias": 0},
            {"op": "linear", "weight": {"normal": {"std": 0.01}}, "bias": 0},
        ]

    def origins(self) -> dict[str, tuple[str | int, ...]]:
        return {"features": ("inverted_residual_setting",), "classifier": ("last_channel",)}
