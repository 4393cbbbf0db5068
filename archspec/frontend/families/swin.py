"""Swin Transformer: Liu et al., "Swin Transformer: Hierarchical Vision Transformer using Shifted Windows",
https://arxiv.org/abs/2103.14030."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from archspec.diagnostics.validation import field_error, field_errors
from archspec.frontend.families.base import FamilySpec, Item, item
from archspec.ops.fields import Probability, Size

Stages = Annotated[list[Size], Field(min_length=1, max_length=16)]
Extent = Annotated[list[Size], Field(min_length=2, max_length=2)]


class Swin(FamilySpec):
    """A stem that makes patches, and stages of attention in windows, which are shifted in every second block; between
    stages the size of the feature map is halved and its channels are doubled."""

    family: Literal["swin"]
    patch_size: Extent = Field([4, 4], description="height and width of a patch")
    embed_dim: Size = Field(description="channels of the first stage")
    depths: Stages = Field(description="blocks in each stage")
    num_heads: Stages = Field(description="heads of the attention in each stage")
    window_size: Extent = Field([7, 7], description="height and width of a window, in patches")
    mlp_ratio: float = Field(
        4.0, gt=0, le=1000, description="hidden features of a block's linear layers, relative to its channels"
    )
    dropout: Probability = Field(0.0, description="dropout after the linear layers")
    attention_dropout: Probability = Field(0.0, description="dropout of the attention's weights")
    stochastic_depth_prob: Probability = Field(0.1, description="drop probability of the last block; 0 for the first")
    version: Literal[1, 2] = Field(1, description="2 for Swin Transformer V2")

    @model_validator(mode="after")
    def _consistent(self) -> Swin:
        if len(self.num_heads) != len(self.depths):
            reason = f"expected {len(self.depths)} values, one for each stage of depths, got {len(self.num_heads)}"
            raise field_errors(field_error(("num_heads",), reason))
        return self

    def arguments(self) -> dict[str, Any]:
        return {**super().arguments(), "stochastic_depth_prob": self.stochastic_depth_prob}

    def layers(self) -> list[Item]:
        return [
            item("features", seq=[self._stem(), *self._stages()]),
            item("norm", op="layer_norm"),
            item("permute", op="permute", dims=[0, 3, 1, 2]),
            item("avgpool", op="adaptive_avg_pool2d", output_size=1),
            item("flatten", op="flatten"),
            item("head", op="linear", out_features="=num_classes"),
        ]

    def _stem(self) -> Item:
        rows, columns = self.patch_size
        size = rows if rows == columns else [rows, columns]
        conv = {"op": "conv2d", "out_channels": self.embed_dim, "kernel_size": size, "stride": size}
        return {"seq": [conv, {"op": "permute", "dims": [0, 2, 3, 1]}, {"op": "layer_norm"}]}

    def _stages(self) -> Iterator[Item]:
        before = 0
        for number, depth in enumerate(self.depths):
            if number:
                yield {"block": self._block("PatchMerging")}
            yield {"seq": [self._blocks(number, depth, before)]}
            before += depth

    def _block(self, name: str) -> str:
        return f"{name}V2" if self.version == 2 else name

    def _blocks(self, stage: int, depth: int, before: int) -> Item:
        """A stage's blocks; the probability of dropping one grows linearly, from 0 at the network's first block."""
        last = max(sum(self.depths) - 1, 1)
        number = f"(i + {before})" if before else "i"
        rates = {name: getattr(self, name) for name in ("dropout", "attention_dropout") if getattr(self, name)}
        ratio = {"mlp_ratio": self.mlp_ratio} if self.mlp_ratio != 4 else {}
        window = {"window_size": list(self.window_size)} if list(self.window_size) != [7, 7] else {}
        shift = [f"=i % 2 * {size // 2}" for size in self.window_size]
        return {"block": self._block("SwinTransformerBlock"), "repeat": depth, "index": "i",
                "num_heads": self.num_heads[stage], **window, "shift_size": shift, **ratio, **rates,
                "p": f"=stochastic_depth_prob * {number} / {last}"}  # fmt: skip

    def init_rules(self) -> list[Any]:
        return [{"op": "linear", "weight": {"trunc_normal": {"std": 0.02}}, "bias": 0}]

    def origins(self) -> dict[str, tuple[str | int, ...]]:
        return {"features": ("depths",), "head": ("num_classes",)}
