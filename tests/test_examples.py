"""Networks written in the core language by hand, each exact against the public original, or one in plain torch."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import pytest
import torch
from originals import ORIGINALS, bert
from torch import Tensor, nn

import archspec
from archspec.ops.shapes import is_integer

FOLDER: Final = Path(__file__).parent / "fixtures" / "examples"

SMALL: Final[dict[str, dict[str, Any]]] = {
    "res2net50_26w_4s": {"input": [3, 64, 64], "num_classes": 5},
    "mixer_s16_224": {"width": 32, "depth": 2, "num_classes": 5},
    "hrnet_w18_small": {"input": [3, 64, 64], "num_classes": 5, "width": 8},
    "dpn68": {"input": [3, 32, 32], "num_classes": 5},
}
"""What makes them small where they are compared with their own source, if not as beside the original."""

PUBLISHED: Final = {
    "res2net50_26w_4s": 25_699_120, "mixer_s16_224": 18_528_264, "hrnet_w18_small": 13_187_464, "dpn68": 12_611_602,
    "unet": 31_030_658, "yolov5s": 7_235_389, "bert_base": 109_482_240, "gpt2": 124_439_808,
}  # fmt: skip
"""Their parameters, as published."""


LATE: Final = ("hrnet_w18_small",)
"""Those that take seconds: for the exhaustive run."""


def each(*names: str) -> list[Any]:
    """Examples as arguments of a test, with their marks."""
    return [pytest.param(name, marks=[pytest.mark.exhaustive] if name in LATE else []) for name in names]


def test_every_example_is_tried() -> None:
    names = {path.stem for path in FOLDER.glob("*.yaml")}
    assert names == ORIGINALS.keys() == PUBLISHED.keys()
    assert {name: archspec.compile(FOLDER / f"{name}.yaml").params for name in names} == PUBLISHED


@pytest.mark.parametrize("name", each(*ORIGINALS))
def test_example_equals_the_original(name: str) -> None:
    """Keys in their order, outputs and gradients, in evaluation and in training, to the bit."""
    make, arguments, batch = ORIGINALS[name]
    spec = archspec.load(FOLDER / f"{name}.yaml", **arguments)
    original, built = make(), archspec.build(spec)
    state = original.state_dict()
    assert [key.removeprefix("model.") for key in state] == list(built.state_dict())
    for tensor in state.values():
        if tensor.is_floating_point():
            tensor.uniform_(0.5, 1.5) if tensor.ndim < 2 else tensor.normal_(std=0.03)
    built.load_state_dict({key.removeprefix("model."): value for key, value in state.items()}, strict=True)
    shape: Any = archspec.compile(spec).input_shape
    x = torch.randint(shape.below, (batch, *shape)) if is_integer(shape) else torch.randn(batch, *shape)
    for training in (False, True):
        (found, ours), (expected, theirs) = (passed(module.train(training), x) for module in (built, original))
        assert all(map(torch.equal, found, expected))
        assert all(map(torch.equal, ours, theirs))
        assert len(found) == len(expected)
        assert all(output.isfinite().all() for output in found)
    assert all(map(torch.equal, original.state_dict().values(), built.state_dict().values()))


def passed(module: nn.Module, x: Tensor) -> tuple[list[Tensor], list[Tensor]]:
    """The outputs of a pass, and the gradients of the input, if it has one, and of all parameters."""
    torch.manual_seed(0)
    given = x.clone().requires_grad_(x.is_floating_point())
    output = module(given)
    outputs = [output] if isinstance(output, Tensor) else list(output)
    loss = torch.stack([value.square().sum() for value in outputs]).sum()
    inputs = [given, *module.parameters()] if given.requires_grad else list(module.parameters())
    return outputs, [*torch.autograd.grad(loss, inputs)]


@pytest.mark.parametrize("name", each("hrnet_w18_small", "dpn68", "yolov5s", "bert_base"))
def test_initial_weights_are_those_of_the_original(name: str) -> None:
    """For a seed, except the row of padding, which BERT's initialisation sets to zero. The initialisation of the others
    cannot be said, or draws random numbers that it does not use."""
    make, arguments, _ = ORIGINALS[name]
    found: list[dict[str, Tensor]] = []
    for way in (make, lambda: archspec.build(FOLDER / f"{name}.yaml", overrides=arguments)):
        torch.manual_seed(0)
        found.append(way().state_dict())
    for theirs, ours in zip(found[0].values(), found[1].values(), strict=True):
        first = int(name == "bert_base" and theirs.shape[0] == arguments["vocab_size"])
        assert torch.equal(theirs[first:] if first else theirs, ours[first:] if first else ours)


@pytest.mark.parametrize("name", each(*ORIGINALS))
def test_source_of_an_example_equals_it(name: str) -> None:
    report = archspec.verify(FOLDER / f"{name}.yaml", **SMALL.get(name, ORIGINALS[name].arguments))
    assert report.ok, str(report)


@pytest.mark.exhaustive
@torch.no_grad()
def test_bert_of_its_full_size() -> None:
    original = bert(30522, 512, 768, 12, 12, 3072).eval()
    built = archspec.build(FOLDER / "bert_base.yaml").eval()
    built.load_state_dict({key.removeprefix("model."): value for key, value in original.state_dict().items()})
    ids = torch.randint(30522, (1, 128))
    assert all(map(torch.equal, built(ids), original(ids)))
