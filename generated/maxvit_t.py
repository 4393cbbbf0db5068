"""MaxViT-T.

Tu et al., "MaxViT: Multi-Axis Vision Transformer", https://arxiv.org/abs/2204.01697

Parameters: 30,919,624. MACs: 5,558,046,720 for one 3 × 224 × 224 input (convolutions, linear layers and matrix
products, evaluation).

Written by archspec from the spec maxvit_t; it needs nothing but torch.
"""

from collections import OrderedDict
from collections.abc import Callable
from functools import partial

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


class ConvNormActivation(nn.Sequential):
    """Convolution that keeps the map's size at stride 1, batch norm, and an activation."""

    def __init__(
        self, in_channels: int, out_channels: int, kernel_size: int = 3, stride: int = 1, groups: int = 1
    ) -> None:
        super().__init__(
            nn.Conv2d(
                in_channels,
                out_channels,
                kernel_size=kernel_size,
                stride=stride,
                padding=(kernel_size - 1) // 2,
                groups=groups,
                bias=False,
            ),
            nn.BatchNorm2d(out_channels, eps=0.001, momentum=0.01),
            nn.GELU(),
        )


class SqueezeExcitation(nn.Module):
    """Scales each channel by a factor between 0 and 1, computed from the means of all channels."""

    def __init__(self, in_channels: int, squeeze_channels: int) -> None:
        super().__init__()
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.fc1 = nn.Conv2d(in_channels, squeeze_channels, kernel_size=1)
        self.activation = nn.SiLU(inplace=True)
        self.fc2 = nn.Conv2d(squeeze_channels, in_channels, kernel_size=1)
        self.scale_activation = nn.Sigmoid()

    def forward(self, x: Tensor) -> Tensor:
        out = self.avgpool(x)
        out = self.activation(self.fc1(out))
        out = self.scale_activation(self.fc2(out))
        return out * x


class MaxVitMBConv(nn.Module):
    """Batch norm, 1×1 expand, depthwise 3×3, squeeze-and-excitation, linear 1×1 project; added to a shortcut."""

    def __init__(self, in_channels: int, out_channels: int, stride: int = 1, p: float = 0.0) -> None:
        super().__init__()
        mid_channels = out_channels * 4
        layers: list[nn.Module] = []
        if stride == 2:
            layers.append(nn.AvgPool2d(kernel_size=3, stride=2, padding=1))
        if stride != 1 or in_channels != out_channels:
            layers.append(nn.Conv2d(in_channels, out_channels, kernel_size=1))
        self.proj = nn.Sequential(*layers)
        self.stochastic_depth = StochasticDepth(p)
        self.layers = nn.Sequential(
            OrderedDict(
                pre_norm=nn.BatchNorm2d(in_channels, eps=0.001, momentum=0.01),
                conv_a=ConvNormActivation(in_channels, mid_channels, kernel_size=1),
                conv_b=ConvNormActivation(mid_channels, mid_channels, stride=stride, groups=mid_channels),
                squeeze_excitation=SqueezeExcitation(mid_channels, int(out_channels * 0.25)),
                conv_c=nn.Conv2d(mid_channels, out_channels, kernel_size=1),
            ),
        )

    def forward(self, x: Tensor) -> Tensor:
        proj = self.proj(x)
        return proj + self.stochastic_depth(self.layers(x))


class WindowPartition(nn.Module):
    """A map's windows of p × p positions, each with its positions in a row."""

    def __init__(self, p: int) -> None:
        super().__init__()
        self.p = p

    def forward(self, x: Tensor) -> Tensor:
        return (
            torch.unflatten(torch.unflatten(x, 3, (-1, self.p)), 2, (-1, self.p))
            .permute(0, 2, 4, 3, 5, 1)
            .flatten(3, 4)
            .flatten(1, 2)
        )


