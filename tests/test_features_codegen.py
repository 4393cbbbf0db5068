"""The generated file of a network cut down to features, beside the module that is built."""

from __future__ import annotations

import inspect
import random
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from click.testing import CliRunner
from exhaustive import first
from network_fixtures import FIXTURES, is_refused
from oracle import randomise
from torch import nn

import archspec
from archspec.backends.python.validator.validate import validate
from archspec.cli.commands import app
from archspec.diagnostics.diagnostic import ValidationError
from archspec.ir.graph import Graph
from archspec.ir.module import Module
from archspec.ops.shapes import Folded, Unbatched
from archspec.passes import pipeline
from archspec.passes.features import extract
from archspec.passes.fold_batch_norm import fold

SMALL = [3, 64, 64]
ROOT = Path(__file__).parent.parent
NETWORKS = [path for path in FIXTURES if not is_refused(path.read_text(encoding="utf-8"))]

CASES: list[tuple[str, list[str]]] = [
    ("resnet50", ["layer1.0.relu", "layer2", "layer4"]),
    ("resnet18", ["layer4.1.relu"]),
    ("resnet18", ["layer2.1.relu", "layer3.1.relu", "layer2.0.relu", "layer2.0.relu_1", "bn1"]),
    ("vgg16", ["features.10", "features.20"]),
    ("vgg11_bn", ["features.4", "features.28"]),
    ("alexnet_half", ["features.4", "classifier.3"]),
    ("densenet121", ["features.denseblock2"]),
    ("densenet121", ["features.denseblock1.denselayer2.norm1", "features.transition1.conv", "features.norm5"]),
    ("googlenet", ["inception5b"]),
    ("googlenet", ["conv1.conv", "inception3a.cat", "inception3a.branch2.0", "inception4a"]),
    ("efficientnet_b0", ["features.2", "features.4.0.block.1", "features.6"]),
    ("mobilenet_v2", ["features.1", "features.3.add", "features.4.conv.1", "features.18"]),
    ("mobilenet_v3_small", ["features.4.block.2.avgpool", "features.4.block.1", "features.10"]),
    ("regnet_y_400mf", ["trunk_output.block3.block3-0.f.a.1", "trunk_output.block3"]),
    ("shufflenet_v2_x0_5", ["maxpool", "stage2.0", "stage3.1.branch2.4", "conv5"]),
    ("convnext_tiny", ["features.7.2.block.3", "features.1"]),
]
FOLDED: list[tuple[str, list[str]]] = [
    ("resnet50", ["layer1.0.relu", "layer2", "layer4"]),
    ("vgg11_bn", ["features.3", "features.8"]),
    ("mobilenet_v2", ["features.18.0", "features.3"]),
    ("googlenet", ["conv1.conv", "inception4a"]),
]


def namespace_of(text: str) -> dict[str, Any]:
    found: dict[str, Any] = {"__name__": "generated"}
    exec(compile(text, "generated.py", "exec"), found)
    return found


def written(text: str, name: str, **arguments: Any) -> nn.Module:
    torch.manual_seed(0)
    made: nn.Module = namespace_of(text)[name](**arguments)
    return made


def assert_same_state(left: nn.Module, right: nn.Module) -> None:
    a, b = left.state_dict(), right.state_dict()
    assert list(a) == list(b)
    assert [key for key in a if not torch.equal(a[key], b[key])] == []


@torch.no_grad()
def assert_twins(made: nn.Module, built: Any, names: Sequence[str], shape: Sequence[int]) -> None:
    """With the same weights the same values, in the order asked for, and the same statistics after training."""
    randomise(built)
    made.load_state_dict(built.state_dict())
    x = torch.randn(2, *shape, generator=torch.Generator().manual_seed(1))
    for training in (True, False):
        outputs: list[dict[str, torch.Tensor]] = []
        for model in (made, built):
            torch.manual_seed(2)
            outputs.append(model.train(training)(x.clone()))
        assert [list(output) for output in outputs] == [list(names)] * 2
        assert [name for name in names if not torch.equal(outputs[0][name], outputs[1][name])] == []
    assert_same_state(made, built)


