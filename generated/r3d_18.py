"""ResNet 3D-18: every convolution is over 3×3×3 frames, rows and columns.

Tran et al., "A Closer Look at Spatiotemporal Convolutions for Action Recognition", https://arxiv.org/abs/1711.11248

Parameters: 33,371,472. MACs: 40,696,553,472 for one 3 × 16 × 112 × 112 input (convolutions and linear layers,
evaluation).

Written by archspec from the spec r3d_18; it needs nothing but torch.
"""

import torch
from torch import Tensor, nn


class VideoBasicBlock(nn.Module):
    """Two convolutions over 3×3 rows and columns, and 3 frames or 1, added to a shortcut."""

    def __init__(self, in_channels: int, planes: int, stride: int = 1) -> None:
        super().__init__()
        self.conv1 = nn.Sequential(
            nn.Conv3d(
                in_channels,
                planes,
                kernel_size=(3, 3, 3),
                stride=(stride, stride, stride),
                padding=(1, 1, 1),
                bias=False,
            ),
            nn.BatchNorm3d(planes),
            nn.ReLU(inplace=True),
        )
        self.conv2 = nn.Sequential(
            nn.Conv3d(planes, planes, kernel_size=(3, 3, 3), padding=(1, 1, 1), bias=False),
            nn.BatchNorm3d(planes),
        )
        self.downsample: nn.Sequential | None = None
        if stride != 1 or in_channels != planes:
            self.downsample = nn.Sequential(
                nn.Conv3d(in_channels, planes, kernel_size=1, stride=(stride, stride, stride), bias=False),
                nn.BatchNorm3d(planes),
            )
        self.relu = nn.ReLU(inplace=True)

    def forward(self, x: Tensor) -> Tensor:
        out = self.conv1(x)
        out = self.conv2(out)
        shortcut = x if self.downsample is None else self.downsample(x)
        return self.relu(out + shortcut)


class ResNet3D18(nn.Module):
    """ResNet 3D-18: every convolution is over 3×3×3 frames, rows and columns."""

    def __init__(self, num_classes: int = 400) -> None:
        super().__init__()
        self.stem = nn.Sequential(
            nn.Conv3d(3, 64, kernel_size=(3, 7, 7), stride=(1, 2, 2), padding=(1, 3, 3), bias=False),
            nn.BatchNorm3d(64),
            nn.ReLU(inplace=True),
        )
        self.layer1 = nn.Sequential(
            VideoBasicBlock(64, 64),
            VideoBasicBlock(64, 64),
        )
        self.layer2 = nn.Sequential(
            VideoBasicBlock(64, 128, stride=2),
            VideoBasicBlock(128, 128),
        )
        self.layer3 = nn.Sequential(
            VideoBasicBlock(128, 256, stride=2),
            VideoBasicBlock(256, 256),
        )
        self.layer4 = nn.Sequential(
            VideoBasicBlock(256, 512, stride=2),
            VideoBasicBlock(512, 512),
        )
        self.avgpool = nn.AdaptiveAvgPool3d(1)
        self.fc = nn.Linear(512, num_classes)
        for module in self.modules():
            if isinstance(module, nn.Conv3d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
            elif isinstance(module, nn.Linear):
                nn.init.normal_(module.weight, std=0.01)
                nn.init.zeros_(module.bias)

    def forward(self, x: Tensor) -> Tensor:  # N × 3 × 16 × 112 × 112
        x = self.stem(x)  # N × 64 × 16 × 56 × 56
        x = self.layer1(x)  # N × 64 × 16 × 56 × 56
        x = self.layer2(x)  # N × 128 × 8 × 28 × 28
        x = self.layer3(x)  # N × 256 × 4 × 14 × 14
        x = self.layer4(x)  # N × 512 × 2 × 7 × 7
        x = self.avgpool(x)  # N × 512 × 1 × 1 × 1
        x = torch.flatten(x, 1)  # N × 512
        return self.fc(x)  # N × num_classes


def r3d_18(num_classes: int = 400) -> ResNet3D18:
    """Build a ResNet3D18 with new weights."""
    return ResNet3D18(num_classes=num_classes)
