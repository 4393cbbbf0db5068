"""ResNet-152.

He et al., "Deep Residual Learning for Image Recognition", https://arxiv.org/abs/1512.03385

Parameters: 60,192,808. MACs: 11,513,626,624 for one 3 × 224 × 224 input (convolutions and linear layers, evaluation).

Written by archspec from the spec resnet152; it needs nothing but torch.
"""

import torch
from torch import Tensor, nn


class Bottleneck(nn.Module):
    """1×1 reduce, 3×3, 1×1 expand to 4 × planes, added to a shortcut."""

    def __init__(self, in_channels: int, planes: int, stride: int = 1) -> None:
        super().__init__()
        out_channels = planes * 4
        self.conv1 = nn.Conv2d(in_channels, planes, kernel_size=1, bias=False)
        self.bn1 = nn.BatchNorm2d(planes)
        self.relu = nn.ReLU(inplace=True)
        self.conv2 = nn.Conv2d(planes, planes, kernel_size=3, stride=stride, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(planes)
        self.conv3 = nn.Conv2d(planes, out_channels, kernel_size=1, bias=False)
        self.bn3 = nn.BatchNorm2d(out_channels)
        self.downsample: nn.Sequential | None = None
        if stride != 1 or in_channels != out_channels:
            self.downsample = nn.Sequential(
                nn.Conv2d(in_channels, out_channels, kernel_size=1, stride=stride, bias=False),
                nn.BatchNorm2d(out_channels),
            )

    def forward(self, x: Tensor) -> Tensor:
        out = self.relu(self.bn1(self.conv1(x)))
        out = self.relu(self.bn2(self.conv2(out)))
        out = self.bn3(self.conv3(out))
        shortcut = x if self.downsample is None else self.downsample(x)
        out += shortcut
        return self.relu(out)


class ResNet152(nn.Module):
    """ResNet-152."""

    def __init__(self, num_classes: int = 1000) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, 64, kernel_size=7, stride=2, padding=3, bias=False)
        self.bn1 = nn.BatchNorm2d(64)
        self.relu = nn.ReLU(inplace=True)
        self.maxpool = nn.MaxPool2d(kernel_size=3, stride=2, padding=1)
        self.layer1 = nn.Sequential(
            Bottleneck(64, 64),
            *[Bottleneck(256, 64) for _ in range(2)],
        )
        self.layer2 = nn.Sequential(
            Bottleneck(256, 128, stride=2),  # 512×28×28
            *[Bottleneck(512, 128) for _ in range(7)],
        )
        self.layer3 = nn.Sequential(
            Bottleneck(512, 256, stride=2),  # 1024×14×14
            *[Bottleneck(1024, 256) for _ in range(35)],
        )
        self.layer4 = nn.Sequential(
            Bottleneck(1024, 512, stride=2),  # 2048×7×7
            *[Bottleneck(2048, 512) for _ in range(2)],
        )
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.fc = nn.Linear(2048, num_classes)
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")

    def forward(self, x: Tensor) -> Tensor:  # N × 3 × 224 × 224
        x = self.relu(self.bn1(self.conv1(x)))  # N × 64 × 112 × 112
        x = self.maxpool(x)  # N × 64 × 56 × 56
        x = self.layer1(x)  # N × 256 × 56 × 56
        x = self.layer2(x)  # N × 512 × 28 × 28
        x = self.layer3(x)  # N × 1024 × 14 × 14
        x = self.layer4(x)  # N × 2048 × 7 × 7
        x = self.avgpool(x)  # N × 2048 × 1 × 1
        x = torch.flatten(x, 1)  # N × 2048
        return self.fc(x)  # N × num_classes


def resnet152(num_classes: int = 1000) -> ResNet152:
    """Build a ResNet152 with new weights."""
    return ResNet152(num_classes=num_classes)
