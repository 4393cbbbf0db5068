"""Swin-T V2.

Liu et al., "Swin Transformer V2: Scaling Up Capacity and Resolution", https://arxiv.org/abs/2111.09883

Parameters: 28,351,570. MACs: 5,939,690,496 for one 3 × 256 × 256 input (convolutions, linear layers and matrix
products, evaluation).

Written by archspec from the spec swin_v2_t; it needs nothing but torch.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class PartlyBiasedLinear(nn.Linear):
    """A linear layer that adds no bias to some of its features, whatever the bias holds for them."""

    def __init__(self, in_features: int, out_features: int, zero_bias: tuple[int, int]) -> None:
        super().__init__(in_features, out_features)
        self.zero_bias = zero_bias

    def forward(self, x: Tensor) -> Tensor:
        start, stop = self.zero_bias
        bias = torch.cat([self.bias[:start], self.bias.new_zeros(stop - start), self.bias[stop:]])
        return F.linear(x, self.weight, bias)


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


def relative_coords_table(
    window_size: tuple[int, int], pretrained_window_size: tuple[int, int] | None = None
) -> Tensor:
    """The steps between two positions of a window, rows and columns, on a logarithmic scale: from −8 to 8 in windows of
    the size that weights were trained with."""
    steps = [
        torch.arange(1 - size, size, dtype=torch.get_default_dtype()) / (trained - 1)
        for size, trained in zip(window_size, pretrained_window_size or window_size, strict=True)
    ]
    table = torch.stack(torch.meshgrid(*steps, indexing="ij"), dim=-1) * 8
    return (table.sign() * torch.log2(table.abs() + 1.0) / 3.0)[None]


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


class ShiftedWindowAttentionV2(nn.Module):
    """Cosine attention in the windows of a map, H × W × C, which may be shifted; a network computes the relative
    biases.
    """

    def __init__(
        self, in_channels: int, num_heads: int, rows: int, columns: int, shift_size: tuple[int, int] = (0, 0)
    ) -> None:
        super().__init__()
        shift_rows = shift_size[0] if rows > 1 else 0
        shift_columns = shift_size[1] if columns > 1 else 0
        is_shifted = shift_rows + shift_columns > 0
        self.relative_coords_table = nn.Buffer(relative_coords_table((8, 8)))
        self.relative_position_index = nn.Buffer(relative_position_index((8, 8)).flatten())
        self.qkv = PartlyBiasedLinear(in_channels, 3 * in_channels, zero_bias=(in_channels, 2 * in_channels))
        self.shift_rows = shift_rows
        self.shift_columns = shift_columns
        self.logit_scale = nn.Parameter(torch.full((num_heads, 1, 1), 2.302585092994046))
        self.num_heads = num_heads
        if is_shifted:
            self.attn_mask: nn.Buffer | None = nn.Buffer(
                shift_mask((rows * 8, columns * 8), (8, 8), (shift_rows, shift_columns)), persistent=False
            )
        else:
            self.attn_mask = None
        self.proj = nn.Linear(in_channels, in_channels)
        self.cpb_mlp = nn.Sequential(
            nn.Linear(2, 512),
            nn.ReLU(),
            nn.Linear(512, num_heads, bias=False),
        )
        self.rows = rows
        self.is_shifted = is_shifted

    def forward(self, x: Tensor) -> Tensor:
        out = self.cpb_mlp(self.relative_coords_table)
        relative_position_bias_table = out.squeeze(0).flatten(0, 1)
        out = relative_position_bias_table[self.relative_position_index]
        out = F.sigmoid(torch.unflatten(out, 0, (64, -1)).permute(2, 0, 1))
        bias = out * 16.0
        if self.is_shifted:
            x = torch.roll(x, (-self.shift_rows, -self.shift_columns), (1, 2))
        x = (
            torch.unflatten(torch.unflatten(x, 2, (-1, 8)), 1, (-1, 8))
            .permute(0, 1, 3, 2, 4, 5)
            .flatten(3, 4)
            .flatten(1, 2)
        )
        x = self.qkv(x)
        qkv = torch.unflatten(x, 3, (3, self.num_heads, -1)).permute(0, 3, 1, 4, 2, 5)
        q = F.normalize(qkv[:, 0], dim=-1)
        k = F.normalize(qkv[:, 1], dim=-1)
        v = qkv[:, 2]
        attn = torch.matmul(q, k.transpose(-2, -1))
        scale = torch.exp(torch.clamp(self.logit_scale, max=4.605170185988092))
        attn = attn * scale
        attn = attn + bias
        if self.attn_mask is not None:
            attn = attn + self.attn_mask
        x = F.softmax(attn, dim=-1)
        x = torch.matmul(x, v)
        x = x.permute(0, 1, 3, 2, 4).flatten(3)
        x = self.proj(x)
        x = (
            torch.unflatten(torch.unflatten(x, 2, (8, -1)), 1, (self.rows, -1))
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


class SwinTransformerBlockV2(nn.Module):
    """Attention in windows, then two linear layers, each followed by layer norm and added to its input."""

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
        self.attn = ShiftedWindowAttentionV2(in_channels, num_heads, rows=rows, columns=columns, shift_size=shift_size)
        self.stochastic_depth = StochasticDepth(p)
        self.norm2 = nn.LayerNorm(in_channels)
        self.mlp = MLPBlock(in_channels, in_channels * 4)

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.stochastic_depth(self.norm1(self.attn(x)))
        return x + self.stochastic_depth(self.norm2(self.mlp(x)))


class PatchMergingV2(nn.Module):
    """Puts the features of 2×2 neighbours of a map, H × W × C, side by side, and halves their number."""

    def __init__(self, in_channels: int) -> None:
        super().__init__()
        self.reduction = nn.Linear(4 * in_channels, 2 * in_channels, bias=False)
        self.norm = nn.LayerNorm(2 * in_channels)

    def forward(self, x: Tensor) -> Tensor:
        x = torch.unflatten(torch.unflatten(x, 2, (-1, 2)), 1, (-1, 2)).permute(0, 1, 3, 4, 2, 5).flatten(3)
        return self.norm(self.reduction(x))


class SwinV2T(nn.Module):
    """Swin-T V2."""

    def __init__(self, num_classes: int = 1000, stochastic_depth_prob: float = 0.2) -> None:
        super().__init__()
        self.features = nn.Sequential(
            nn.Sequential(
                nn.Conv2d(3, 96, kernel_size=4, stride=4),  # 96×64×64
                Permute((0, 2, 3, 1)),  # 64×64×96
                nn.LayerNorm(96),
            ),
            nn.Sequential(
                *[
                    SwinTransformerBlockV2(
                        96, 3, rows=8, columns=8, shift_size=(i % 2 * 4, i % 2 * 4), p=stochastic_depth_prob * i / 11
                    )
                    for i in range(2)
                ],
            ),
            PatchMergingV2(96),  # 32×32×192
            nn.Sequential(
                *[
                    SwinTransformerBlockV2(
                        192,
                        6,
                        rows=4,
                        columns=4,
                        shift_size=(i % 2 * 4, i % 2 * 4),
                        p=stochastic_depth_prob * (i + 2) / 11,
                    )
                    for i in range(2)
                ],
            ),
            PatchMergingV2(192),  # 16×16×384
            nn.Sequential(
                *[
                    SwinTransformerBlockV2(
                        384,
                        12,
                        rows=2,
                        columns=2,
                        shift_size=(i % 2 * 4, i % 2 * 4),
                        p=stochastic_depth_prob * (i + 4) / 11,
                    )
                    for i in range(6)
                ],
            ),
            PatchMergingV2(384),  # 8×8×768
            nn.Sequential(
                *[
                    SwinTransformerBlockV2(
                        768,
                        24,
                        rows=1,
                        columns=1,
                        shift_size=(i % 2 * 4, i % 2 * 4),
                        p=stochastic_depth_prob * (i + 10) / 11,
                    )
                    for i in range(2)
                ],
            ),
        )
        self.norm = nn.LayerNorm(768)
        self.permute = Permute((0, 3, 1, 2))
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.flatten = nn.Flatten()
        self.head = nn.Linear(768, num_classes)
        for module in self.modules():
            if isinstance(module, nn.Linear):
                nn.init.trunc_normal_(module.weight, std=0.02)
                if module.bias is not None:
                    nn.init.zeros_(module.bias)

    def forward(self, x: Tensor) -> Tensor:  # N × 3 × 256 × 256
        x = self.norm(self.features(x))  # N × 8 × 8 × 768
        x = self.permute(x)  # N × 768 × 8 × 8
        x = self.avgpool(x)  # N × 768 × 1 × 1
        x = self.flatten(x)  # N × 768
        return self.head(x)  # N × num_classes


def swin_v2_t(num_classes: int = 1000, stochastic_depth_prob: float = 0.2) -> SwinV2T:
    """Build a SwinV2T with new weights."""
    return SwinV2T(num_classes=num_classes, stochastic_depth_prob=stochastic_depth_prob)
