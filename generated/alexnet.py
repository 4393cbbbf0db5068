"""AlexNet in its one-column form.

Krizhevsky, "One weird trick for parallelizing convolutional neural networks", https://arxiv.org/abs/1404.5997

Parameters: 61,100,840. MACs: 714,188,480 for one 3 × 224 × 224 input (convolutions and linear layers, evaluation).

Written by archspec from the spec alexnet; it needs nothing but torch.
"""

import torch
from torch import Tensor, nn


class AlexNet(nn.Module):
    """AlexNet in its one-column form."""

    def __init__(self, num_classes: int = 1000, dropout: float = 0.5) -> None:
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(3, 64, kernel_size=11, stride=4, padding=2),  # 64×55×55
            nn.ReLU(inplace=True),
            nn.MaxPool2d(kernel_size=3, stride=2),  # 64×27×27
            nn.Conv2d(64, 192, kernel_size=5, padding=2),
            nn.ReLU(inplace=True),
            nn.MaxPool2d(kernel_size=3, stride=2),  # 192×13×13
            nn.Conv2d(192, 384, kernel_size=3, padding=1),
            nn.ReLU(inplace=True),
            nn.Conv2d(384, 256, kernel_size=3, padding=1),
            nn.ReLU(inplace=True),
            nn.Conv2d(256, 256, kernel_size=3, padding=1),
            nn.ReLU(inplace=True),
            nn.MaxPool2d(kernel_size=3, stride=2),  # 256×6×6
        )
        self.avgpool = nn.AdaptiveAvgPool2d(6)
        self.classifier = nn.Sequential(
            nn.Dropout(p=dropout),
            nn.Linear(256 * 6 * 6, 4096),
            nn.ReLU(inplace=True),
            nn.Dropout(p=dropout),
            nn.Linear(4096, 4096),
            nn.ReLU(inplace=True),
            nn.Linear(4096, num_classes),
        )

    def forward(self, x: Tensor) -> Tensor:  # N × 3 × 224 × 224
        x = self.features(x)  # N × 256 × 6 × 6
        x = self.avgpool(x)  # N × 256 × 6 × 6
        x = torch.flatten(x, 1)  # N × 9216
        return self.classifier(x)  # N × num_classes


def alexnet(num_classes: int = 1000, dropout: float = 0.5) -> AlexNet:
    """Build an AlexNet with new weights."""
    return AlexNet(num_classes=num_classes, dropout=dropout)
