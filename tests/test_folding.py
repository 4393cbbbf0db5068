"""The inference form: what is gone, that the rest means the same, and that every target has it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from click.testing import CliRunner
from oracle import randomise
from torch import Tensor, nn

import archspec
from archspec.cli import app
from archspec.driver import Spec, compile_with_expressions, load, shipped
from archspec.folding import fold
from archspec.graph import Graph, Module
from archspec.ops.convolution import Conv2d
from archspec.ops.normalisation import BatchNorm2d, Dropout, StochasticDepth
from archspec.targets import python, weights

SMALL = [3, 64, 64]
TOLERANCE = {torch.float64: 1e-7, torch.float32: 1e-4}
"""How far an output may be from the original's, relative to the largest."""

NORMED = sorted(name for name in shipped() if archspec.compile(name).buffers)
RUN = (
    "resnet18", "googlenet", "mobilenet_v2", "mobilenet_v3_small", "densenet121", "efficientnet_b0", "mnasnet0_5",
    "shufflenet_v2_x0_5", "regnet_y_400mf", "inception_v3",
)  # fmt: skip
"""One of each family, to be run."""


def left(graph: Graph) -> tuple[int, int]:
    """How many batch norms could have been folded into a convolution, and how many steps do nothing."""
    norms = idle = 0
    for module in graph.root.modules:
        for step in module.steps:
            idle += step.train_only or isinstance(step.target, Dropout | StochasticDepth)
            norms += isinstance(step.target, BatchNorm2d) and reads_a_convolution(module, step.inputs[0].step)
    return norms, idle


def reads_a_convolution(module: Module, number: int) -> bool:
    readers = [step for step in module.steps for ref in step.inputs if ref.step == number]
    return number >= 0 and isinstance(module.steps[number].target, Conv2d) and len(readers) == 1


@pytest.mark.parametrize("name", NORMED)
def test_everything_foldable_is_folded(name: str) -> None:
    spec = load(name)
    folded = fold(spec)
    folded.graph.verify()
    assert left(folded.graph) == (0, 0)
    assert folded.graph.output_shape == archspec.compile(name).output_shape
    assert folded.graph.macs == archspec.compile(name).macs
    made = {key for layer, source in folded.sources.items() for key in tensors(layer, source)}
    assert made == set(folded.graph.state_dict_shapes())


def tensors(layer: str, source: Any) -> set[str]:
    return {f"{layer}.{name}".rstrip(".") for name in source.tensors}


def close(found: Tensor, expected: Tensor) -> bool:
    return bool((found - expected).abs().max() <= TOLERANCE[found.dtype] * expected.abs().max())


def prepared(name: str) -> Spec:
    """A spec with a small input; Inception's heads need a large one, and are no part of the inference form."""
    if name == "inception_v3":
        return load(name, input=[3, 128, 128], aux_logits=False)
    return load(name, input=SMALL)


@pytest.mark.parametrize("name", [name for name in RUN if name in NORMED])
@torch.no_grad()
def test_the_same_network(name: str) -> None:
    """In float64: deep networks with random weights amplify the roundings of float32 up to the size of the output."""
    spec = prepared(name)
    folded = fold(spec)
    original = archspec.build(spec, initialise=False).eval()
    randomise(original)
    single = weights.build_with(folded.graph, weights.fold(original.state_dict(), folded.sources)).eval()
    state = weights.fold(original.double().state_dict(), folded.sources)
    model = single.double()
    model.load_state_dict(state)
    assert not any(isinstance(module, nn.Dropout) for module in model.modules())
    x = torch.randn(2, *folded.graph.input_shape, generator=torch.Generator().manual_seed(1)).double()
    found = model(x)
    assert close(found, original(x))
    namespace: dict[str, Any] = {"__name__": name}
    exec(python.generate(compile_with_expressions(folded.spec)), namespace)
    with torch.device("meta"):
        written = namespace[name]().eval()
    written.load_state_dict(state, assign=True)
    assert torch.equal(written(x), found)


@pytest.mark.parametrize("name", [name for name in RUN if name in NORMED])
@torch.no_grad()
def test_close_in_single_precision(name: str) -> None:
    """With the initial weights, as far as the running statistics of one batch make them a network in use."""
    spec = prepared(name)
    torch.manual_seed(0)
    original = archspec.build(spec)
    x = torch.randn(8, *archspec.compile(spec).input_shape)
    original.train()(x)
    folded = fold(spec)
    model = weights.build_with(folded.graph, weights.fold(original.state_dict(), folded.sources)).eval()
    assert close(model(x), original.eval()(x))


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
        assert torch.allclose(direct(x), original(x), rtol=1e-4, atol=1e-3)


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
    ],
)  # fmt: skip
@torch.no_grad()
def test_what_is_folded_and_what_is_not(layers: str, norms: int) -> None:
    spec = load(BODY + layers)
    folded = fold(spec)
    original = archspec.build(spec).eval()
    randomise(original)
    model = weights.build_with(folded.graph, weights.fold(original.state_dict(), folded.sources)).eval()
    assert sum(isinstance(module, nn.BatchNorm2d) for module in model.modules()) == norms
    x = torch.randn(2, 3, 8, 8)
    assert torch.allclose(model(x), original(x), rtol=1e-5, atol=1e-5)
