"""The inference form: what is removed, that the rest computes the same, and that every target supports it."""

from __future__ import annotations

import gc
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
from click.testing import CliRunner
from exhaustive import LARGE, first, one_of_each_family
from oracle import randomise
from random_networks import network
from safetensors.torch import load_file
from torch import Tensor, nn

import archspec
from archspec.backends.python import generate as python
from archspec.cli.commands import app
from archspec.frontend.loader import Spec, shipped
from archspec.frontend.yaml.writer import dump
from archspec.ir.graph import Graph
from archspec.ir.module import Module
from archspec.ops.batch_norm import BatchNorm
from archspec.ops.convolution import Convolution
from archspec.ops.dropout import Dropout
from archspec.ops.stochastic_depth import StochasticDepth
from archspec.passes.fold_batch_norm import Folded, fold
from archspec.passes.pipeline import compile_with_expressions, load
from archspec.weights import load as weights

SMALL = [3, 64, 64]
SMALL_CLIP = [3, 8, 32, 32]
TOLERANCE = {torch.float64: 1e-12, torch.float32: 1e-5}
"""How far an output may be from the original's, relative to the largest. Measured were 4e-15 and 3e-6."""

NORMED = sorted(name for name in shipped()
                if any(key.endswith("running_mean") for key in archspec.compile(name).state_dict_shapes()))  # fmt: skip


def left(graph: Graph) -> tuple[int, int]:
    """How many batch norms could have been folded into a convolution, and how many steps do nothing."""
    norms = idle = 0
    for module in graph.root.modules:
        for step in module.steps:
            idle += step.train_only or isinstance(step.target, Dropout | StochasticDepth)
            norms += isinstance(step.target, BatchNorm) and reads_a_convolution(module, step.inputs[0].step)
    return norms, idle


def reads_a_convolution(module: Module, number: int) -> bool:
    readers = [step for step in module.steps for ref in step.inputs if ref.step == number]
    return number >= 0 and isinstance(module.steps[number].target, Convolution) and len(readers) == 1


@pytest.mark.parametrize("name", NORMED)
def test_everything_foldable_is_folded(name: str) -> None:
    spec = load(name)
    folded = fold(compile_with_expressions(spec))
    folded.graph.verify()
    assert left(folded.graph) == (0, 0)
    assert folded.graph.output_shape == archspec.compile(name).output_shape
    assert folded.graph.macs == archspec.compile(name).macs
    made = {key for layer, source in folded.sources.items() for key in tensors(layer, source)}
    assert made == set(folded.graph.state_dict_shapes())


def tensors(layer: str, source: Any) -> set[str]:
    return {f"{layer}.{name}".rstrip(".") for name in source.tensors}


def close(found: Any, expected: Any) -> bool:
    if isinstance(expected, dict):
        return list(found) == list(expected) and all(close(found[name], expected[name]) for name in expected)
    return bool((found - expected).abs().max() <= TOLERANCE[found.dtype] * expected.abs().max())


def prepared(name: str) -> Spec:
    """A spec with an input as small as it can be; Inception's heads need a large one, and are not in that form."""
    if name == "inception_v3":
        return load(name, input=[3, 96, 96], aux_logits=False)
    if name in ("resnet50_legacy", "maxvit_t"):  # made for one size
        return load(name)
    return load(name, input=SMALL if len(load(name).model.input) == len(SMALL) else SMALL_CLIP)


@torch.no_grad()
def in_use(spec: Spec, x: Tensor) -> nn.Module:
    """A network with random weights whose running statistics are near those of a batch, as training leaves them.

    With statistics that have nothing to do with the values, these grow from block to block, and roundings with them:
    in deep EfficientNets up to the size of the output, whether batch norm is folded or not.
    """
    model = archspec.build(spec, initialise=False).eval()
    randomise(model)
    norms = [module for module in model.modules() if isinstance(module, nn.BatchNorm2d | nn.BatchNorm3d)]
    for norm in norms:
        norm.momentum = 1.0
        norm.train()
    model(x)
    for norm in norms:
        norm.running_var.add_(0.5)  # type: ignore[union-attr]  # the few values of a small map may be almost equal
    return model.eval()


class Spent(dict[str, Tensor]):
    """Tensors that are freed after they were read: the largest network has 640 million numbers."""

    def __getitem__(self, key: str) -> Tensor:
        return self.pop(key)


