"""ResNet-34.

He et al., "Deep Residual Learning for Image Recognition", https://arxiv.org/abs/1512.03385

Parameters: 21,797,672. MACs: 3,663,761,408 for one 3 × 224 × 224 input (convolutions and linear layers, evaluation).

Written by archspec from the spec resnet34; it needs nothing but torch.
"""

import torch
from torch import Tensor, nn


class BasicBlock(nn.Module):
    """Two 3×3 convolutions, added to a shortcut."""

    def __init__(self, in_channels: int, planes: int, stride: int = 1) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(in_channels, planes, kernel_size=3, stride=stride, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(planes)
        self.relu = nn.ReLU(inplace=True)
        self.conv2 = nn.Conv2d(planes, planes, kernel_size=3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(planes)
        self.downsample: nn.Sequential | None = None
        if stride != 1 or in_channels != planes:
            self.downsample = nn.Sequential(
                nn.Conv2d(in_channels, planes, kernel_size=1, stride=stride, bias=False),
                nn.BatchNorm2d(planes),
            )

    def forward(self, x: Tensor) -> Tensor:
        out = self.relu(self.bn1(self.conv1(x)))
        out = self.bn2(self.conv2(out))
        shortcut = x if self.downsample is None else self.downsample(x)
        out += shortcut
        return self.relu(out)


class ResNet34(nn.Module):
    """ResNet-34."""

    def __init__(self, num_classes: int = 1000) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, 64, kernel_size=7, stride=2, padding=3, bias=False)
        self.bn1 = nn.BatchNorm2d(64)
        self.relu = nn.ReLU(inplace=True)
        self.maxpool = nn.MaxPool2d(kernel_size=3, stride=2, padding=1)
        self.layer1 = nn.Sequential(
            BasicBlock(64, 64),
            *[BasicBlock(64, 64) for _ in range(2)],
        )
        self.layer2 = nn.Sequential(
            BasicBlock(64, 128, stride=2),  # 128×28×28
            *[BasicBlock(128, 128) for _ in range(3)],
        )
        self.layer3 = nn.Sequential(
            BasicBlock(128, 256, stride=2),  # 256×14×14
            *[BasicBlock(256, 256) for _ in range(5)],
        )
        self.layer4 = nn.Sequential(
            BasicBlock(256, 512, stride=2),  # 512×7×7
            *[BasicBlock(512, 512) for _ in range(2)],
        )
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.fc = nn.Linear(512, num_classes)
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")

    def forward(self, x: Tensor) -> Tensor:  # N × 3 × 224 × 224
        x = self.relu(self.bn1(self.conv1(x)))  # N × 64 × 112 × 112
        x = self.maxpool(x)  # N × 64 × 56 × 56
        x = self.layer1(x)  # N × 64 × 56 × 56
        x = self.layer2(x)  # N × 128 × 28 × 28
        x = self.layer3(x)  # N × 256 × 14 × 14
        x = self.layer4(x)  # N × 512 × 7 × 7
        x = self.avgpool(x)  # N × 512 × 1 × 1
        x = torch.flatten(x, 1)  # N × 512
        return self.fc(x)  # N × num_classes


def resnet34(num_classes: int = 1000) -> ResNet34:
    """Build a ResNet34 with new weights."""
    return ResNet34(num_classes=num_classes)
