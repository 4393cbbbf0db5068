"""Swin Transformers of randomly drawn arguments against torchvision's class with the same arguments."""

from __future__ import annotations

import random
from typing import Any

import pytest
import torch
from exhaustive import first
from oracle import models
from torch import nn
from variants import assert_exact, built, generated, outputs

import archspec
from archspec.frontend.yaml.writer import dump

swin: Any = models.swin_transformer

VERSIONS: dict[int, dict[str, Any]] = {
    1: {},
    2: {"block": swin.SwinTransformerBlockV2, "downsample_layer": swin.PatchMergingV2},
}


def drawn(seed: int) -> dict[str, Any]:
    """Small networks whose maps are often no multiple of the windows, or no larger than one."""
    draw = random.Random(seed)
    depths = [draw.randint(1, 3) for _ in range(draw.randint(1, 3))]
    depths[0] = max(depths[0], 2)  # torchvision divides by the number of blocks less one
    heads = [draw.randint(1, 2) for _ in depths]
    window = [draw.randint(2, 4), draw.randint(2, 4)]
    patch = draw.choice([[4, 4], [2, 2], [2, 3]])
    return {
        "family": "swin",
        "input": [3, patch[0] * draw.randint(4, 13) + 1, patch[1] * draw.randint(4, 13)],
        "num_classes": draw.randint(1, 9),
        "patch_size": patch,
        "embed_dim": 2 * draw.randint(1, 4),
        "depths": depths,
        "num_heads": heads,
        "window_size": window,
        "mlp_ratio": draw.choice([4.0, 2.0, 1.7]),
        "dropout": draw.choice([0.0, 0.3]),
        "attention_dropout": draw.choice([0.0, 0.4]),
        "stochastic_depth_prob": draw.choice([0.0, 0.1, round(draw.random(), 3)]),
        "version": draw.choice([1, 2]),
    }


def reference(spec: dict[str, Any]) -> nn.Module:
    rest = {key: value for key, value in spec.items() if key not in ("family", "input", "version")}
    made: nn.Module = models.SwinTransformer(**rest, **VERSIONS[spec["version"]])
    return made


@pytest.mark.parametrize("seed", first(range(16), 6))
def test_swin(seed: int) -> None:
    spec = drawn(seed)
    assert_exact(spec, lambda: reference(spec))


@pytest.mark.parametrize("version", [1, 2])
def test_gradients(version: int) -> None:
    """Those of all parameters and of the input, with windows that are padded and shifted."""
    spec = {**drawn(3), "version": version, "input": [3, 37, 52], "depths": [2, 2], "num_heads": [1, 2]}
    torch.manual_seed(0)
    original = reference(spec)
    expected = gradients(original)
    for model in (built(dump({"name": "variant", **spec})), generated(dump({"name": "variant", **spec}))):
        model.load_state_dict(original.state_dict())
        for found, wanted in zip(gradients(model), expected, strict=True):
            assert torch.equal(found, wanted)


def gradients(model: nn.Module) -> list[torch.Tensor]:
    x = torch.randn(2, 3, 37, 52, generator=torch.Generator().manual_seed(1), requires_grad=True)
    torch.manual_seed(2)
    model.train()(x).square().mean().backward()
    return [x.grad, *(parameter.grad for parameter in model.parameters())]  # type: ignore[list-item]


@pytest.mark.parametrize(("size", "version"), [([3, 56, 70], 1), ([3, 64, 96], 2)])
def test_published_weights_run_at_any_size(size: list[int], version: int) -> None:
    """torchvision pads and shifts by the map it meets; here that follows from the spec's input."""
    spec = {**drawn(5), "version": version, "window_size": [4, 4], "patch_size": [4, 4]}
    torch.manual_seed(0)
    original = reference(spec).eval()
    model = built(dump({"name": "variant", **spec, "input": size})).eval()
    model.load_state_dict(original.state_dict())
    x = torch.randn(2, *size)
    assert all(map(torch.equal, outputs(model, x), outputs(original, x)))


def test_one_number_of_heads_for_each_stage() -> None:
    with pytest.raises(archspec.SpecError, match="expected 4 values, one for each stage of depths, got 2"):
        archspec.compile("swin_t", num_heads=[3, 6])


@pytest.mark.parametrize("name", ["swin_t", "swin_v2_b"])
def test_probabilities_are_torchvisions_to_the_bit(name: str) -> None:
    def rates(model: nn.Module) -> list[Any]:
        return [module.p for module in model.modules() if hasattr(module, "p")]

    with torch.device("meta"):
        assert rates(archspec.build(name)) == rates(getattr(models, name)())
