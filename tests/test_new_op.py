"""A new op is one class: three of them, defined here, go through all targets."""

from __future__ import annotations

import ast
from typing import Any

import pytest
import torch
from pydantic import Field
from torch import Tensor, nn

import archspec
from archspec.backends.torch.build import check_shapes
from archspec.diagnostics.diagnostic import SpecError
from archspec.ops import OPS
from archspec.ops.base import ALL_INPUTS, Argument, Call, Input, Op, Shape, ShapeError, Size
from archspec.ops.window import Looks, same, spread
from archspec.passes.fold_batch_norm import fold


class PReLU(Op):
    """x where positive, else a learned slope × x, `nn.PReLU` (He et al., https://arxiv.org/abs/1502.01852)."""

    kind = "prelu"
    module = "nn.PReLU"
    role = "activation"
    numbers = frozenset({"num_parameters", "init"})
    vectors = frozenset({"weight"})
    fresh = True

    num_parameters: Size = Field(1, description="slopes: 1, or one for each channel")
    init: float = Field(0.25, description="slope at first")

    def infer(self, *inputs: Shape) -> Shape:
        if self.num_parameters not in (1, inputs[0][0]):
            raise ShapeError(f"{self.num_parameters} slopes for {inputs[0][0]} channels", "", "num_parameters")
        return inputs[0]

    def parameters(self, *inputs: Shape) -> dict[str, Shape]:
        return {"weight": (self.num_parameters,)}

    def looks(self, *inputs: Shape) -> Looks:
        return (same(len(inputs[0])),)


class Gate(Op):
    """The first value, gated by the second: a function of several values, with helpers of its own."""

    kind = "gate"
    helpers = ("new_op_helpers:gated",)
    arity = (2, 2)
    elementwise = True
    fresh = True
    role = "join"
    word = "gated"

    def infer(self, *inputs: Shape) -> Shape:
        if inputs[0] != inputs[1]:
            raise ShapeError("cannot gate values of two shapes")
        return inputs[0]

    def looks(self, *inputs: Shape) -> Looks:
        return tuple(spread(shape, inputs[0]) for shape in inputs)

    def function(self, *inputs: Shape) -> Call:
        return Call("gated", (ALL_INPUTS,))


class ChannelBias(Op):
    """A learned number for each channel: a module that torch does not have, whose channels are inferred."""

    kind = "channel_bias"
    module = "ChannelBias"
    helpers = ("new_op_helpers:ChannelBias",)
    role = "norm"
    shown = ("start",)
    numbers = frozenset({"start"})
    attributes = frozenset({"channels"})
    fresh = True

    start: float = Field(0.0, description="number at first")

    def parameters(self, *inputs: Shape) -> dict[str, Shape]:
        return {"weight": (inputs[0][0], 1, 1)}

    def looks(self, *inputs: Shape) -> Looks:
        return (same(len(inputs[0])),)

    def constructor(self, *inputs: Shape) -> tuple[Argument, ...]:
        return (Argument("channels", inputs[0][0], positional=True), self.argument("start"))


class Silent(Op):
    """An op that says no more than it must: torch's function, and nothing of it."""

    kind = "silent"

    def function(self, *inputs: Shape) -> Call:
        return Call("torch.cumsum", (Input(0), 2))


class Outlandish(Op):
    """An op whose helper cannot be copied."""

    kind = "outlandish"
    helpers = ("new_op_helpers:outlandish",)

    def function(self, *inputs: Shape) -> Call:
        return Call("outlandish")


@pytest.fixture(autouse=True)
def _known(monkeypatch: pytest.MonkeyPatch) -> None:
    for op in (PReLU, Gate, ChannelBias, Silent, Outlandish):
        monkeypatch.setitem(OPS, op.kind, op)


NET = """
name: newcomer
input: [3, 12, 12]
params: {width: 6, slope: 0.1}
blocks:
  ChannelBias:
    params: {planes: }
    layers:
    - conv: {op: conv2d, out_channels: =planes, kernel_size: 3, padding: 1}
    - bn: {op: batch_norm2d}
    - act: {op: prelu, num_parameters: =planes, init: =slope_of}
    - {op: gate, from: [act, bn]}
    - bias: {op: channel_bias, start: 0.5}
    let: {slope_of: 0.125}
layers:
- stem: {op: conv2d, out_channels: =width, kernel_size: 3, padding: 1}
- act: {op: prelu, num_parameters: =width, init: =slope}
- one: {block: ChannelBias, planes: =width}
- two: {block: ChannelBias, planes: =2 * width}
- gated: {op: conv2d, out_channels: =2 * width, kernel_size: 1}
- {op: gate, from: [two, gated]}
- drop: {op: dropout}
- bias: {op: channel_bias}
- {op: adaptive_avg_pool2d, output_size: 1}
- {op: flatten}
- head:
    seq:
    - {op: linear, out_features: 5}
    - {op: prelu}
init:
- {op: channel_bias, weight: {constant: {val: =1 / channels}}}
"""


