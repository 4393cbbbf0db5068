"""EfficientNet-B6.

Tan & Le, "EfficientNet: Rethinking Model Scaling for Convolutional Neural Networks", https://arxiv.org/abs/1905.11946

Parameters: 43,040,704. MACs: 19,067,593,536 for one 3 × 528 × 528 input (convolutions and linear layers, evaluation).

Written by archspec from the spec efficientnet_b6; it needs nothing but torch.
"""

from math import sqrt

import torch
from torch import Tensor, nn


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
            nn.SiLU(inplace=True),
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


class ConvNorm(nn.Sequential):
    """Convolution that keeps the map's size at stride 1, and batch norm."""

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__(
            nn.Conv2d(in_channels, out_channels, kernel_size=1, bias=False),
            nn.BatchNorm2d(out_channels, eps=0.001, momentum=0.01),
        )


class MBConv(nn.Module):
    """1×1 expand, depthwise, squeeze-and-excitation, linear 1×1 project; added to the input if shapes agree."""

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        expand_ratio: int = 6,
        kernel_size: int = 3,
        stride: int = 1,
        p: float = 0.0,
    ) -> None:
        super().__init__()
        expanded = make_divisible(in_channels * expand_ratio)
        residual = stride == 1 and in_channels == out_channels
        layers: list[nn.Module] = []
        if expanded != in_channels:
            layers.append(ConvNormActivation(in_channels, expanded, kernel_size=1))
        layers += [
            ConvNormActivation(expanded, expanded, kernel_size=kernel_size, stride=stride, groups=expanded),
            SqueezeExcitation(expanded, max(1, in_channels // 4)),
            ConvNorm(expanded, out_channels),
        ]
        self.block = nn.Sequential(*layers)
        self.stochastic_depth = StochasticDepth(p if residual else 0.0)
        self.residual = residual

    def forward(self, x: Tensor) -> Tensor:
        out = self.stochastic_depth(self.block(x))
        if self.residual:
            out = out + x
        return out


class EfficientNetB6(nn.Module):
    """EfficientNet-B6."""

    def __init__(self, num_classes: int = 1000, dropout: float = 0.5, stochastic_depth_prob: float = 0.2) -> None:
        super().__init__()
        self.features = nn.Sequential(
            ConvNormActivation(3, 56, stride=2),  # 56×264×264
            nn.Sequential(
                MBConv(56, 32, expand_ratio=1),
                *[MBConv(32, 32, expand_ratio=1, p=stochastic_depth_prob * (i + 1) / 45) for i in range(2)],
            ),
            nn.Sequential(
                MBConv(32, 40, stride=2, p=stochastic_depth_prob * 3 / 45),  # 40×132×132
                *[MBConv(40, 40, p=stochastic_depth_prob * (i + 4) / 45) for i in range(5)],
            ),
            nn.Sequential(
                MBConv(40, 72, kernel_size=5, stride=2, p=stochastic_depth_prob * 9 / 45),  # 72×66×66
                *[MBConv(72, 72, kernel_size=5, p=stochastic_depth_prob * (i + 10) / 45) for i in range(5)],
            ),
            nn.Sequential(
                MBConv(72, 144, stride=2, p=stochastic_depth_prob * 15 / 45),  # 144×33×33
                *[MBConv(144, 144, p=stochastic_depth_prob * (i + 16) / 45) for i in range(7)],
            ),
            nn.Sequential(
                MBConv(144, 200, kernel_size=5, p=stochastic_depth_prob * 23 / 45),
                *[MBConv(200, 200, kernel_size=5, p=stochastic_depth_prob * (i + 24) / 45) for i in range(7)],
            ),
            nn.Sequential(
                MBConv(200, 344, kernel_size=5, stride=2, p=stochastic_depth_prob * 31 / 45),  # 344×17×17
                *[MBConv(344, 344, kernel_size=5, p=stochastic_depth_prob * (i + 32) / 45) for i in range(10)],
            ),
            nn.Sequential(
                MBConv(344, 576, p=stochastic_depth_prob * 42 / 45),
                *[MBConv(576, 576, p=stochastic_depth_prob * (i + 43) / 45) for i in range(2)],
            ),
            ConvNormActivation(576, 2304, kernel_size=1),
        )
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.classifier = nn.Sequential(
            nn.Dropout(p=dropout),
            nn.Linear(2304, num_classes),
        )
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out")
                if module.bias is not None:
                    nn.init.zeros_(module.bias)
            elif isinstance(module, nn.Linear):
                nn.init.uniform_(module.weight, a=-1 / sqrt(module.out_features), b=1 / sqrt(module.out_features))
                nn.init.zeros_(module.bias)

    def forward(self, x: Tensor) -> Tensor:  # N × 3 × 528 × 528
        x = self.features(x)  # N × 2304 × 17 × 17
        x = self.avgpool(x)  # N × 2304 × 1 × 1
        x = torch.flatten(x, 1)  # N × 2304
        return self.classifier(x)  # N × num_classes


def efficientnet_b6(
    num_classes: int = 1000, dropout: float = 0.5, stochastic_depth_prob: float = 0.2
) -> EfficientNetB6:
    """Build an EfficientNetB6 with new weights."""
    return EfficientNetB6(num_classes=num_classes, dropout=dropout, stochastic_depth_prob=stochastic_depth_prob)
