"""Own ops: classes defined here and passed to `load` work with all targets."""

from __future__ import annotations

import ast
import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from click.testing import CliRunner
from pydantic import Field
from torch import Tensor, nn

import archspec
from archspec.backends.torch.build import check_shapes
from archspec.cli import check as checks
from archspec.cli.commands import app
from archspec.diagnostics.diagnostic import SpecError
from archspec.frontend.loader import WithOps
from archspec.ops import OPS
from archspec.ops.base import ALL_INPUTS, MODULE, Argument, Call, Input, Op, Shape, ShapeError, Size
from archspec.ops.window import Windows, same, spread
from archspec.passes.fold_batch_norm import fold


class LearnedReLU(Op):
    """x where positive, else a learned slope × x, `nn.PReLU` (He et al., https://arxiv.org/abs/1502.01852)."""

    kind = "learned_relu"
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

    def windows(self, *inputs: Shape) -> Windows:
        return (same(len(inputs[0])),)


class Gate(Op):
    """The first value, gated by the second: a function of several values, with helpers of its own."""

    kind = "gate"
    helpers = ("own_op_helpers:gated",)
    arity = (2, 2)
    elementwise = True
    fresh = True
    role = "join"
    word = "gated"

    def infer(self, *inputs: Shape) -> Shape:
        if inputs[0] != inputs[1]:
            raise ShapeError("cannot gate values of two shapes")
        return inputs[0]

    def windows(self, *inputs: Shape) -> Windows:
        return tuple(spread(shape, inputs[0]) for shape in inputs)

    def function(self, *inputs: Shape) -> Call:
        return Call("gated", (ALL_INPUTS,))


class ChannelBias(Op):
    """A learned number for each channel: a module that torch does not have, whose channels are inferred."""

    kind = "channel_bias"
    module = "ChannelBias"
    helpers = ("own_op_helpers:ChannelBias",)
    role = "norm"
    shown = ("start",)
    numbers = frozenset({"start"})
    attributes = frozenset({"channels"})
    fresh = True

    start: float = Field(0.0, description="number at first")

    def parameters(self, *inputs: Shape) -> dict[str, Shape]:
        return {"weight": (inputs[0][0], 1, 1)}

    def windows(self, *inputs: Shape) -> Windows:
        return (same(len(inputs[0])),)

    def constructor(self, *inputs: Shape) -> tuple[Argument, ...]:
        return (Argument("channels", inputs[0][0], positional=True), self.argument("start"))


class Rolled(Op):
    """A module that is called with one more argument on maps that are wider than high."""

    kind = "rolled"
    module = "Rolled"
    helpers = ("own_op_helpers:Rolled",)
    fresh = True

    def module_call(self, *inputs: Shape) -> Call | None:
        _, height, width = inputs[0]
        return Call(MODULE, (Input(0),), {"shift": 2}) if width > height else None


class Silent(Op):
    """A minimal op: torch's function, and nothing else."""

    kind = "silent"

    def function(self, *inputs: Shape) -> Call:
        return Call("torch.cumsum", (Input(0), 2))


class Outlandish(Op):
    """An op whose helper cannot be copied."""

    kind = "outlandish"
    helpers = ("own_op_helpers:outlandish",)

    def function(self, *inputs: Shape) -> Call:
        return Call("outlandish")


OWN = (LearnedReLU, Gate, ChannelBias, Silent, Outlandish)

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
    - act: {op: learned_relu, num_parameters: =planes, init: =slope_of}
    - {op: gate, from: [act, bn]}
    - bias: {op: channel_bias, start: 0.5}
    let: {slope_of: 0.125}
layers:
- stem: {op: conv2d, out_channels: =width, kernel_size: 3, padding: 1}
- act: {op: learned_relu, num_parameters: =width, init: =slope}
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
    - {op: learned_relu}
