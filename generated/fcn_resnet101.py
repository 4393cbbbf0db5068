"""FCN with a ResNet-101 backbone, for semantic segmentation.

Long et al., "Fully Convolutional Networks for Semantic Segmentation", https://arxiv.org/abs/1411.4038

Parameters: 54,314,346. MACs: 232,737,606,400 for one 3 × 520 × 520 input (convolutions and linear layers,
evaluation).

Written by archspec from the spec fcn_resnet101; it needs nothing but torch.
"""

import torch.nn.functional as F
from torch import Tensor, nn


class Bottleneck(nn.Module):
    """1×1 reduce, 3×3, 1×1 expand to 4 × planes, added to a shortcut."""

    def __init__(self, in_channels: int, planes: int, stride: int = 1, dilation: int = 1) -> None:
        super().__init__()
        out_channels = planes * 4
        self.conv1 = nn.Conv2d(in_channels, planes, kernel_size=1, bias=False)
        self.bn1 = nn.BatchNorm2d(planes)
        self.relu = nn.ReLU(inplace=True)
        self.conv2 = nn.Conv2d(
            planes, planes, kernel_size=3, stride=stride, padding=dilation, dilation=dilation, bias=False
        )
        self.bn2 = nn.BatchNorm2d(planes)
        self.conv3 = nn.Conv2d(planes, out_channels, kernel_size=1, bias=False)
        self.bn3 = nn.BatchNorm2d(out_channels)
        self.downsample: nn.Sequential | None = None
        if stride != 1 or in_channels != out_channels:
            self.downsample = nn.Sequential(
                nn.Conv2d(in_channels, out_channels, kernel_size=1, stride=stride, bias=False),
                nn.BatchNorm2d(out_channels),
            )

    def forward(self, x: Tensor) -> Tensor:
        out = self.relu(self.bn1(self.conv1(x)))
        out = self.relu(self.bn2(self.conv2(out)))
        out = self.bn3(self.conv3(out))
        shortcut = x if self.downsample is None else self.downsample(x)
        out += shortcut
        return self.relu(out)


class ResNet101(nn.Module):
    """ResNet-101.

    Returns layer3 and layer4.
    """

    def __init__(self, in_channels: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(in_channels, 64, kernel_size=7, stride=2, padding=3, bias=False)
        self.bn1 = nn.BatchNorm2d(64)
        self.relu = nn.ReLU(inplace=True)
        self.maxpool = nn.MaxPool2d(kernel_size=3, stride=2, padding=1)
        self.layer1 = nn.Sequential(
            Bottleneck(64, 64),
            *[Bottleneck(256, 64) for _ in range(2)],
        )
        self.layer2 = nn.Sequential(
            Bottleneck(256, 128, stride=2),
            *[Bottleneck(512, 128) for _ in range(3)],
        )
        self.layer3 = nn.Sequential(
            Bottleneck(512, 256),
            *[Bottleneck(1024, 256, dilation=2) for _ in range(22)],
        )
        self.layer4 = nn.Sequential(
            Bottleneck(1024, 512, dilation=2),
            *[Bottleneck(2048, 512, dilation=4) for _ in range(2)],
        )
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.fc = nn.Linear(2048, 1000)
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
        # Not needed; constructed all the same, so that the initial weights are those of the whole network.
        del self.avgpool, self.fc

    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        x = self.relu(self.bn1(self.conv1(x)))
        x = self.maxpool(x)
        x = self.layer1(x)
        x = self.layer2(x)
        layer3 = self.layer3(x)
        layer4 = self.layer4(layer3)
        return layer3, layer4


class FCNHead(nn.Sequential):
    """3×3 convolution to a quarter of the channels, batch norm, ReLU and dropout, then a score for each class."""

    def __init__(self, in_channels: int, num_classes: int) -> None:
        inter_channels = in_channels // 4
        super().__init__(
            nn.Conv2d(in_channels, inter_channels, kernel_size=3, padding=1, bias=False),
            nn.BatchNorm2d(inter_channels),
            nn.ReLU(inplace=True),
            nn.Dropout(p=0.1),
            nn.Conv2d(inter_channels, num_classes, kernel_size=1),
        )


class FCNResNet101(nn.Module):
    """FCN with a ResNet-101 backbone, for semantic segmentation."""

    def __init__(self, num_classes: int = 21) -> None:
        super().__init__()
        self.backbone = ResNet101(3)
        aux_classifier = FCNHead(1024, num_classes)
        self.classifier = FCNHead(2048, num_classes)
        self.aux_classifier = aux_classifier

    def forward(self, x: Tensor) -> dict[str, Tensor]:  # N × 3 × 520 × 520
        layer3, layer4 = self.backbone(x)
        classifier = self.classifier(layer4)  # N × num_classes × 65 × 65
        out = F.interpolate(
            classifier, size=x.shape[-2:], mode="bilinear", align_corners=False
        )  # N × num_classes × 520 × 520
        aux_classifier = self.aux_classifier(layer3)  # N × num_classes × 65 × 65
        aux = F.interpolate(
            aux_classifier, size=x.shape[-2:], mode="bilinear", align_corners=False
        )  # N × num_classes × 520 × 520
        return {"out": out, "aux": aux}


def fcn_resnet101(num_classes: int = 21) -> FCNResNet101:
    """Build a FCNResNet101 with new weights."""
    return FCNResNet101(num_classes=num_classes)
