"""Vision Transformer: Dosovitskiy et al., "An Image is Worth 16x16 Words", https://arxiv.org/abs/2010.11929."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from archspec.diagnostics.validation import field_error, field_errors
from archspec.frontend.families.base import FamilySpec, Item, item
from archspec.ops.fields import Probability, Size

Depth = Annotated[int, Field(ge=1, le=1000)]


class ViT(FamilySpec):
    """Patches of an image as a sequence with a class token, and encoder blocks of attention and an MLP."""

    family: Literal["vit"]
    patch_size: Size = Field(description="height and width of a patch; must divide those of the image")
    num_layers: Depth = Field(description="number of encoder blocks")
    num_heads: Size = Field(description="heads of the attention; must divide hidden_dim")
    hidden_dim: Size = Field(description="features of each patch")
    mlp_dim: Size = Field(description="features of the hidden layer of each MLP")
    dropout: Probability = Field(0.0, description="dropout of the positions, and after attention and linear layers")
    attention_dropout: Probability = Field(0.0, description="dropout of the attention's weights")
    representation_size: Size | None = Field(None, description="features of a hidden layer before the classifier")

    @model_validator(mode="after")
    def _in_patches(self) -> ViT:
        errors = []
        for what, size in zip(("height", "width"), self.input[1:], strict=True):
            if size % self.patch_size:
                reason = f"{what} {size} is not a multiple of the patch size {self.patch_size}"
                nearest = max(1, round(size / self.patch_size)) * self.patch_size
                errors.append(field_error(("input",), reason, f"write {nearest}, for example"))
        if self.hidden_dim % self.num_heads:
            reason = f"expected a divisor of hidden_dim, {self.hidden_dim}, got {self.num_heads}"
            errors.append(field_error(("num_heads",), reason))
        if errors:
            raise field_errors(*errors)
        return self

    def arguments(self) -> dict[str, Any]:
        return {**super().arguments(), "dropout": self.dropout, "attention_dropout": self.attention_dropout}

    def layers(self) -> list[Item]:
        size = self.patch_size
        return [
            item("conv_proj", op="conv2d", out_channels=self.hidden_dim, kernel_size=size, stride=size),
            {"op": "rearrange", "pattern": "c h w -> (h w) c", "as": "patches"},
            item("class_token", op="parameter", shape=[1, 1, self.hidden_dim]),
            {"op": "expand", "from": "class_token", "like": "patches", "as": "token"},
            {"op": "cat", "from": ["token", "patches"], "dim": 1},
            item("encoder", block="Encoder", num_layers=self.num_layers, num_heads=self.num_heads,
                 mlp_dim=self.mlp_dim, dropout="=dropout", attention_dropout="=attention_dropout"),
            {"op": "select", "dim": 1, "position": 0},
            item("heads", seq=[*self._representation(), item("head", op="linear", out_features="=num_classes")]),
        ]  # fmt: skip

    def _representation(self) -> list[Item]:
        if self.representation_size is None:
            return []
        return [item("pre_logits", op="linear", out_features=self.representation_size), item("act", op="tanh")]

    def init_rules(self) -> list[Any]:
        of_patches = f"=sqrt(1 / ({self.input[0]} * {self.patch_size} ** 2))"
        rules = [{"path": "conv_proj", "weight": {"trunc_normal": {"std": of_patches}}, "bias": 0}]
        if self.representation_size is not None:
            std = f"=sqrt(1 / {self.hidden_dim})"
            rules.append({"path": "heads.pre_logits", "weight": {"trunc_normal": {"std": std}}, "bias": 0})
        return [*rules, {"path": "heads.head", "weight": 0, "bias": 0}]

    def origins(self) -> dict[str, tuple[str | int, ...]]:
        return {"conv_proj": ("patch_size",), "encoder": ("num_layers",), "heads": ("num_classes",)}
