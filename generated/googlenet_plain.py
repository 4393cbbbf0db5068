"""GoogLeNet as in the paper: no batch norm, true 5×5 kernels, average-pooled auxiliary heads (in training, their losses
are weighted 0.3 each).

Szegedy et al., "Going Deeper with Convolutions", https://arxiv.org/abs/1409.4842

Parameters: 13,378,280, 6,379,728 of them used in training only. MACs: 1,582,671,872 for one 3 × 224 × 224 input
(convolutions and linear layers, evaluation).

Written by archspec from the spec googlenet_plain; it needs nothing but torch.
"""

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class GoogLeNetPlainOutputs(NamedTuple):
    """What the network returns in training."""

    logits: Tensor
    aux2: Tensor | None
    aux1: Tensor | None


class BasicConv2d(nn.Module):
    """Convolution, batch norm where wanted, and ReLU."""

    def __init__(
        self, in_channels: int, out_channels: int, kernel_size: int, stride: int = 1, padding: int = 0
    ) -> None:
        super().__init__()
        self.conv = nn.Conv2d(in_channels, out_channels, kernel_size=kernel_size, stride=stride, padding=padding)

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(self.conv(x), inplace=True)


class Inception(nn.Module):
    """Four parallel branches (1×1; 1×1 and 3×3; 1×1 and "5×5"; pool and 1×1), side by side."""

    def __init__(
        self, in_channels: int, ch1x1: int, ch3x3red: int, ch3x3: int, ch5x5red: int, ch5x5: int, pool_proj: int
    ) -> None:
        super().__init__()
        self.branch1 = BasicConv2d(in_channels, ch1x1, kernel_size=1)
        self.branch2 = nn.Sequential(
            BasicConv2d(in_channels, ch3x3red, kernel_size=1),
            BasicConv2d(ch3x3red, ch3x3, kernel_size=3, padding=1),
        )
        self.branch3 = nn.Sequential(
            BasicConv2d(in_channels, ch5x5red, kernel_size=1),
            BasicConv2d(ch5x5red, ch5x5, kernel_size=5, padding=2),
        )
        self.branch4 = nn.Sequential(
            nn.MaxPool2d(kernel_size=3, stride=1, padding=1),
            BasicConv2d(in_channels, pool_proj, kernel_size=1),
        )

    def forward(self, x: Tensor) -> Tensor:
        return torch.cat([self.branch1(x), self.branch2(x), self.branch3(x), self.branch4(x)], dim=1)


class InceptionAuxPaper(nn.Module):
    """Auxiliary classifier: average pool 5×5/3, 1×1 convolution, two linear layers."""

    def __init__(self, in_channels: int, num_classes: int) -> None:
        super().__init__()
        self.averagePool = nn.AvgPool2d(kernel_size=5, stride=3)
        self.conv = BasicConv2d(in_channels, 128, kernel_size=1)
        self.fc1 = nn.Linear(2048, 1024)
        self.fc2 = nn.Linear(1024, num_classes)

    def forward(self, x: Tensor) -> Tensor:
        x = self.averagePool(x)
        x = self.conv(x)
        x = F.dropout(torch.flatten(x, 1), p=0.5, training=self.training)
        x = F.dropout(F.relu(self.fc1(x), inplace=True), p=0.5, training=self.training)
        return self.fc2(x)


class GoogLeNetPlain(nn.Module):
    """GoogLeNet as in the paper: no batch norm, true 5×5 kernels, average-pooled auxiliary heads (in training, their
    losses are weighted 0.3 each).
    """

    def __init__(self, num_classes: int = 1000) -> None:
        super().__init__()
        self.conv1 = BasicConv2d(3, 64, kernel_size=7, stride=2, padding=3)
        self.maxpool1 = nn.MaxPool2d(kernel_size=3, stride=2, ceil_mode=True)
        self.conv2 = BasicConv2d(64, 64, kernel_size=1)
        self.conv3 = BasicConv2d(64, 192, kernel_size=3, padding=1)
        self.maxpool2 = nn.MaxPool2d(kernel_size=3, stride=2, ceil_mode=True)
        self.inception3a = Inception(192, 64, 96, 128, 16, 32, 32)
        self.inception3b = Inception(256, 128, 128, 192, 32, 96, 64)
        self.maxpool3 = nn.MaxPool2d(kernel_size=3, stride=2, ceil_mode=True)
        self.inception4a = Inception(480, 192, 96, 208, 16, 48, 64)
        self.inception4b = Inception(512, 160, 112, 224, 24, 64, 64)
        self.inception4c = Inception(512, 128, 128, 256, 24, 64, 64)
        self.inception4d = Inception(512, 112, 144, 288, 32, 64, 64)
        self.inception4e = Inception(528, 256, 160, 320, 32, 128, 128)
        self.maxpool4 = nn.MaxPool2d(kernel_size=3, stride=2, ceil_mode=True)
        self.inception5a = Inception(832, 256, 160, 320, 32, 128, 128)
        self.inception5b = Inception(832, 384, 192, 384, 48, 128, 128)
        self.aux1 = InceptionAuxPaper(512, num_classes)
        self.aux2 = InceptionAuxPaper(528, num_classes)
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.dropout = nn.Dropout(p=0.4)
        self.fc = nn.Linear(1024, num_classes)

    def forward(self, x: Tensor) -> Tensor | GoogLeNetPlainOutputs:  # N × 3 × 224 × 224
        x = self.conv1(x)  # N × 64 × 112 × 112
        x = self.maxpool1(x)  # N × 64 × 56 × 56
        x = self.conv2(x)  # N × 64 × 56 × 56
        x = self.conv3(x)  # N × 192 × 56 × 56
        x = self.maxpool2(x)  # N × 192 × 28 × 28
        x = self.inception3a(x)  # N × 256 × 28 × 28
        x = self.inception3b(x)  # N × 480 × 28 × 28
        x = self.maxpool3(x)  # N × 480 × 14 × 14
        x = self.inception4a(x)  # N × 512 × 14 × 14
        aux1 = self.aux1(x) if self.training else None  # N × num_classes
        x = self.inception4b(x)  # N × 512 × 14 × 14
        x = self.inception4c(x)  # N × 512 × 14 × 14
        x = self.inception4d(x)  # N × 528 × 14 × 14
        aux2 = self.aux2(x) if self.training else None  # N × num_classes
        x = self.inception4e(x)  # N × 832 × 14 × 14
        x = self.maxpool4(x)  # N × 832 × 7 × 7
        x = self.inception5a(x)  # N × 832 × 7 × 7
        x = self.inception5b(x)  # N × 1024 × 7 × 7
        x = self.avgpool(x)  # N × 1024 × 1 × 1
        x = self.dropout(torch.flatten(x, 1))  # N × 1024
        x = self.fc(x)  # N × num_classes
        if self.training:
            return GoogLeNetPlainOutputs(x, aux2, aux1)
        return x


def googlenet_plain(num_classes: int = 1000) -> GoogLeNetPlain:
    """Build a GoogLeNetPlain with new weights."""
    return GoogLeNetPlain(num_classes=num_classes)