class RelativePositionalMultiHeadAttention(nn.Module):
    """Attention between the positions of each window, with a learned bias for each step between two of them."""

    def __init__(self, in_channels: int, head_dim: int, size: int) -> None:
        super().__init__()
        num_heads = in_channels // head_dim
        self.to_qkv = nn.Linear(in_channels, 3 * in_channels)
        self.num_heads = num_heads
        self.scale = in_channels ** (-0.5)
        self.relative_position_index = nn.Buffer(relative_position_index((size, size)))
        self.merge = nn.Linear(in_channels, in_channels)
        self.relative_position_bias_table = nn.Parameter(
            nn.init.trunc_normal_(torch.empty((2 * size - 1) ** 2, num_heads), std=0.02)
        )

    def forward(self, x: Tensor) -> Tensor:
        x = self.to_qkv(x)
        x1, x2, x3 = x.chunk(3, dim=-1)
        q = torch.unflatten(x1, 3, (self.num_heads, -1)).permute(0, 1, 3, 2, 4)
        x = torch.unflatten(x2, 3, (self.num_heads, -1)).permute(0, 1, 3, 2, 4)
        k = x * self.scale
        v = torch.unflatten(x3, 3, (self.num_heads, -1)).permute(0, 1, 3, 2, 4)
        attn = torch.matmul(q, k.transpose(-2, -1))
        x = self.relative_position_bias_table[self.relative_position_index]
        bias = x.permute(2, 0, 1)
        weights = F.softmax(attn + bias, dim=-1)
        x = torch.matmul(weights, v)
        x = x.permute(0, 1, 3, 2, 4).flatten(3)
        return self.merge(x)


class WindowDepartition(nn.Module):
    """The map whose windows of p × p positions these are, with so many rows of windows."""

    def __init__(self, p: int, rows: int) -> None:
        super().__init__()
        self.p = p
        self.rows = rows

    def forward(self, x: Tensor) -> Tensor:
        return (
            torch.unflatten(torch.unflatten(x, 2, (self.p, -1)), 1, (self.rows, -1))
            .permute(0, 5, 1, 3, 2, 4)
            .flatten(4)
            .flatten(2, 3)
        )


class PartitionAttentionLayer(nn.Module):
    """Attention in windows, or between the same positions of all windows (a grid), then two linear layers."""

    def __init__(
        self,
        in_channels: int,
        head_dim: int,
        partition_size: int,
        partitions: int,
        grid: bool = False,
        swap: Callable[..., nn.Module] = nn.Identity,
        p: float = 0.0,
    ) -> None:
        super().__init__()
        window = partitions if grid else partition_size
        self.partition_op = WindowPartition(window)
        self.partition_swap = swap()
        self.attn_layer = nn.Sequential(
            nn.LayerNorm(in_channels),
            RelativePositionalMultiHeadAttention(in_channels, head_dim, partition_size),
            nn.Dropout(p=0.0),
        )
        self.stochastic_dropout = StochasticDepth(p)
        self.mlp_layer = nn.Sequential(
            nn.LayerNorm(in_channels),
            nn.Linear(in_channels, 4 * in_channels),
            nn.GELU(),
            nn.Linear(4 * in_channels, in_channels),
            nn.Dropout(p=0.0),
        )
        self.departition_swap = swap()
        self.departition_op = WindowDepartition(window, partition_size if grid else partitions)

    def forward(self, x: Tensor) -> Tensor:
        x = self.partition_op(x)
        x = self.partition_swap(x)
        x = x + self.stochastic_dropout(self.attn_layer(x))
        x = x + self.stochastic_dropout(self.mlp_layer(x))
        x = self.departition_swap(x)
        return self.departition_op(x)


