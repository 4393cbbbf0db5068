"""ViT-B/32, 32×32 patches.

Dosovitskiy et al., "An Image is Worth 16x16 Words", https://arxiv.org/abs/2010.11929

Parameters: 88,224,232. MACs: 4,409,186,304 for one 3 × 224 × 224 input (convolutions and linear layers, evaluation).

Written by archspec from the spec vit_b_32; it needs nothing but torch.
"""

from collections import OrderedDict
from math import sqrt

import torch
from torch import Tensor, nn


class MLPBlock(nn.Sequential):
    """Two linear layers with GELU between them, each followed by dropout; the width is the input's again."""

    def __init__(self, in_features: int, mlp_dim: int, dropout: float = 0.0) -> None:
        super().__init__(
            nn.Linear(in_features, mlp_dim),
            nn.GELU(),
            nn.Dropout(p=dropout),
            nn.Linear(mlp_dim, in_features),
            nn.Dropout(p=dropout),
        )
        for module in self.modules():
            if isinstance(module, nn.Linear):
                nn.init.xavier_uniform_(module.weight)
                nn.init.normal_(module.bias, std=1e-06)


class EncoderBlock(nn.Module):
    """Self-attention and an MLP, each after layer norm and added to its input."""

    def __init__(
        self, in_features: int, num_heads: int, mlp_dim: int, dropout: float = 0.0, attention_dropout: float = 0.0
    ) -> None:
        super().__init__()
        self.ln_1 = nn.LayerNorm(in_features, eps=1e-06)
        self.self_attention = nn.MultiheadAttention(in_features, num_heads, dropout=attention_dropout, batch_first=True)
        self.dropout = nn.Dropout(p=dropout)
        self.ln_2 = nn.LayerNorm(in_features, eps=1e-06)
        self.mlp = MLPBlock(in_features, mlp_dim, dropout=dropout)

    def forward(self, x: Tensor) -> Tensor:
        out = self.ln_1(x)
        x = self.dropout(self.self_attention(out, out, out, need_weights=False)[0]) + x
        out = self.ln_2(x)
        out = self.mlp(out)
        return x + out


class Encoder(nn.Module):
    """Learned positions, added to a sequence, then encoder blocks and layer norm."""

    def __init__(
        self,
        in_features: int,
        num_layers: int,
        num_heads: int,
        mlp_dim: int,
        dropout: float = 0.0,
        attention_dropout: float = 0.0,
    ) -> None:
        super().__init__()
        self.pos_embedding = nn.Parameter(nn.init.normal_(torch.empty(1, 50, in_features), std=0.02))
        self.dropout = nn.Dropout(p=dropout)
        self.layers = nn.Sequential(
            OrderedDict(
                (
                    f"encoder_layer_{i}",
                    EncoderBlock(
                        in_features, num_heads, mlp_dim=mlp_dim, dropout=dropout, attention_dropout=attention_dropout
                    ),
                )
                for i in range(num_layers)
            ),
        )
        self.ln = nn.LayerNorm(in_features, eps=1e-06)

    def forward(self, x: Tensor) -> Tensor:
        x = self.dropout(x + self.pos_embedding)
        return self.ln(self.layers(x))


class ViTB32(nn.Module):
    """ViT-B/32, 32×32 patches."""

    def __init__(self, num_classes: int = 1000, dropout: float = 0.0, attention_dropout: float = 0.0) -> None:
        super().__init__()
        self.conv_proj = nn.Conv2d(3, 768, kernel_size=32, stride=32)
        self.class_token = nn.Parameter(torch.zeros(1, 1, 768))
        self.encoder = Encoder(
            768, 12, num_heads=12, mlp_dim=3072, dropout=dropout, attention_dropout=attention_dropout
        )
        self.heads = nn.Sequential(OrderedDict(head=nn.Linear(768, num_classes)))
        nn.init.trunc_normal_(self.conv_proj.weight, std=sqrt(1 / 3072))
        nn.init.zeros_(self.get_parameter("conv_proj.bias"))
        nn.init.zeros_(self.get_parameter("heads.head.weight"))
        nn.init.zeros_(self.get_parameter("heads.head.bias"))

    def forward(self, x: Tensor) -> Tensor:  # N × 3 × 224 × 224
        x = self.conv_proj(x)  # N × 768 × 7 × 7
        patches = x.permute(0, 2, 3, 1).flatten(1, 2)  # N × 49 × 768
        token = self.class_token.expand(patches.size(0), -1, -1)  # N × 1 × 768
        x = torch.cat([token, patches], dim=1)  # N × 50 × 768
        x = self.encoder(x)  # N × 50 × 768
        x = x[:, 0]  # N × 768
        return self.heads(x)  # N × num_classes


def vit_b_32(num_classes: int = 1000, dropout: float = 0.0, attention_dropout: float = 0.0) -> ViTB32:
    """Build a ViTB32 with new weights."""
    return ViTB32(num_classes=num_classes, dropout=dropout, attention_dropout=attention_dropout)
