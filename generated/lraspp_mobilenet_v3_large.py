"""Lite R-ASPP with a MobileNetV3-Large backbone, for semantic segmentation.

Howard et al., "Searching for MobileNetV3", https://arxiv.org/abs/1905.02244

Parameters: 3,221,538. MACs: 2,086,219,688 for one 3 × 520 × 520 input (convolutions and linear layers, evaluation).

Written by archspec from the spec lraspp_mobilenet_v3_large; it needs nothing but torch.
"""

from collections.abc import Callable

import torch.nn.functional as F
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
        dilation: int = 1,
        activation: Callable[..., nn.Module] = nn.ReLU,
    ) -> None:
        super().__init__(
            nn.Conv2d(
                in_channels,
                out_channels,
                kernel_size=kernel_size,
                stride=stride,
                padding=(kernel_size - 1) // 2 * dilation,
                dilation=dilation,
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
        dilation: int = 1,
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
                stride=1 if dilation > 1 else stride,
                groups=expanded_channels,
                dilation=dilation,
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


class MobileNetV3Large(nn.Sequential):
    """MobileNetV3-Large: inverted residuals with squeeze-and-excitation and hard swish.

    Returns low and high.
    """

    def __init__(self, in_channels: int) -> None:
        super().__init__(
            ConvNormActivation(in_channels, 16, stride=2, activation=nn.Hardswish),
            InvertedResidualSE(16, 16, 16),
            InvertedResidualSE(16, 64, 24, stride=2),
            InvertedResidualSE(24, 72, 24),
            InvertedResidualSE(24, 72, 40, kernel_size=5, stride=2, use_se=True),
            *[InvertedResidualSE(40, 120, 40, kernel_size=5, use_se=True) for _ in range(2)],
            InvertedResidualSE(40, 240, 80, stride=2, activation=nn.Hardswish),
            InvertedResidualSE(80, 200, 80, activation=nn.Hardswish),
            *[InvertedResidualSE(80, 184, 80, activation=nn.Hardswish) for _ in range(2)],
            InvertedResidualSE(80, 480, 112, use_se=True, activation=nn.Hardswish),
            InvertedResidualSE(112, 672, 112, use_se=True, activation=nn.Hardswish),
            InvertedResidualSE(
                112, 672, 160, kernel_size=5, stride=2, dilation=2, use_se=True, activation=nn.Hardswish
            ),
            *[
                InvertedResidualSE(160, 960, 160, kernel_size=5, dilation=2, use_se=True, activation=nn.Hardswish)
                for _ in range(2)
            ],
            ConvNormActivation(160, 960, kernel_size=1, activation=nn.Hardswish),
        )
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.classifier = nn.Sequential(
            nn.Linear(960, 1280),
            nn.Hardswish(inplace=True),
            nn.Dropout(p=0.2),
            nn.Linear(1280, 1000),
        )
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out")
                if module.bias is not None:
                    nn.init.zeros_(module.bias)
            elif isinstance(module, nn.Linear):
                nn.init.normal_(module.weight, std=0.01)
                nn.init.zeros_(module.bias)
        # Not needed; constructed all the same, so that the initial weights are those of the whole network.
        del self.avgpool, self.classifier

    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        x = self[0](x)
        x = self[1](x)
        x = self[2](x)
        x = self[3](x)
        low = self[4](x)
        x = self[5](low)
        x = self[6](x)
        x = self[7](x)
        x = self[8](x)
        x = self[9](x)
        x = self[10](x)
        x = self[11](x)
        x = self[12](x)
        x = self[13](x)
        x = self[14](x)
        x = self[15](x)
        high = self[16](x)
        return low, high


class LRASPPHead(nn.Module):
    """High-level features, scaled by their means, enlarged and joined with low-level ones by adding class scores."""

    def __init__(self, low_channels: int, high_channels: int, num_classes: int) -> None:
        super().__init__()
        self.cbr = nn.Sequential(
            nn.Conv2d(high_channels, 128, kernel_size=1, bias=False),
            nn.BatchNorm2d(128),
            nn.ReLU(inplace=True),
        )
        self.scale = nn.Sequential(
            nn.AdaptiveAvgPool2d(1),
            nn.Conv2d(high_channels, 128, kernel_size=1, bias=False),
            nn.Sigmoid(),
        )
        self.low_classifier = nn.Conv2d(low_channels, num_classes, kernel_size=1)
        self.high_classifier = nn.Conv2d(128, num_classes, kernel_size=1)

    def forward(self, low: Tensor, high: Tensor) -> Tensor:
        x = self.cbr(high)
        out = self.scale(high)
        x = x * out
        enlarged = F.interpolate(x, size=low.shape[-2:], mode="bilinear", align_corners=False)
        x = self.low_classifier(low)
        out = self.high_classifier(enlarged)
        x += out
        return x


class LRASPPMobileNetV3Large(nn.Module):
    """Lite R-ASPP with a MobileNetV3-Large backbone, for semantic segmentation."""

    def __init__(self, num_classes: int = 21) -> None:
        super().__init__()
        self.backbone = MobileNetV3Large(3)
        self.classifier = LRASPPHead(40, 960, num_classes)

    def forward(self, x: Tensor) -> dict[str, Tensor]:  # N × 3 × 520 × 520
        low, high = self.backbone(x)
        classifier = self.classifier(low, high)  # N × num_classes × 65 × 65
        out = F.interpolate(
            classifier, size=x.shape[-2:], mode="bilinear", align_corners=False
        )  # N × num_classes × 520 × 520
        return {"out": out}


def lraspp_mobilenet_v3_large(num_classes: int = 21) -> LRASPPMobileNetV3Large:
    """Build a LRASPPMobileNetV3Large with new weights."""
    return LRASPPMobileNetV3Large(num_classes=num_classes)
