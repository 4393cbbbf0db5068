"""Programs: `.pt2` and `.onnx` files run as the module does, or one located error says why there is none."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import free_networks
import pytest
import random_networks
import torch
from exhaustive import first
from torch import Tensor, nn

import archspec
from archspec.backends.export import agreement, onnx, program
from archspec.backends.export.decompositions import FOR_ONNX
from archspec.diagnostics.diagnostic import SpecError, TargetError
from archspec.frontend.yaml.writer import dump
from archspec.weights.build import Built, Options, build, save

pytest.importorskip("onnxruntime")


def built(data: dict[str, Any]) -> Built:
    return build(dump(data), Options(seed=0))


def layer(shape: tuple[int, ...], op: str, **fields: Any) -> dict[str, Any]:
    """A network of one layer, in a block, so that its name has a dot."""
    block = {"layers": [{"inner": {"op": op, **fields}}]}
    return {
        "name": "net",
        "input": list(shape),
        "blocks": {"Around": block},
        "layers": [{"outer": {"block": "Around"}}],
    }


def run(path: Path, x: Tensor) -> list[Tensor]:
    import onnxruntime

    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    return [torch.from_numpy(value) for value in session.run(None, {session.get_inputs()[0].name: x.numpy()})]


LACKING = {
    "max pool 6 → 4": layer((5, 6, 6), "adaptive_max_pool2d", output_size=4),
    "max pool 9×7 → 4×7": layer((5, 9, 7), "adaptive_max_pool2d", output_size=[4, 7]),
    "max pool 8×6 → 8×5": layer((5, 8, 6), "adaptive_max_pool2d", output_size=[8, 5]),
    "max pool 4 → 7": layer((5, 4, 4), "adaptive_max_pool2d", output_size=7),
    "max pool 8 → 4": layer((5, 8, 8), "adaptive_max_pool2d", output_size=4),
    "output_padding 1, stride 1": layer(
        (4, 5, 6), "conv_transpose2d", out_channels=3, kernel_size=3, output_padding=1, dilation=2
    ),
    "output_padding 2, stride 2": layer(
        (4, 5, 6), "conv_transpose2d", out_channels=4, kernel_size=[3, 2], stride=2, padding=1, output_padding=2,
        dilation=3, groups=2, bias=False,
    ),
    "output_padding 5 × 0, stride 2 × 1": layer(
        (4, 5, 6), "conv_transpose2d", out_channels=3, kernel_size=2, stride=[2, 1], output_padding=[5, 0],
        dilation=[6, 1],
    ),
    "output_padding 1, stride 2": layer(
        (4, 5, 6), "conv_transpose2d", out_channels=3, kernel_size=3, stride=2, padding=1, output_padding=1
    ),
}  # fmt: skip
"""Ops that ONNX or torch's exporter lacks, and similar ones."""


@pytest.mark.parametrize("case", first([*LACKING], 4))
def test_what_onnx_lacks_is_decomposed(case: str, tmp_path: Path) -> None:
    import onnx as format

    net = built(LACKING[case])
    save(net, tmp_path / "net.onnx")
    format.checker.check_model(format.load(tmp_path / "net.onnx"), full_check=True)
    for batch in (1, 3):
        x = torch.randn(batch, *net.graph.input_shape)
        (found,) = run(tmp_path / "net.onnx", x)
        expected = net.module.eval()(x).detach()
        assert found.shape == expected.shape
        assert torch.allclose(found, expected, atol=1e-6)


TENSORS = """
name: tensors
input: [4, 8, 8]
layers:
- conv: {op: conv2d, out_channels: 8, kernel_size: 3, padding: 1}
- act: {op: prelu, num_parameters: 8}
- {op: pad, pad: [1, 2, 0, 1], value: 0.5}
- {op: slice, dim: -1, start: 1, stop: -1, step: 2}
- {op: pad, pad: [1, 1, 0, 0], mode: reflect}
- {op: select, dim: 2, position: -1, as: a}
- {op: roll, shifts: [1], dims: [1], as: r}
- {op: split, sizes: [3, 5], dim: 1, as: s}
- {op: cat, from: [s.1, s.0], dim: 1, as: c}
- {op: stack, from: [r, c], dim: -1}
- {op: max, dim: [3]}
- rms: {op: rms_norm}
- m: {op: layer_norm, num_dims: 2}
- token: {op: parameter, shape: [1, 1, 7], value: 0.5}
- {op: expand, from: [token, m], as: t}
- {op: cat, from: [t, m], dim: 1}
- {op: normalize, dim: -1, as: n}
- {op: matmul, from: [n, n], transpose_b: true}
- {op: softmax, dim: -1, as: w}
- {op: matmul, from: [w, n], as: x}
- {op: rearrange, pattern: "(a b c) f -> a b c f", a: 1, b: 3, as: q}
- {op: scaled_dot_product_attention, from: [q, q, q], scale: 0.5}
- {op: rearrange, pattern: "a b c f -> (c b a) f"}
- {op: clamp, min: -1}
- {op: exp}
- {op: div, value: 3, reverse: true}
- {op: gelu, approximate: tanh}
- {op: sum, dim: [1]}
"""


