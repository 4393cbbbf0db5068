"""DenseNet-121.

Huang et al., "Densely Connected Convolutional Networks", https://arxiv.org/abs/1608.06993

Parameters: 7,978,856. MACs: 2,834,161,664 for one 3 × 224 × 224 input (convolutions and linear layers, evaluation).

Written by archspec from the spec densenet121; it needs nothing but torch.
"""

from collections import OrderedDict

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class DenseLayer(nn.Module):
    """Two convolutions, 1×1 and 3×3, each after batch norm and ReLU; yields the growth_rate channels to be added."""

    def __init__(self, in_channels: int, growth_rate: int) -> None:
        super().__init__()
        self.norm1 = nn.BatchNorm2d(in_channels)
        self.relu1 = nn.ReLU(inplace=True)
        self.conv1 = nn.Conv2d(in_channels, 4 * growth_rate, kernel_size=1, bias=False)
        self.norm2 = nn.BatchNorm2d(4 * growth_rate)
        self.relu2 = nn.ReLU(inplace=True)
        self.conv2 = nn.Conv2d(4 * growth_rate, growth_rate, kernel_size=3, padding=1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        x = self.relu1(self.norm1(x))
        x = self.relu2(self.norm2(self.conv1(x)))
        return self.conv2(x)


class DenseBlock(nn.Module):
    """Dense layers, each on the block's input and the features of all layers before it, side by side."""

    def __init__(self, in_channels: int, num_layers: int, growth_rate: int) -> None:
        super().__init__()
        for i in range(num_layers):
            self.add_module(f"denselayer{i + 1}", DenseLayer(in_channels + i * growth_rate, growth_rate))

    def forward(self, x: Tensor) -> Tensor:
        features = [x]
        for layer in self.children():
            features.append(layer(torch.cat(features, dim=1)))
        return torch.cat(features, dim=1)


class DenseTransition(nn.Sequential):
    """Batch norm, ReLU and a 1×1 convolution that halves the channels, then an average pool that halves the map."""

    def __init__(self, in_channels: int) -> None:
        super().__init__(
            OrderedDict(
                norm=nn.BatchNorm2d(in_channels),
                relu=nn.ReLU(inplace=True),
                conv=nn.Conv2d(in_channels, in_channels // 2, kernel_size=1, bias=False),
                pool=nn.AvgPool2d(kernel_size=2),
            ),
        )


class DenseNet121(nn.Module):
    """DenseNet-121."""

    def __init__(self, num_classes: int = 1000) -> None:
        super().__init__()
        self.features = nn.Sequential(
            OrderedDict(
                conv0=nn.Conv2d(3, 64, kernel_size=7, stride=2, padding=3, bias=False),  # 64×112×112
                norm0=nn.BatchNorm2d(64),
                relu0=nn.ReLU(inplace=True),
                pool0=nn.MaxPool2d(kernel_size=3, stride=2, padding=1),  # 64×56×56
                denseblock1=DenseBlock(64, 6, 32),
                transition1=DenseTransition(256),  # 128×28×28
                denseblock2=DenseBlock(128, 12, 32),
                transition2=DenseTransition(512),  # 256×14×14
                denseblock3=DenseBlock(256, 24, 32),
                transition3=DenseTransition(1024),  # 512×7×7
                denseblock4=DenseBlock(512, 16, 32),
                norm5=nn.BatchNorm2d(1024),
            ),
        )
        self.classifier = nn.Linear(1024, num_classes)
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight)
            elif isinstance(module, nn.Linear):
                nn.init.zeros_(module.bias)

    def forward(self, x: Tensor) -> Tensor:  # N × 3 × 224 × 224
        x = F.relu(self.features(x))  # N × 1024 × 7 × 7
        x = F.adaptive_avg_pool2d(x, 1)  # N × 1024 × 1 × 1
        x = torch.flatten(x, 1)  # N × 1024
        return self.classifier(x)  # N × num_classes


def densenet121(num_classes: int = 1000) -> DenseNet121:
    """Build a DenseNet121 with new weights."""
    return DenseNet121(num_classes=num_classes)
