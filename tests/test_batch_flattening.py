"""Dimensions of each sample in the batch: shapes, costs, meaning, and what is refused."""

from __future__ import annotations

import copy
import csv
import io
import json
import pickle
from itertools import product
from typing import Any

import pytest
import torch
from test_batchless import is_refused, item
from test_ops import FUNCTIONAL
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

import archspec
from archspec.diagnostics.diagnostic import SpecError
from archspec.frontend.yaml.writer import dump
from archspec.ops import OPS
from archspec.ops.shapes import count, folded_of, format_shape, samples, with_folded, without_folded, words

WINDOWS = """
name: windows
input: [3, 8, 12]
layers:
- stem: {op: conv2d, out_channels: 4, kernel_size: 3, padding: 1}
- {op: rearrange, pattern: c (a i) (b j) -> a b c i j, i: 4, j: 4}
- {op: flatten_batch, dims: 2}
- conv: {op: conv2d, out_channels: 6, kernel_size: 3, padding: 1}
- bn: {op: batch_norm2d}
- act: {op: relu}
- {op: unflatten_batch}
- {op: rearrange, pattern: a b c i j -> c (a i) (b j)}
"""


def spec(*layers: dict[str, Any], shape: tuple[int, ...] = (4, 3)) -> Any:
    return archspec.load(dump({"name": "net", "input": list(shape), "layers": [*layers]}))


def message_of(*layers: dict[str, Any]) -> tuple[str, str]:
    with pytest.raises(SpecError) as caught:
        archspec.compile(spec(*layers))
    (found,) = caught.value.diagnostics
    return found.message, found.help


JOIN, LEAVE = {"op": "flatten_batch"}, {"op": "unflatten_batch"}
RELU = {"op": "relu"}


@pytest.mark.parametrize("training", [True, False])
def test_windows_are_samples_of_their_own(training: bool) -> None:
    """The same as each window cut out by hand."""
    model = archspec.build(WINDOWS).train(training)
    alike: Any = copy.deepcopy(model)
    x = torch.randn(2, 3, 8, 12)
    whole = alike.stem(x)
    windows = [whole[n, :, 4 * a : 4 * a + 4, 4 * b : 4 * b + 4] for n in range(2) for a in range(2) for b in range(3)]
    parts = alike.act(alike.bn(alike.conv(torch.stack(windows))))
    rows = [torch.cat([*part], 2) for part in parts.split(3)]
    expected = torch.stack([torch.cat(rows[n : n + 2], 1) for n in (0, 2)])
    assert torch.equal(model(x), expected)
    assert torch.equal(model.bn.running_mean, alike.bn.running_mean)  # type: ignore[union-attr, arg-type]


def test_machine_readable_summaries_count_the_parts() -> None:
    layers = json.loads(archspec.summary(WINDOWS, format="json"))["layers"]
    columns = ("output_shape", "parts_per_sample", "activations")
    found = {layer["name"]: tuple(layer[column] for column in columns) for layer in layers}
    assert found["stem"] == ([4, 8, 12], 1, 4 * 8 * 12)
    assert found["conv"] == ([6, 4, 4], 6, 6 * 6 * 4 * 4)
    rows = csv.DictReader(io.StringIO(archspec.summary(WINDOWS, format="csv")))
    assert {row["name"]: row["parts_per_sample"] for row in rows}["bn"] == "6"


def test_costs_count_every_part_of_a_sample() -> None:
    graph = archspec.compile(WINDOWS)
    model = archspec.build(WINDOWS).to("meta").eval()
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        model(torch.empty(1, 3, 8, 12, device="meta"))
    assert counter.get_total_flops() == 2 * graph.macs
    (conv,) = (layer for layer in graph.layers if layer.name == "conv")
    assert (format_shape(conv.output_shape), conv.activations) == ("6 of 6×4×4", 6 * 6 * 4 * 4)
    assert conv.receptive_field is None


def test_the_generated_file_is_equal() -> None:
    assert archspec.verify(WINDOWS).ok
    assert "x = torch.unflatten(x, 0, (-1, 2, 3))  # N × 2 × 3 × 6 × 4 × 4" in archspec.codegen(WINDOWS)
    assert "# 6N × 6 × 4 × 4" in archspec.codegen(WINDOWS)


def test_it_is_exported_for_any_batch() -> None:
    model = archspec.build(WINDOWS).eval()
    batch = torch.export.Dim("batch", min=2)
    exported: nn.Module = torch.export.export(model, (torch.randn(2, 3, 8, 12),), dynamic_shapes=({0: batch},)).module()
    x = torch.randn(5, 3, 8, 12)
    assert torch.equal(exported(x), model(x))


def test_dimensions_leave_the_batch_as_they_joined_it() -> None:
    twice = spec(JOIN, JOIN, RELU, LEAVE, LEAVE, shape=(2, 4, 3))
    once = spec({**JOIN, "dims": 2}, RELU, LEAVE, shape=(2, 4, 3))
    x = torch.randn(2, 2, 4, 3)
    for found in (twice, once):
        assert archspec.compile(found).output_shape == (2, 4, 3)
        assert torch.equal(archspec.build(found)(x), x.relu())


