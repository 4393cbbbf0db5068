"""EfficientNetV2-L.

Tan & Le, "EfficientNetV2: Smaller Models and Faster Training", https://arxiv.org/abs/2104.00298

Parameters: 118,515,272. MACs: 56,079,699,008 for one 3 × 480 × 480 input (convolutions and linear layers,
evaluation).

Written by archspec from the spec efficientnet_v2_l; it needs nothing but torch.
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
            nn.BatchNorm2d(out_channels, eps=0.001),
            nn.SiLU(inplace=True),
        )


class ConvNorm(nn.Sequential):
    """Convolution that keeps the map's size at stride 1, and batch norm."""

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__(
            nn.Conv2d(in_channels, out_channels, kernel_size=1, bias=False),
            nn.BatchNorm2d(out_channels, eps=0.001),
        )


class FusedMBConv(nn.Module):
    """Convolution that expands, linear 1×1 project; added to the input if shapes agree."""

    def __init__(
        self, in_channels: int, out_channels: int, expand_ratio: int = 4, stride: int = 1, p: float = 0.0
    ) -> None:
        super().__init__()
        expanded = make_divisible(in_channels * expand_ratio)
        residual = stride == 1 and in_channels == out_channels
        layers: list[nn.Module] = []
        if expanded != in_channels:
            layers += [
                ConvNormActivation(in_channels, expanded, stride=stride),
                ConvNorm(expanded, out_channels),
            ]
        else:
            layers.append(ConvNormActivation(in_channels, out_channels, stride=stride))
        self.block = nn.Sequential(*layers)
        self.stochastic_depth = StochasticDepth(p if residual else 0.0)
        self.residual = residual

    def forward(self, x: Tensor) -> Tensor:
        out = self.stochastic_depth(self.block(x))
        if self.residual:
            out = out + x
        return out


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


class MBConv(nn.Module):
    """1×1 expand, depthwise, squeeze-and-excitation, linear 1×1 project; added to the input if shapes agree."""

    def __init__(
        self, in_channels: int, out_channels: int, expand_ratio: int = 6, stride: int = 1, p: float = 0.0
    ) -> None:
        super().__init__()
        expanded = make_divisible(in_channels * expand_ratio)
        residual = stride == 1 and in_channels == out_channels
        self.block = nn.Sequential(
            ConvNormActivation(in_channels, expanded, kernel_size=1),
            ConvNormActivation(expanded, expanded, stride=stride, groups=expanded),
            SqueezeExcitation(expanded, max(1, in_channels // 4)),
            ConvNorm(expanded, out_channels),
        )
        self.stochastic_depth = StochasticDepth(p if residual else 0.0)
        self.residual = residual

    def forward(self, x: Tensor) -> Tensor:
        out = self.stochastic_depth(self.block(x))
        if self.residual:
            out = out + x
        return out


class EfficientNetV2L(nn.Module):
    """EfficientNetV2-L."""

    def __init__(self, num_classes: int = 1000, dropout: float = 0.4, stochastic_depth_prob: float = 0.2) -> None:
        super().__init__()
        self.features = nn.Sequential(
            ConvNormActivation(3, 32, stride=2),  # 32×240×240
            nn.Sequential(
                FusedMBConv(32, 32, expand_ratio=1),
                *[FusedMBConv(32, 32, expand_ratio=1, p=stochastic_depth_prob * (i + 1) / 79) for i in range(3)],
            ),
            nn.Sequential(
                FusedMBConv(32, 64, stride=2, p=stochastic_depth_prob * 4 / 79),  # 64×120×120
                *[FusedMBConv(64, 64, p=stochastic_depth_prob * (i + 5) / 79) for i in range(6)],
            ),
            nn.Sequential(
                FusedMBConv(64, 96, stride=2, p=stochastic_depth_prob * 11 / 79),  # 96×60×60
                *[FusedMBConv(96, 96, p=stochastic_depth_prob * (i + 12) / 79) for i in range(6)],
            ),
            nn.Sequential(
                MBConv(96, 192, expand_ratio=4, stride=2, p=stochastic_depth_prob * 18 / 79),  # 192×30×30
                *[MBConv(192, 192, expand_ratio=4, p=stochastic_depth_prob * (i + 19) / 79) for i in range(9)],
            ),
            nn.Sequential(
                MBConv(192, 224, p=stochastic_depth_prob * 28 / 79),
                *[MBConv(224, 224, p=stochastic_depth_prob * (i + 29) / 79) for i in range(18)],
            ),
            nn.Sequential(
                MBConv(224, 384, stride=2, p=stochastic_depth_prob * 47 / 79),  # 384×15×15
                *[MBConv(384, 384, p=stochastic_depth_prob * (i + 48) / 79) for i in range(24)],
            ),
            nn.Sequential(
                MBConv(384, 640, p=stochastic_depth_prob * 72 / 79),
                *[MBConv(640, 640, p=stochastic_depth_prob * (i + 73) / 79) for i in range(6)],
            ),
            ConvNormActivation(640, 1280, kernel_size=1),
        )
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.classifier = nn.Sequential(
            nn.Dropout(p=dropout),
            nn.Linear(1280, num_classes),
        )
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out")
                if module.bias is not None:
                    nn.init.zeros_(module.bias)
            elif isinstance(module, nn.Linear):
                nn.init.uniform_(module.weight, a=-1 / sqrt(module.out_features), b=1 / sqrt(module.out_features))
                nn.init.zeros_(module.bias)

    def forward(self, x: Tensor) -> Tensor:  # N × 3 × 480 × 480
        x = self.features(x)  # N × 1280 × 15 × 15
        x = self.avgpool(x)  # N × 1280 × 1 × 1
        x = torch.flatten(x, 1)  # N × 1280
        return self.classifier(x)  # N × num_classes


def efficientnet_v2_l(
    num_classes: int = 1000, dropout: float = 0.4, stochastic_depth_prob: float = 0.2
) -> EfficientNetV2L:
    """Build an EfficientNetV2L with new weights."""
    return EfficientNetV2L(num_classes=num_classes, dropout=dropout, stochastic_depth_prob=stochastic_depth_prob)
