"""The half of AlexNet that one of the paper's two GPUs held.

Krizhevsky et al., "ImageNet Classification with Deep Convolutional Neural Networks", NeurIPS 2012

Parameters: 16,630,440. MACs: 311,191,824 for one 3 × 224 × 224 input (convolutions and linear layers, evaluation).

Written by archspec from the spec alexnet_half; it needs nothing but torch.
"""

import torch
from torch import Tensor, nn


class AlexNetHalf(nn.Module):
    """The half of AlexNet that one of the paper's two GPUs held."""

    def __init__(self, num_classes: int = 1000, init_weights: bool = False) -> None:
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(3, 48, kernel_size=11, stride=4, padding=2),  # 48×55×55
            nn.ReLU(inplace=True),
            nn.MaxPool2d(kernel_size=3, stride=2),  # 48×27×27
            nn.Conv2d(48, 128, kernel_size=5, padding=2),
            nn.ReLU(inplace=True),
            nn.MaxPool2d(kernel_size=3, stride=2),  # 128×13×13
            nn.Conv2d(128, 192, kernel_size=3, padding=1),
            nn.ReLU(inplace=True),
            nn.Conv2d(192, 192, kernel_size=3, padding=1),
            nn.ReLU(inplace=True),
            nn.Conv2d(192, 128, kernel_size=3, padding=1),
            nn.ReLU(inplace=True),
            nn.MaxPool2d(kernel_size=3, stride=2),  # 128×6×6
        )
        self.classifier = nn.Sequential(
            nn.Dropout(),
            nn.Linear(128 * 6 * 6, 2048),
            nn.ReLU(inplace=True),
            nn.Dropout(),
            nn.Linear(2048, 2048),
            nn.ReLU(inplace=True),
            nn.Linear(2048, num_classes),
        )
        if init_weights:
            for module in self.modules():
                if isinstance(module, nn.Conv2d):
                    nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
                    if module.bias is not None:
                        nn.init.zeros_(module.bias)
                elif isinstance(module, nn.Linear):
                    nn.init.normal_(module.weight, std=0.01)
                    nn.init.zeros_(module.bias)

    def forward(self, x: Tensor) -> Tensor:  # N × 3 × 224 × 224
        x = self.features(x)  # N × 128 × 6 × 6
        x = torch.flatten(x, 1)  # N × 4608
        return self.classifier(x)  # N × num_classes


def alexnet_half(num_classes: int = 1000, init_weights: bool = False) -> AlexNetHalf:
    """Build an AlexNetHalf with new weights."""
    return AlexNetHalf(num_classes=num_classes, init_weights=init_weights)
