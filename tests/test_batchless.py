"""Values without a batch: each op accepts a parameter as torch does, or refuses it; no op acts on the wrong axis."""

from __future__ import annotations

import re
from itertools import product
from typing import Any

import pytest
import torch

import archspec
from archspec import SpecError
from archspec.frontend.yaml.writer import dump
from archspec.ops import OPS

REQUIRED: dict[str, Any] = {
    "out_channels": 4, "kernel_size": 1, "out_features": 4, "num_groups": 1, "chunks": 2, "groups": 2, "p": 0.5,
    "output_size": 1, "scale_factor": 2, "dim": [1], "dims": [0, 2, 1], "shape": [4], "scale": [1.0] * 4,
    "shift": [0.0] * 4, "num_heads": 2, "position": 0,
    "norm_type": 2, "exponent": 2, "upscale_factor": 2, "downscale_factor": 2,
    "num_embeddings": 4, "embedding_dim": 4, "pad": [0, 0], "shifts": [1], "repeats": 4, "pattern": "a b -> b a",
}  # fmt: skip
INPUT = (4, 4, 4)
CONVOLVED = {"functional_conv1d": (4, 4), "functional_conv2d": (4, 4, 4), "functional_conv3d": (4, 4, 4, 4)}
"""What is convolved without a batch, where the parameter is the weight."""
WEIGHTS = [(4, 4, 1), (4, 4, 1, 1), (1, 4, 1, 1, 1)]
SHAPES = [(1,), (4,), (4, 4), (4, 1, 1), (1, 4, 4), (4, 4, 4), (1, 4, 4, 4), (2, 4, 4, 4)]


def item(kind: str, inputs: list[str]) -> dict[str, Any]:
    fields = OPS[kind].model_fields
    required = {name: REQUIRED.get(name) for name, field in fields.items() if field.is_required()}
    more: dict[str, dict[str, Any]] = {"permute": {"dims": list(range(len(INPUT) + 1))}, "split": {"sections": 1},
                                       "upsample": {"scale_factor": 2}, "glu": {"dim": 0},
                                       "conv3d": {"out_channels": 1}, "conv_transpose3d": {"out_channels": 1},
                                       "clamp": {"min": 0}, "roll": {"dims": [1]},
                                       "tile": {"repeats": [4]}, "pow": {"exponent": 2}, "cumsum": {"dim": 1},
                                       "einsum": {"equation": "ij->ji"}, "flip": {"dims": [1]},
                                       "sliding_window": {"dim": 1, "size": 4}}  # fmt: skip
    required |= more.get(kind, {})
    return {"op": kind, **required, "from": ["i" if n in OPS[kind].takes_integers else i for n, i in enumerate(inputs)]}


def network(kind: str, shape: tuple[int, ...], inputs: list[str], more: list[dict[str, Any]]) -> Any:
    """A network in which an op takes a parameter of this shape."""
    layers = [
        {"p": {"op": "parameter", "shape": list(shape), "value": 0.5}},
        {"i": {"op": "buffer", "values": "arange", "shape": [1]}},
        *([{"q": {"op": "parameter", "shape": list(CONVOLVED[kind]), "value": 0.5}}] if kind in CONVOLVED else []),
        {"made": item(kind, inputs)},
        *more,
    ]
    return archspec.load(dump({"name": "net", "input": list(INPUT), "layers": layers}))


THREE = [["p", "p", "p"], ["input", "p", "p"], ["input", "input", "input", "p"]]
CASES = [
    (kind, shape, inputs)
    for kind, op in OPS.items()
    if not op.raw
    for shape in (*SHAPES, *(WEIGHTS if kind in CONVOLVED else ()))
    for inputs in (
        [["q", "p"], ["input", "p"], ["p", "input"], ["q", "p", "p"]]
        if kind in CONVOLVED
        else [["p"]]
        if op.arity == (1, 1)
        else THREE
        if op.arity[0] == 3
        else [["p", "input"], ["input", "p"], ["p", "p"], ["p"]]
    )
]