@pytest.mark.parametrize("name", one_of_each_family(NORMED, LARGE))
@torch.no_grad()
def test_the_same_network(name: str) -> None:
    """Every network in both precisions, and the generated file: it and the built module are equal bit for bit."""
    spec = prepared(name)
    folded = fold(compile_with_expressions(spec))
    x = torch.randn(2, *folded.graph.input_shape, generator=torch.Generator().manual_seed(1))
    original = in_use(spec, x)
    single, double = original(x), original.double()(x.double())
    state = Spent(original.state_dict())
    del original
    gc.collect()  # torch's conversions leave cycles
    model = built(folded, state)
    found = model(x.double())
    assert close(found, double)
    written = generated(folded, model)(x.double())
    pairs = [(written, found)] if isinstance(found, Tensor) else [(written[name], found[name]) for name in found]
    assert all(torch.equal(a, b) for a, b in pairs)
    assert not any(isinstance(module, nn.Dropout) for module in model.modules())
    assert close(model.float()(x), single), "rounded when all is computed, as for weights that are loaded"


def built(folded: Folded, state: Mapping[str, Tensor]) -> nn.Module:
    """The folded network in float64."""
    torch.set_default_dtype(torch.float64)
    try:
        return weights.build_with(folded.graph, weights.fold(state, folded.sources)).eval()
    finally:
        torch.set_default_dtype(torch.float32)


def generated(folded: Folded, model: nn.Module) -> nn.Module:
    """The network of the generated file, with the same numbers."""
    namespace: dict[str, Any] = {"__name__": folded.graph.name}
    exec(python.generate(folded.graph), namespace)
    with torch.device("meta"):
        written: nn.Module = namespace[folded.graph.name]().eval()
    written.load_state_dict(model.state_dict(), assign=True)
    return written


