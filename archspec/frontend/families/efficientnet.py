"""EfficientNet: Tan & Le, "EfficientNet: Rethinking Model Scaling for Convolutional Neural Networks",
https://arxiv.org/abs/1905.11946; "EfficientNetV2: Smaller Models and Faster Training",
https://arxiv.org/abs/2104.00298."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Annotated, Any, Final, Literal

from pydantic import Field

from archspec.diagnostics.checked import Prepared
from archspec.expressions.functions import make_divisible
from archspec.frontend.families.base import FamilySpec, Item, columns, item
from archspec.ops.fields import Probability, Size

Expansion = Size | Annotated[float, Field(ge=1, le=100)]
Depth = Annotated[int, Field(ge=1, le=10_000)]
_COLUMNS = columns("block", "expansion", "kernel", "stride", "channels", "blocks")
Kind = Literal["MBConv", "FusedMBConv"]
Row = Annotated[tuple[Kind, Expansion, Size, Size, Size, Depth], Prepared(tuple), _COLUMNS]
"""Block, expansion, kernel, stride of the first block, channels, blocks: a row of the papers' tables."""

B0: Final[tuple[Row, ...]] = (
    ("MBConv", 1, 3, 1, 16, 1),
    ("MBConv", 6, 3, 2, 24, 2),
    ("MBConv", 6, 5, 2, 40, 2),
    ("MBConv", 6, 3, 2, 80, 3),
    ("MBConv", 6, 5, 1, 112, 3),
    ("MBConv", 6, 5, 2, 192, 4),
    ("MBConv", 6, 3, 1, 320, 1),
)
"""EfficientNet-B0, table 1 of the first paper, which B1 to B7 scale."""

_EXPANSIONS: Final = {"MBConv": 6, "FusedMBConv": 4}
"""The default expansion of the library's blocks."""


class EfficientNet(FamilySpec):
    """A 3×3 stem, stages of inverted residuals, and a 1×1 convolution before pooling; SiLU throughout."""

    family: Literal["efficientnet"]
    inverted_residual_setting: list[Row] = Field(
        list(B0), min_length=1, max_length=100,
        description="each stage: block (MBConv or FusedMBConv), expansion, kernel, stride of its first block, "
        "channels, blocks; EfficientNet-B0's if not given",
    )  # fmt: skip
    width_mult: float = Field(1.0, gt=0, le=100, description="factor of all channel counts")
    depth_mult: float = Field(1.0, gt=0, le=100, description="factor of all block counts")
    stem_channels: Size = Field(32, description="channels of the first convolution, before they are scaled")
    last_channel: Size | None = Field(None, description="channels before pooling; else 4 times the last stage's")
    dropout: Probability = Field(0.2, description="dropout before the classifier")
    stochastic_depth_prob: Probability = Field(0.2, description="probability of dropping a block; grows with its depth")
    norm_eps: float = Field(1e-5, gt=0, description="eps of the batch norms")
    norm_momentum: float = Field(0.1, ge=0, le=1, description="momentum of the batch norms")

    def arguments(self) -> dict[str, Any]:
        rates = {"dropout": self.dropout, "stochastic_depth_prob": self.stochastic_depth_prob}
        return {**super().arguments(), **rates}

    def layers(self) -> list[Item]:
        return [
            item("features", seq=list(self._features())),
            item("avgpool", op="adaptive_avg_pool2d", output_size=1),
            {"op": "flatten"},
            item("classifier", seq=[
                {"op": "dropout", "p": "=dropout"}, {"op": "linear", "out_features": "=num_classes"},
            ]),
        ]  # fmt: skip

    def _features(self) -> Iterator[Item]:
        conv = {"block": "ConvNormActivation", "activation": "silu", **self._norm()}
        yield {**conv, "out_channels": self._width(self.stem_channels), "stride": 2}
        before = 0
        for row in self.inverted_residual_setting:
            yield {"seq": list(self._stage(row, before))}
            before += self._depth(row)
        last = self.last_channel or 4 * self._width(self.inverted_residual_setting[-1][4])
        yield {**conv, "out_channels": last, "kernel_size": 1}

    def _stage(self, row: Row, before: int) -> Iterator[Item]:
        """A stage after `before` blocks: its first block, which may have a stride, and the others."""
        kind, expand_ratio, kernel_size, stride, channels, _ = row
        settings = [
            ("expand_ratio", expand_ratio, _EXPANSIONS[kind]), ("kernel_size", kernel_size, 3), ("stride", stride, 1)
        ]  # fmt: skip
        given = {name: value for name, value, default in settings if value != default}
        first = {"block": kind, "out_channels": self._width(channels), **given, **self._norm()}
        yield {**first, "p": self._p(str(before))} if before else first
        count = self._depth(row)
        if count > 1:
            rest = {name: value for name, value in first.items() if name != "stride"}
            yield {**rest, "repeat": count - 1, "index": "i", "p": self._p(f"(i + {before + 1})")}

    def _p(self, number: str) -> str:
        """The probability of dropping a block, which grows from 0 at the network's first block."""
        return f"=stochastic_depth_prob * {number} / {sum(map(self._depth, self.inverted_residual_setting))}"

    def _norm(self) -> dict[str, float]:
        norm = {"eps": (self.norm_eps, 1e-5), "momentum": (self.norm_momentum, 0.1)}
        return {name: value for name, (value, default) in norm.items() if value != default}

    def _width(self, channels: int) -> int:
        return make_divisible(channels * self.width_mult)

    def _depth(self, row: Row) -> int:
        return math.ceil(row[5] * self.depth_mult)

    def init_rules(self) -> list[Any]:
        bound = "1 / sqrt(out_features)"
        return [
            {"op": "conv2d", "weight": {"kaiming_normal": {"mode": "fan_out"}}, "bias": 0},
            {"op": "linear", "weight": {"uniform": {"a": f"=-{bound}", "b": f"={bound}"}}, "bias": 0},
        ]

    def origins(self) -> dict[str, tuple[str | int, ...]]:
        return {"features": ("inverted_residual_setting",), "classifier": ("dropout",)}