def is_refused(spec: Any) -> bool:
    try:
        archspec.compile(spec)
    except SpecError as error:
        another_number = all(re.search(r"expects .*inputs?, got \d$", d.message) for d in error.diagnostics)
        return another_number or all(d.path and d.kind in ("shape", "schema") for d in error.diagnostics)
    return False


def test_every_op_is_tried() -> None:
    assert {kind for kind, _, _ in CASES} == {kind for kind, op in OPS.items() if not op.raw}


@pytest.mark.parametrize("kind", [kind for kind, op in OPS.items() if not op.raw])
def test_a_value_without_a_batch_is_taken_as_torch_takes_it_or_refused(kind: str) -> None:
    """Accepted inputs give in torch the inferred shape, whatever the batch, alone and added to a map."""
    taken = 0
    for _, shape, inputs in (case for case in CASES if case[0] == kind):
        made = "made.0" if kind == "split" else "made"
        spec = network(kind, shape, inputs, [{"sum": {"op": "add", "from": ["input", made]}}])
        if is_refused(spec):
            continue
        taken += 1
        model = archspec.build(spec).eval()
        for batch in (2, 3):
            x = torch.randn(batch, *INPUT)
            assert model(x).shape == (batch, *archspec.compile(spec).output_shape)
            alone = torch.cat([model(x[n : n + 1]) for n in range(batch)])
            torch.testing.assert_close(model(x), alone)  # no sample is mixed with another
        for batch, training in product((2,), (True, False)):
            model.train(training)(torch.randn(batch, *INPUT, requires_grad=True)).sum().backward()
    assert taken if OPS[kind].elementwise or not OPS[kind].needs_batch else not taken


@pytest.mark.parametrize("kind", [kind for kind, op in OPS.items() if not op.raw and op.needs_batch])
def test_what_needs_a_batch_says_so(kind: str) -> None:
    if OPS[kind].elementwise:
        return
    inputs = ["p"] if OPS[kind].arity == (1, 1) else ["input", "p"]
    which = "its input" if len(inputs) == 1 else "input 2"
    with pytest.raises(SpecError) as caught:
        archspec.compile(network(kind, INPUT, inputs, []))
    assert caught.value.diagnostics[0].message == (
        f"{kind}: {which} has no batch dimension (it is a parameter, or computed from parameters only)"
    )


NET = """
name: net
input: [4, 6, 6]
blocks:
  Scale: {layers: [{scale: {op: parameter, shape: [4, 1, 1], value: 0.5}}, {op: relu, from: scale}]}
  Apply: {inputs: [input, scale], layers: [{op: mul, from: [input, scale]}]}
layers:
"""


@pytest.mark.parametrize(
    "layers",
    [
        "- scale: {op: parameter, shape: [4, 1, 1]}\n- {op: relu, from: scale}\n",
        "- {op: relu}\n- scale: {op: parameter, shape: [4, 1, 1]}\noutput: scale\n",
        "- scale: {block: Scale}\n",
        "- scale: {op: parameter, shape: [4, 1, 1]}\n- fc: {op: relu, from: input}\n"
        "outputs: {type: Out, fields: {main: fc, other: scale}}\n",
    ],
)
def test_a_network_yields_no_value_without_a_batch(layers: str) -> None:
    with pytest.raises(SpecError) as caught:
        archspec.compile(NET + layers)
    (found,) = caught.value.diagnostics
    assert "has no batch dimension" in found.message


def test_a_feature_without_a_batch_is_refused() -> None:
    spec = f"""{NET}
- scale: {{op: parameter, shape: [4, 1, 1]}}
- act: {{op: relu, from: scale}}
- {{op: mul, from: [input, act]}}
"""
    with pytest.raises(SpecError, match="has no batch dimension"):
        archspec.build(spec, features=["act"])


