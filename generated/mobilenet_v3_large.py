"""MobileNetV3-Large: inverted residuals with squeeze-and-excitation and hard swish.

Howard et al., "Searching for MobileNetV3", https://arxiv.org/abs/1905.02244

Parameters: 5,483,032. MACs: 216,589,760 for one 3 × 224 × 224 input (convolutions and linear layers, evaluation).

Written by archspec from the spec mobilenet_v3_large; it needs nothing but torch.
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


class MobileNetV3Large(nn.Module):
    """MobileNetV3-Large: inverted residuals with squeeze-and-excitation and hard swish."""

    def __init__(self, num_classes: int = 1000) -> None:
        super().__init__()
        self.features = nn.Sequential(
            ConvNormActivation(3, 16, stride=2, activation=nn.Hardswish),  # 16×112×112
            InvertedResidualSE(16, 16, 16),
            InvertedResidualSE(16, 64, 24, stride=2),  # 24×56×56
            InvertedResidualSE(24, 72, 24),
            InvertedResidualSE(24, 72, 40, kernel_size=5, stride=2, use_se=True),  # 40×28×28
            *[InvertedResidualSE(40, 120, 40, kernel_size=5, use_se=True) for _ in range(2)],
            InvertedResidualSE(40, 240, 80, stride=2, activation=nn.Hardswish),  # 80×14×14
            InvertedResidualSE(80, 200, 80, activation=nn.Hardswish),
            *[InvertedResidualSE(80, 184, 80, activation=nn.Hardswish) for _ in range(2)],
            InvertedResidualSE(80, 480, 112, use_se=True, activation=nn.Hardswish),
            InvertedResidualSE(112, 672, 112, use_se=True, activation=nn.Hardswish),
            InvertedResidualSE(112, 672, 160, kernel_size=5, stride=2, use_se=True, activation=nn.Hardswish),  # 160×7×7
            *[InvertedResidualSE(160, 960, 160, kernel_size=5, use_se=True, activation=nn.Hardswish) for _ in range(2)],
            ConvNormActivation(160, 960, kernel_size=1, activation=nn.Hardswish),
        )
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.classifier = nn.Sequential(
            nn.Linear(960, 1280),
            nn.Hardswish(inplace=True),
            nn.Dropout(p=0.2),
            nn.Linear(1280, num_classes),
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
        x = self.features(x)  # N × 960 × 7 × 7
        x = self.avgpool(x)  # N × 960 × 1 × 1
        x = torch.flatten(x, 1)  # N × 960
        return self.classifier(x)  # N × num_classes


def mobilenet_v3_large(num_classes: int = 1000) -> MobileNetV3Large:
    """Build a MobileNetV3Large with new weights."""
    return MobileNetV3Large(num_classes=num_classes)
