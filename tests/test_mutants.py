"""Tests for mutants of the compiler that once survived: each fails if the line that it tests is broken."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from checks import Case, reach_of, seeded
from interpreter import interpret
from torch import Tensor, nn

import archspec

KEPT = """
name: kept
input: [3, 8, 8]
layers:
- conv: {op: conv2d, out_channels: 4, kernel_size: 1}
- act: {op: relu}
- last: {op: conv2d, out_channels: 4, kernel_size: 1}
- {op: add, from: [last, act], as: total}
- {op: leaky_relu, as: end}
outputs: {type: Maps, fields: {end: end, conv: conv, last: last, total: total}}
"""


@pytest.mark.parametrize("form", ["built", "written"])
def test_what_is_put_out_in_training_is_not_overwritten(form: str) -> None:
    case = Case(KEPT)
    model: nn.Module = case.built if form == "built" else case.written()
    x = torch.randn(2, 3, 8, 8)
    found, expected = (made.train()(x) for made in (model, seeded(lambda: interpret(KEPT))))
    assert all(map(torch.equal, found, expected))
    assert all(bool((value < 0).any()) for value in expected), "nothing that a ReLU would change"


OWN = """
name: own
input: [8, 8, 8]
blocks:
  SqueezeExcitation:
    params: {squeeze_channels: , activation: relu, scale_activation: sigmoid}
    layers:
    - only: {op: conv2d, out_channels: =input.channels, kernel_size: 1}
layers:
- block: {block: MBConv, out_channels: 8}
"""
PLAIN = """
name: plain
input: [8, 8, 8]
layers:
- block: {block: MBConv, out_channels: 8}
"""


@pytest.mark.parametrize("order", [(PLAIN, OWN, PLAIN), (OWN, PLAIN, OWN)])
def test_a_block_of_the_library_is_what_the_blocks_of_the_spec_make_of_it(order: tuple[str, ...]) -> None:
    """Instances of the library's blocks are kept from spec to spec: not those made of what a spec redefines."""
    for text in order:
        keys = archspec.compile(text).state_dict_shapes()
        assert any(".only." in key for key in keys) == (text is OWN)
        assert list(keys) == list(interpret(text).state_dict())


def is_leaf(module: nn.Module) -> bool:
    return not list(module.children())


def leaf(module: nn.Module) -> tuple[Any, ...]:
    """What a module without others is: its type and its attributes."""
    names = ("eps", "momentum", "p", "stride", "kernel_size")
    return (type(module).__name__, *(getattr(module, name, None) for name in names))


@pytest.mark.parametrize("changed", [
    {"out_channels": 16}, {"expand_ratio": 1}, {"kernel_size": 5}, {"stride": 2}, {"p": 0.5}, {"eps": 0.01},
    {"momentum": 0.5}, {"input": [4, 8, 8]}, {"input": [8, 9, 8]},
])  # fmt: skip
def test_an_instance_with_other_arguments_is_another(changed: dict[str, Any]) -> None:
    """Of two that differ in one thing neither is taken for the other, whichever is made first."""
    shape, arguments = changed.get("input", [8, 8, 8]), {k: v for k, v in changed.items() if k != "input"}
    given = {"out_channels": 8, "expand_ratio": 6, **arguments}
    fields = ", ".join(f"{key}: {value}" for key, value in given.items())
    text = f"name: other\ninput: {shape}\nlayers:\n- block: {{block: MBConv, {fields}}}\n"
    archspec.compile(PLAIN)
    built: nn.Module = archspec.build(text)
    other: nn.Module = interpret(text)
    described = [list(map(leaf, filter(is_leaf, made.modules()))) for made in (built, other)]
    assert described[0] == described[1]
    assert archspec.compile(text).output_shape == tuple(other.eval()(torch.zeros(1, *shape)).shape[1:])


TWO = """
name: two
input: [4]
layers:
- a: {op: linear, out_features: 4}
- an: {op: batch_norm1d}
- b: {op: linear, out_features: 4}
- bn: {op: batch_norm1d}
"""


def tied() -> dict[str, Tensor]:
    """Tensors for `TWO` that share memory: whole, in part, and parameters with buffers."""
    state = {key: value.clone() for key, value in archspec.build(TWO).state_dict().items()}
    table = torch.randn(4, 4)
    numbers = torch.rand(8)
    return {**state, "a.weight": table, "b.weight": table, "a.bias": numbers[:4], "b.bias": numbers[4:],
            "an.running_mean": numbers[:4], "bn.running_mean": numbers[2:6], "an.weight": numbers[:4]}  # fmt: skip


