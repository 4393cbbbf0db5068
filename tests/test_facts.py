"""Published numbers of every shipped spec: parameters, MACs and state_dict keys as torchvision has them."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest

import archspec
from archspec.frontend.loader import shipped
from archspec.ir.module import Module
from archspec.ops.base import Op

_RECORDED = json.loads((Path(__file__).parent / "facts.json").read_text(encoding="utf-8"))
TORCHVISION: dict[str, dict[str, Any]] = _RECORDED["torchvision"]
TUTORIAL: dict[str, dict[str, int]] = _RECORDED["tutorial"]
"""Variants met in courses; torchvision does not have them."""


def test_every_shipped_spec_has_facts() -> None:
    without = shipped().keys() - TORCHVISION.keys() - TUTORIAL.keys()
    assert not without, "add their numbers, from a source other than archspec, to tests/facts.json"


def test_every_tutorial_network_is_shipped() -> None:
    assert TUTORIAL.keys() <= shipped().keys()


@pytest.mark.parametrize("name", sorted(TUTORIAL))
def test_tutorial(name: str) -> None:
    net = archspec.compile(name)
    found = {"params": net.params, "macs": net.macs}
    assert {key: found[key] for key in TUTORIAL[name]} == TUTORIAL[name]


@pytest.mark.parametrize("name", sorted(shipped().keys() & TORCHVISION.keys()))
def test_torchvision(name: str) -> None:
    net = archspec.compile(name)
    lines = [f"{key}:{'x'.join(map(str, shape))}" for key, shape in net.state_dict_shapes().items()]
    assert {
        "params": net.params,
        "macs": net.macs,
        "input_size": net.input_shape[-1],
        "state_dict_entries": len(lines),
        "leaf_modules": leaves(net.root),
        "sha256_sorted": digest(sorted(lines)),
        "sha256_registration_order": digest(lines),
    } == TORCHVISION[name]


def leaves(module: Module) -> int:
    """Modules without modules in them; an empty Sequential is one, though it is no layer."""
    targets = [step.target for step in module.registered]
    inner = [leaves(target) if isinstance(target, Module) else 1 for target in targets if not _is_raw(target)]
    return sum(inner) if inner else 1


def _is_raw(target: Op | Module | int) -> bool:
    return isinstance(target, Op) and target.raw


def digest(lines: list[str]) -> str:
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def test_legacy_resnet_has_the_keys_of_todays() -> None:
    """So that published checkpoints load into both."""
    legacy, today = archspec.compile("resnet50_legacy"), archspec.compile("resnet50")
    assert list(legacy.state_dict_shapes().items()) == list(today.state_dict_shapes().items())


@pytest.mark.parametrize(("name", "params", "entries"), [("googlenet", 6_624_904, 344)])
def test_without_auxiliary_heads(name: str, params: int, entries: int) -> None:
    net = archspec.compile(name, aux_logits=False)
    assert (net.params, len(net.state_dict_shapes())) == (params, entries)
    assert net.train_only_params == 0
    assert net.outputs is None


def test_auxiliary_heads_are_training_only() -> None:
    net = archspec.compile("googlenet")
    assert net.params - net.train_only_params == 6_624_904
    assert net.macs == archspec.compile("googlenet", aux_logits=False).macs


@pytest.mark.parametrize(("name", "shape"), [("resnet34_features", (512, 7, 7)), ("resnet101_features", (2048, 7, 7))])
def test_feature_map(name: str, shape: tuple[int, ...]) -> None:
    assert archspec.compile(name).output_shape == shape


def test_zfnet_is_alexnet_but_for_its_convolutions() -> None:
    zfnet, alexnet = archspec.compile("zfnet").layers, archspec.compile("alexnet").layers
    assert [(layer.name, layer.type) for layer in zfnet] == [(layer.name, layer.type) for layer in alexnet]
