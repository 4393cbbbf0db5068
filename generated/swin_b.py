"""Swin-B.

Liu et al., "Swin Transformer: Hierarchical Vision Transformer using Shifted Windows",
https://arxiv.org/abs/2103.14030

Parameters: 87,768,224. MACs: 15,430,946,816 for one 3 × 224 × 224 input (convolutions, linear layers and matrix
products, evaluation).

Written by archspec from the spec swin_b; it needs nothing but torch.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class Permute(nn.Module):
    """Puts the dimensions of its input in another order."""

    def __init__(self, dims: tuple[int, ...]) -> None:
        super().__init__()
        self.dims = dims

    def forward(self, x: Tensor) -> Tensor:
        return torch.permute(x, self.dims)

    def extra_repr(self) -> str:
        return f"dims={self.dims}"


class StochasticDepth(nn.Module):
    """Drops its input at random in training, sample by sample ("row") or for the whole batch ("batch")."""

    def __init__(self, p: float, mode: str = "row") -> None:
        super().__init__()
        self.p = p
        self.mode = mode

    def forward(self, x: Tensor) -> Tensor:
        if not self.training or self.p == 0.0:
            return x
        survival = 1.0 - self.p
        count = x.shape[0] if self.mode == "row" else 1
        mask = torch.empty([count] + [1] * (x.ndim - 1), dtype=x.dtype, device=x.device).bernoulli_(survival)
        if survival > 0.0:
            mask.div_(survival)  # what survives is scaled up, so that the expectation stays
        return x * mask

    def extra_repr(self) -> str:
        return f"p={self.p}, mode={self.mode}"


def relative_position_index(window_size: tuple[int, int]) -> Tensor:
    """For each pair of positions in a window, the number of the step from the second to the first.

    There are (2 × rows − 1) × (2 × columns − 1) such steps, and as many rows in a table of biases.
    """
    rows, columns = window_size
    row = torch.arange(rows).repeat_interleave(columns)
    column = torch.arange(columns).repeat(rows)
    down = row[:, None] - row + rows - 1
    right = column[:, None] - column + columns - 1
    return down * (2 * columns - 1) + right


def shift_mask(size: tuple[int, int], window_size: tuple[int, int], shift_size: tuple[int, int]) -> Tensor:
    """What is added to the attention in the windows of a shifted map: −100 between positions that were not neighbours.

    The shape is windows × 1 × positions × positions.
    """
    (height, width), (rows, columns) = size, window_size
    wrapped_down = torch.arange(height) >= height - shift_size[0]
    wrapped_right = torch.arange(width) >= width - shift_size[1]
    region = 2 * wrapped_down[:, None] + wrapped_right[None, :]
    region = region.reshape(height // rows, rows, width // columns, columns).transpose(1, 2)
    region = region.reshape(-1, 1, rows * columns)
    return torch.where(region[:, :, :, None] == region[:, :, None, :], 0.0, -100.0)


class ShiftedWindowAttention(nn.Module):
    """Attention in the windows of a map, H × W × C, which may be shifted; positions have learned relative biases."""

    def __init__(
        self, in_channels: int, num_heads: int, rows: int, columns: int, shift_size: tuple[int, int] = (0, 0)
    ) -> None:
        super().__init__()
        shift_rows = shift_size[0] if rows > 1 else 0
        shift_columns = shift_size[1] if columns > 1 else 0
        is_shifted = shift_rows + shift_columns > 0
        self.shift_rows = shift_rows
        self.shift_columns = shift_columns
        self.qkv = nn.Linear(in_channels, 3 * in_channels)
        self.num_heads = num_heads
        self.scale = (in_channels // num_heads) ** (-0.5)
        self.relative_position_index = nn.Buffer(relative_position_index((7, 7)).flatten())
        if is_shifted:
            self.attn_mask: nn.Buffer | None = nn.Buffer(
                shift_mask((rows * 7, columns * 7), (7, 7), (shift_rows, shift_columns)), persistent=False
            )
        else:
            self.attn_mask = None
        self.proj = nn.Linear(in_channels, in_channels)
        self.relative_position_bias_table = nn.Parameter(nn.init.trunc_normal_(torch.empty(169, num_heads), std=0.02))
        self.rows = rows
        self.is_shifted = is_shifted

    def forward(self, x: Tensor) -> Tensor:
        if self.is_shifted:
            x = torch.roll(x, (-self.shift_rows, -self.shift_columns), (1, 2))
        x = (
            torch.unflatten(torch.unflatten(x, 2, (-1, 7)), 1, (-1, 7))
            .permute(0, 1, 3, 2, 4, 5)
            .flatten(3, 4)
            .flatten(1, 2)
        )
        x = self.qkv(x)
        qkv = torch.unflatten(x, 3, (3, self.num_heads, -1)).permute(0, 3, 1, 4, 2, 5)
        x = qkv[:, 0]
        q = x * self.scale
        k = qkv[:, 1]
        v = qkv[:, 2]
        attn = torch.matmul(q, k.transpose(-2, -1))
        x = self.relative_position_bias_table[self.relative_position_index]
        bias = torch.unflatten(x, 0, (49, -1)).permute(2, 0, 1)
        attn = attn + bias
        if self.attn_mask is not None:
            attn = attn + self.attn_mask
        x = F.softmax(attn, dim=-1)
        x = torch.matmul(x, v)
        x = x.permute(0, 1, 3, 2, 4).flatten(3)
        x = self.proj(x)
        x = (
            torch.unflatten(torch.unflatten(x, 2, (7, -1)), 1, (self.rows, -1))
            .permute(0, 1, 3, 2, 4, 5)
            .flatten(3, 4)
            .flatten(1, 2)
        )
        if self.is_shifted:
            x = torch.roll(x, (self.shift_rows, self.shift_columns), (1, 2))
        return x


class MLPBlock(nn.Sequential):
    """Two linear layers with GELU between them, each followed by dropout; the width is the input's again."""

    def __init__(self, in_channels: int, mlp_dim: int) -> None:
        super().__init__(
            nn.Linear(in_channels, mlp_dim),
            nn.GELU(),
            nn.Dropout(p=0.0),
            nn.Linear(mlp_dim, in_channels),
            nn.Dropout(p=0.0),
        )
        for module in self.modules():
            if isinstance(module, nn.Linear):
                nn.init.xavier_uniform_(module.weight)
                nn.init.normal_(module.bias, std=1e-06)


