"""ConvNeXt-L.

Liu et al., "A ConvNet for the 2020s", https://arxiv.org/abs/2201.03545

Parameters: 197,767,336. MACs: 34,361,433,600 for one 3 × 224 × 224 input (convolutions and linear layers,
evaluation).

Written by archspec from the spec convnext_large; it needs nothing but torch.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class LayerNorm2d(nn.LayerNorm):
    """Layer normalisation over the channels of an N × C × H × W map."""

    def forward(self, x: Tensor) -> Tensor:
        last = x.permute(0, 2, 3, 1)
        last = F.layer_norm(last, self.normalized_shape, self.weight, self.bias, self.eps)
        return last.permute(0, 3, 1, 2)


class Permute(nn.Module):
    """Puts the dimensions of its input in another order."""

    def __init__(self, dims: tuple[int, ...]) -> None:
        super().__init__()
        self.dims = dims

    def forward(self, x: Tensor) -> Tensor:
        return torch.permute(x, self.dims)

    def extra_repr(self) -> str:
        return f"dims={self.dims}"


class StochasticDepth(nn.Module):
    """Drops its input at random in training, sample by sample ("row") or for the whole batch ("batch")."""

    def __init__(self, p: float, mode: str = "row") -> None:
        super().__init__()
        self.p = p
        self.mode = mode

    def forward(self, x: Tensor) -> Tensor:
        if not self.training or self.p == 0.0:
            return x
        survival = 1.0 - self.p
        count = x.shape[0] if self.mode == "row" else 1
        mask = torch.empty([count] + [1] * (x.ndim - 1), dtype=x.dtype, device=x.device).bernoulli_(survival)
        if survival > 0.0:
            mask.div_(survival)  # what survives is scaled up, so that the expectation stays
        return x * mask

    def extra_repr(self) -> str:
        return f"p={self.p}, mode={self.mode}"


class CNBlock(nn.Module):
    """Depthwise 7×7, layer norm, 4× wider and back by linear layers, scaled per channel and added to the input."""

    def __init__(self, in_channels: int, p: float = 0.0) -> None:
        super().__init__()
        self.layer_scale = nn.Parameter(torch.full((in_channels, 1, 1), 1e-06))
        self.block = nn.Sequential(
            nn.Conv2d(in_channels, in_channels, kernel_size=7, padding=3, groups=in_channels),
            Permute((0, 2, 3, 1)),
            nn.LayerNorm(in_channels, eps=1e-06),
            nn.Linear(in_channels, 4 * in_channels),
            nn.GELU(),
            nn.Linear(4 * in_channels, in_channels),
            Permute((0, 3, 1, 2)),
        )
        self.stochastic_depth = StochasticDepth(p)

    def forward(self, x: Tensor) -> Tensor:
        return self.stochastic_depth(self.layer_scale * self.block(x)) + x


class ConvNeXtLarge(nn.Module):
    """ConvNeXt-L."""

    def __init__(self, num_classes: int = 1000, stochastic_depth_prob: float = 0.5) -> None:
        super().__init__()
        self.features = nn.Sequential(
            nn.Sequential(
                nn.Conv2d(3, 192, kernel_size=4, stride=4),  # 192×56×56
                LayerNorm2d(192, eps=1e-06),
            ),
            nn.Sequential(*[CNBlock(192, p=stochastic_depth_prob * i / 35) for i in range(3)]),
            nn.Sequential(
                LayerNorm2d(192, eps=1e-06),
                nn.Conv2d(192, 384, kernel_size=2, stride=2),  # 384×28×28
            ),
            nn.Sequential(*[CNBlock(384, p=stochastic_depth_prob * (i + 3) / 35) for i in range(3)]),
            nn.Sequential(
                LayerNorm2d(384, eps=1e-06),
                nn.Conv2d(384, 768, kernel_size=2, stride=2),  # 768×14×14
            ),
            nn.Sequential(*[CNBlock(768, p=stochastic_depth_prob * (i + 6) / 35) for i in range(27)]),
            nn.Sequential(
                LayerNorm2d(768, eps=1e-06),
                nn.Conv2d(768, 1536, kernel_size=2, stride=2),  # 1536×7×7
            ),
            nn.Sequential(*[CNBlock(1536, p=stochastic_depth_prob * (i + 33) / 35) for i in range(3)]),
        )
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.classifier = nn.Sequential(
            LayerNorm2d(1536, eps=1e-06),
            nn.Flatten(),
            nn.Linear(1536, num_classes),
        )
        for module in self.modules():
            if isinstance(module, nn.Conv2d | nn.Linear):
                nn.init.trunc_normal_(module.weight, std=0.02)
                if module.bias is not None:
                    nn.init.zeros_(module.bias)

    def forward(self, x: Tensor) -> Tensor:  # N × 3 × 224 × 224
        x = self.features(x)  # N × 1536 × 7 × 7
        x = self.avgpool(x)  # N × 1536 × 1 × 1
        return self.classifier(x)  # N × num_classes


def convnext_large(num_classes: int = 1000, stochastic_depth_prob: float = 0.5) -> ConvNeXtLarge:
    """Build a ConvNeXtLarge with new weights."""
    return ConvNeXtLarge(num_classes=num_classes, stochastic_depth_prob=stochastic_depth_prob)