@pytest.mark.parametrize("seed", first(range(200), 100, 150))
@torch.no_grad()
def test_random_networks_stay_the_same(seed: int) -> None:
    spec = load(dump(network(seed)))
    folded = fold(compile_with_expressions(spec))
    folded.graph.verify()
    x = torch.randn(4, *folded.graph.input_shape, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    original = in_use(spec, x.float()).double()
    model = built(folded, original.state_dict())
    found = model(x)
    assert close(found, original(x))
    assert torch.equal(generated(folded, model)(x), found)


def test_from_weights_to_a_file_and_back(tmp_path: Path) -> None:
    original = archspec.build("resnet18", input=SMALL).eval()
    randomise(original)
    torch.save(original.state_dict(), tmp_path / "weights.pth")
    file = str(tmp_path / "folded.safetensors")
    options = ["--weights", str(tmp_path / "weights.pth"), "--input", "3x64x64", "--fold-batch-norm", "-o", file]
    assert CliRunner().invoke(app, ["build", "resnet18", *options], catch_exceptions=False).exit_code == 0
    again = archspec.build(file).eval()
    direct = archspec.build("resnet18", weights=tmp_path / "weights.pth", fold_batch_norm=True, input=SMALL).eval()
    x = torch.randn(1, *SMALL)
    with torch.no_grad():
        assert torch.equal(again(x), direct(x))
        assert close(direct(x), original(x))
    written: dict[str, Any] = {"__name__": "folded"}
    exec(archspec.codegen("resnet18", fold_batch_norm=True), written)
    written["resnet18"]().load_state_dict(load_file(file), strict=True)


def test_a_new_head_and_features_of_the_folded_network(tmp_path: Path) -> None:
    torch.save(archspec.build("resnet18").state_dict(), tmp_path / "weights.pth")
    options: dict[str, Any] = {"weights": tmp_path / "weights.pth", "fold_batch_norm": True, "input": SMALL}
    model = archspec.build("resnet18", num_classes=5, allow_mismatch="fc", **options)
    assert model.get_parameter("fc.weight").shape == (5, 512)
    cut: Any = archspec.build("resnet18", features=["layer1"], **options).eval()
    assert cut(torch.randn(1, *SMALL))["layer1"].shape == (1, 64, 16, 16)


def test_initial_weights_are_folded_too() -> None:
    torch.manual_seed(0)
    original = archspec.build("resnet18", input=SMALL).eval()
    torch.manual_seed(0)
    folded = archspec.build("resnet18", input=SMALL, fold_batch_norm=True).eval()
    x = torch.randn(1, *SMALL)
    with torch.no_grad():
        assert torch.allclose(folded(x), original(x), atol=1e-4)


def test_source() -> None:
    code = archspec.codegen("resnet50", fold_batch_norm=True)
    assert "BatchNorm" not in code
    assert "bias=False" not in code
    printed = CliRunner().invoke(app, ["codegen", "resnet50", "--fold-batch-norm"], catch_exceptions=False)
    assert printed.stdout == code


BODY = """name: net
input: [3, 8, 8]
layers:
"""


@pytest.mark.parametrize(
    ("layers", "norms"),
    [
        ("- c: {op: conv2d, out_channels: 4, kernel_size: 3, bias: false}\n- n: {op: batch_norm2d}\n", 0),
        ("- c: {op: conv2d, out_channels: 4, kernel_size: 3}\n- n: {op: batch_norm2d, affine: false, eps: 0.1}\n", 0),
        ("- c: {op: conv2d, out_channels: 4, kernel_size: 3}\n- n: {op: batch_norm2d}\n- {op: add, from: [n, n]}\n", 0),
        # the convolution has another reader, runs twice, or has no running statistics after it
        ("- c: {op: conv2d, out_channels: 3, kernel_size: 1}\n- n: {op: batch_norm2d}\n- {op: add, from: [n, c]}\n", 1),
        ("- c: {op: conv2d, out_channels: 3, kernel_size: 1}\n- n: {op: batch_norm2d}\n- call: c\n", 1),
        ("- c: {op: conv2d, out_channels: 3, kernel_size: 1}\n- n: {op: batch_norm2d}\n- call: n\n", 1),
        ("- c: {op: conv2d, out_channels: 3, kernel_size: 1}\n"
         "- n: {op: batch_norm2d, track_running_stats: false}\n", 1),
        # the batch norm is not after it, or not before the next
        ("- n: {op: batch_norm2d}\n- c: {op: conv2d, out_channels: 4, kernel_size: 3}\n", 1),
        ("- c: {op: conv2d, out_channels: 3, kernel_size: 1}\n- {op: relu}\n- n: {op: batch_norm2d}\n", 1),
        # items with names and expressions around what goes
        ("- c: {op: conv2d, out_channels: 4, kernel_size: 3}\n- n: {op: batch_norm2d}\n- d: {op: dropout}\n"
         "- e: {op: conv2d, out_channels: =d.channels * n.channels, kernel_size: 1, from: d}\n"
         "- f: {op: conv2d, out_channels: 16, kernel_size: 1, from: n}\n- {op: cat, from: [e, f, d]}\n", 0),
        ("- d: {op: dropout}\n- c: {op: conv2d, out_channels: 3, kernel_size: 1, from: d}\n"
         "- {op: add, from: [d, c]}\n", 0),
        ("- a: {seq: [{op: conv2d, out_channels: 4, kernel_size: 3}, {op: batch_norm2d}, {op: relu}]}\n"
         "- b: {seq: [{op: dropout}]}\n- {op: add, from: [a, b]}\n", 0),
        # groups that are repeated: each round has its own batch norm
        ("- s: {seq: [{repeat: 3, layers: [{op: conv2d, out_channels: 4, kernel_size: 1}, {op: batch_norm2d}]}]}\n", 0),
        ("- {repeat: 2, index: i, layers: ["
         "{'c{i}': {op: conv2d, out_channels: =i + 4, kernel_size: 1}}, {'n{i}': {op: batch_norm2d}}]}\n", 0),
        ("- {repeat: 2, index: i, layers: ["
         "{'c{i}': {op: conv2d, out_channels: 4, kernel_size: 1}}, {'n{i}': {op: batch_norm2d}}]}\n"
         "- {op: cat, from: [n0, n1]}\n", 0),
        ("- 'c{i}': {op: conv2d, out_channels: 4, kernel_size: 1, repeat: 2, index: i}\n- n: {op: batch_norm2d}\n", 0),
        ("- {repeat: 2, layers: [{op: relu}]}\n- d: {op: dropout}\n- {op: add, from: [d, input]}\n", 0),
    ],
)  # fmt: skip
@torch.no_grad()
def test_what_is_folded_and_what_is_not(layers: str, norms: int) -> None:
    spec = load(BODY + layers)
    folded = fold(compile_with_expressions(spec))
    original = archspec.build(spec).eval()
    randomise(original)
    model = weights.build_with(folded.graph, weights.fold(original.state_dict(), folded.sources)).eval()
    assert sum(isinstance(module, nn.BatchNorm2d) for module in model.modules()) == norms
    x = torch.randn(2, 3, 8, 8)
    assert torch.allclose(model(x), original(x), rtol=1e-5, atol=1e-5)


def test_a_repeated_module_of_training_is_registered_no_more() -> None:
    layers = """\
- a: {op: conv2d, out_channels: 4, kernel_size: 1}
- aux{i}: {train_only: true, op: conv2d, out_channels: 2, kernel_size: 1, repeat: 2, index: i, from: a}
- b: {op: conv2d, out_channels: 4, kernel_size: 1, from: a}
register: [a, aux1]
outputs: {type: Outs, fields: {b: b, aux: aux1}}
"""
    folded = fold(archspec.compile(BODY + layers)).graph
    assert list(folded.state_dict_shapes()) == ["b.weight", "b.bias", "a.weight", "a.bias"]
