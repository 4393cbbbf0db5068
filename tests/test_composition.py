"""Specs as blocks: against torchvision's modules, and the names of their blocks."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from oracle import models, randomise
from torch import Tensor, nn
from torchvision.models._utils import IntermediateLayerGetter
from torchvision.ops import FeaturePyramidNetwork

import archspec
from archspec.frontend import composition

FPN = """
name: resnet18_fpn
input: [3, 64, 64]
blocks:
  FeaturePyramidNetwork:
    inputs: [c2, c3, c4, c5]
    params: {out_channels: 256}
    outputs: [p2, p3, p4, p5]
    layers:
    - inner_blocks.3: {seq: [{op: conv2d, out_channels: =out_channels, kernel_size: 1}], from: c5, as: m5}
    - layer_blocks.3:
        {seq: [{op: conv2d, out_channels: =out_channels, kernel_size: 3, padding: 1}], from: m5, as: p5}
    - inner_blocks.2: {seq: [{op: conv2d, out_channels: =out_channels, kernel_size: 1}], from: c4, as: i4}
    - {op: interpolate, like: i4, from: m5, as: u4}
    - {op: add, from: [i4, u4], as: m4}
    - layer_blocks.2:
        {seq: [{op: conv2d, out_channels: =out_channels, kernel_size: 3, padding: 1}], from: m4, as: p4}
    - inner_blocks.1: {seq: [{op: conv2d, out_channels: =out_channels, kernel_size: 1}], from: c3, as: i3}
    - {op: interpolate, like: i3, from: m4, as: u3}
    - {op: add, from: [i3, u3], as: m3}
    - layer_blocks.1:
        {seq: [{op: conv2d, out_channels: =out_channels, kernel_size: 3, padding: 1}], from: m3, as: p3}
    - inner_blocks.0: {seq: [{op: conv2d, out_channels: =out_channels, kernel_size: 1}], from: c2, as: i2}
    - {op: interpolate, like: i2, from: m3, as: u2}
    - {op: add, from: [i2, u2], as: m2}
    - layer_blocks.0:
        {seq: [{op: conv2d, out_channels: =out_channels, kernel_size: 3, padding: 1}], from: m2, as: p2}
layers:
- body: {spec: resnet18, features: [layer1, layer2, layer3, layer4]}
- fpn: {block: FeaturePyramidNetwork, out_channels: 32, from: [body.layer1, body.layer2, body.layer3, body.layer4]}
outputs: {type: dict, when: always, fields: {"0": fpn.p2, "1": fpn.p3, "2": fpn.p4, "3": fpn.p5}}
"""


class Reference(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        layers = {f"layer{number + 1}": str(number) for number in range(4)}
        self.body = IntermediateLayerGetter(models.resnet18(), layers)
        self.fpn = FeaturePyramidNetwork([64, 128, 256, 512], 32)

    def forward(self, x: Tensor) -> Any:
        return self.fpn(self.body(x))


@pytest.mark.parametrize("size", [64, 77])
def test_a_pyramid_on_a_backbone_is_torchvisions(size: int) -> None:
    reference = Reference().eval()
    namespace: dict[str, Any] = {}
    exec(archspec.codegen(FPN), namespace)
    built, written = archspec.build(FPN).eval(), namespace["resnet18_fpn"]().eval()
    randomise(reference)
    x = torch.randn(2, 3, size, size)
    with torch.no_grad():
        expected = reference(x)
        for module in (built, written):
            assert module.state_dict().keys() == reference.state_dict().keys()
            module.load_state_dict(reference.state_dict())
            found = module(x)
            assert list(found) == list(expected)
            assert all(torch.equal(found[name], expected[name]) for name in expected)


def test_the_backbone_has_the_initial_weights_of_the_whole_network() -> None:
    spec = "name: net\ninput: [3, 64, 64]\nlayers:\n- body: {spec: resnet18, features: layer2}\n" \
           "- head: {op: conv2d, out_channels: 4, kernel_size: 1}\n"  # fmt: skip
    torch.manual_seed(0)
    body, head = models.resnet18(), nn.Conv2d(128, 4, 1)
    built = archspec.build(spec, seed=0)
    expected = {**{f"body.{key}": value for key, value in body.state_dict().items()}, "head.weight": head.weight}
    found = built.state_dict()
    assert not any(key.startswith(("body.layer3", "body.layer4", "body.fc")) for key in found)
    assert all(torch.equal(value, expected[key]) for key, value in found.items() if key in expected)
    dropped = ("body.layer3", "body.layer4", "body.fc")
    assert found.keys() - {"head.bias"} == {key for key in expected if not key.startswith(dropped)}


def test_an_expanded_spec_is_the_same_network() -> None:
    for name in ("lraspp_mobilenet_v3_large", "fcn_resnet50"):
        text = archspec.expand(name)
        assert "spec:" not in text
        assert archspec.compile(text) == archspec.compile(name)


def test_blocks_of_a_spec_have_their_names_to_themselves() -> None:
    """The library's BasicBlock inside ResNet-18, though the network has one of its own."""
    text = """
name: net
input: [3, 64, 64]
blocks: {BasicBlock: {seq: [{op: tanh}]}}
layers:
- body: {spec: resnet18, features: layer1}
- own: {block: BasicBlock}
"""
    net = archspec.compile(text)
    assert net.params == archspec.compile("resnet18", stages=[2], include_top=False).params
    assert "class ResNet18BasicBlock(nn.Module)" in archspec.codegen(text)