def test_a_parameter_goes_through_blocks() -> None:
    """A block may yield a value without a batch, and take one."""
    spec = NET + "- scale: {block: Scale}\n- out: {block: Apply, from: [input, scale]}\n"
    model = archspec.build(spec)
    x = torch.randn(3, 4, 6, 6)
    torch.testing.assert_close(model(x), x * 0.5)
    space: dict[str, Any] = {}
    exec(archspec.codegen(spec), space)
    torch.testing.assert_close(space["net"]()(x), x * 0.5)


def test_a_sum_that_grows_is_not_made_in_place() -> None:
    """The sum of two parameters is fresh memory, but has no room for a batch."""
    spec = (
        NET
        + """
- a: {op: parameter, shape: [4, 6, 6], value: 1}
- b: {op: parameter, shape: [4, 6, 6], value: 2}
- both: {op: add, from: [a, b]}
- {op: add, from: [both, input]}
"""
    )
    x = torch.randn(3, 4, 6, 6)
    torch.testing.assert_close(archspec.build(spec)(x), x + 3)
    space: dict[str, Any] = {}
    exec(archspec.codegen(spec), space)
    torch.testing.assert_close(space["net"]()(x), x + 3)


@pytest.mark.parametrize(
    ("shape", "value", "fits"),
    [
        ([4, 1, 1], [4, 6, 6], True), ([1, 4, 1, 1], [4, 6, 6], True), ([6, 6], [4, 6, 6], True),
        ([1], [4, 6, 6], True), ([6], [4, 6, 6], False), ([4], [4, 6, 6], False), ([2, 4, 6, 6], [4, 6, 6], False),
        ([4, 6, 6], [1, 6, 6], True), ([8], [5, 8], True), ([1, 5, 8], [5, 8], True), ([5], [5, 8], False),
    ],
)  # fmt: skip
@pytest.mark.parametrize("order", ["[p, input]", "[input, p]"])
def test_how_a_parameter_is_applied(shape: list[int], value: list[int], fits: bool, order: str) -> None:
    parameter = f"{{op: parameter, shape: {shape}, value: 2}}"
    spec = f"name: net\ninput: {value}\nlayers:\n- p: {parameter}\n- {{op: sub, from: {order}}}\n"
    if not fits:
        with pytest.raises(SpecError, match="cannot subtract"):
            archspec.compile(spec)
        return
    x = torch.randn(3, *value)
    assert archspec.compile(spec).output_shape == torch.empty(1, *value).add(torch.empty(shape)).shape[1:]
    expected = (2 - x if order == "[p, input]" else x - 2).broadcast_to((3, *archspec.compile(spec).output_shape))
    torch.testing.assert_close(archspec.build(spec)(x), expected)


def test_one_number_for_each_sample() -> None:
    """The mean of a vector has no dimension left: it can only be added."""
    spec = """
name: critic
input: [8]
layers:
- fc: {op: linear, out_features: 5}
- m: {op: mean, dim: [1]}
- {op: relu}
"""
    graph = archspec.compile(spec)
    assert graph.output_shape == ()
    assert archspec.build(spec)(torch.randn(3, 8)).shape == (3,)
    space: dict[str, Any] = {}
    code = archspec.codegen(spec)
    exec(code, space)
    assert space["critic"]()(torch.randn(3, 8)).shape == (3,)
    assert "scalar" in archspec.summary(spec)
    assert archspec.render(spec, format="dot")


@pytest.mark.parametrize(
    "item",
    ["fc2: {op: linear, out_features: 2}", "n: {op: batch_norm1d}", "n: {op: layer_norm}", "{op: softmax}",
     "{op: flatten}",
     "g: {op: group_norm, num_groups: 1}", "c: {op: chunk, chunks: 1}", "{op: cat, from: [m, m]}",
     "{op: mean, dim: [1]}", "{op: relu, from: m.0}"],
)  # fmt: skip
def test_what_needs_a_dimension_says_so(item: str) -> None:
    spec = f"name: net\ninput: [8]\nlayers:\n- m: {{op: mean, dim: [1]}}\n- {item}\n"
    with pytest.raises(SpecError) as caught:
        archspec.compile(spec)
    (found,) = caught.value.diagnostics
    assert "has no dimensions" in found.message or "has no part" in found.message
