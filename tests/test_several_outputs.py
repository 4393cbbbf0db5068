"""Blocks and networks with several outputs, beside modules written by hand."""

from __future__ import annotations

import copy
import json
import pickle
from pathlib import Path
from typing import Any, Final

import pytest
import torch
from checks import apart, form, namespace_of
from click.testing import CliRunner
from torch import Tensor, nn

import archspec
from archspec.cli.commands import app
from archspec.passes.features import extract
from archspec.passes.fold_batch_norm import fold

SPEC: Final = """
name: pair
class_name: Pair
input: [3, 16, 16]
params: {num_classes: 10, width: 8}
blocks:
  Stem:
    params: {width: }
    outputs: {low: pool, high: relu}
    layers:
    - conv: {op: conv2d, out_channels: =width, kernel_size: 3, padding: 1}
    - bn: {op: batch_norm2d}
    - relu: {op: relu}
    - pool: {op: max_pool2d, kernel_size: 2}
layers:
- stem: {block: Stem, width: =width}
- out: {op: conv2d, out_channels: =num_classes, kernel_size: 1, from: stem.low}
- aux: {op: conv2d, out_channels: =num_classes, kernel_size: 1, from: stem.high}
"""

KINDS: Final = {
    "[out, aux]": ("tuple", ()),
    "{type: tuple, when: always, fields: [out]}": ("tuple", ()),
    "{type: list, when: always, fields: [out, aux]}": ("list", ()),
    "{type: dict, when: always, fields: {out: out, '0': aux, 'low.0': stem.low}}": ("dict", ("out", "0", "low.0")),
    "{type: Maps, when: always, fields: [out, aux]}": ("Maps", ("out", "aux")),
}


class Pair(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        stem = [nn.Conv2d(3, 8, 3, padding=1), nn.BatchNorm2d(8), nn.ReLU(), nn.MaxPool2d(2)]
        self.stem = nn.ModuleDict(dict(zip(("conv", "bn", "relu", "pool"), stem, strict=True)))
        self.out = nn.Conv2d(8, 10, 1)
        self.aux = nn.Conv2d(8, 10, 1)

    def forward(self, x: Tensor) -> dict[str, Tensor]:
        high = self.stem["relu"](self.stem["bn"](self.stem["conv"](x)))
        low = self.stem["pool"](high)
        return {"out": self.out(low), "aux": self.aux(high), "low": low}


def returned(model: Any) -> tuple[Any, Any]:
    x = torch.randn(2, 3, 16, 16, generator=torch.Generator().manual_seed(0))
    return model.train()(x.clone()), model.eval()(x.clone())


@pytest.mark.parametrize("outputs", KINDS)
def test_each_kind_in_both_modes(outputs: str) -> None:
    text = f"{SPEC}outputs: {outputs}\n"
    torch.manual_seed(3)
    built = archspec.build(text)
    torch.manual_seed(3)
    written = namespace_of(archspec.codegen(text), "pair")["pair"]()
    torch.manual_seed(3)
    modes = [list(output.values()) for output in returned(Pair())]
    expected = {name: [mode[number] for mode in modes] for number, name in enumerate(("out", "aux", "low"))}
    for model in (built, written, copy.deepcopy(built), pickle.loads(pickle.dumps(built))):
        for mode, found in enumerate(returned(model)):
            assert form(found) == KINDS[outputs]
            for name, tensor in zip(("out", "aux", "low"), apart(found), strict=False):
                assert torch.equal(tensor, expected[name][mode])
    assert archspec.verify(text).ok
    assert archspec.expand(archspec.expand(text)) == archspec.expand(text)


@pytest.mark.parametrize("kind", ["tuple", "list", "dict", "Maps"])
def test_in_training_only(kind: str) -> None:
    text = f"{SPEC}outputs: {{type: {kind}, fields: {{main: out, other: aux}}}}\n"
    for model in (archspec.build(text), namespace_of(archspec.codegen(text), "pair")["pair"]()):
        trained, evaluated = returned(model)
        assert type(trained).__name__ == kind
        assert [value.shape[2] for value in apart(trained)] == [8, 16]
        assert isinstance(evaluated, Tensor)
        assert evaluated.shape == (2, 10, 8, 8)


def test_what_is_known_without_running() -> None:
    net = archspec.compile(f"{SPEC}outputs: [out, aux]\n")
    shapes: Any = net.output_shape
    assert shapes == ((10, 8, 8), (10, 16, 16))
    assert json.loads(archspec.summary(net, format="json"))["output_shape"] == [[10, 8, 8], [10, 16, 16]]
    assert net.macs == 27 * 8 * 256 + 80 * 64 + 80 * 256
    drawn = archspec.render(net, format="dot", depth=2).decode()
    assert "collect" not in drawn
    assert [name for name in ("out", "aux", "output") if f"label=<{name}>" in drawn] == ["out", "aux"]


def test_features_and_folding_go_through_blocks_with_several_outputs() -> None:
    whole = archspec.compile(f"{SPEC}outputs: {{type: dict, when: always, fields: [out, aux]}}\n")
    cut = extract(whole, ["stem.bn", "stem.pool", "out"])
    cut.verify()
    assert [feature.shape for feature in cut.features] == [(8, 16, 16), (8, 8, 8), (10, 8, 8)]
    folded = fold(whole)
    assert folded.remaining == ()
    assert folded.graph.outputs is not None
    assert list(folded.graph.outputs.fields) == ["out", "aux"]


@pytest.mark.parametrize("suffix", [".pt2", ".onnx"])
def test_exported(suffix: str, tmp_path: Path) -> None:
    spec, path = tmp_path / "pair.yaml", tmp_path / f"pair{suffix}"
    spec.write_text(f"{SPEC}outputs: {{type: dict, when: always, fields: [out, aux]}}\n", encoding="utf-8")
    result = CliRunner().invoke(app, ["build", str(spec), "-o", str(path)])
    assert result.exit_code == 0, result.output
    if suffix == ".pt2":
        found = torch.export.load(path).module()(torch.zeros(3, 3, 16, 16))
        assert {name: tuple(value.shape) for name, value in found.items()} == {
            "out": (3, 10, 8, 8),
            "aux": (3, 10, 16, 16),
        }
    else:
        import onnx

        assert [value.name for value in onnx.load(path).graph.output] == ["out", "aux"]


def test_no_classifier(tmp_path: Path) -> None:
    with pytest.raises(archspec.SpecError, match="is not an image classifier"):
        archspec.project(f"{SPEC}outputs: [out, aux]\n", tmp_path / "flowers")


def test_a_closed_block_lists_what_the_spec_has() -> None:
    """Not the tuple of its outputs, which the compiler adds."""
    spec = """
name: net
input: [8, 6]
blocks:
  Two:
    outputs: [a, b]
    layers:
    - a: {op: mean, dim: [1], keepdim: true}
    - b: {op: max, dim: [1], from: input}
layers:
- two: {block: Two}
- {op: relu, from: two.a}
"""
    image = archspec.render(spec, depth=1).decode()
    assert "mean, max" in image
    assert "collect" not in image