# -- shipped networks -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("name", "features"), CASES)
def test_the_file_is_the_built_network(name: str, features: list[str]) -> None:
    made = written(archspec.codegen(name, features=features, input=SMALL), name)
    built = archspec.build(name, features=features, input=SMALL, seed=0)
    assert_same_state(made, built)  # initial weights
    assert_twins(made, built, features, SMALL)


@pytest.mark.parametrize(("name", "features"), FOLDED)
def test_the_folded_file_is_the_built_network(name: str, features: list[str]) -> None:
    made = written(archspec.codegen(name, features=features, fold_batch_norm=True, input=SMALL), name)
    built = archspec.build(name, features=features, fold_batch_norm=True, input=SMALL)
    assert not any(isinstance(module, nn.BatchNorm2d) for module in made.modules())
    assert_twins(made, built, features, SMALL)


def test_what_is_not_needed_is_gone() -> None:
    text = archspec.codegen("googlenet", features=["inception3b"], input=SMALL)
    for word in ("aux", "Linear", "inception4a", "num_classes", "NamedTuple", "Dropout", "self.training"):
        assert word not in text


# -- how it reads ---------------------------------------------------------------------------------------------------


def test_a_seq_with_several_results_is_a_class() -> None:
    """Classes return tuples, the network a dict; the block's own form keeps what it has in common."""
    text = archspec.codegen("resnet50", features=["layer1.0.relu", "layer2", "layer4"])
    assert '''
class Layer1(nn.Sequential):
    """The entries of layer1.

    Returns 0.relu and its own value.
    """

    def __init__(self) -> None:
        super().__init__(
            Bottleneck(64, 64),
            *[Bottleneck2(256, 64) for _ in range(2)],
        )

    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        relu, x = self[0](x)
        x = self[1](x)
        x = self[2](x)
        return relu, x
''' in text  # fmt: skip
    assert '''
        layer1_0_relu, x = self.layer1(x)
        layer2 = self.layer2(x)  # N × 512 × 28 × 28
        x = self.layer3(layer2)  # N × 1024 × 14 × 14
        layer4 = self.layer4(x)  # N × 2048 × 7 × 7
        return {"layer1.0.relu": layer1_0_relu, "layer2": layer2, "layer4": layer4}
''' in text  # fmt: skip
    assert text.count("\nclass ") == 4


def test_one_form_of_a_block_keeps_its_name() -> None:
    text = archspec.codegen("resnet50", features=["layer2", "layer4"])
    assert [line for line in text.splitlines() if line.startswith("class ")] == [
        "class Bottleneck(nn.Module):",
        "class ResNet50(nn.Module):",
    ]


def test_one_value_from_inside_is_returned_as_it_is() -> None:
    """No tuple of one; a seq that ends where its value is stays a plain one."""
    text = archspec.codegen("vgg16", features=["features.10"])
    assert "class Features" not in text
    assert "tuple[" not in text
    assert (
        '        features_10 = self.features(x)  # N × 256 × 56 × 56\n        return {"features.10": features_10}\n'
        in text
    )


def test_entries_with_names_are_attributes() -> None:
    text = archspec.codegen("densenet121", features=["features.conv0", "features.denseblock2"])
    assert "class Features(nn.Module):" in text
    assert "        conv0 = self.conv0(x)\n        x = self.relu0(self.norm0(conv0))\n" in text


