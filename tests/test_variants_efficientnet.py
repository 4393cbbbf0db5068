"""EfficientNets of randomly drawn arguments against torchvision's class with the same arguments."""

from __future__ import annotations

import random
from functools import partial
from typing import Any

import pytest
import torch
from exhaustive import first
from oracle import models
from torch import nn
from variants import assert_exact

import archspec

torchvision: Any = models.efficientnet


def random_rows(draw: random.Random, kinds: list[str]) -> list[list[Any]]:
    """Tables in which shapes repeat, so that there are shortcuts, and blocks that do not expand."""
    rows: list[list[Any]] = []
    for _ in range(draw.randint(1, 4)):
        before = rows[-1][4] if rows else 16
        channels = draw.choice([before, before, 8, 24, 40])
        rows.append(
            [draw.choice(kinds), draw.choice([1, 2, 3, 1.5]), draw.choice([3, 5]), draw.randint(1, 2), channels,
             draw.randint(1, 3)]
        )  # fmt: skip
    return rows


def random_spec(draw: random.Random, kinds: list[str]) -> dict[str, Any]:
    return {
        "family": "efficientnet",
        "input": [3, draw.randint(9, 40), draw.randint(9, 40)],
        "num_classes": draw.randint(1, 12),
        "inverted_residual_setting": random_rows(draw, kinds),
        "width_mult": round(draw.uniform(0.3, 1.7), 2),
        "depth_mult": round(draw.uniform(0.3, 1.7), 2),
        "stem_channels": draw.choice([16, 16, 24]),
        "dropout": draw.choice([0.0, 0.2, 0.75]),
        "stochastic_depth_prob": draw.choice([0.0, 0.2, 0.5, round(draw.random(), 3)]),
        "norm_eps": draw.choice([1e-5, 1e-3]),
        "norm_momentum": draw.choice([0.1, 0.01]),
        **draw.choice([{}, {"last_channel": draw.randint(10, 60)}]),
    }


def reference(spec: dict[str, Any]) -> nn.Module:
    """torchvision's class. Its fused rows are not scaled: they are given what the family makes of them."""
    settings: list[Any] = []
    width = partial(torchvision.MBConvConfig.adjust_channels, width_mult=spec["width_mult"])
    depth = partial(torchvision.MBConvConfig.adjust_depth, depth_mult=spec["depth_mult"])
    before = spec["stem_channels"]
    for kind, expand_ratio, kernel, stride, channels, layers in spec["inverted_residual_setting"]:
        config = torchvision.FusedMBConvConfig if kind == "FusedMBConv" else torchvision.MBConvConfig
        settings.append(config(expand_ratio, kernel, stride, width(before), width(channels), depth(layers)))
        before = channels
    rates = {name: spec[name] for name in ("num_classes", "dropout", "stochastic_depth_prob")}
    norm = partial(nn.BatchNorm2d, eps=spec["norm_eps"], momentum=spec["norm_momentum"])
    model: nn.Module = models.EfficientNet(settings, norm_layer=norm, last_channel=spec.get("last_channel"), **rates)
    return model


@pytest.mark.parametrize("kinds", [["MBConv"], ["FusedMBConv"], ["MBConv", "FusedMBConv"]], ids=" ".join)
@pytest.mark.parametrize("seed", first(range(8), 4))
def test_random_stages(seed: int, kinds: list[str]) -> None:
    spec = random_spec(random.Random(seed), kinds)
    assert_exact(spec, lambda: reference(spec))


@pytest.mark.parametrize("num_classes", [1, 5579])
def test_initial_weights_of_the_classifier(num_classes: int) -> None:
    """For 5579 classes the square root and the power of ½ differ in the last bit."""
    spec = random_spec(random.Random(0), ["MBConv"]) | {"num_classes": num_classes}
    assert_exact(spec, lambda: reference(spec))


def dropped(module: Any) -> Any:
    return module.stochastic_depth.p


@pytest.mark.parametrize("name", ["efficientnet_b1", "efficientnet_v2_s"])
def test_probabilities_are_torchvisions_to_the_bit(name: str) -> None:
    """Of the blocks that can be dropped: those with a shortcut."""
    with torch.device("meta"):
        found, wanted = archspec.build(name), getattr(models, name)()
    both = zip(found.modules(), wanted.modules(), strict=False)
    rates = [(dropped(ours), dropped(other)) for ours, other in both if getattr(other, "use_res_connect", False)]
    assert len(rates) > 10
    assert all(ours == other for ours, other in rates)
