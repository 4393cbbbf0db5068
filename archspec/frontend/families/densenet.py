"""DenseNet: Huang et al., "Densely Connected Convolutional Networks", https://arxiv.org/abs/1608.06993."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any, Literal

from pydantic import Field

from archspec.frontend.families.base import FamilySpec, Item, item
from archspec.ops.fields import Probability, Size


class DenseNet(FamilySpec):
    """A 7×7 stem and blocks of densely connected layers; between blocks, the channels and the size are halved."""

    family: Literal["densenet"]
    growth_rate: Size = Field(32, description="channels that each layer adds")
    block_config: Annotated[list[Size], Field(min_length=1, max_length=16)] = Field(description="layers in each block")
    num_init_features: Size = Field(64, description="channels of the stem")
    bn_size: Size = Field(4, description="channels of a layer's bottleneck, as a multiple of growth_rate")
    drop_rate: Probability = Field(0.0, description="dropout after each layer")

    def layers(self) -> list[Item]:
        return [
            {"features": {"seq": [*self._stem(), *self._blocks(), item("norm5", op="batch_norm2d")]}},
            {"op": "relu"},
            {"op": "adaptive_avg_pool2d", "output_size": 1},
            {"op": "flatten"},
            item("classifier", op="linear", out_features="=num_classes"),
        ]

    def _stem(self) -> list[Item]:
        stem = {"out_channels": self.num_init_features, "kernel_size": 7, "stride": 2, "padding": 3, "bias": False}
        return [
            item("conv0", op="conv2d", **stem),
            item("norm0", op="batch_norm2d"),
            item("relu0", op="relu"),
            item("pool0", op="max_pool2d", kernel_size=3, stride=2, padding=1),
        ]

    def _blocks(self) -> Iterator[Item]:
        bn_size = self.bn_size if self.bn_size != 4 else None
        drop_rate = self.drop_rate or None
        for number, count in enumerate(self.block_config, 1):
            yield item(f"denseblock{number}", block="DenseBlock", num_layers=count, growth_rate=self.growth_rate,
                       bn_size=bn_size, drop_rate=drop_rate)  # fmt: skip
            if number < len(self.block_config):
                yield item(f"transition{number}", block="DenseTransition")

    def init_rules(self) -> list[Any]:
        return [{"op": "conv2d", "weight": "kaiming_normal"}, {"op": "linear", "bias": 0}]

    def origins(self) -> dict[str, tuple[str | int, ...]]:
        return {
            f"{what}{number + 1}": ("block_config", number)
            for what in ("denseblock", "transition")
            for number in range(len(self.block_config))
        }