@pytest.mark.exhaustive
def test_files_are_clean(tmp_path: Path) -> None:
    """ruff finds nothing to lay out otherwise, and mypy no error, with the settings that generated/ has."""
    folder = tmp_path / "generated"
    folder.mkdir()
    for number, (name, features) in enumerate(CASES):
        (folder / f"net{number}.py").write_text(archspec.codegen(name, features=features, input=SMALL), "utf-8")
    (tmp_path / "pyproject.toml").write_bytes((ROOT / "pyproject.toml").read_bytes())
    mypy = ["mypy", "--no-warn-return-any", "--cache-dir", str(ROOT / ".mypy_cache"), "generated"]
    ruff = ["ruff", "format", "--check", "--diff", "--no-cache", "generated"]
    for command in (["ruff", "check", "--no-cache", "generated"], ruff, mypy):
        done = subprocess.run([sys.executable, "-m", *command], cwd=tmp_path, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout[-4000:] + done.stderr


# -- networks of one's own ------------------------------------------------------------------------------------------

STAGES = """\
name: net
input: [3, 16, 16]
params: {num_classes: 10, width: 8, p: 0.5}
blocks:
  Unit:
    params: {channels: , stride: 1}
    layers:
    - conv: {op: conv2d, out_channels: =channels, kernel_size: 3, stride: =stride, padding: 1}
    - relu: {op: relu}
    - {op: add, when: =stride == 1 and input.channels == channels, from: [relu, input]}
    init: [{path: conv, weight: {normal: {std: 0.1}}}]
  Stage:
    params: {channels: , dropped: 0.0}
    let: {half: =channels // 2}
    layers:
    - body:
        seq:
        - {op: conv2d, out_channels: =half, kernel_size: 1}
        - {op: dropout, p: =dropped}
        - {block: Unit, channels: =channels, stride: 2}
        - {block: Unit, channels: =channels, repeat: 2}
    - norm: {op: batch_norm2d}
layers:
- stem: {op: conv2d, out_channels: =width, kernel_size: 3}
- stage1: {block: Stage, channels: =width * 2, dropped: =p}
- stage2: {block: Stage, channels: =width * 4, dropped: =p}
- pool: {op: adaptive_avg_pool2d, output_size: 1}
- {op: flatten}
- fc: {op: linear, out_features: =num_classes}
"""


def check(text: str, features: list[str], *, folded: bool = False) -> str:
    """The generated file of a spec, after comparing it with the built network."""
    code = archspec.codegen(text, features=features, fold_batch_norm=folded)
    graph = archspec.compile(text)
    built = archspec.build(text, features=features, fold_batch_norm=folded)
    assert_twins(written(code, graph.name), built, features, graph.input_shape)
    return code


@pytest.mark.parametrize(
    ("features", "offered"),
    [
        (["stage1", "stage2"], ["width", "p"]),
        (["stage1.body.0", "stage2.body.1"], ["width", "p"]),
        (["stage1.body.0", "stage1", "stage2.body.0", "stage2.body.3.relu"], ["width", "p"]),
        # a condition that is the same in all that is left of a block is not asked: what decides it is fixed
        (["stage1.body.2.relu", "stage2.body.2.relu", "stage2"], ["p"]),
        (["stage2.body.4.add", "stage1.body.3.conv"], ["p"]),
    ],
)
def test_arguments_that_are_needed_stay(features: list[str], offered: list[str]) -> None:
    """Sizes inside a seq that is a class of its own are those of the block around it."""
    code = check(STAGES, features)
    assert list(inspect.signature(namespace_of(code)["net"]).parameters) == offered
    changed: dict[str, Any] = {name: value for name, value in {"width": 16, "p": 0.25}.items() if name in offered}
    built = archspec.build(archspec.load(STAGES, **changed), features=features)
    assert_twins(written(code, "net", **changed), built, features, [3, 16, 16])


def test_instances_that_are_cut_alike_share_a_class() -> None:
    features = ["stage1.body.2.relu", "stage2.body.2.relu", "stage2"]
    code = archspec.codegen(STAGES, features=["stage1.body.0", "stage1", "stage2.body.0", "stage2"])
    assert code.count("class Stage") == 1
    assert code.count("class Body") == 1
    assert archspec.codegen(STAGES, features=features).count("class Body") == 1  # only one returns two values


BODY = "name: net\ninput: [4, 8, 8]\nlayers:\n"
CONV = "{op: conv2d, out_channels: 4, kernel_size: 1}"


@pytest.mark.parametrize(
    ("layers", "features"),
    [
        # a module runs again: what stays is its first run, or a later one
        (f"- a: {CONV}\n- {{call: a}}\n- {{call: a}}\n", ["a_1", "a"]),
        (f"- a: {CONV}\n- d: {CONV}\n- {{call: a, from: input}}\n", ["a_1"]),
        (f"- a: {{seq: [{CONV}, {{op: relu}}, {CONV}]}}\n- d: {CONV}\n- {{call: a, from: input}}\n", ["a_1"]),
        (f"- r: {{op: relu}}\n- a: {CONV}\n- {{call: r}}\n- b: {CONV}\n- {{call: r}}\n", ["b", "r_1", "r_2"]),
        # rounds of a repeat
        (f"- 's{{i}}': {{repeat: 4, index: i, seq: [{CONV}, {{op: tanh}}, {{op: relu, when: =i > 1}}]}}\n",
         ["s1.0", "s1", "s2.1", "s2"]),
        ("- s: {seq: [{repeat: 6, op: conv2d, out_channels: 4, kernel_size: 1}]}\n", ["s.1", "s.3"]),
        (f"- s: {{seq: [{{seq: [{CONV}, {{op: relu}}, {CONV}]}}, {CONV}]}}\n", ["s.0.0", "s.0.2", "s.1"]),
        # a value that takes the place of what is left out
        (f"- a: {CONV}\n- b: {{op: relu, when: =1 > 2}}\n- c: {CONV}\n", ["a", "c"]),
        (f"- a: {CONV}\n- b: {{op: tanh, when: =2 > 1, else: input}}\n- c: {CONV}\n", ["b"]),
        # names that variables cannot have, and names of one value
        (f"- x: {CONV}\n- out: {{op: tanh}}\n- self_: {CONV}\n- lambda_: {{op: tanh}}\n", ["x", "lambda_", "out"]),
        (f"- a: {CONV}\n- flat: {{op: flatten}}\n", ["flat", "a"]),
        # branches side by side
        (f"- a: {CONV}\n- b: {{seq: [{CONV}, {{op: relu}}], from: a}}\n- {{op: cat, from: [a, b]}}\n",
         ["b.0", "cat", "b"]),
    ],
)  # fmt: skip
def test_cut_in_every_way(layers: str, features: list[str]) -> None:
    check(BODY + layers, features)


def test_a_later_run_that_stays_has_the_arguments_of_the_first() -> None:
    text = f"name: net\ninput: [4, 8, 8]\nparams: {{p: 0.5}}\nlayers:\n- a: {{op: dropout, p: =p}}\n- d: {CONV}\n"
    code = check(f"{text}- {{call: a, from: input}}\n", ["a_1"])
    assert list(inspect.signature(namespace_of(code)["net"]).parameters) == ["p"]


def test_a_value_that_is_read_later_keeps_its_variable() -> None:
    block = f"blocks: {{B: {{layers: [a: {CONV}, b: {CONV}]}}}}\n"
    layers = f"layers:\n- u: {{block: B}}\n- c: {CONV}\n- {{op: add, from: [c, u]}}\n"
    code = check(f"name: net\ninput: [4, 8, 8]\n{block}{layers}", ["u.a", "add"])
    assert "        u_a, x = self.u(x)\n        out = self.c(x)" in code


def test_repeats_that_are_cut_to_the_same_length() -> None:
    """Of blocks that repeat an item three and four times the same rounds are left: one class."""
    item = "'s{i}': {op: conv2d, out_channels: 4, kernel_size: 1, repeat: =n, index: i}"
    block = f"blocks: {{B: {{params: {{n: }}, layers: [{item}]}}}}\n"
    layers = "layers:\n- u: {block: B, n: 3}\n- v: {block: B, n: 4, from: input}\n"
    code = check(f"name: net\ninput: [4, 8, 8]\n{block}{layers}", ["u.s1", "v.s1"])
    assert [line for line in code.splitlines() if line.startswith("class ")] == [
        "class B(nn.Module):",
        "class Net(nn.Module):",
    ]


def test_what_runs_in_training_only_is_gone() -> None:
    layers = f"- a: {CONV}\n- aux: {{train_only: true, block: Head}}\n- b: {CONV}\n"
    spec = f"name: net\ninput: [4, 8, 8]\nblocks: {{Head: {{layers: [c: {CONV}]}}}}\nlayers:\n"
    outputs = "outputs: {type: Out, fields: {b: b, aux: aux}}\n"
    assert "aux" not in check(spec + layers.replace(f"b: {CONV}", f"b: {CONV[:-1]}, from: a}}") + outputs, ["b"])


def values(module: Module, prefix: str = "") -> Iterator[str]:
    """The names of all values that may be features."""
    from archspec.passes.features import _values

    for name, number in _values(module).items():
        step, inner = module.steps[number], module.runs(module.steps[number])
        if not isinstance(step.output, Folded | Unbatched) and not (step.output and isinstance(step.output[0], tuple)):
            yield f"{prefix}{name}"
            if isinstance(inner, Module) and not isinstance(step.target, int):
                yield from values(inner, f"{prefix}{name}.")


@pytest.mark.parametrize("path", first([*NETWORKS[::2], *NETWORKS[1::2]], 100, 170), ids=lambda path: path.stem)
def test_any_values_of_any_network(path: Path) -> None:
    """Every construct of the language, cut somewhere; what is written has been validated with other arguments, too."""
    text, chance = path.read_text(encoding="utf-8"), random.Random(path.stem)
    names = list(dict.fromkeys(values(archspec.compile(text).root)))
    graph = archspec.compile(text)
    for count in (1, 2, 4):
        chosen = chance.sample(names, min(count, len(names)))
        if not _have_one_name(graph.root, chosen):
            continue
        made = written(archspec.codegen(text, features=chosen), graph.name)
        assert_twins(made, archspec.build(text, features=chosen), chosen, graph.input_shape)


def _have_one_name(module: Module, names: Sequence[str]) -> bool:
    """Whether no value is inside a module that runs several times: it would have several."""
    runs = [module.owner(step).name for step in module.steps]
    for step in module.registered:  # of which some are entries of containers: `towers.left`
        inside = [name.removeprefix(f"{step.name}.") for name in names if name.startswith(f"{step.name}.")]
        if inside and runs.count(step.name) > 1:
            return False
        if isinstance(step.target, Module) and not _have_one_name(step.target, inside):
            return False
    return True


# -- validation -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("relu, x = self[0](x)", "x, relu = self[0](x)"),
        ("x = self[2](x)", "x = self[1](x)"),
        ("return relu, x", "return x, relu"),
        ('"layer2": layer2', '"layer2": layer4'),
        ('"layer2": layer2, "layer4": layer4', '"layer4": layer4, "layer2": layer2'),
        ('"layer2": layer2', '"layer3": layer2'),
        ('return {"layer1.0.relu": layer1_0_relu, "layer2": layer2, "layer4": layer4}', "return layer4"),
    ],
)
def test_what_is_wrong_is_found(old: str, new: str) -> None:
    names = ["layer1.0.relu", "layer2", "layer4"]
    text = archspec.codegen("resnet50", features=names)
    graph = extract(pipeline.compile_with_expressions("resnet50"), names)
    validate(text, graph, _recompiled)
    assert text.count(old) == 1
    with pytest.raises(ValidationError):
        validate(text.replace(old, new), graph, _recompiled)


