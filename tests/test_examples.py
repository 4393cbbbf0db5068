"""Networks written in the core language by hand, each exact against the public original in timm."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import oracle  # noqa: F401  # torchvision, which timm imports, cannot be imported before it
import pytest
import timm
import torch

import archspec

FOLDER: Final = Path(__file__).parent / "fixtures" / "examples"
SIZES: Final[dict[str, int]] = {"res2net50_26w_4s": 64, "mixer_s16_224": 224}
"""The examples, by timm's names, and the height and width of the pictures that they are tried on."""

SMALL: Final[dict[str, dict[str, Any]]] = {
    "res2net50_26w_4s": {"input": [3, 64, 64], "num_classes": 5},
    "mixer_s16_224": {"width": 32, "depth": 2, "num_classes": 5},
}
"""What makes them small where they are compared with their own source."""


def test_every_example_is_tried() -> None:
    assert {path.stem for path in FOLDER.glob("*.yaml")} == SIZES.keys() == SMALL.keys()


@pytest.mark.parametrize("name", SIZES)
def test_example_equals_the_original(name: str) -> None:
    """Keys in their order, outputs and the gradient of the input, in evaluation and in training, to the bit."""
    original, built = timm.create_model(name, pretrained=False), archspec.build(FOLDER / f"{name}.yaml")
    state = original.state_dict()
    assert list(state) == list(built.state_dict())
    for tensor in state.values():
        if tensor.is_floating_point():
            tensor.uniform_(0.5, 1.5) if tensor.ndim < 2 else tensor.normal_(std=0.03)
    built.load_state_dict(state, strict=True)
    for training in (False, True):
        size = SIZES[name]
        x = torch.randn(2 if size < 100 else 1, 3, size, size, requires_grad=True)
        outputs = [module.train(training)(x) for module in (original, built)]
        assert torch.equal(*outputs)
        gradients = [torch.autograd.grad(output.square().sum(), x)[0] for output in outputs]
        assert torch.equal(*gradients)
        assert outputs[0].isfinite().all()
    assert all(map(torch.equal, original.state_dict().values(), built.state_dict().values()))


@pytest.mark.parametrize("name", SIZES)
def test_source_of_an_example_equals_it(name: str) -> None:
    report = archspec.verify(FOLDER / f"{name}.yaml", **SMALL[name])
    assert report.ok, str(report)
