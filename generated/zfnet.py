"""ZFNet: AlexNet with a smaller, denser first convolution and wider later ones.

Zeiler & Fergus, "Visualizing and Understanding Convolutional Networks", https://arxiv.org/abs/1311.2901

Parameters: 180,158,888. MACs: 7,021,817,024 for one 3 × 224 × 224 input (convolutions and linear layers, evaluation).

Written by archspec from the spec zfnet; it needs nothing but torch.
"""

import torch
from torch import Tensor, nn


class ZFNet(nn.Module):
    """ZFNet: AlexNet with a smaller, denser first convolution and wider later ones."""

    def __init__(self, num_classes: int = 1000, dropout: float = 0.5) -> None:
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(3, 64, kernel_size=7, stride=2, padding=2),  # 64×111×111
            nn.ReLU(inplace=True),
            nn.MaxPool2d(kernel_size=3, stride=2),  # 64×55×55
            nn.Conv2d(64, 192, kernel_size=5, padding=2),
            nn.ReLU(inplace=True),
            nn.MaxPool2d(kernel_size=3, stride=2),  # 192×27×27
            nn.Conv2d(192, 512, kernel_size=3, padding=1),
            nn.ReLU(inplace=True),
            nn.Conv2d(512, 512, kernel_size=3, padding=1),
            nn.ReLU(inplace=True),
            nn.Conv2d(512, 1024, kernel_size=3, padding=1),
            nn.ReLU(inplace=True),
            nn.MaxPool2d(kernel_size=3, stride=2),  # 1024×13×13
        )
        self.avgpool = nn.AdaptiveAvgPool2d(6)
        self.classifier = nn.Sequential(
            nn.Dropout(p=dropout),
            nn.Linear(1024 * 6 * 6, 4096),
            nn.ReLU(inplace=True),
            nn.Dropout(p=dropout),
            nn.Linear(4096, 4096),
            nn.ReLU(inplace=True),
            nn.Linear(4096, num_classes),
        )

    def forward(self, x: Tensor) -> Tensor:  # N × 3 × 224 × 224
        x = self.features(x)  # N × 1024 × 13 × 13
        x = self.avgpool(x)  # N × 1024 × 6 × 6
        x = torch.flatten(x, 1)  # N × 36864
        return self.classifier(x)  # N × num_classes


def zfnet(num_classes: int = 1000, dropout: float = 0.5) -> ZFNet:
    """Build a ZFNet with new weights."""
    return ZFNet(num_classes=num_classes, dropout=dropout)
