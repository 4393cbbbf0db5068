"""SqueezeNet 1.1: a smaller stem and earlier pools take 2.3 times fewer multiply-accumulates.

Iandola et al., "SqueezeNet: AlexNet-level accuracy with 50x fewer parameters and <0.5MB model size",
https://arxiv.org/abs/1602.07360

Parameters: 1,235,496. MACs: 349,151,936 for one 3 × 224 × 224 input (convolutions and linear layers, evaluation).

Written by archspec from the spec squeezenet1_1; it needs nothing but torch.
"""

import torch
from torch import Tensor, nn


class Fire(nn.Module):
    """1×1 convolution to a few channels, then 1×1 and 3×3 convolutions of them, side by side."""

    def __init__(self, in_channels: int, squeeze: int, expand: int) -> None:
        super().__init__()
        self.squeeze = nn.Conv2d(in_channels, squeeze, kernel_size=1)
        self.squeeze_activation = nn.ReLU(inplace=True)
        self.expand1x1 = nn.Conv2d(squeeze, expand, kernel_size=1)
        self.expand1x1_activation = nn.ReLU(inplace=True)
        self.expand3x3 = nn.Conv2d(squeeze, expand, kernel_size=3, padding=1)
        self.expand3x3_activation = nn.ReLU(inplace=True)

    def forward(self, x: Tensor) -> Tensor:
        x = self.squeeze_activation(self.squeeze(x))
        return torch.cat(
            [self.expand1x1_activation(self.expand1x1(x)), self.expand3x3_activation(self.expand3x3(x))], dim=1
        )


class SqueezeNet1_1(nn.Module):
    """SqueezeNet 1.1: a smaller stem and earlier pools take 2.3 times fewer multiply-accumulates."""

    def __init__(self, num_classes: int = 1000, dropout: float = 0.5) -> None:
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(3, 64, kernel_size=3, stride=2),  # 64×111×111
            nn.ReLU(inplace=True),
            nn.MaxPool2d(kernel_size=3, stride=2, ceil_mode=True),  # 64×55×55
            Fire(64, 16, 64),
            Fire(128, 16, 64),
            nn.MaxPool2d(kernel_size=3, stride=2, ceil_mode=True),  # 128×27×27
            Fire(128, 32, 128),
            Fire(256, 32, 128),
            nn.MaxPool2d(kernel_size=3, stride=2, ceil_mode=True),  # 256×13×13
            Fire(256, 48, 192),
            Fire(384, 48, 192),
            Fire(384, 64, 256),
            Fire(512, 64, 256),
        )
        self.classifier = nn.Sequential(
            nn.Dropout(p=dropout),
            nn.Conv2d(512, num_classes, kernel_size=1),
            nn.ReLU(inplace=True),
            nn.AdaptiveAvgPool2d(1),  # 1000×1×1
        )
        for name, module in self.named_modules():
            if name == "classifier.1":
                nn.init.normal_(module.weight, std=0.01)
                if module.bias is not None:
                    nn.init.zeros_(module.bias)
            elif isinstance(module, nn.Conv2d):
                nn.init.kaiming_uniform_(module.weight)
                if module.bias is not None:
                    nn.init.zeros_(module.bias)

    def forward(self, x: Tensor) -> Tensor:  # N × 3 × 224 × 224
        x = self.features(x)  # N × 512 × 13 × 13
        x = self.classifier(x)  # N × num_classes × 1 × 1
        return torch.flatten(x, 1)  # N × num_classes


def squeezenet1_1(num_classes: int = 1000, dropout: float = 0.5) -> SqueezeNet1_1:
    """Build a SqueezeNet1_1 with new weights."""
    return SqueezeNet1_1(num_classes=num_classes, dropout=dropout)
