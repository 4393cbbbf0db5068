"""ResNets and VGGs of a user's own equal torchvision's classes built with the same arguments."""

from __future__ import annotations

import random
from functools import partial
from typing import Any

import pytest
from exhaustive import first
from oracle import models
from torch import nn
from variants import assert_exact


def resnet_settings(seed: int) -> dict[str, Any]:
    """Stages of other lengths, groups and widths, dilation, zero initialisation, class counts, odd input sizes."""
    draw = random.Random(seed)
    block = draw.choice(["basic", "bottleneck"])
    settings: dict[str, Any] = {
        "block": block,
        "stages": [draw.randint(1, 3) for _ in range(4)],
        "num_classes": draw.randint(1, 30),
        "input": [3, draw.randint(33, 70), draw.randint(33, 70)],
        "zero_init_residual": draw.random() < 0.5,
    }
    if block == "bottleneck":
        settings["groups"] = draw.choice([1, 2, 4])
        settings["width_per_group"] = draw.choice([16, 32, 64])
        settings["replace_stride_with_dilation"] = [draw.random() < 0.4 for _ in range(3)]
    return settings


@pytest.mark.parametrize("seed", first(range(10), 5))
def test_resnet(seed: int) -> None:
    settings = resnet_settings(seed)
    arguments = {k: v for k, v in settings.items() if k not in ("block", "stages", "input")}
    kind = models.resnet.BasicBlock if settings["block"] == "basic" else models.resnet.Bottleneck
    oracle = partial(models.resnet.ResNet, kind, settings["stages"], **arguments)
    assert_exact({"family": "resnet", **settings}, oracle)


@pytest.mark.parametrize("seed", first(range(2), 1))
def test_vgg(seed: int) -> None:
    draw = random.Random(seed)
    cfg: list[int | str] = []
    for _ in range(draw.randint(2, 4)):
        cfg += [*(draw.choice([4, 8, 12]) for _ in range(draw.randint(1, 3))), "M"]
    batch_norm, dropout, classes = draw.random() < 0.5, draw.choice([0.2, 0.5]), draw.randint(1, 30)
    spec = {
        "family": "vgg", "input": [3, draw.randint(32, 60), draw.randint(32, 60)], "cfg": [*cfg, 512],
        "batch_norm": batch_norm, "dropout": dropout, "num_classes": classes,
    }  # fmt: skip

    def oracle() -> nn.Module:  # torchvision's classifier expects 512 channels
        features = models.vgg.make_layers([*cfg, 512], batch_norm=batch_norm)
        made: nn.Module = models.vgg.VGG(features, num_classes=classes, dropout=dropout)
        return made

    assert_exact(spec, oracle)
