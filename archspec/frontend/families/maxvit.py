"""MaxViT: Tu et al., "MaxViT: Multi-Axis Vision Transformer", https://arxiv.org/abs/2204.01697."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from archspec.diagnostics.validation import field_error, field_errors
from archspec.frontend.families.base import FamilySpec, Item, item
from archspec.ops.fields import Probability, Size

Blocks = Annotated[list[Size], Field(min_length=1, max_length=16)]


class MaxVit(FamilySpec):
    """A stem, then blocks of layers, each an inverted residual with attention in windows and in a grid; each block
    halves the size of the feature map."""

    family: Literal["maxvit"]
    stem_channels: Size = Field(description="channels of the stem")
    partition_size: Size = Field(description="height and width of the windows and of the grid")
    block_channels: Blocks = Field(description="channels of each block")
    block_layers: Blocks = Field(description="layers in each block")
    head_dim: Size = Field(description="features of each head of the attention")
    stochastic_depth_prob: Probability = Field(description="drop probability of the last layer; 0 for the first")
    squeeze_ratio: float = Field(0.25, gt=0, le=100, description="channels of the squeeze, relative to the layer's")
    expansion_ratio: float = Field(
        4.0, gt=0, le=100, description="channels of the depthwise convolution, relative to the layer's"
    )
    mlp_ratio: Size = Field(4, description="hidden features of the linear layers, relative to the layer's channels")
    mlp_dropout: Probability = Field(0.0, description="dropout after the linear layers")
    attention_dropout: Probability = Field(0.0, description="dropout after the attention")

    @model_validator(mode="after")
    def _consistent(self) -> MaxVit:
        if len(self.block_channels) != len(self.block_layers):
            blocks, given = len(self.block_layers), len(self.block_channels)
            reason = f"expected {blocks} values, one for each of block_layers, got {given}"
            raise field_errors(field_error(("block_channels",), reason))
        return self

    def arguments(self) -> dict[str, Any]:
        return {**super().arguments(), "stochastic_depth_prob": self.stochastic_depth_prob}

    def layers(self) -> list[Item]:
        channels = self.block_channels[-1]
        head = [{"op": "adaptive_avg_pool2d", "output_size": 1}, {"op": "flatten"}, {"op": "layer_norm"},
                {"op": "linear", "out_features": channels}, {"op": "tanh"},
                {"op": "linear", "out_features": "=num_classes", "bias": False}]  # fmt: skip
        return [
            item("stem", seq=self._stem()),
            item("blocks", seq=[*self._blocks()]),
            item("classifier", seq=head),
        ]

    def _stem(self) -> list[Item]:
        first = {"block": "ConvNormActivation", "out_channels": self.stem_channels, "stride": 2, "activation": "gelu",
                 "eps": 1e-3, "momentum": 0.01}  # fmt: skip
        return [first, {"seq": [{"op": "conv2d", "out_channels": self.stem_channels, "kernel_size": 3, "padding": 1}]}]

    def _blocks(self) -> Iterator[Item]:
        before = 0
        for channels, count in zip(self.block_channels, self.block_layers, strict=True):
            yield {"seq": [{"layers": {"seq": [*self._layers(channels, before, count)]}}]}
            before += count

    def _layers(self, channels: int, before: int, count: int) -> Iterator[Item]:
        """A block's layers. The probability of dropping one grows linearly, from 0 at the network's first layer to
        `stochastic_depth_prob` at the last, which gets that number itself, not a rounded product."""
        last = sum(self.block_layers) - 1
        step = f"stochastic_depth_prob / {last}"
        start = "=stochastic_depth_prob" if before == last else f"={step} * {before}"
        yield {**self._layer(channels), "stride": 2, **({"p": start} if before else {})}
        ends = before + count - 1 == last and count > 1
        alike = count - 1 - ends
        if alike > 1:
            yield {**self._layer(channels), "repeat": alike, "index": "i", "p": f"={step} * (i + {before + 1})"}
        elif alike:
            yield {**self._layer(channels), "p": f"={step} * {before + 1}"}
        if ends:
            yield {**self._layer(channels), "p": "=stochastic_depth_prob"}

    def _layer(self, channels: int) -> Item:
        names = ("squeeze_ratio", "expansion_ratio", "mlp_ratio", "mlp_dropout", "attention_dropout")
        given = {
            name: getattr(self, name) for name in names if getattr(self, name) != type(self).model_fields[name].default
        }
        return {"block": "MaxVitLayer", "out_channels": channels, "head_dim": self.head_dim,
                "partition_size": self.partition_size, **given}  # fmt: skip

    def init_rules(self) -> list[Any]:
        return [{"op": ["conv2d", "linear"], "weight": {"normal": {"std": 0.02}}, "bias": 0}]

    def origins(self) -> dict[str, tuple[str | int, ...]]:
        return {"stem": ("stem_channels",), "blocks": ("block_layers",), "classifier": ("num_classes",)}