def test_loaded_tensors_share_no_memory(tmp_path: Path) -> None:
    given = tied()
    torch.save(given, tmp_path / "tied.pth")
    model = archspec.build(TWO, weights=tmp_path / "tied.pth")
    state = model.state_dict()
    assert all(torch.equal(state[key], given[key]) for key in given)
    for key, tensor in state.items():
        before = {other: value.clone() for other, value in state.items() if other != key}
        tensor.add_(1)
        assert all(torch.equal(state[other], value) for other, value in before.items()), f"{key} is another's memory"


NEGATED = """
name: negated
input: [3, 8, 8]
params: {w: -8, v: 4}
blocks:
  Unit:
    params: {minus: -4}
    layers:
    - conv: {op: conv2d, out_channels: =0 - minus, kernel_size: 1}
    - last: {op: conv2d, out_channels: =-minus + input.channels - (1 - minus), kernel_size: 1}
layers:
- a: {op: conv2d, out_channels: =0 - w, kernel_size: 1}
- b: {op: conv2d, out_channels: =v - (0 - v), kernel_size: 1}
- c: {op: conv2d, out_channels: =20 - (v - 1), kernel_size: 1}
- unit: {block: Unit, minus: =0 - v}
"""


@pytest.mark.parametrize("arguments", [{}, {"w": -5}, {"v": 3}, {"w": -2, "v": 1}])
def test_subtraction_is_written_as_it_is(arguments: dict[str, int]) -> None:
    case = Case(NEGATED)
    assert set(case.arguments) == {"w", "v"}
    expected = {key: value.shape for key, value in interpret(NEGATED, **arguments).state_dict().items()}
    assert {key: value.shape for key, value in case.written(**arguments).state_dict().items()} == expected


UPSAMPLED = """
name: upsampled
input: [3, 32, 32]
layers:
- conv: {op: conv2d, out_channels: 4, kernel_size: 3, stride: 2, padding: 1}
- up: {op: upsample, scale_factor: 2, mode: MODE}
- last: {op: conv2d, out_channels: 4, kernel_size: 1}
"""


@pytest.mark.parametrize(("mode", "field"), [("nearest", (3, 3)), ("bilinear", (5, 5))])
def test_what_is_upsampled_sees_the_positions_between_which_it_lies(mode: str, field: tuple[int, int]) -> None:
    case = Case(UPSAMPLED.replace("MODE", mode))
    _, up, last = case.graph.layers
    assert up.receptive_field == last.receptive_field == field
    assert reach_of(case.built, case.graph)["last"] == field
    assert last.output_stride == (1, 1)


JOINED = """
name: joined
input: [4, 16, 32]
layers:
- far: {op: conv2d, out_channels: 4, kernel_size: 3, stride: [2, 1], padding: 1}
- near: {op: conv2d, out_channels: 4, kernel_size: [9, 3], padding: [0, 1], from: input}
- {op: OP, from: [FIRST, SECOND]}
- last: {op: conv2d, out_channels: 4, kernel_size: 3, padding: 1}
- next: {op: conv2d, out_channels: 4, kernel_size: 1, stride: 2}
"""


@pytest.mark.parametrize("op", ["add", "mul", "cat"])
@pytest.mark.parametrize("order", [("far", "near"), ("near", "far")])
def test_values_that_drift_apart_have_no_field(op: str, order: tuple[str, str]) -> None:
    """Maps of one size whose positions lie 2 and 1 rows apart: what they see together differs from row to row."""
    text = JOINED.replace("OP", op).replace("FIRST", order[0]).replace("SECOND", order[1])
    far, near, last, after = archspec.compile(text).layers
    assert (far.output_stride, near.output_stride) == ((2, 1), (1, 1))
    assert (last.output_stride, last.receptive_field, after.output_stride) == (None, None, None)


OVERWRITES = """
name: overwrites
input: [3, 8, 8]
layers:
- conv: {op: conv2d, out_channels: 4, kernel_size: 1}
- act: {op: relu}
- other: {op: conv2d, out_channels: 4, kernel_size: 1}
- kept: {op: relu}
- {op: add, from: [other, kept]}
"""


@pytest.mark.parametrize("form", ["built", "written"])
def test_what_nobody_else_reads_is_overwritten(form: str) -> None:
    case = Case(OVERWRITES)
    model: Any = case.built if form == "built" else case.written()
    assert (model.act.inplace, model.kept.inplace) == (True, False)
