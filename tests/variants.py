"""Variants of networks: built = generated = torchvision's class with the same arguments, to the bit."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from oracle import randomise
from torch import nn

import archspec
from archspec.frontend.yaml.writer import dump


def built(text: str) -> nn.Module:
    torch.manual_seed(0)
    made: nn.Module = archspec.build(text)
    return made


def generated(text: str) -> nn.Module:
    """The network of the generated source, as a user of that source builds it."""
    namespace: dict[str, Any] = {"__name__": "generated"}
    exec(archspec.codegen(text), namespace)
    torch.manual_seed(0)
    made: nn.Module = namespace[archspec.load(text).name]()
    return made


def assert_exact(spec: dict[str, Any], oracle: Callable[[], nn.Module]) -> None:
    """Same keys, seeded initial weights, and outputs in training and evaluation, for the spec's input size."""
    text = dump({"name": "variant", **spec})
    torch.manual_seed(0)
    reference = oracle()
    models = built(text), generated(text)
    for model in models:
        assert_same_state(model, reference)
    randomise(reference)
    x = torch.randn(2, *spec["input"], generator=torch.Generator().manual_seed(1))
    state = {key: value.clone() for key, value in reference.state_dict().items()}
    expected = outputs(reference, x)
    for model in models:
        model.load_state_dict(state)
        for found, wanted in zip(outputs(model, x), expected, strict=True):
            assert torch.equal(found, wanted)
        assert_same_state(model, reference)


def assert_same_state(model: nn.Module, reference: nn.Module) -> None:
    found, wanted = model.state_dict(), reference.state_dict()
    assert list(found) == list(wanted)
    different = [key for key in wanted if not torch.equal(found[key], wanted[key])]
    assert not different, f"{different} differ"


@torch.no_grad()
def outputs(model: nn.Module, x: torch.Tensor) -> list[torch.Tensor]:
    """In training, with the same random numbers for dropout, then in evaluation, with the new statistics."""
    torch.manual_seed(2)
    found: list[torch.Tensor] = []
    for output in (model.train()(x), model.eval()(x)):
        found += [output] if isinstance(output, torch.Tensor) else list(output)
    assert all(output.isfinite().all() for output in found), "the comparison would say nothing"
    return found