def made(code: str) -> dict[str, Any]:
    space: dict[str, Any] = {}
    exec(compile(code, "newcomer.py", "exec"), space)
    return space


def seeded(make: Any, *arguments: Any, **named: Any) -> Any:
    torch.manual_seed(0)
    return make(*arguments, **named)


def assert_alike(left: nn.Module, right: nn.Module) -> None:
    """Keys, initial weights, outputs in training and evaluation."""
    a, b = left.state_dict(), right.state_dict()
    assert list(a) == list(b)
    assert all(torch.equal(a[key], b[key]) for key in a)
    x = torch.randn(2, 3, 12, 12)
    for mode in (True, False):
        results = []
        for model in (left.train(mode), right.train(mode)):
            torch.manual_seed(1)
            results.append(model(x))
        assert torch.equal(*results)


def test_analysis_and_pictures() -> None:
    graph = archspec.compile(NET)
    graph.verify()
    layers = {layer.name: layer for layer in graph.layers}
    assert layers["act"].params == 6
    assert layers["one.bias"].params == 6
    assert layers["bias"].receptive_field == (7, 7)
    assert "prelu" in archspec.summary(NET)
    picture = archspec.render(NET, format="dot")
    text = picture if isinstance(picture, str) else picture.decode()
    assert "gated" in text
    assert "channel bias" in text


def test_built_and_generated_are_the_same() -> None:
    model = seeded(archspec.build, NET)
    assert not check_shapes(archspec.compile(NET), model)
    assert torch.equal(model.bias.weight, torch.full((12, 1, 1), 1 / 12))
    assert_alike(model, seeded(made(archspec.codegen(NET))["newcomer"]))


def test_the_network_keeps_its_arguments() -> None:
    """Fields that are numbers only do not tie the class to the values given."""
    space = made(archspec.codegen(NET))
    assert_alike(seeded(archspec.build, NET, width=4, slope=0.5), seeded(space["newcomer"], width=4, slope=0.5))


def test_each_helper_is_written_once_and_taken_by_nothing_else() -> None:
    """The block has the name of a helper, and is written under another."""
    tree = ast.parse(archspec.codegen(NET))
    names = [node.name for node in tree.body if isinstance(node, ast.ClassDef | ast.FunctionDef)]
    assert len(names) == len(set(names))
    assert names.index("_weights") < names.index("gated")
    assert names.index("_Base") < names.index("ChannelBias")
    assert "ChannelBias2" in names
    assert any(isinstance(node, ast.Assign) for node in tree.body)  # LEAST


def test_the_module_can_be_pickled() -> None:
    import pickle

    model = seeded(archspec.build, NET).eval()
    x = torch.randn(2, 3, 12, 12)
    assert torch.equal(pickle.loads(pickle.dumps(model))(x), model(x))


def test_features() -> None:
    """What is taken out on the way is what the whole network has there."""
    model = seeded(archspec.build, NET).eval()
    part = seeded(archspec.build, NET, features=["one.act", "two", "head.1"]).eval()
    part.load_state_dict(model.state_dict())
    x = torch.randn(2, 3, 12, 12)
    seen: dict[str, Tensor] = {}
    model.get_submodule("one.act").register_forward_hook(lambda module, inputs, output: seen.update(act=output))
    assert torch.equal(part(x)["head.1"], model(x))
    assert torch.equal(part(x)["one.act"], seen["act"])


def test_folding() -> None:
    """Batch norms go, the new ops stay; the source of the inference form runs."""
    graph = fold(archspec.compile(NET)).graph
    assert graph.buffers == 0
    assert {"prelu", "channel_bias"} <= {layer.type for layer in graph.layers}
    code = archspec.codegen(NET, fold_batch_norm=True)
    assert made(code)["newcomer"]()(torch.randn(2, 3, 12, 12)).shape == (2, 5)


def test_what_an_op_does_not_say_is_not_made_up() -> None:
    spec = (
        "name: net\ninput: [3, 8, 8]\nlayers:\n- {op: silent}\n- conv: {op: conv2d, out_channels: 2, kernel_size: 3}\n"
    )
    (layer,) = archspec.compile(spec).layers
    assert (layer.receptive_field, layer.output_stride) == (None, None)
    with pytest.raises(SpecError, match="has no batch dimension"):
        archspec.compile(
            "name: net\ninput: [3, 8, 8]\nlayers:\n- p: {op: parameter, shape: [3, 8, 8]}\n- {op: silent, from: p}\n"
        )


def test_a_helper_that_cannot_be_copied_is_refused() -> None:
    with pytest.raises(SpecError, match=r"'outlandish' of new_op_helpers uses inspect"):
        archspec.codegen("name: net\ninput: [3, 8, 8]\nlayers:\n- {op: outlandish}\n")


def test_names_of_helpers_are_no_names_of_networks() -> None:
    with pytest.raises(SpecError, match="generated code uses the name"):
        archspec.compile("name: gated\ninput: [3, 8, 8]\nlayers:\n- {op: relu}\n")
