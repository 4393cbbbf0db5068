"""RegNetY-32GF.

Radosavovic et al., "Designing Network Design Spaces", https://arxiv.org/abs/2003.13678

Parameters: 145,046,770. MACs: 32,279,552,832 for one 3 × 224 × 224 input (convolutions and linear layers,
evaluation).

Written by archspec from the spec regnet_y_32gf; it needs nothing but torch.
"""

from collections import OrderedDict
from math import sqrt

import torch
from torch import Tensor, nn


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
            nn.BatchNorm2d(out_channels),
            nn.ReLU(inplace=True),
        )


class ConvNorm(nn.Sequential):
    """Convolution that keeps the map's size at stride 1, and batch norm."""

    def __init__(self, in_channels: int, out_channels: int, stride: int = 1) -> None:
        super().__init__(
            nn.Conv2d(in_channels, out_channels, kernel_size=1, stride=stride, bias=False),
            nn.BatchNorm2d(out_channels),
        )


class SqueezeExcitation(nn.Module):
    """Scales each channel by a factor between 0 and 1, computed from the means of all channels."""

    def __init__(self, in_channels: int, squeeze_channels: int) -> None:
        super().__init__()
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.fc1 = nn.Conv2d(in_channels, squeeze_channels, kernel_size=1)
        self.activation = nn.ReLU(inplace=True)
        self.fc2 = nn.Conv2d(squeeze_channels, in_channels, kernel_size=1)
        self.scale_activation = nn.Sigmoid()

    def forward(self, x: Tensor) -> Tensor:
        out = self.avgpool(x)
        out = self.activation(self.fc1(out))
        out = self.scale_activation(self.fc2(out))
        return out * x


class ResBottleneckBlock(nn.Module):
    """1×1, grouped 3×3, SE where wanted, 1×1; added to a shortcut."""

    def __init__(self, in_channels: int, out_channels: int, group_width: int, stride: int = 1) -> None:
        super().__init__()
        self.proj: ConvNorm | None = None
        if stride != 1 or in_channels != out_channels:
            self.proj = ConvNorm(in_channels, out_channels, stride=stride)
        self.f = nn.Sequential(
            OrderedDict(
                a=ConvNormActivation(in_channels, out_channels, kernel_size=1),
                b=ConvNormActivation(out_channels, out_channels, stride=stride, groups=out_channels // group_width),
                se=SqueezeExcitation(out_channels, round(0.25 * in_channels)),
                c=ConvNorm(out_channels, out_channels),
            ),
        )
        self.activation = nn.ReLU(inplace=True)

    def forward(self, x: Tensor) -> Tensor:
        shortcut = x if self.proj is None else self.proj(x)
        x = self.f(x)
        return self.activation(shortcut + x)


class RegNetStage(nn.Sequential):
    """Blocks of one width in a row; the first halves the map."""

    def __init__(self, in_channels: int, number: int, depth: int, out_channels: int, group_width: int) -> None:
        super().__init__(
            OrderedDict(
                [
                    (
                        f"block{number}-0",
                        ResBottleneckBlock(in_channels, out_channels, group_width=group_width, stride=2),
                    ),
                    *[
                        (
                            f"block{number}-{i + 1}",
                            ResBottleneckBlock(out_channels, out_channels, group_width=group_width),
                        )
                        for i in range(depth - 1)
                    ],
                ],
            ),
        )


class RegNetY32GF(nn.Module):
    """RegNetY-32GF."""

    def __init__(self, num_classes: int = 1000) -> None:
        super().__init__()
        self.stem = ConvNormActivation(3, 32, stride=2)
        self.trunk_output = nn.Sequential(
            OrderedDict(
                block1=RegNetStage(32, 1, 2, 232, 232),  # 232×56×56
                block2=RegNetStage(232, 2, 5, 696, 232),  # 696×28×28
                block3=RegNetStage(696, 3, 12, 1392, 232),  # 1392×14×14
                block4=RegNetStage(1392, 4, 1, 3712, 232),  # 3712×7×7
            ),
        )
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.fc = nn.Linear(3712, num_classes)
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.normal_(
                    module.weight, std=sqrt(2 / (module.kernel_size[0] * module.kernel_size[1] * module.out_channels))
                )
            elif isinstance(module, nn.Linear):
                nn.init.normal_(module.weight, std=0.01)
                nn.init.zeros_(module.bias)

    def forward(self, x: Tensor) -> Tensor:  # N × 3 × 224 × 224
        x = self.stem(x)  # N × 32 × 112 × 112
        x = self.trunk_output(x)  # N × 3712 × 7 × 7
        x = self.avgpool(x)  # N × 3712 × 1 × 1
        x = torch.flatten(x, 1)  # N × 3712
        return self.fc(x)  # N × num_classes


def regnet_y_32gf(num_classes: int = 1000) -> RegNetY32GF:
    """Build a RegNetY32GF with new weights."""
    return RegNetY32GF(num_classes=num_classes)
