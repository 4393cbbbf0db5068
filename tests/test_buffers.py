"""Buffers through all targets: keys, types, files of weights, generated files, exports."""

from __future__ import annotations

import copy
import pickle
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

import archspec
from archspec.backends.python.validator.validate import validate
from archspec.diagnostics.diagnostic import SpecError, ValidationError
from archspec.passes import pipeline

NET = """
name: windows
input: [16, 8]
params: {width: 8}
layers:
- mask: {op: buffer, values: shift_mask, size: 8, window_size: 4, shift_size: [2, 1], persistent: false}
- qkv: {op: linear, out_features: =width}
- coords: {op: buffer, values: relative_coords_table, window_size: 4, shape: [-1, 2]}
- table: {op: parameter, shape: [49, 1], value: 0.5}
- steps: {op: buffer, values: relative_position_index, window_size: 4, shape: [-1]}
- {op: matmul, from: [coords, coords], transpose_b: true, as: products}
- {op: slice, dim: -1, stop: 1, as: products0}
- {op: add, from: [table, products0], as: rows}
- {op: index, from: [rows, steps]}
- {op: rearrange, pattern: "(q k) 1 -> q k", q: 16, as: bias}
- {op: matmul, from: [qkv, qkv], transpose_b: true}
- {op: rearrange, pattern: "q k -> 1 1 q k", as: scores}
- {op: add, from: [scores, bias], as: scores}
- {op: add, from: [mask, scores]}
- {op: softmax, dim: -1}
- {op: sum, dim: [1, 2]}
"""

KEYS = ["table", "coords", "steps", "qkv.weight", "qkv.bias"]


def sample() -> torch.Tensor:
    return torch.randn(2, 16, 8, generator=torch.Generator().manual_seed(0))


def test_buffers_stand_behind_parameters_and_before_modules() -> None:
    graph, model = archspec.compile(NET), archspec.build(NET)
    assert list(model.state_dict()) == list(graph.state_dict_shapes()) == KEYS
    assert [name for name, _ in model.named_buffers()] == ["mask", "coords", "steps"]
    assert model.state_dict()["steps"].dtype is torch.int64
    assert graph.buffers == 4 * 16 * 16 + 49 * 2 + 256


def test_a_copy_has_what_is_not_saved() -> None:
    model = archspec.build(NET).eval()
    expected = model(sample())
    for other in (copy.deepcopy(model), pickle.loads(pickle.dumps(model))):
        assert torch.equal(other(sample()), expected)


@pytest.mark.parametrize("suffix", [".pt", ".safetensors"])
def test_weights_come_back(suffix: str, tmp_path: Path) -> None:
    first = archspec.build(NET, seed=0).eval()
    state = {key: tensor.clone() for key, tensor in first.state_dict().items()}
    path = tmp_path / f"net{suffix}"
    if suffix == ".pt":
        torch.save(state, path)
    else:
        save_file(state, path)
    second = archspec.build(NET, weights=path).eval()
    assert torch.equal(second(sample()), first(sample()))
    assert second.get_buffer("steps").dtype is torch.int64
    assert not any(tensor.is_meta for tensor in second.buffers())


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda steps: steps.flip(0), "1 tensor of integers that are not those of the network"),
        (lambda steps: steps + 1000, "1 tensor of integers that are not those of the network"),
        (lambda steps: steps + 0.5, "1 tensor of another type than the network's"),
    ],
)
def test_other_integers_are_refused(change: object, message: str, tmp_path: Path) -> None:
    state = archspec.build(NET).state_dict()
    state["steps"] = change(state["steps"])  # type: ignore[operator]
    save_file(state, tmp_path / "net.safetensors")
    with pytest.raises(SpecError) as caught:
        archspec.build(NET, weights=tmp_path / "net.safetensors")
    assert message in str(caught.value)
    assert "steps" in str(caught.value)


def test_what_a_checkpoint_lacks_can_be_calculated(tmp_path: Path) -> None:
    state = archspec.build(NET).state_dict()
    steps = state.pop("steps")
    save_file(state, tmp_path / "net.safetensors")
    assert "steps" not in load_file(tmp_path / "net.safetensors")
    with pytest.raises(SpecError, match="steps"):
        archspec.build(NET, weights=tmp_path / "net.safetensors")
    made = archspec.build(NET, weights=tmp_path / "net.safetensors", allow_mismatch=["steps"])
    assert torch.equal(made.state_dict()["steps"], steps)


def test_an_empty_module_has_its_buffers() -> None:
    full, empty = archspec.build(NET), archspec.build(NET, initialise=False)
    for (name, one), (_, other) in zip(full.named_buffers(), empty.named_buffers(), strict=True):
        assert torch.equal(one, other), name


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("persistent=False", "persistent=True"),
        (", persistent=False", ""),
        ("shift_mask((8, 8), (4, 4), (2, 1))", "shift_mask((8, 8), (4, 4), (1, 2))"),
        ("shift_mask((8, 8), (4, 4), (2, 1))", "relative_coords_table((4, 4))"),
        (".reshape(-1, 2)", ".reshape(2, -1)"),
        (".reshape(-1, 2)", ""),
        ("[self.steps]", "[self.coords]"),
        ("self.steps = nn.Buffer(", "self.steps = nn.Parameter("),
        ("return down * (2 * columns - 1) + right", "return down * (2 * columns) + right"),
    ],
)
def test_another_buffer_is_refused(before: str, after: str) -> None:
    text, graph = archspec.codegen(NET), archspec.compile(NET)
    assert before in text
    with pytest.raises(ValidationError):
        validate(text.replace(before, after), graph, lambda changed: pipeline.with_parameters(graph, changed))


def test_a_buffer_that_some_instances_lack() -> None:
    text = """
name: some
input: [4, 4]
blocks:
  Shifted:
    params: {shift: 0}
    layers:
    - fc: {op: linear, out_features: 4}
    - mask: {op: buffer, values: ones, shape: [4, 4], when: =shift > 0, else: fc}
    - {op: add, from: [fc, mask]}
layers:
- a: {block: Shifted}
- b: {block: Shifted, shift: 1}
"""
    code = archspec.codegen(text)
    assert "self.mask: nn.Buffer | None = nn.Buffer(torch.ones(4, 4))" in code
    names: dict[str, Any] = {"__name__": "some"}
    exec(code, names)
    made, built = names["some"](), archspec.build(text)
    assert list(made.state_dict()) == list(built.state_dict()) == ["a.fc.weight", "a.fc.bias", "b.mask", *(
        f"b.fc.{name}" for name in ("weight", "bias"))]  # fmt: skip
    made.load_state_dict(built.state_dict())
    x = torch.randn(2, 4, 4)
    assert torch.equal(made(x), built(x))
