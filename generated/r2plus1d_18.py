"""ResNet (2+1)D-18: each 3×3×3 convolution is one within frames and one over frames.

Tran et al., "A Closer Look at Spatiotemporal Convolutions for Action Recognition", https://arxiv.org/abs/1711.11248

Parameters: 31,505,325. MACs: 40,519,080,960 for one 3 × 16 × 112 × 112 input (convolutions and linear layers,
evaluation).

Written by archspec from the spec r2plus1d_18; it needs nothing but torch.
"""

import torch
from torch import Tensor, nn


class Conv2Plus1D(nn.Sequential):
    """A 1×3×3 convolution within each frame, then a 3×1×1 one over the frames."""

    def __init__(self, in_channels: int, out_channels: int, midplanes: int, stride: int = 1) -> None:
        super().__init__(
            nn.Conv3d(
                in_channels, midplanes, kernel_size=(1, 3, 3), stride=(1, stride, stride), padding=(0, 1, 1), bias=False
            ),
            nn.BatchNorm3d(midplanes),
            nn.ReLU(inplace=True),
            nn.Conv3d(
                midplanes, out_channels, kernel_size=(3, 1, 1), stride=(stride, 1, 1), padding=(1, 0, 0), bias=False
            ),
        )


class R2Plus1dBlock(nn.Module):
    """Two factorised convolutions with as many parameters as 3×3×3 ones, added to a shortcut."""

    def __init__(self, in_channels: int, planes: int, stride: int = 1) -> None:
        super().__init__()
        midplanes = in_channels * planes * 27 // (in_channels * 9 + 3 * planes)
        self.conv1 = nn.Sequential(
            Conv2Plus1D(in_channels, planes, midplanes=midplanes, stride=stride),
            nn.BatchNorm3d(planes),
            nn.ReLU(inplace=True),
        )
        self.conv2 = nn.Sequential(
            Conv2Plus1D(planes, planes, midplanes=midplanes),
            nn.BatchNorm3d(planes),
        )
        self.downsample: nn.Sequential | None = None
        if stride != 1 or in_channels != planes:
            self.downsample = nn.Sequential(
                nn.Conv3d(in_channels, planes, kernel_size=1, stride=stride, bias=False),
                nn.BatchNorm3d(planes),
            )
        self.relu = nn.ReLU(inplace=True)

    def forward(self, x: Tensor) -> Tensor:
        out = self.conv1(x)
        out = self.conv2(out)
        shortcut = x if self.downsample is None else self.downsample(x)
        return self.relu(out + shortcut)


class ResNet2Plus1D18(nn.Module):
    """ResNet (2+1)D-18: each 3×3×3 convolution is one within frames and one over frames."""

    def __init__(self, num_classes: int = 400) -> None:
        super().__init__()
        self.stem = nn.Sequential(
            nn.Conv3d(3, 45, kernel_size=(1, 7, 7), stride=(1, 2, 2), padding=(0, 3, 3), bias=False),
            nn.BatchNorm3d(45),
            nn.ReLU(inplace=True),
            nn.Conv3d(45, 64, kernel_size=(3, 1, 1), padding=(1, 0, 0), bias=False),
            nn.BatchNorm3d(64),
            nn.ReLU(inplace=True),
        )
        self.layer1 = nn.Sequential(
            R2Plus1dBlock(64, 64),
            R2Plus1dBlock(64, 64),
        )
        self.layer2 = nn.Sequential(
            R2Plus1dBlock(64, 128, stride=2),
            R2Plus1dBlock(128, 128),
        )
        self.layer3 = nn.Sequential(
            R2Plus1dBlock(128, 256, stride=2),
            R2Plus1dBlock(256, 256),
        )
        self.layer4 = nn.Sequential(
            R2Plus1dBlock(256, 512, stride=2),
            R2Plus1dBlock(512, 512),
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


def r2plus1d_18(num_classes: int = 400) -> ResNet2Plus1D18:
    """Build a ResNet2Plus1D18 with new weights."""
    return ResNet2Plus1D18(num_classes=num_classes)
