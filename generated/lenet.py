"""LeNet-5's layout for 32×32 RGB images, with ReLU and max pooling.

LeCun et al., "Gradient-Based Learning Applied to Document Recognition", Proc. IEEE 86 (1998)

Parameters: 121,182. MACs: 2,327,720 for one 3 × 32 × 32 input (convolutions and linear layers, evaluation).

Written by archspec from the spec lenet; it needs nothing but torch.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class LeNet(nn.Module):
    """LeNet-5's layout for 32×32 RGB images, with ReLU and max pooling."""

    def __init__(self, num_classes: int = 10) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, 16, kernel_size=5)
        self.pool1 = nn.MaxPool2d(kernel_size=2)
        self.conv2 = nn.Conv2d(16, 32, kernel_size=5)
        self.pool2 = nn.MaxPool2d(kernel_size=2)
        self.fc1 = nn.Linear(32 * 5 * 5, 120)
        self.fc2 = nn.Linear(120, 84)
        self.fc3 = nn.Linear(84, num_classes)

    def forward(self, x: Tensor) -> Tensor:  # N × 3 × 32 × 32
        x = F.relu(self.conv1(x), inplace=True)  # N × 16 × 28 × 28
        x = self.pool1(x)  # N × 16 × 14 × 14
        x = F.relu(self.conv2(x), inplace=True)  # N × 32 × 10 × 10
        x = self.pool2(x)  # N × 32 × 5 × 5
        x = torch.flatten(x, 1)  # N × 800
        x = F.relu(self.fc1(x), inplace=True)  # N × 120
        x = F.relu(self.fc2(x), inplace=True)  # N × 84
        return self.fc3(x)  # N × num_classes


def lenet(num_classes: int = 10) -> LeNet:
    """Build a LeNet with new weights."""
    return LeNet(num_classes=num_classes)