def test_ops_on_tensors(tmp_path: Path) -> None:
    """For any batch size, without mistaking the shape of a sample for that of a batch."""
    net = build(TENSORS, Options(seed=0))
    save(net, tmp_path / "net.onnx")
    for batch in (1, 3):
        x = torch.randn(batch, *net.graph.input_shape)
        (found,) = run(tmp_path / "net.onnx", x)
        expected = net.module.eval()(x).detach()
        assert found.shape == expected.shape == (batch, 7)
        assert torch.allclose(found, expected, atol=1e-5)


TOKENS = """
name: net
input: [6]
tokens: 20
layers:
- words: {op: embedding, num_embeddings: 20, embedding_dim: 4, padding_idx: 0}
- place_ids: {op: buffer, values: arange, shape: [1, 8], persistent: false}
- {op: slice, from: place_ids, dim: 1, stop: 6, as: shown}
- places: {op: embedding, num_embeddings: 8, embedding_dim: 4, from: shown}
- {op: add, from: [words, places]}
"""


def test_token_ids(tmp_path: Path) -> None:
    net = build(TOKENS, Options(seed=0))
    save(net, tmp_path / "net.onnx")
    save(net, tmp_path / "net.pt2")
    loaded = torch.export.load(tmp_path / "net.pt2").module()
    for batch in (1, 3):
        ids = torch.randint(20, (batch, 6))
        (found,) = run(tmp_path / "net.onnx", ids)
        expected = net.module.eval()(ids).detach()
        assert torch.equal(found, expected)
        assert torch.equal(loaded(ids), expected)


def test_what_onnx_has_is_left_as_it_is() -> None:
    from onnx import load_from_string

    def ops(case: str) -> set[str]:
        net = built(LACKING[case])
        made = onnx._converted(net.graph, program.exported(net.graph, net.module, "x.onnx"), "x.onnx")
        return {node.op_type for node in load_from_string(made.model_proto.SerializeToString()).graph.node}

    assert ops("max pool 8 → 4") == {"MaxPool"}
    assert ops("output_padding 1, stride 2") == {"ConvTranspose"}
    assert "Pad" in ops("output_padding 1, stride 1")


ROUNDING = (40, 94)
"""Random networks of which one amplifies rounding, and the other yields 10⁻¹¹ behind an `elu`."""


@pytest.mark.parametrize("seed", first([2, *ROUNDING], 1))
def test_random_networks(seed: int, tmp_path: Path) -> None:
    save(built(random_networks.network(seed)), tmp_path / "net.onnx")
    assert (tmp_path / "net.onnx").stat().st_size


@pytest.mark.parametrize("seed", [4, 9])
def test_free_networks(seed: int, tmp_path: Path) -> None:
    net = built(free_networks.free_network(seed))
    save(net, tmp_path / "net.pt2")
    save(net, tmp_path / "net.onnx")
    x = torch.randn(2, *net.graph.input_shape)
    made: Any = torch.export.load(tmp_path / "net.pt2").module()
    assert torch.equal(made(x), net.module.eval()(x))


def test_a_module_that_takes_no_batch_of_one(tmp_path: Path) -> None:
    save(built(layer((7,), "batch_norm1d", track_running_stats=False)), tmp_path / "net.onnx")
    (found,) = run(tmp_path / "net.onnx", torch.tensor([[1.0] * 7, [3.0] * 7]))
    assert torch.allclose(found, torch.tensor([[-1.0] * 7, [1.0] * 7]), atol=1e-4)


# -- errors -------------------------------------------------------------------------------------------------------


