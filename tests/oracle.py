"""The independent oracle: torchvision's models, and the tutorial networks written in plain torch."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

_LIBRARY: Any = torch.library.Library("torchvision", "DEF")  # type: ignore[no-untyped-call]
for _name in ("nms", "qnms"):
    # torchvision registers meta kernels for these at import, and a CPU-only torch does not define them
    _LIBRARY.define(f"{_name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")

from torchvision import models  # noqa: E402

INIT_ARGUMENTS: dict[str, dict[str, Any]] = {
    "googlenet": {"init_weights": True},
    "inception_v3": {"init_weights": True},
    "lraspp_mobilenet_v3_large": {"weights_backbone": None},
    "fcn_resnet50": {"weights_backbone": None, "aux_loss": True},
    "fcn_resnet101": {"weights_backbone": None, "aux_loss": True},
    "deeplabv3_resnet50": {"weights_backbone": None, "aux_loss": True},
    "deeplabv3_resnet101": {"weights_backbone": None, "aux_loss": True},
    "deeplabv3_mobilenet_v3_large": {"weights_backbone": None, "aux_loss": True},
}
"""Without `init_weights` two of torchvision's models warn that its default will change."""


def oracle(name: str) -> nn.Module:
    """The reference for a shipped spec, in training mode, with its initial weights."""
    if name in TUTORIALS:
        return TUTORIALS[name]()
    home = next(home for home in (models, models.video, models.segmentation) if hasattr(home, name))
    model: nn.Module = getattr(home, name)(**INIT_ARGUMENTS.get(name, {}))
    return model


@torch.no_grad()
def randomise(module: nn.Module, seed: int = 0) -> None:
    """Random parameters and batch-norm statistics of a size that keeps activations near one.

    Default ones hide errors: a bias of zeros, a variance of ones, a layer scale of 1e-6.
    """
    generator = torch.Generator().manual_seed(seed)
    for name, tensor in module.state_dict().items():
        if tensor.is_floating_point():
            low, high = _bounds(name, tensor)
            tensor.copy_(torch.rand(tensor.shape, generator=generator) * (high - low) + low)


def _bounds(name: str, tensor: Tensor) -> tuple[float, float]:
    if tensor.ndim > 1:
        width = (3 * tensor.shape[0] / tensor.numel()) ** 0.5 * 1.4
        return -width, width
    return (0.5, 1.5) if "var" in name or name.endswith("weight") else (-0.2, 0.2)


class LeNet(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, 16, 5)
        self.conv2 = nn.Conv2d(16, 32, 5)
        self.fc1 = nn.Linear(32 * 5 * 5, 120)
        self.fc2 = nn.Linear(120, 84)
        self.fc3 = nn.Linear(84, 10)

    def forward(self, x: Tensor) -> Any:
        x = F.max_pool2d(torch.relu(self.conv1(x)), 2, 2)
        x = F.max_pool2d(torch.relu(self.conv2(x)), 2, 2)
        x = x.view(-1, 32 * 5 * 5)
        return self.fc3(torch.relu(self.fc2(torch.relu(self.fc1(x)))))


class TwoPart(nn.Module):
    """Features, flattened, then a classifier."""

    def __init__(self, features: nn.Sequential, classifier: nn.Sequential, size: int | None = None) -> None:
        super().__init__()
        self.features = features
        self.avgpool = nn.Identity() if size is None else nn.AdaptiveAvgPool2d((size, size))
        self.classifier = classifier

    def forward(self, x: Tensor) -> Any:
        return self.classifier(torch.flatten(self.avgpool(self.features(x)), 1))


def _convs(cfg: str, channels: int = 3) -> nn.Sequential:
    """`48k11s4p2` is a conv with ReLU, `M3s2` a max pool."""
    modules: list[nn.Module] = []
    for entry in cfg.split():
        if entry.startswith("M"):
            kernel, stride = map(int, entry[1:].split("s"))
            modules.append(nn.MaxPool2d(kernel, stride))
            continue
        out, rest = entry.split("k")
        kernel_stride, padding = rest.split("p")
        kernel, stride = (int(part) for part in f"{kernel_stride}s1".split("s")[:2])
        modules += [nn.Conv2d(channels, int(out), kernel, stride, int(padding)), nn.ReLU()]
        channels = int(out)
    return nn.Sequential(*modules)


def _head(features: int, hidden: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Dropout(), nn.Linear(features, hidden), nn.ReLU(), nn.Dropout(), nn.Linear(hidden, hidden), nn.ReLU(),
        nn.Linear(hidden, 1000),
    )  # fmt: skip


def alexnet_half() -> nn.Module:
    features = _convs("48k11s4p2 M3s2 128k5p2 M3s2 192k3p1 192k3p1 128k3p1 M3s2")
    return TwoPart(features, _head(4608, 2048))


def zfnet() -> nn.Module:
    features = _convs("64k7s2p2 M3s2 192k5p2 M3s2 512k3p1 512k3p1 1024k3p1 M3s2")
    return TwoPart(features, _head(1024 * 36, 4096), 6)


def vgg16_small() -> nn.Module:
    groups = [(64, 2), (128, 2), (256, 3), (512, 3), (512, 3)]
    features = _convs(" ".join(" ".join([f"{width}k3p1"] * count + ["M2s2"]) for width, count in groups))
    return TwoPart(features, _head(512 * 49, 2048))