init:
- {op: channel_bias, weight: {constant: {val: =1 / channels}}}
"""


@pytest.fixture(scope="module", name="spec")
def _spec() -> archspec.Spec:
    return archspec.load(NET, ops=OWN)


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


def test_analysis_and_pictures(spec: archspec.Spec) -> None:
    graph = archspec.compile(spec)
    graph.verify()
    layers = {layer.name: layer for layer in graph.layers}
    assert layers["act"].params == 6
    assert layers["one.bias"].params == 6
    assert layers["bias"].receptive_field == (7, 7)
    assert "learned_relu" in archspec.summary(spec)
    picture = archspec.render(spec, format="dot")
    text = picture if isinstance(picture, str) else picture.decode()
    assert "gated" in text
    assert "channel bias" in text


def test_built_and_generated_are_the_same(spec: archspec.Spec) -> None:
    model = seeded(archspec.build, spec)
    assert not check_shapes(archspec.compile(spec), model)
    assert torch.equal(model.bias.weight, torch.full((12, 1, 1), 1 / 12))
    assert_alike(model, seeded(made(archspec.codegen(spec))["newcomer"]))


def test_the_network_keeps_its_arguments(spec: archspec.Spec) -> None:
    """Fields that are numbers only do not tie the class to the values given."""
    space = made(archspec.codegen(spec))
    assert_alike(seeded(archspec.build, spec, width=4, slope=0.5), seeded(space["newcomer"], width=4, slope=0.5))


def test_each_helper_is_written_once_and_taken_by_nothing_else(spec: archspec.Spec) -> None:
    """The block has the name of a helper, and is written under another."""
    tree = ast.parse(archspec.codegen(spec))
    names = [node.name for node in tree.body if isinstance(node, ast.ClassDef | ast.FunctionDef)]
    assert len(names) == len(set(names))
    assert names.index("_weights") < names.index("gated")
    assert names.index("_Base") < names.index("ChannelBias")
    assert "ChannelBias2" in names
    assert any(isinstance(node, ast.Assign) for node in tree.body)  # LEAST


def test_the_module_can_be_pickled(spec: archspec.Spec) -> None:
    import pickle

    model = seeded(archspec.build, spec).eval()
    x = torch.randn(2, 3, 12, 12)
    assert torch.equal(pickle.loads(pickle.dumps(model))(x), model(x))


def test_a_module_that_is_not_called_alike_in_all_instances() -> None:
    """The block has one class for the instance that passes the argument, and one for that which does not."""
    text = """name: net\ninput: [3, 8, 8]\nblocks:
  Turn: {layers: [roll: {op: rolled}, conv: {op: conv2d, out_channels: 3, kernel_size: 1}]}
