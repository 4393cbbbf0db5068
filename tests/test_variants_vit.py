"""Vision Transformers of randomly drawn arguments against torchvision's class with the same arguments."""

from __future__ import annotations

import random
import warnings
from typing import Any

import pytest
import torch
from exhaustive import first
from oracle import models, randomise
from torch import nn
from torchvision.models.feature_extraction import create_feature_extractor
from variants import assert_exact, built, generated

import archspec
from archspec.frontend.yaml.writer import dump


def drawn(draw: random.Random) -> tuple[int, dict[str, Any]]:
    """The size of an image, and arguments that both take."""
    patch, heads = draw.randint(1, 9), draw.randint(1, 4)
    rest: dict[str, Any] = {
        "patch_size": patch, "num_layers": draw.randint(1, 3), "num_heads": heads,
        "hidden_dim": heads * draw.randint(1, 6), "mlp_dim": draw.randint(1, 24), "num_classes": draw.randint(1, 12),
        "dropout": draw.choice([0.0, 0.1, 0.5]), "attention_dropout": draw.choice([0.0, 0.2]),
    }  # fmt: skip
    if draw.random() < 0.4:
        rest["representation_size"] = draw.randint(1, 16)
    return patch * draw.randint(1, 4), rest


@pytest.mark.parametrize("seed", first(range(16), 6))
def test_vit(seed: int) -> None:
    size, rest = drawn(random.Random(seed))
    spec = {"family": "vit", "input": [3, size, size], **rest}
    assert_exact(spec, lambda: models.VisionTransformer(image_size=size, **rest))


@pytest.mark.parametrize("seed", first(range(8), 2))
def test_gradients(seed: int) -> None:
    """Those of the image and of all parameters, with the same random numbers for dropout."""
    size, rest = drawn(random.Random(100 + seed))
    text = dump({"name": "variant", "family": "vit", "input": [3, size, size], **rest})
    reference: nn.Module = models.VisionTransformer(image_size=size, **rest)
    randomise(reference)
    x = torch.randn(3, 3, size, size, generator=torch.Generator().manual_seed(1))
    wanted = gradients(reference, x)
    for model in (built(text), generated(text)):
        model.load_state_dict(reference.state_dict())
        found = gradients(model, x)
        assert [name for name in wanted if not torch.equal(found[name], wanted[name])] == []


def gradients(model: nn.Module, x: torch.Tensor) -> dict[str, torch.Tensor]:
    torch.manual_seed(2)
    x = x.clone().requires_grad_()
    model.train()(x).square().mean().backward()
    found = {name: parameter.grad for name, parameter in model.named_parameters()}
    return {name: grad for name, grad in {**found, "the input": x.grad}.items() if grad is not None}


def test_images_need_not_be_square() -> None:
    """torchvision's take square ones only; positions and patches are there for any."""
    text = dump({"name": "wide", "family": "vit", "input": [1, 8, 12], "patch_size": 4, "num_layers": 1,
                 "num_heads": 2, "hidden_dim": 8, "mlp_dim": 8, "num_classes": 3})  # fmt: skip
    model = built(text)
    assert model.state_dict()["encoder.pos_embedding"].shape == (1, 2 * 3 + 1, 8)
    assert model(torch.randn(2, 1, 8, 12)).shape == (2, 3)


@torch.no_grad()
def test_features() -> None:
    """By the names of torchvision's extractor, where these are the modules' own (it calls ln_1 ln, and ln_2 ln_1)."""
    names = ["conv_proj", "encoder.add", "encoder.dropout", "encoder.layers.encoder_layer_0.add",
             "encoder.layers.encoder_layer_0.add_1", "encoder.layers.encoder_layer_1", "encoder.ln"]  # fmt: skip
    rest = {"patch_size": 4, "num_layers": 2, "num_heads": 2, "hidden_dim": 16, "mlp_dim": 24, "num_classes": 3}
    reference: nn.Module = models.VisionTransformer(image_size=12, **rest).eval()
    randomise(reference)
    text = dump({"name": "variant", "family": "vit", "input": [3, 12, 12], **rest})
    model = archspec.build(text, features=names).eval()
    state = reference.state_dict()
    model.load_state_dict({key: state[key] for key in model.state_dict()})
    x = torch.randn(2, 3, 12, 12)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        wanted = create_feature_extractor(reference, names)(x)
    found = model(x)
    assert list(found) == names
    assert [name for name in names if not torch.equal(found[name], wanted[name])] == []