class PlainConv(nn.Module):
    def __init__(self, channels: int, out: int, **settings: Any) -> None:
        super().__init__()
        self.conv = nn.Conv2d(channels, out, **settings)
        self.relu = nn.ReLU()

    def forward(self, x: Tensor) -> Any:
        return self.relu(self.conv(x))


class PlainInception(nn.Module):
    def __init__(self, channels: int, a: int, b: int, c: int, d: int, e: int, f: int) -> None:
        super().__init__()
        self.branch1 = PlainConv(channels, a, kernel_size=1)
        self.branch2 = nn.Sequential(PlainConv(channels, b, kernel_size=1), PlainConv(b, c, kernel_size=3, padding=1))
        self.branch3 = nn.Sequential(PlainConv(channels, d, kernel_size=1), PlainConv(d, e, kernel_size=5, padding=2))
        self.branch4 = nn.Sequential(nn.MaxPool2d(3, 1, 1), PlainConv(channels, f, kernel_size=1))

    def forward(self, x: Tensor) -> Tensor:
        return torch.cat([self.branch1(x), self.branch2(x), self.branch3(x), self.branch4(x)], 1)


class PlainAux(nn.Module):
    def __init__(self, channels: int) -> None:
        super().__init__()
        self.averagePool = nn.AvgPool2d(5, 3)
        self.conv = PlainConv(channels, 128, kernel_size=1)
        self.fc1 = nn.Linear(2048, 1024)
        self.fc2 = nn.Linear(1024, 1000)

    def forward(self, x: Tensor) -> Any:
        x = torch.flatten(self.conv(self.averagePool(x)), 1)
        x = torch.relu(self.fc1(F.dropout(x, 0.5, training=self.training)))
        return self.fc2(F.dropout(x, 0.5, training=self.training))


class GoogLeNetPlain(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv1 = PlainConv(3, 64, kernel_size=7, stride=2, padding=3)
        self.conv2 = PlainConv(64, 64, kernel_size=1)
        self.conv3 = PlainConv(64, 192, kernel_size=3, padding=1)
        self.inception3a = PlainInception(192, 64, 96, 128, 16, 32, 32)
        self.inception3b = PlainInception(256, 128, 128, 192, 32, 96, 64)
        self.inception4a = PlainInception(480, 192, 96, 208, 16, 48, 64)
        self.inception4b = PlainInception(512, 160, 112, 224, 24, 64, 64)
        self.inception4c = PlainInception(512, 128, 128, 256, 24, 64, 64)
        self.inception4d = PlainInception(512, 112, 144, 288, 32, 64, 64)
        self.inception4e = PlainInception(528, 256, 160, 320, 32, 128, 128)
        self.inception5a = PlainInception(832, 256, 160, 320, 32, 128, 128)
        self.inception5b = PlainInception(832, 384, 192, 384, 48, 128, 128)
        self.aux1 = PlainAux(512)
        self.aux2 = PlainAux(528)
        self.dropout = nn.Dropout(0.4)
        self.fc = nn.Linear(1024, 1000)
        self.pool = nn.MaxPool2d(3, 2, ceil_mode=True)

    def forward(self, x: Tensor) -> Any:
        x = self.pool(self.conv3(self.conv2(self.pool(self.conv1(x)))))
        x = self.inception4a(self.pool(self.inception3b(self.inception3a(x))))
        aux1 = self.aux1(x) if self.training else None
        x = self.inception4d(self.inception4c(self.inception4b(x)))
        aux2 = self.aux2(x) if self.training else None
        x = self.inception5b(self.inception5a(self.pool(self.inception4e(x))))
        x = self.fc(self.dropout(torch.flatten(F.adaptive_avg_pool2d(x, (1, 1)), 1)))
        return (x, aux2, aux1) if self.training else x


class Trunk(nn.Module):
    """A torchvision ResNet without its top, under the same names, initialised as if it had never had one."""

    def __init__(self, resnet: Any) -> None:
        super().__init__()
        for name, module in resnet.named_children():
            if name not in ("avgpool", "fc"):
                self.add_module(name, module)
        torch.manual_seed(torch.initial_seed())
        convs = [module for module in self.modules() if isinstance(module, nn.Conv2d)]
        for conv in convs:
            conv.reset_parameters()
        for conv in convs:
            nn.init.kaiming_normal_(conv.weight, mode="fan_out", nonlinearity="relu")

    def forward(self, x: Tensor) -> Any:
        for module in self.children():
            x = module(x)
        return x


def resnet50_legacy() -> nn.Module:
    model: nn.Module = models.resnet50()
    model.avgpool = nn.AvgPool2d(7, stride=1)
    return model


TUTORIALS: dict[str, Callable[[], nn.Module]] = {
    "lenet": LeNet,
    "alexnet_half": alexnet_half,
    "zfnet": zfnet,
    "vgg16_small": vgg16_small,
    "googlenet_plain": GoogLeNetPlain,
    "resnet34_features": lambda: Trunk(models.resnet34()),
    "resnet101_features": lambda: Trunk(models.resnet101()),
    "resnet50_legacy": resnet50_legacy,
}

__all__ = ["INIT_ARGUMENTS", "TUTORIALS", "models", "oracle", "randomise"]