layers: [one: {block: Turn}, {op: max_pool2d, kernel_size: [2, 1]}, two: {block: Turn}]\n"""
    rolled = archspec.load(text, ops=[Rolled])
    model, generated = seeded(archspec.build, rolled), seeded(made(archspec.codegen(rolled))["Net"])
    x = torch.randn(2, 3, 8, 8)
    assert torch.equal(model(x), generated(x))
    assert type(generated.one) is not type(generated.two)


def test_features(spec: archspec.Spec) -> None:
    """Features equal the values at the same places in the whole network."""
    model = seeded(archspec.build, spec).eval()
    part = seeded(archspec.build, spec, features=["one.act", "two", "head.1"]).eval()
    part.load_state_dict(model.state_dict())
    x = torch.randn(2, 3, 12, 12)
    seen: dict[str, Tensor] = {}
    model.get_submodule("one.act").register_forward_hook(lambda module, inputs, output: seen.update(act=output))
    assert torch.equal(part(x)["head.1"], model(x))
    assert torch.equal(part(x)["one.act"], seen["act"])


def test_folding(spec: archspec.Spec) -> None:
    """Batch norms go, the new ops stay; the source of the inference form runs."""
    graph = fold(archspec.compile(spec)).graph
    assert graph.buffers == 0
    assert {"learned_relu", "channel_bias"} <= {layer.type for layer in graph.layers}
    code = archspec.codegen(spec, fold_batch_norm=True)
    assert made(code)["newcomer"]()(torch.randn(2, 3, 12, 12)).shape == (2, 5)


def test_what_an_op_does_not_say_is_not_made_up() -> None:
    text = (
        "name: net\ninput: [3, 8, 8]\nlayers:\n- {op: silent}\n- conv: {op: conv2d, out_channels: 2, kernel_size: 3}\n"
    )
    (layer,) = archspec.compile(archspec.load(text, ops=[Silent])).layers
    assert (layer.receptive_field, layer.output_stride) == (None, None)
    text = "name: net\ninput: [3, 8, 8]\nlayers:\n- p: {op: parameter, shape: [3, 8, 8]}\n- {op: silent, from: p}\n"
    with pytest.raises(SpecError, match="has no batch dimension"):
        archspec.compile(archspec.load(text, ops=[Silent]))


def test_a_helper_that_cannot_be_copied_is_refused() -> None:
    with pytest.raises(SpecError, match=r"'outlandish' of own_op_helpers uses inspect"):
        archspec.codegen(archspec.load("name: net\ninput: [3, 8, 8]\nlayers:\n- {op: outlandish}\n", ops=Outlandish))


def test_names_of_helpers_are_no_names_of_networks() -> None:
    with pytest.raises(SpecError, match="generated code uses the name"):
        archspec.load("name: gated\ninput: [3, 8, 8]\nlayers:\n- {op: relu}\n", ops=[Gate])


# -- how they are passed, and to what --------------------------------------------------------------------------------


def test_they_are_of_one_spec_only(spec: archspec.Spec) -> None:
    """Neither what was loaded before nor what is loaded afterwards knows them."""
    text = "name: net\ninput: [3, 8, 8]\nlayers:\n- {op: silent}\n"
    assert archspec.compile(spec).params
    assert "silent" not in OPS
    with pytest.raises(SpecError, match="unknown op 'silent'"):
        archspec.load(text)
    with pytest.raises(SpecError, match=r"unknown op 'silnt'(?s:.*)did you mean 'silent'"):
        archspec.load(text.replace("silent", "silnt"), ops=[Silent])


class Louder(Silent):
    """Another op of the same kind."""

    def infer(self, *inputs: Shape) -> Shape:
        return (inputs[0][0], 2 * inputs[0][1], 1)

    def function(self, *inputs: Shape) -> Call:
        return Call("torch.reshape", (Input(0), (-1, *self.infer(*inputs))))


def test_ops_of_one_kind_do_not_meet() -> None:
    """Also where they are arguments of a block of the library, whose instances are shared by all specs."""
    text = """name: net\ninput: [3, 2, 2]\nlayers:
