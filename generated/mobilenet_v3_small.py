"""MobileNetV3-Small: inverted residuals with squeeze-and-excitation and hard swish.

Howard et al., "Searching for MobileNetV3", https://arxiv.org/abs/1905.02244

Parameters: 2,542,856. MACs: 56,510,400 for one 3 × 224 × 224 input (convolutions and linear layers, evaluation).

Written by archspec from the spec mobilenet_v3_small; it needs nothing but torch.
"""

from collections.abc import Callable

import torch
from torch import Tensor, nn


def make_divisible(value: float, divisor: int = 8, min_value: int | None = None) -> int:
    """Round a channel count to a multiple of `divisor`, never below nine tenths of it (MobileNet's rule).

    Source: Sandler et al., "MobileNetV2", https://arxiv.org/abs/1801.04381 (reference implementation).

    >>> make_divisible(33.6), make_divisible(11, 8)
    (32, 16)
    """
    least = divisor if min_value is None else min_value
    rounded = max(least, int(value + divisor / 2) // divisor * divisor)
    return rounded + divisor if rounded < 0.9 * value else rounded


class ConvNormActivation(nn.Sequential):
    """Convolution that keeps the map's size at stride 1, batch norm, and an activation."""

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int = 3,
        stride: int = 1,
        groups: int = 1,
        activation: Callable[..., nn.Module] = nn.ReLU,
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
            activation(inplace=True),
        )


class SqueezeExcitation(nn.Module):
    """Scales each channel by a factor between 0 and 1, computed from the means of all channels."""

    def __init__(self, in_channels: int, squeeze_channels: int) -> None:
        super().__init__()
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.fc1 = nn.Conv2d(in_channels, squeeze_channels, kernel_size=1)
        self.activation = nn.ReLU(inplace=True)
        self.fc2 = nn.Conv2d(squeeze_channels, in_channels, kernel_size=1)
        self.scale_activation = nn.Hardsigmoid(inplace=True)

    def forward(self, x: Tensor) -> Tensor:
        out = self.avgpool(x)
        out = self.activation(self.fc1(out))
        out = self.scale_activation(self.fc2(out))
        return out * x


class ConvNorm(nn.Sequential):
    """Convolution that keeps the map's size at stride 1, and batch norm."""

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__(
            nn.Conv2d(in_channels, out_channels, kernel_size=1, bias=False),
            nn.BatchNorm2d(out_channels, eps=0.001, momentum=0.01),
        )


class InvertedResidualSE(nn.Module):
    """Expand, depthwise, squeeze-and-excitation where wanted, linear project; added to the input if shapes agree."""

    def __init__(
        self,
        in_channels: int,
        expanded_channels: int,
        out_channels: int,
        kernel_size: int = 3,
        stride: int = 1,
        use_se: bool = False,
        activation: Callable[..., nn.Module] = nn.ReLU,
    ) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        if expanded_channels != in_channels:
            layers.append(ConvNormActivation(in_channels, expanded_channels, kernel_size=1, activation=activation))
        layers.append(
            ConvNormActivation(
                expanded_channels,
                expanded_channels,
                kernel_size=kernel_size,
                stride=stride,
                groups=expanded_channels,
                activation=activation,
            ),
        )
        if use_se:
            layers.append(SqueezeExcitation(expanded_channels, make_divisible(expanded_channels // 4)))
        layers.append(ConvNorm(expanded_channels, out_channels))
        self.block = nn.Sequential(*layers)
        self.residual = stride == 1 and in_channels == out_channels

    def forward(self, x: Tensor) -> Tensor:
        out = self.block(x)
        if self.residual:
            out = out + x
        return out


class MobileNetV3Small(nn.Module):
    """MobileNetV3-Small: inverted residuals with squeeze-and-excitation and hard swish."""

    def __init__(self, num_classes: int = 1000) -> None:
        super().__init__()
        self.features = nn.Sequential(
            ConvNormActivation(3, 16, stride=2, activation=nn.Hardswish),  # 16×112×112
            InvertedResidualSE(16, 16, 16, stride=2, use_se=True),  # 16×56×56
            InvertedResidualSE(16, 72, 24, stride=2),  # 24×28×28
            InvertedResidualSE(24, 88, 24),
            InvertedResidualSE(24, 96, 40, kernel_size=5, stride=2, use_se=True, activation=nn.Hardswish),  # 40×14×14
            *[InvertedResidualSE(40, 240, 40, kernel_size=5, use_se=True, activation=nn.Hardswish) for _ in range(2)],
            InvertedResidualSE(40, 120, 48, kernel_size=5, use_se=True, activation=nn.Hardswish),
            InvertedResidualSE(48, 144, 48, kernel_size=5, use_se=True, activation=nn.Hardswish),
            InvertedResidualSE(48, 288, 96, kernel_size=5, stride=2, use_se=True, activation=nn.Hardswish),  # 96×7×7
            *[InvertedResidualSE(96, 576, 96, kernel_size=5, use_se=True, activation=nn.Hardswish) for _ in range(2)],
            ConvNormActivation(96, 576, kernel_size=1, activation=nn.Hardswish),
        )
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.classifier = nn.Sequential(
            nn.Linear(576, 1024),
            nn.Hardswish(inplace=True),
            nn.Dropout(p=0.2),
            nn.Linear(1024, num_classes),
        )
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out")
                if module.bias is not None:
                    nn.init.zeros_(module.bias)
            elif isinstance(module, nn.Linear):
                nn.init.normal_(module.weight, std=0.01)
                nn.init.zeros_(module.bias)

    def forward(self, x: Tensor) -> Tensor:  # N × 3 × 224 × 224
        x = self.features(x)  # N × 576 × 7 × 7
        x = self.avgpool(x)  # N × 576 × 1 × 1
        x = torch.flatten(x, 1)  # N × 576
        return self.classifier(x)  # N × num_classes


def mobilenet_v3_small(num_classes: int = 1000) -> MobileNetV3Small:
    """Build a MobileNetV3Small with new weights."""
    return MobileNetV3Small(num_classes=num_classes)