class MaxVitLayer(nn.Module):
    """MBConv, attention in windows, and attention in a grid."""

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        head_dim: int,
        partition_size: int,
        partitions: int,
        stride: int = 1,
        p: float = 0.0,
    ) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            OrderedDict(
                MBconv=MaxVitMBConv(in_channels, out_channels, stride=stride, p=p),
                window_attention=PartitionAttentionLayer(
                    out_channels, head_dim, partition_size=partition_size, partitions=partitions, p=p
                ),
                grid_attention=PartitionAttentionLayer(
                    out_channels,
                    head_dim,
                    partition_size=partition_size,
                    partitions=partitions,
                    grid=True,
                    swap=partial(Permute, dims=(0, 2, 1, 3)),
                    p=p,
                ),
            ),
        )

    def forward(self, x: Tensor) -> Tensor:
        return self.layers(x)


class MaxVitT(nn.Module):
    """MaxViT-T."""

    def __init__(self, num_classes: int = 1000, stochastic_depth_prob: float = 0.2) -> None:
        super().__init__()
        self.stem = nn.Sequential(
            ConvNormActivation(3, 64, stride=2),  # 64×112×112
            nn.Sequential(nn.Conv2d(64, 64, kernel_size=3, padding=1)),
        )
        self.blocks = nn.Sequential(
            nn.Sequential(
                OrderedDict(
                    layers=nn.Sequential(
                        MaxVitLayer(64, 64, head_dim=32, partition_size=7, partitions=8, stride=2),  # 64×56×56
                        MaxVitLayer(64, 64, head_dim=32, partition_size=7, partitions=8, p=stochastic_depth_prob / 10),
                    ),
                ),
            ),
            nn.Sequential(
                OrderedDict(
                    layers=nn.Sequential(
                        MaxVitLayer(
                            64,
                            128,
                            head_dim=32,
                            partition_size=7,
                            partitions=4,
                            stride=2,
                            p=stochastic_depth_prob / 10 * 2,
                        ),  # 128×28×28
                        MaxVitLayer(
                            128, 128, head_dim=32, partition_size=7, partitions=4, p=stochastic_depth_prob / 10 * 3
                        ),
                    ),
                ),
            ),
            nn.Sequential(
                OrderedDict(
                    layers=nn.Sequential(
                        MaxVitLayer(
                            128,
                            256,
                            head_dim=32,
                            partition_size=7,
                            partitions=2,
                            stride=2,
                            p=stochastic_depth_prob / 10 * 4,
                        ),  # 256×14×14
                        *[
                            MaxVitLayer(
                                256,
                                256,
                                head_dim=32,
                                partition_size=7,
                                partitions=2,
                                p=stochastic_depth_prob / 10 * (i + 5),
                            )
                            for i in range(4)
                        ],
                    ),
                ),
            ),
            nn.Sequential(
                OrderedDict(
                    layers=nn.Sequential(
                        MaxVitLayer(
                            256,
                            512,
                            head_dim=32,
                            partition_size=7,
                            partitions=1,
                            stride=2,
                            p=stochastic_depth_prob / 10 * 9,
                        ),  # 512×7×7
                        MaxVitLayer(512, 512, head_dim=32, partition_size=7, partitions=1, p=stochastic_depth_prob),
                    ),
                ),
            ),
        )
        self.classifier = nn.Sequential(
            nn.AdaptiveAvgPool2d(1),  # 512×1×1
            nn.Flatten(),
            nn.LayerNorm(512),
            nn.Linear(512, 512),
            nn.Tanh(),
            nn.Linear(512, num_classes, bias=False),
        )
        for module in self.modules():
            if isinstance(module, nn.Conv2d | nn.Linear):
                nn.init.normal_(module.weight, std=0.02)
                if module.bias is not None:
                    nn.init.zeros_(module.bias)

    def forward(self, x: Tensor) -> Tensor:  # N × 3 × 224 × 224
        x = self.stem(x)  # N × 64 × 112 × 112
        x = self.blocks(x)  # N × 512 × 7 × 7
        return self.classifier(x)  # N × num_classes


def maxvit_t(num_classes: int = 1000, stochastic_depth_prob: float = 0.2) -> MaxVitT:
    """Build a MaxVitT with new weights."""
    return MaxVitT(num_classes=num_classes, stochastic_depth_prob=stochastic_depth_prob)