class SwinTransformerBlock(nn.Module):
    """Attention in windows, then two linear layers, each after layer norm and added to its input."""

    def __init__(
        self,
        in_channels: int,
        num_heads: int,
        rows: int,
        columns: int,
        shift_size: tuple[int, int] = (0, 0),
        p: float = 0.0,
    ) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(in_channels)
        self.attn = ShiftedWindowAttention(in_channels, num_heads, rows=rows, columns=columns, shift_size=shift_size)
        self.stochastic_depth = StochasticDepth(p)
        self.norm2 = nn.LayerNorm(in_channels)
        self.mlp = MLPBlock(in_channels, in_channels * 4)

    def forward(self, x: Tensor) -> Tensor:
        out = self.norm1(x)
        x = x + self.stochastic_depth(self.attn(out))
        out = self.norm2(x)
        return x + self.stochastic_depth(self.mlp(out))


class PatchMerging(nn.Module):
    """Puts the features of 2×2 neighbours of a map, H × W × C, side by side, and halves their number."""

    def __init__(self, in_channels: int) -> None:
        super().__init__()
        self.reduction = nn.Linear(4 * in_channels, 2 * in_channels, bias=False)
        self.norm = nn.LayerNorm(4 * in_channels)

    def forward(self, x: Tensor) -> Tensor:
        x = self.norm(torch.unflatten(torch.unflatten(x, 2, (-1, 2)), 1, (-1, 2)).permute(0, 1, 3, 4, 2, 5).flatten(3))
        return self.reduction(x)


class SwinB(nn.Module):
    """Swin-B."""

    def __init__(self, num_classes: int = 1000, stochastic_depth_prob: float = 0.5) -> None:
        super().__init__()
        self.features = nn.Sequential(
            nn.Sequential(
                nn.Conv2d(3, 128, kernel_size=4, stride=4),  # 128×56×56
                Permute((0, 2, 3, 1)),  # 56×56×128
                nn.LayerNorm(128),
            ),
            nn.Sequential(
                *[
                    SwinTransformerBlock(
                        128, 4, rows=8, columns=8, shift_size=(i % 2 * 3, i % 2 * 3), p=stochastic_depth_prob * i / 23
                    )
                    for i in range(2)
                ],
            ),
            PatchMerging(128),  # 28×28×256
            nn.Sequential(
                *[
                    SwinTransformerBlock(
                        256,
                        8,
                        rows=4,
                        columns=4,
                        shift_size=(i % 2 * 3, i % 2 * 3),
                        p=stochastic_depth_prob * (i + 2) / 23,
                    )
                    for i in range(2)
                ],
            ),
            PatchMerging(256),  # 14×14×512
            nn.Sequential(
                *[
                    SwinTransformerBlock(
                        512,
                        16,
                        rows=2,
                        columns=2,
                        shift_size=(i % 2 * 3, i % 2 * 3),
                        p=stochastic_depth_prob * (i + 4) / 23,
                    )
                    for i in range(18)
                ],
            ),
            PatchMerging(512),  # 7×7×1024
            nn.Sequential(
                *[
                    SwinTransformerBlock(
                        1024,
                        32,
                        rows=1,
                        columns=1,
                        shift_size=(i % 2 * 3, i % 2 * 3),
                        p=stochastic_depth_prob * (i + 22) / 23,
                    )
                    for i in range(2)
                ],
            ),
        )
        self.norm = nn.LayerNorm(1024)
        self.permute = Permute((0, 3, 1, 2))
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.flatten = nn.Flatten()
        self.head = nn.Linear(1024, num_classes)
        for module in self.modules():
            if isinstance(module, nn.Linear):
                nn.init.trunc_normal_(module.weight, std=0.02)
                if module.bias is not None:
                    nn.init.zeros_(module.bias)

    def forward(self, x: Tensor) -> Tensor:  # N × 3 × 224 × 224
        x = self.norm(self.features(x))  # N × 7 × 7 × 1024
        x = self.permute(x)  # N × 1024 × 7 × 7
        x = self.avgpool(x)  # N × 1024 × 1 × 1
        x = self.flatten(x)  # N × 1024
        return self.head(x)  # N × num_classes


def swin_b(num_classes: int = 1000, stochastic_depth_prob: float = 0.5) -> SwinB:
    """Build a SwinB with new weights."""
    return SwinB(num_classes=num_classes, stochastic_depth_prob=stochastic_depth_prob)
