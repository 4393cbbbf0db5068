"""MnasNet-B1 with 0.5 times the channels.

Tan et al., "MnasNet: Platform-Aware Neural Architecture Search for Mobile", https://arxiv.org/abs/1807.11626

Parameters: 2,218,512. MACs: 104,455,968 for one 3 × 224 × 224 input (convolutions and linear layers, evaluation).

Written by archspec from the spec mnasnet0_5; it needs nothing but torch.
"""

from torch import Tensor, nn


class MnasInvertedResidual(nn.Module):
    """1×1 expand, depthwise, linear 1×1 project; added to the input if shapes agree."""

    def __init__(
        self, in_channels: int, out_channels: int, expand_ratio: int, kernel_size: int = 3, stride: int = 1
    ) -> None:
        super().__init__()
        hidden = in_channels * expand_ratio
        self.layers = nn.Sequential(
            nn.Conv2d(in_channels, hidden, kernel_size=1, bias=False),
            nn.BatchNorm2d(hidden, momentum=1 - 0.9997),
            nn.ReLU(inplace=True),
            nn.Conv2d(
                hidden,
                hidden,
                kernel_size=kernel_size,
                stride=stride,
                padding=kernel_size // 2,
                groups=hidden,
                bias=False,
            ),
            nn.BatchNorm2d(hidden, momentum=1 - 0.9997),
            nn.ReLU(inplace=True),
            nn.Conv2d(hidden, out_channels, kernel_size=1, bias=False),
            nn.BatchNorm2d(out_channels, momentum=1 - 0.9997),
        )
        self.residual = stride == 1 and in_channels == out_channels

    def forward(self, x: Tensor) -> Tensor:
        out = self.layers(x)
        if self.residual:
            out = out + x
        return out


class MNASNet0_5(nn.Module):
    """MnasNet-B1 with 0.5 times the channels."""

    def __init__(self, num_classes: int = 1000) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv2d(3, 16, kernel_size=3, stride=2, padding=1, bias=False),  # 16×112×112
            nn.BatchNorm2d(16, momentum=1 - 0.9997),
            nn.ReLU(inplace=True),
            nn.Conv2d(16, 16, kernel_size=3, padding=1, groups=16, bias=False),
            nn.BatchNorm2d(16, momentum=1 - 0.9997),
            nn.ReLU(inplace=True),
            nn.Conv2d(16, 8, kernel_size=1, bias=False),
            nn.BatchNorm2d(8, momentum=1 - 0.9997),
            nn.Sequential(
                MnasInvertedResidual(8, 16, expand_ratio=3, stride=2),  # 16×56×56
                *[MnasInvertedResidual(16, 16, expand_ratio=3) for _ in range(2)],
            ),
            nn.Sequential(
                MnasInvertedResidual(16, 24, expand_ratio=3, kernel_size=5, stride=2),  # 24×28×28
                *[MnasInvertedResidual(24, 24, expand_ratio=3, kernel_size=5) for _ in range(2)],
            ),
            nn.Sequential(
                MnasInvertedResidual(24, 40, expand_ratio=6, kernel_size=5, stride=2),  # 40×14×14
                *[MnasInvertedResidual(40, 40, expand_ratio=6, kernel_size=5) for _ in range(2)],
            ),
            nn.Sequential(
                MnasInvertedResidual(40, 48, expand_ratio=6),
                MnasInvertedResidual(48, 48, expand_ratio=6),
            ),
            nn.Sequential(
                MnasInvertedResidual(48, 96, expand_ratio=6, kernel_size=5, stride=2),  # 96×7×7
                *[MnasInvertedResidual(96, 96, expand_ratio=6, kernel_size=5) for _ in range(3)],
            ),
            nn.Sequential(MnasInvertedResidual(96, 160, expand_ratio=6)),
            nn.Conv2d(160, 1280, kernel_size=1, bias=False),
            nn.BatchNorm2d(1280, momentum=1 - 0.9997),
            nn.ReLU(inplace=True),
        )
        self.classifier = nn.Sequential(
            nn.Dropout(p=0.2),
            nn.Linear(1280, num_classes),
        )
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
            elif isinstance(module, nn.Linear):
                nn.init.kaiming_uniform_(module.weight, mode="fan_out", nonlinearity="sigmoid")
                nn.init.zeros_(module.bias)

    def forward(self, x: Tensor) -> Tensor:  # N × 3 × 224 × 224
        x = self.layers(x)  # N × 1280 × 7 × 7
        x = x.mean((2, 3))  # N × 1280
        return self.classifier(x)  # N × num_classes


def mnasnet0_5(num_classes: int = 1000) -> MNASNet0_5:
    """Build a MNASNet0_5 with new weights."""
    return MNASNet0_5(num_classes=num_classes)
