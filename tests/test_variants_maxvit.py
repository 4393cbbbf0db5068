"""MaxViTs of randomly drawn arguments against torchvision's class with the same arguments."""

from __future__ import annotations

import random
from typing import Any

import pytest
import torch
from exhaustive import first
from oracle import models
from torch import nn
from variants import assert_exact, built, generated

import archspec
from archspec.frontend.yaml.writer import dump


def drawn(seed: int) -> dict[str, Any]:
    draw = random.Random(seed)
    blocks, partition = draw.randint(1, 3), draw.randint(2, 3)
    head = draw.choice([2, 4])
    size = partition * draw.randint(1, 2) * 2 ** (blocks + 1)
    spec: dict[str, Any] = {
        "family": "maxvit",
        "input": [3, size, size],
        "num_classes": draw.randint(1, 9),
        "stem_channels": draw.choice([4, 6, 8]),
        "partition_size": partition,
        "block_channels": [head * draw.randint(1, 3) for _ in range(blocks)],
        "block_layers": [draw.randint(1, 4) for _ in range(blocks)],
        "head_dim": head,
        "stochastic_depth_prob": draw.choice([0.0, 0.2, round(draw.random(), 3)]),
        "squeeze_ratio": draw.choice([0.25, 0.5]),
        "expansion_ratio": draw.choice([4.0, 2.0, 1.5]),
        "mlp_ratio": draw.choice([4, 2]),
        "mlp_dropout": draw.choice([0.0, 0.3]),
        "attention_dropout": draw.choice([0.0, 0.4]),
    }
    if min(spec["block_channels"]) < 4:
        spec["squeeze_ratio"] = 0.5  # a quarter of two channels is none
    return spec


def reference(spec: dict[str, Any]) -> nn.Module:
    rest = {key: value for key, value in spec.items() if key not in ("family", "input")}
    made: nn.Module = models.MaxVit(input_size=tuple(spec["input"][1:]), **rest)
    return made


@pytest.mark.parametrize("seed", first(range(16), 5))
def test_maxvit(seed: int) -> None:
    spec = drawn(seed)
    assert_exact(spec, lambda: reference(spec))


def test_gradients() -> None:
    spec = {**drawn(2), "input": [3, 48, 48], "partition_size": 3, "block_channels": [8, 12], "block_layers": [2, 1]}
    torch.manual_seed(0)
    original = reference(spec)
    expected = gradients(original)
    for model in (built(dump({"name": "variant", **spec})), generated(dump({"name": "variant", **spec}))):
        assert all(map(torch.equal, gradients(model), expected))


def gradients(model: nn.Module) -> list[torch.Tensor]:
    x = torch.randn(2, 3, 48, 48, generator=torch.Generator().manual_seed(1), requires_grad=True)
    torch.manual_seed(2)
    model.train()(x).square().mean().backward()
    return [x.grad, *(parameter.grad for parameter in model.parameters())]  # type: ignore[list-item]


def test_probabilities_are_torchvisions_to_the_bit() -> None:
    """Those that are drawn evenly by NumPy, which sets the last; where torchvision has none it is 0."""

    def rates(model: nn.Module) -> list[Any]:
        return [module.p for module in model.modules() if hasattr(module, "p") and hasattr(module, "mode")]

    with torch.device("meta"):
        assert [rate for rate in rates(archspec.build("maxvit_t")) if rate] == [
            rate for rate in rates(models.maxvit_t()) if rate
        ]