SHAPES = [(4,), (4, 4), (4, 4, 4), (2, 4, 4, 4)]


@pytest.mark.parametrize("kind", [kind for kind, op in OPS.items() if not op.raw and not op.takes_integers])
def test_every_op_acts_on_the_parts_of_a_sample(kind: str) -> None:
    """As on samples: with equal weights, in training and in evaluation."""
    if kind in ("flatten_batch", "unflatten_batch", *FUNCTIONAL):
        return
    taken = 0
    for shape, number in product(SHAPES, range(OPS[kind].arity[0], max(OPS[kind].arity[0], 2) + 1)):
        more: dict[str, dict[str, Any]] = {
            "permute": {"dims": [*range(len(shape) + 1)]}, "expand": {"size": [-1] * len(shape)}, "glu": {"dim": 1},
            "fold": {"output_size": 2},
        }  # fmt: skip
        each = item(kind, ["input"] * number) | more.get(kind, {})
        made = "made.0" if kind in ("chunk", "split") else "made"
        alone = spec({"made": each}, {"op": "contiguous", "from": made}, shape=shape)
        if is_refused(alone):
            continue
        taken += 1
        letters = " ".join("bcd"[: len(shape) - 1])
        parts = {"op": "rearrange", "pattern": f"(n a) {letters} -> n a {letters}", "n": 3}
        layers = (parts, {**JOIN, "as": "x"}, {"made": {**each, "from": ["x"] * number}}, {**LEAVE, "from": made})
        together = spec(*layers, shape=(3 * shape[0], *shape[1:]))
        both, model = archspec.build(together), archspec.build(alone)
        model.load_state_dict(both.state_dict())
        x = torch.rand(2, 3 * shape[0], *shape[1:]) + 0.5
        for training in (True, False):
            outputs = []
            for module, given in ((both, x), (model, x.reshape(6, *shape))):
                torch.manual_seed(1)
                outputs.append(module.train(training)(given))
            assert torch.equal(outputs[0], outputs[1].unflatten(0, (2, 3)))
        assert archspec.compile(alone).macs * 3 == archspec.compile(together).macs
    assert taken


def test_what_has_no_batch_may_meet_any() -> None:
    """A parameter, and a token for every sample."""
    token = {"token": {"op": "parameter", "shape": [3], "value": 0.5}}
    layers = ({**JOIN, "as": "x"}, token, {"op": "add", "from": ["x", "token"]}, LEAVE)
    model = archspec.build(spec(*layers))
    x = torch.randn(2, 4, 3)
    assert torch.equal(model(x), x + 0.5)


def test_a_block_is_one_class_whatever_is_in_the_batch() -> None:
    text = """
name: net
input: [4, 6]
blocks:
  Part:
    layers:
    - fc: {op: linear, out_features: =input.features}
    - norm: {op: batch_norm1d, when: =flag}
    params: {flag: true}
layers:
- {op: flatten_batch}
- a: {block: Part}
- {op: unflatten_batch}
- {op: mean, dim: [1]}
- b: {block: Part}
"""
    assert archspec.codegen(text).count("class Part") == 1
    assert archspec.verify(text).ok


def test_the_batches_of_inputs_must_hold_the_same() -> None:
    message, help = message_of({**RELU, "as": "x"}, {**JOIN, "as": "y"}, {"op": "add", "from": ["x", "y"]})
    assert message == "add: the batches of its inputs hold different dimensions, 4×3 and 4 of 3"
    assert help == "unflatten_batch takes them out of the batch again"


@pytest.mark.parametrize(("layers", "message"), [
    ((JOIN,), "the network's output has dimensions of each sample in its batch: 4 of 3"),
    ((LEAVE,), "unflatten_batch: the batch of its input holds no dimensions of a sample"),
    (({**JOIN, "dims": 2},), "flatten_batch: 2 of the dimensions of 4×3 leave none to a sample"),
])  # fmt: skip
def test_refused(layers: tuple[dict[str, Any], ...], message: str) -> None:
    assert message_of(*layers)[0] == message


def test_a_value_with_dimensions_in_its_batch_is_no_feature() -> None:
    with pytest.raises(SpecError, match="'conv' has dimensions of each sample in its batch: 6 of 6×4×4"):
        archspec.build(WINDOWS, features=["conv"])
    features: Any = archspec.build(WINDOWS, features=["unflatten_batch"])
    found: Tensor = features(torch.randn(2, 3, 8, 12))["unflatten_batch"]
    assert found.shape == (2, 2, 3, 6, 4, 4)


def test_shapes() -> None:
    shape = with_folded((5, 2), ((3,), (4,)))
    assert (folded_of(shape), without_folded(shape), samples(shape)) == (((3,), (4,)), (5, 2), 12)
    assert count(shape) == 120
    assert shape == with_folded((5, 2), ((3,), (4,)))
    assert hash(shape) == hash(with_folded((5, 2), ((3,), (4,))))
    assert shape not in [(5, 2), with_folded((5, 2), ((4,), (3,))), with_folded((5, 2), ((3, 4),))]
    assert with_folded((5, 2), ()) == (5, 2)
    assert words((shape, shape)) == 240
    again = pickle.loads(pickle.dumps(shape))
    assert again == shape
    assert type(again) is type(shape)