@pytest.fixture
def specs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of specs in place of the shipped ones."""
    monkeypatch.setattr(composition, "shipped", lambda: {path.stem: path for path in tmp_path.glob("*.yaml")})
    composition._read.cache_clear()
    return tmp_path


def test_a_spec_that_contains_itself(specs: Path) -> None:
    (specs / "a.yaml").write_text("name: a\ninput: [3, 8, 8]\nlayers:\n- b: {spec: b}\n")
    (specs / "b.yaml").write_text("name: b\ninput: [3, 8, 8]\nlayers:\n- a: {spec: a}\n")
    with pytest.raises(archspec.SpecError, match="the spec 'a' contains itself"):
        archspec.compile("name: net\ninput: [3, 8, 8]\nlayers:\n- x: {spec: a}\n")


def test_outputs_of_a_spec_are_those_of_the_block(specs: Path) -> None:
    layers = "layers:\n- low: {op: conv2d, out_channels: 4, kernel_size: 3}\n- high: {op: relu}\n"
    (specs / "two.yaml").write_text(f"name: two\ninput: [3, 8, 8]\n{layers}outputs: [low, high]\n")
    net = archspec.compile("name: net\ninput: [3, 8, 8]\nlayers:\n- x: {spec: two}\noutput: x.low\n")
    assert net.output_shape == (4, 6, 6)
    bad = "outputs: {type: dict, when: always, fields: {a-b: low}}\n"
    (specs / "odd.yaml").write_text(f"name: odd\ninput: [3, 8, 8]\n{layers}{bad}")
    with pytest.raises(archspec.SpecError, match="the outputs of odd have names that outputs of a block cannot have"):
        archspec.compile("name: net\ninput: [3, 8, 8]\nlayers:\n- x: {spec: odd}\n")


def test_a_spec_is_constructed_in_its_own_order(specs: Path) -> None:
    layers = "layers:\n- a: {op: conv2d, out_channels: 2, kernel_size: 1}\n" \
             "- b: {op: conv2d, out_channels: 2, kernel_size: 1}\n"  # fmt: skip
    (specs / "late.yaml").write_text(f"name: late\ninput: [3, 8, 8]\n{layers}construct: [a]\n")
    whole = archspec.build((specs / "late.yaml").read_text(), seed=0).state_dict()
    built = archspec.build("name: net\ninput: [3, 8, 8]\nlayers:\n- x: {spec: late}\n", seed=0).state_dict()
    assert all(torch.equal(built[f"x.{key}"], value) for key, value in whole.items())


CUT = """
name: net
input: [8, 6, 6]
blocks:
  Cut:
    seq:
    - {op: conv2d, out_channels: 8, kernel_size: 1}
    - {op: relu}
    - {op: conv2d, out_channels: 4, kernel_size: 1}
    layers:
    - scale: {op: parameter, shape: [4, 1, 1], value: 0.5}
    - {op: mul, from: ["2", scale]}
    - {op: relu, from: "0"}
    output: "1"
    cut: true
layers:
- cut: {block: Cut}
"""


def test_what_is_cut_off_holds_nothing_and_prevents_nothing() -> None:
    """A parameter behind entries is removed; an activation overwrites what only dropped items would read again."""
    text = archspec.codegen(CUT)
    assert "nn.ReLU(inplace=True)" in text
    assert "del self[2:], self.scale" in text
    assert list(archspec.build(CUT).state_dict()) == ["cut.0.weight", "cut.0.bias"]
