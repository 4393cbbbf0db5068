"""VGG: Simonyan & Zisserman, "Very Deep Convolutional Networks for Large-Scale Image Recognition",
https://arxiv.org/abs/1409.1556."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field

from archspec.frontend.families.base import FamilySpec, Item
from archspec.ops.fields import Probability, Size


class VGG(FamilySpec):
    """Groups of 3×3 convolutions with pooling between them, then fully connected layers."""

    family: Literal["vgg"]
    cfg: Annotated[list[Size | Literal["M"]], Field(min_length=1, max_length=1000)] = Field(
        description="channel counts of the 3×3 convolutions, and M for a 2×2 max pool"
    )
    batch_norm: bool = Field(False, description="batch norm after each convolution")
    dropout: Probability | None = Field(0.5, description="dropout in the classifier; null for none")
    dropout_first: bool = Field(False, description="dropout before each hidden layer of the classifier, not after it")
    classifier: list[Size] = Field([4096, 4096], max_length=100, description="widths of the hidden layers")
    avgpool: Size | None = Field(7, description="size that features are pooled to; null for no pooling")

    def layers(self) -> list[Item]:
        pooled: list[Item] = []
        if self.avgpool is not None:
            pooled = [{"avgpool": {"op": "adaptive_avg_pool2d", "output_size": self.avgpool}}]
        return [
            {"features": {"seq": self._features()}}, *pooled, {"op": "flatten"},
            {"classifier": {"seq": self._classifier()}},
        ]  # fmt: skip

    def _features(self) -> list[Item]:
        items: list[Item] = []
        for entry in self.cfg:
            if entry == "M":
                items.append({"op": "max_pool2d", "kernel_size": 2})
                continue
            items.append({"op": "conv2d", "out_channels": entry, "kernel_size": 3, "padding": 1})
            items += [{"op": "batch_norm2d"}] * self.batch_norm
            items.append({"op": "relu"})
        return items

    def _classifier(self) -> list[Item]:
        items: list[Item] = []
        dropout: list[Item] = [] if self.dropout is None else [{"op": "dropout", "p": self.dropout}]
        for width in self.classifier:
            hidden: list[Item] = [{"op": "linear", "out_features": width}, {"op": "relu"}]
            items += [*dropout, *hidden] if self.dropout_first else [*hidden, *dropout]
        return [*items, {"op": "linear", "out_features": "=num_classes"}]

    def init_rules(self) -> list[Any]:
        return [
            {"op": "conv2d", "weight": {"kaiming_normal": {"mode": "fan_out", "nonlinearity": "relu"}}, "bias": 0},
            {"op": "linear", "weight": {"normal": {"std": 0.01}}, "bias": 0},
        ]

    def origins(self) -> dict[str, tuple[str | int, ...]]:
        return {"features": ("cfg",), "avgpool": ("avgpool",), "classifier": ("classifier",)}