- se: {block: ConvNormActivation, out_channels: 3, activation: =kind}\nparams: {kind: hush}\n"""

    class Hush(Op):
        kind = "hush"
        elementwise = True
        module = "nn.Sigmoid"

    class Hush2(Hush):
        module = "nn.Tanh"

    made = [archspec.build(archspec.load(text, ops=[op])).get_submodule("se.2") for op in (Hush, Hush2, Hush)]
    assert [type(module) for module in made] == [nn.Sigmoid, nn.Tanh, nn.Sigmoid]
    plain = "name: net\ninput: [3, 2, 2]\nlayers: [{op: silent}]\n"
    shapes = [archspec.compile(archspec.load(plain, ops=[op])).output_shape for op in (Silent, Louder, Silent)]
    assert shapes == [(3, 2, 2), (3, 4, 1), (3, 2, 2)]


def test_what_goes_back_to_the_spec_still_has_them(spec: archspec.Spec) -> None:
    graph = archspec.compile(spec)
    assert archspec.compile(graph, width=4).params < graph.params
    assert archspec.compile(archspec.load(graph, width=4)) == archspec.compile(spec, width=4)
    assert archspec.diff(spec, width=4).changes
    again = archspec.load(archspec.expand(spec), ops=[*OWN])
    assert archspec.compile(again) == graph
    assert archspec.load(spec) is spec
    with pytest.raises(SpecError, match="unknown op 'gate'"):
        archspec.load(spec, ops=[LearnedReLU, ChannelBias])


class Nameless(Op):
    """No kind."""

    def function(self, *inputs: Shape) -> Call:
        return Call("torch.relu")


class Clashing(Silent):
    kind = "relu"


class Idle(Op):
    kind = "idle"


class Lost(Op):
    kind = "lost"
    module = "Lost"


class Reserved(Silent):
    kind = "reserved"
    helpers = ("own_op_helpers:x",)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ([Nameless], "Nameless: its kind is None"),
        ([Clashing], "archspec has an op 'relu'"),
        ([Idle], "Idle: has neither a module nor a function"),
        ([Lost], "its module 'Lost' is neither torch's, as nn.Conv2d, nor one of its helpers"),
        ([Reserved], "its helper cannot be called 'x'"),
        ([Silent, Louder], "has the same kind, 'silent'"),
        ("no_such_module", "no module named 'no_such_module'"),
        ("json", "json: defines no op"),
        ([7], "expected a subclass of archspec.ops.base.Op, a module or its name, got 7"),
    ],
)
def test_wrong_ops_are_refused(given: Any, message: str) -> None:
    with pytest.raises(SpecError, match=re.escape(message)):
        archspec.load("resnet18", ops=given)


@pytest.fixture(name="guide")
def _guide(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with the files of the reference's section on ops of one's own; the commands are in `commands`."""
    text = (Path(__file__).parents[1] / "specs" / "README.md").read_text(encoding="utf-8")
    section = text.partition("\n## Ops of your own\n")[2].partition("\n## ")[0]
    for name, content in re.findall(r"^```\w+ file=(\S+)\n(.*?)^```$", section, re.DOTALL | re.MULTILINE):
        (tmp_path / name).write_text(content, encoding="utf-8")
    (commands,) = re.findall(r"^```sh own_ops\n(.*?)^```$", section, re.DOTALL | re.MULTILINE)
    (tmp_path / "commands").write_text(commands, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.delitem(sys.modules, "my_ops", raising=False)
    return tmp_path


def invoke(line: str) -> str:
    result = CliRunner().invoke(app, shlex.split(line), catch_exceptions=False)
    assert result.exit_code == 0, f"{line}\n{result.output}"
    return result.output


def test_the_guide_holds(guide: Path) -> None:
    lines = (guide / "commands").read_text(encoding="utf-8").splitlines()
    assert len(lines) > 5
    for line in lines:
        invoke(line.removeprefix("archspec "))
    space = made((guide / "grn_net.py").read_text(encoding="utf-8"))
    assert "archspec." not in (guide / "grn_net.py").read_text(encoding="utf-8")
    model = seeded(space["grn_net"])
    assert model(torch.randn(2, 3, 32, 32)).shape == (2, 10)
    assert "op.grn" in (guide / "my.schema.json").read_text(encoding="utf-8")


def test_the_other_commands_take_them(guide: Path) -> None:
    assert "986 params" in invoke("check grn_net.yaml --ops my_ops")
    assert "op: grn" in invoke("expand grn_net.yaml --ops my_ops")
    invoke("render grn_net.yaml --ops my_ops -o net.svg")
    assert "grn" in (guide / "net.svg").read_text(encoding="utf-8")
    invoke("project grn_net.yaml trained --ops my_ops")
    assert "class GlobalResponseNorm(nn.Module):" in (guide / "trained" / "model.py").read_text(encoding="utf-8")
    result = CliRunner().invoke(app, ["diff", "grn_net.yaml", "--ops", "my_ops", "--set", "width=8"])
    assert (result.exit_code, "~ norm  grn" in result.output) == (1, True)
    assert CliRunner().invoke(app, ["check", "-", "--ops", "my_ops"], "name: n\ninput: [3]\n").exit_code == 1


def test_a_saved_file_needs_its_ops(guide: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(guide)
    invoke("build grn_net.yaml --ops my_ops --seed 0 -o net.safetensors")
    model = archspec.build("net.safetensors", ops="my_ops")
    again = seeded(archspec.build, archspec.load("grn_net.yaml", ops=["my_ops"]))
    assert torch.equal(model.get_parameter("norm.weight"), again.norm.weight)
    with pytest.raises(SpecError, match="unknown op 'grn'"):
        archspec.build("net.safetensors")


def test_a_wrong_module_is_wrong_usage() -> None:
    result = CliRunner().invoke(app, ["summary", "lenet", "--ops", "json"])
    assert result.exit_code == 2
    assert "Invalid value for '--ops': json: defines no op" in result.output


class Failing(Op):
    """An op whose methods are wrong, one for each word."""

    kind = "failing"
    way: str = Field(description="which of them")

    def infer(self, *inputs: Shape) -> Any:
        if self.way == "index":
            return inputs[0][7]
        return {"list": [*inputs[0]], "none": None}.get(self.way, inputs[0])

    def windows(self, *inputs: Shape) -> Windows:
        known: dict[str, int] = {} if self.way == "windows" else {self.way: len(inputs[0])}
        return (same(known[self.way]),)

    def function(self, *inputs: Shape) -> Call:
        return Call("torch.relu")


@pytest.mark.parametrize(
    ("way", "message"),
    [
        ("index", "test_own_ops.Failing.infer raised IndexError: tuple index out of range"),
        ("list", "test_own_ops.Failing.infer returned [3, 4, 4]"),
        ("none", "test_own_ops.Failing.infer returned None"),
        ("windows", "test_own_ops.Failing.windows raised KeyError: 'windows'"),
    ],
)
def test_an_exception_in_an_own_op_is_an_error_of_the_item(way: str, message: str) -> None:
    text = f"name: net\ninput: [3, 4, 4]\nlayers:\n- {{op: relu}}\n- {{op: failing, way: {way}}}\n"
    with pytest.raises(SpecError) as caught:
        archspec.compile(archspec.load(text, ops=[Failing]))
    (found,) = caught.value.diagnostics
    assert (found.line, found.message.endswith(message), found.kind) == (5, True, "usage"), found.message
    assert (f"raised in {__file__}, line " in found.help) == ("raised" in message)


def test_a_watched_check_imports_own_ops_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    file, spec = tmp_path / "watched_ops.py", tmp_path / "net.yaml"
    spec.write_text("name: net\ninput: [3]\nlayers: [{op: double}]\n", encoding="utf-8")
    source = WithOps(str(spec), ("watched_ops",))
    for size in (6, 10):
        infer = f"    def infer(self, *inputs): return ({size},)\n"
        body = f'    kind = "double"\n{infer}    def function(self, *inputs): return Call("torch.relu")\n'
        file.write_text(f"from archspec.ops.base import Call, Op\n\nclass Double(Op):\n{body}", encoding="utf-8")
        checks.run_again([source], "text", ["watched_ops"])
        assert f"net: 3 → {size}, " in capsys.readouterr().out
    assert checks.files_of_modules(["watched_ops"]) == [str(file)]


SCRIPT = """
from archspec.ops.base import Call, Input, Op
import archspec

def doubled(x):
    return x + x

class Double(Op):
    kind = "double"
    helpers = ("doubled",)
    def function(self, *inputs):
        return Call("doubled")

spec = archspec.load("name: net\\ninput: [3]\\nlayers: [{op: double}]\\n", ops=[Double])
print(archspec.codegen(spec))
"""


def test_ops_of_a_script(tmp_path: Path) -> None:
    """What is defined in the script that runs is copied from it."""
    (tmp_path / "script.py").write_text(SCRIPT, encoding="utf-8")
    found = subprocess.run([sys.executable, "script.py"], capture_output=True, text=True, cwd=tmp_path, check=False)
    assert "def doubled(x):" in found.stdout, found.stderr
