"""ShuffleNet V2 of width 0.5.

Ma et al., "ShuffleNet V2: Practical Guidelines for Efficient CNN Architecture Design",
https://arxiv.org/abs/1807.11164

Parameters: 1,366,792. MACs: 40,476,448 for one 3 × 224 × 224 input (convolutions and linear layers, evaluation).

Written by archspec from the spec shufflenet_v2_x0_5; it needs nothing but torch.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class ShuffleUnitDown(nn.Module):
    """Two branches of depthwise 3×3 with stride 2 and 1×1 convolutions, side by side and shuffled."""

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__()
        branch_channels = out_channels // 2
        self.branch1 = nn.Sequential(
            nn.Conv2d(in_channels, in_channels, kernel_size=3, stride=2, padding=1, groups=in_channels, bias=False),
            nn.BatchNorm2d(in_channels),
            nn.Conv2d(in_channels, branch_channels, kernel_size=1, bias=False),
            nn.BatchNorm2d(branch_channels),
            nn.ReLU(inplace=True),
        )
        self.branch2 = nn.Sequential(
            nn.Conv2d(in_channels, branch_channels, kernel_size=1, bias=False),
            nn.BatchNorm2d(branch_channels),
            nn.ReLU(inplace=True),
            nn.Conv2d(
                branch_channels, branch_channels, kernel_size=3, stride=2, padding=1, groups=branch_channels, bias=False
            ),
            nn.BatchNorm2d(branch_channels),
            nn.Conv2d(branch_channels, branch_channels, kernel_size=1, bias=False),
            nn.BatchNorm2d(branch_channels),
            nn.ReLU(inplace=True),
        )

    def forward(self, x: Tensor) -> Tensor:
        x = torch.cat([self.branch1(x), self.branch2(x)], dim=1)
        return F.channel_shuffle(x, 2)


class ShuffleUnit(nn.Module):
    """Half of the channels passes on, half goes through 1×1, depthwise 3×3 and 1×1; then both are shuffled."""

    def __init__(self, in_channels: int) -> None:
        super().__init__()
        branch_channels = in_channels // 2
        self.branch1 = nn.Sequential()
        self.branch2 = nn.Sequential(
            nn.Conv2d(branch_channels, branch_channels, kernel_size=1, bias=False),
            nn.BatchNorm2d(branch_channels),
            nn.ReLU(inplace=True),
            nn.Conv2d(branch_channels, branch_channels, kernel_size=3, padding=1, groups=branch_channels, bias=False),
            nn.BatchNorm2d(branch_channels),
            nn.Conv2d(branch_channels, branch_channels, kernel_size=1, bias=False),
            nn.BatchNorm2d(branch_channels),
            nn.ReLU(inplace=True),
        )

    def forward(self, x: Tensor) -> Tensor:
        x1, x2 = x.chunk(2, dim=1)
        x = torch.cat([self.branch1(x1), self.branch2(x2)], dim=1)
        return F.channel_shuffle(x, 2)


class ShuffleNetV2_x0_5(nn.Module):
    """ShuffleNet V2 of width 0.5."""

    def __init__(self, num_classes: int = 1000) -> None:
        super().__init__()
        self.conv1 = nn.Sequential(
            nn.Conv2d(3, 24, kernel_size=3, stride=2, padding=1, bias=False),  # 24×112×112
            nn.BatchNorm2d(24),
            nn.ReLU(inplace=True),
        )
        self.maxpool = nn.MaxPool2d(kernel_size=3, stride=2, padding=1)
        self.stage2 = nn.Sequential(
            ShuffleUnitDown(24, 48),  # 48×28×28
            *[ShuffleUnit(48) for _ in range(3)],
        )
        self.stage3 = nn.Sequential(
            ShuffleUnitDown(48, 96),  # 96×14×14
            *[ShuffleUnit(96) for _ in range(7)],
        )
        self.stage4 = nn.Sequential(
            ShuffleUnitDown(96, 192),  # 192×7×7
            *[ShuffleUnit(192) for _ in range(3)],
        )
        self.conv5 = nn.Sequential(
            nn.Conv2d(192, 1024, kernel_size=1, bias=False),
            nn.BatchNorm2d(1024),
            nn.ReLU(inplace=True),
        )
        self.fc = nn.Linear(1024, num_classes)

    def forward(self, x: Tensor) -> Tensor:  # N × 3 × 224 × 224
        x = self.conv1(x)  # N × 24 × 112 × 112
        x = self.maxpool(x)  # N × 24 × 56 × 56
        x = self.stage2(x)  # N × 48 × 28 × 28
        x = self.stage3(x)  # N × 96 × 14 × 14
        x = self.stage4(x)  # N × 192 × 7 × 7
        x = self.conv5(x)  # N × 1024 × 7 × 7
        x = x.mean((2, 3))  # N × 1024
        return self.fc(x)  # N × num_classes


def shufflenet_v2_x0_5(num_classes: int = 1000) -> ShuffleNetV2_x0_5:
    """Build a ShuffleNetV2_x0_5 with new weights."""
    return ShuffleNetV2_x0_5(num_classes=num_classes)
