"""MobileNetV2: inverted residuals with linear bottlenecks.

Sandler et al., "MobileNetV2: Inverted Residuals and Linear Bottlenecks", https://arxiv.org/abs/1801.04381

Parameters: 3,504,872. MACs: 300,774,272 for one 3 × 224 × 224 input (convolutions and linear layers, evaluation).

Written by archspec from the spec mobilenet_v2; it needs nothing but torch.
"""

import torch
import torch.nn.functional as F
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
            nn.ReLU6(inplace=True),
        )


class InvertedResidual(nn.Module):
    """1×1 expand, 3×3 depthwise, linear 1×1 project; added to the input if shapes agree."""

    def __init__(self, in_channels: int, out_channels: int, expand_ratio: int, stride: int = 1) -> None:
        super().__init__()
        hidden = in_channels * expand_ratio
        layers: list[nn.Module] = []
        if expand_ratio != 1:
            layers.append(ConvNormActivation(in_channels, hidden, kernel_size=1))
        layers += [
            ConvNormActivation(hidden, hidden, stride=stride, groups=hidden),
            nn.Conv2d(hidden, out_channels, kernel_size=1, bias=False),
            nn.BatchNorm2d(out_channels),
        ]
        self.conv = nn.Sequential(*layers)
        self.residual = stride == 1 and in_channels == out_channels

    def forward(self, x: Tensor) -> Tensor:
        out = self.conv(x)
        if self.residual:
            out = x + out
        return out


class MobileNetV2(nn.Module):
    """MobileNetV2: inverted residuals with linear bottlenecks."""

    def __init__(self, num_classes: int = 1000) -> None:
        super().__init__()
        self.features = nn.Sequential(
            ConvNormActivation(3, 32, stride=2),  # 32×112×112
            InvertedResidual(32, 16, expand_ratio=1),
            InvertedResidual(16, 24, expand_ratio=6, stride=2),  # 24×56×56
            InvertedResidual(24, 24, expand_ratio=6),
            InvertedResidual(24, 32, expand_ratio=6, stride=2),  # 32×28×28
            *[InvertedResidual(32, 32, expand_ratio=6) for _ in range(2)],
            InvertedResidual(32, 64, expand_ratio=6, stride=2),  # 64×14×14
            *[InvertedResidual(64, 64, expand_ratio=6) for _ in range(3)],
            InvertedResidual(64, 96, expand_ratio=6),
            *[InvertedResidual(96, 96, expand_ratio=6) for _ in range(2)],
            InvertedResidual(96, 160, expand_ratio=6, stride=2),  # 160×7×7
            *[InvertedResidual(160, 160, expand_ratio=6) for _ in range(2)],
            InvertedResidual(160, 320, expand_ratio=6),
            ConvNormActivation(320, 1280, kernel_size=1),
        )
        self.classifier = nn.Sequential(
            nn.Dropout(p=0.2),
            nn.Linear(1280, num_classes),
        )
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out")
            elif isinstance(module, nn.Linear):
                nn.init.normal_(module.weight, std=0.01)
                nn.init.zeros_(module.bias)

    def forward(self, x: Tensor) -> Tensor:  # N × 3 × 224 × 224
        x = self.features(x)  # N × 1280 × 7 × 7
        x = F.adaptive_avg_pool2d(x, 1)  # N × 1280 × 1 × 1
        x = torch.flatten(x, 1)  # N × 1280
        return self.classifier(x)  # N × num_classes


def mobilenet_v2(num_classes: int = 1000) -> MobileNetV2:
    """Build a MobileNetV2 with new weights."""
    return MobileNetV2(num_classes=num_classes)