def _recompiled(changed: Any) -> Graph:
    raise AssertionError("it has no arguments")


def test_folded_and_cut_is_validated_as_both() -> None:
    """The graph is folded first: names are those of the folded network, as for the module."""
    graph = extract(fold(pipeline.compile_with_expressions("vgg11_bn")).graph, ["features.3"])
    assert "features.0.bias" in graph.state_dict_shapes()
    assert "nn.BatchNorm2d" not in archspec.codegen("vgg11_bn", features="features.3", fold_batch_norm=True)


# -- the command line -----------------------------------------------------------------------------------------------


def test_from_the_command_line(tmp_path: Path) -> None:
    file = tmp_path / "resnet18.py"
    options = ["--features", "layer1.0.relu,layer2", "--features", "layer3", "--fold-batch-norm", "-o", str(file)]
    done = CliRunner().invoke(app, ["codegen", "resnet18", *options], catch_exceptions=False)
    assert done.exit_code == 0
    expected = archspec.codegen("resnet18", features=["layer1.0.relu", "layer2", "layer3"], fold_batch_norm=True)
    assert file.read_text(encoding="utf-8") == expected


@pytest.mark.parametrize(
    ("options", "code", "message"),
    [
        (["resnet18", "--features", "layer5"], 1,
         "error[usage]: features: unknown value 'layer5'\n   = help: did you mean 'layer4'?\n"),
        (["resnet18", "--features", "layer1.0.conv9,layer2"], 1, "unknown value 'layer1.0.conv9'"),
        (["resnet18", "--features", "layer4,layer4"], 1, "each only once"),
        (["--features", "layer4"], 2, "overrides need a SPEC"),
    ],
)  # fmt: skip
def test_errors_on_the_command_line(options: list[str], code: int, message: str) -> None:
    done = CliRunner().invoke(app, ["codegen", *options], catch_exceptions=False)
    assert done.exit_code == code
    assert message in done.stderr
