"""RegNets and ConvNeXts of randomly drawn arguments against torchvision's classes with the same arguments."""

from __future__ import annotations

import random
from typing import Any

import pytest
import torch
from exhaustive import first
from oracle import models
from torch import nn
from variants import assert_exact

import archspec
from archspec.frontend.families.regnet import RegNet

regnet: Any = models.regnet
convnext: Any = models.convnext


def line(draw: random.Random, depth: int, width: int) -> dict[str, Any]:
    """A RegNet's widths: `depth` blocks, about `width` times eight channels at first; ties in rounding included."""
    return {
        "depth": draw.randint(1, depth),
        "w_0": 8 * draw.randint(1, width),
        "w_a": draw.choice([0.0, round(draw.uniform(0, 30), 2), float(draw.randint(1, 24))]),
        "w_m": draw.choice([round(draw.uniform(1.02, 3.5), 2), 1.5, 2.0, 2.5]),
        "group_width": draw.choice([1, 2, 4, 8, 12, 24, 100]),
        "bottleneck_multiplier": draw.choice([1.0, 1.0, 0.5, 2.0, 0.37]),
    }


@pytest.mark.parametrize("seed", first(range(10), 5))
def test_widths_of_regnets(seed: int) -> None:
    """Quantisation is torchvision's, which calculates in single precision."""
    draw = random.Random(seed)
    for _ in range(30):
        drawn = line(draw, 40, 40)
        wanted = regnet.BlockParams.from_init_params(**drawn)
        found = RegNet.model_validate({"name": "net", "family": "regnet", "input": [3, 8, 8], **drawn}).stages()
        assert [stage.depth for stage in found] == wanted.depths
        assert [stage.width for stage in found] == wanted.widths
        assert [stage.group_width for stage in found] == wanted.group_widths


@pytest.mark.parametrize("seed", first(range(12), 6))
def test_regnet(seed: int) -> None:
    draw = random.Random(seed)
    drawn = line(draw, 7, 4)
    se_ratio = draw.choice([0.0, 0.25, 0.3])
    rest = {"num_classes": draw.randint(1, 12), "stem_width": draw.choice([8, 32, 33])}
    size = [3, draw.randint(9, 40), draw.randint(9, 40)]
    params = regnet.BlockParams.from_init_params(**drawn, se_ratio=se_ratio or None)
    spec = {"family": "regnet", "input": size, **drawn, "se_ratio": se_ratio, **rest}
    assert_exact(spec, lambda: models.RegNet(params, **rest))


@pytest.mark.parametrize("seed", first(range(12), 6))
def test_convnext(seed: int) -> None:
    draw = random.Random(seed)
    depths = [draw.randint(1, 4) for _ in range(draw.randint(1, 4))]
    depths[0] = max(depths[0], 2)  # torchvision divides by the number of blocks less one
    dims = [draw.randint(1, 20) for _ in depths]
    size = [3, *(draw.randint(2 ** (len(depths) + 1), 60) for _ in range(2))]
    rest: dict[str, Any] = {
        "num_classes": draw.randint(1, 12),
        "layer_scale": draw.choice([1e-6, 0.1, 1.0]),
        "stochastic_depth_prob": draw.choice([0.0, 0.1, 1.0, round(draw.random(), 3)]),
    }
    spec = {"family": "convnext", "input": size, "depths": depths, "dims": dims, **rest}
    settings = [convnext.CNBlockConfig(*row) for row in zip(dims, [*dims[1:], None], depths, strict=True)]
    assert_exact(spec, lambda: reference(settings, rest))


def reference(settings: list[Any], rest: dict[str, Any]) -> nn.Module:
    model: nn.Module = models.ConvNeXt(settings, **rest)
    return model


def test_one_block_is_never_dropped() -> None:
    net = archspec.build("convnext_tiny", depths=[1], dims=[4], input=[3, 8, 8])
    assert [module.p for module in net.modules() if hasattr(module, "p")] == [0.0]


@pytest.mark.parametrize("name", ["convnext_tiny", "convnext_large"])
def test_probabilities_are_torchvisions_to_the_bit(name: str) -> None:
    def rates(model: nn.Module) -> list[Any]:
        return [module.p for module in model.modules() if hasattr(module, "p")]

    with torch.device("meta"):
        assert rates(archspec.build(name)) == rates(getattr(models, name)())