def refused(net: Built, path: Path) -> str:
    with pytest.raises(TargetError) as caught:
        save(net, path)
    assert not path.exists()
    (found,) = caught.value.diagnostics
    assert found.file == str(path)
    return str(found).replace(str(path), path.name)


def test_what_cannot_be_translated_is_one_located_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(onnx, "FOR_ONNX", {})
    head, reason, help = refused(built(LACKING["max pool 6 → 4"]), tmp_path / "net.onnx").splitlines()
    assert head == (
        "error[onnx]: net.onnx: outer.inner: torch.onnx cannot translate it (aten.adaptive_max_pool2d.default)"
    )
    assert "No ONNX function found for" in reason
    assert help == "   = help: a .safetensors file holds the weights of any network"


def test_what_cannot_be_run_is_one_located_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(onnx, "FOR_ONNX", {})
    head, reason, _ = refused(built(LACKING["output_padding 1, stride 1"]), tmp_path / "net.onnx").splitlines()
    assert head == "error[onnx]: net.onnx: outer.inner: onnxruntime cannot run it (ConvTranspose)"
    assert "output_padding (1) may be too large for stride (1)" in reason
    assert capfd.readouterr().err == ""  # onnxruntime's own log


def test_what_cannot_be_traced_is_one_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*args: Any, **kwargs: Any) -> None:
        raise RuntimeError("first line\nsecond line") from ValueError("the\ncause" + "." * 1000)

    monkeypatch.setattr(torch.export, "export", fail)
    net = built(LACKING["max pool 8 → 4"])
    net.module.train()
    head, reason, _ = refused(net, tmp_path / "net.pt2").splitlines()
    assert head == "error[export]: net.pt2: torch.export cannot trace it"
    assert reason.startswith("   = the cause...")
    assert len(reason) < 320
    assert net.module.training


def test_a_program_with_other_outputs_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def wrong(x: Tensor, size: Any) -> tuple[Tensor, Tensor]:
        x = nn.functional.adaptive_avg_pool2d(x, size)
        return x, torch.zeros_like(x, dtype=torch.int64)

    monkeypatch.setitem(FOR_ONNX, torch.ops.aten.adaptive_max_pool2d.default, wrong)
    message = refused(built(LACKING["max pool 6 → 4"]), tmp_path / "net.onnx")
    assert "onnxruntime's output is off by" in message


def test_a_program_with_outputs_of_another_shape_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def wrong(x: Tensor, size: Any) -> tuple[Tensor, Tensor]:
        return x, torch.zeros_like(x, dtype=torch.int64)

    monkeypatch.setitem(FOR_ONNX, torch.ops.aten.adaptive_max_pool2d.default, wrong)
    message = refused(built(LACKING["max pool 6 → 4"]), tmp_path / "net.onnx")
    assert "onnxruntime's output is 1×5×6×6, torch's 1×5×4×4" in message


def test_a_network_of_more_than_2_gib_is_refused_before_the_export(tmp_path: Path) -> None:
    text = "{name: wide, input: [65536], layers: [{fc: {op: linear, out_features: 8192}}]}\n"
    graph = archspec.compile(text)
    with pytest.raises(SpecError, match=r"an ONNX file holds at most 2 GiB, but wide has 2\.0 GiB of weights"):
        onnx.write_onnx(graph, nn.Identity(), tmp_path / "net.onnx", Any)  # type: ignore[arg-type]


def test_token_ids_and_zeros_are_compared_too() -> None:
    """Token ids are no real numbers, and an output of zeros has no largest number."""
    table, ids = nn.Embedding(4, 2).requires_grad_(False), torch.tensor([[1, 2]])
    assert "off by" in agreement._difference(table, ids, 0, table(ids), table(ids) + 1)
    zeros = torch.zeros(1, 2)
    assert "off by 0.5 from zeros" in agreement._difference(nn.Identity(), zeros, 0, zeros, zeros + 0.5)


@pytest.mark.parametrize(
    ("one", "other", "apart"),
    [([1.0, 2.0], [1.0, 2.5], 0.5), ([torch.inf, torch.nan], [torch.inf, torch.nan], 0.0),
     ([1.0], [torch.nan], torch.inf), ([torch.inf], [-torch.inf], torch.inf)],
)  # fmt: skip
def test_differences(one: list[float], other: list[float], apart: float) -> None:
    assert agreement._apart(torch.tensor(one), torch.tensor(other)) == apart
