"""A model becomes a spec that is equal to it to the bit, in blocks as a person would write them; or an error."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import torch
from click.testing import CliRunner
from exhaustive import first
from oracle import models, oracle
from own_models import IDIOMS, INITIALISERS, REFUSED, Drawn, Residual, Rotary, UpsFirst, WithTable, initialised
from torch import nn

import archspec
from archspec.cli.commands import app
from archspec.importer.report import ImportedSpec
from archspec.verification import generated

CLASSIFIERS = sorted(name for name in archspec.specs() if hasattr(models, name))
SEGMENTATION = sorted(name for name in archspec.specs() if hasattr(models.segmentation, name))
"""Those of torchvision's."""

QUICK = (
    "squeezenet1_1", "shufflenet_v2_x0_5",
    "resnet18", "mobilenet_v3_small", "efficientnet_b0", "regnet_y_400mf", "densenet121",
)  # fmt: skip
"""Those of torchvision's that the usual run imports, one, and the exhaustive one, all; others are for a run by hand."""

SMALLEST = {"inception_v3": 299, "maxvit_t": 224, "alexnet": 96, "densenet121": 64}


def size_of(name: str) -> tuple[int, ...]:
    """A small input that a network of torchvision takes."""
    shape = archspec.compile(name).input_shape
    if name.startswith(("vit", "swin", "maxvit", "inception")):
        return tuple(map(int, shape))
    return (3, SMALLEST.get(name, 64), SMALLEST.get(name, 64))


@pytest.mark.parametrize(
    "name", first([*QUICK, *(n for n in (*CLASSIFIERS, *SEGMENTATION) if n not in QUICK)], 1, len(QUICK))
)
def test_torchvision(name: str) -> None:
    """Keys, order, outputs, statistics and gradients in both modes are the model's, and so is all of our own spec."""
    size = size_of(name)
    spec = archspec.from_module(oracle, args={"name": name}, input=size)
    assert spec.report is not None
    assert spec.report.exact, str(spec.report)
    assert list(archspec.build(spec).state_dict()) == list(oracle(name).state_dict())
    shipped = archspec.load(name, input=list(size))
    assert archspec.compile(spec).params == archspec.compile(shipped).params
    assert spec.text.count("\n") <= 1.5 * archspec.expand(shipped).count("\n")
    diff = archspec.diff(shipped, spec)
    assert diff.weights.complete
    assert diff.equal, str(diff)


BLOCKS_IN_BLOCKS = ("residuals", "dense_blocks", "shared", "layer_scale", "auxiliary")
"""Idioms that the usual run imports without blocks, too."""

WAYS = [*((name, False) for name in IDIOMS), *((name, True) for name in sorted(IDIOMS, key=lambda name:
        name not in BLOCKS_IN_BLOCKS))]  # fmt: skip


@cache
def imported(name: str, flat: bool = False) -> ImportedSpec:
    make, size = IDIOMS[name]
    torch.manual_seed(1)
    return archspec.from_module(make(), input=size, flat=flat)


@pytest.mark.parametrize("way", first(WAYS, len(IDIOMS) + len(BLOCKS_IN_BLOCKS)))
def test_idiom(way: tuple[str, bool]) -> None:
    name, flat = way
    spec = imported(name, flat)
    assert spec.report is not None
    assert spec.report.exact
    assert archspec.load(spec.text).name == spec.name
    assert list(archspec.build(spec).state_dict()) == list(IDIOMS[name][0]().state_dict())


@pytest.mark.parametrize("name", REFUSED)
def test_refusal_names_everything(name: str) -> None:
    make, size, expected = REFUSED[name]
    with pytest.raises(archspec.SpecError) as caught:
        archspec.from_module(make(), input=size)
    text = str(caught.value)
    for words in expected:
        assert words in text


def test_a_line_is_the_models_own() -> None:
    """A module that no code but torch's runs has none: neither archspec's nor that of what called archspec."""
    make, size, _ = REFUSED["momentum"]
    with pytest.raises(archspec.SpecError) as caught:
        archspec.from_module(make(), input=size)
    assert "   = at " not in str(caught.value)


def test_a_block_for_each_class() -> None:
    """What differs between its uses is a parameter, what some lack has a condition, equal ones are one item."""
    text = imported("residuals").text
    data = archspec.load(text).document.data
    assert list(data["blocks"]) == ["Residual"]
    assert data["blocks"]["Residual"]["layers"][5]["shortcut"]["when"] == (
        "=stride != 1 or input.channels != out_channels"
    )
    assert text.count("block: Residual") == 2


def test_one_block_whether_or_not_there_are_others_in_it() -> None:
    """What is in some uses only has a condition, sizes of other values stay, a list that runs in order is a seq."""
    data = imported("units").document.data
    assert list(data["blocks"]) == ["Excitation", "Unit"]
    conv, gate, add = data["blocks"]["Unit"]["layers"]
    assert (conv["conv"]["padding"], gate["gate"]["when"]) == ("=dilation", "=has_gate")
    assert add["when"] == "=stride == 1 and input.channels == out_channels"
    assert len(data["layers"][0]["units"]["seq"]) == 5
    assert data["layers"][1]["from"] == ["units", "input"]
    assert data["outputs"]["fields"] == {"small": "units", "large": "interpolate"}


def test_constants_are_buffers() -> None:
    """What forward computes from no input is found by its values; blocks with and without it are one."""
    data = imported("shifted").document.data
    assert list(data["blocks"]) == ["Shifted"]
    (mask,) = [item["mask"] for item in data["blocks"]["Shifted"]["layers"] if "mask" in item]
    assert (mask["values"], mask["size"], mask["window_size"], mask["shift_size"]) == ("shift_mask", 8, 4, 2)
    assert mask["when"] == "=has_roll"


def test_constants_of_the_constructor_are_computed_again() -> None:
    """What a constructor computes, and no buffer holds, is computed by ops before it is handed to modules."""
    spec = archspec.from_module(Rotary, input=(3, 12, 12))
    assert spec.report is not None
    assert spec.report.exact
    assert spec.text.count("op: sin") == 1
    assert spec.document.data["blocks"]["Turn"]["inputs"] == ["x", "turns"]


def test_windows_are_written_as_such() -> None:
    """Slices of all phases are one op, one window is a dimension like several, a product of matrices is `matmul`; what
    has no batch has no dimension for it."""
    spec = imported("one_window")
    items = {next(iter(item.values())): item for item in spec.document.data["layers"] if "op" in item}
    assert not {"slice", "cat", "einsum"} & items.keys()
    assert "matmul" in items
    assert items["index"]["from"] == ["table", "index"]
    shapes = {step.label: list(step.output) for step in archspec.compile(spec).root.steps}
    assert (shapes["qkv"], shapes["sigmoid"]) == ([1, 4, 24], [2, 4, 4])


def test_modules_without_a_state_keep_their_names() -> None:
    """Each is a block, whose uses may lack what has a state; only identities, and what runs several times, are not
    modules. What they hold and neither read nor save is left out."""
    spec = imported("stateless")
    assert list(spec.document.data["blocks"]) == ["Reduction", "Pooling", "Split"]
    assert "op: buffer" not in spec.text
    names = {name for name, _ in IDIOMS["stateless"][0]().named_modules()}
    assert {name for name, _ in archspec.build(spec).named_modules()} == names - {
        "first.expand", "often", "often.pool", "often.act",
    }  # fmt: skip


def test_growing_joins_are_lists() -> None:
    """Each layer of a dense block joins all values before it; blocks of different depths are one."""
    data = imported("dense_blocks").document.data
    assert list(data["blocks"]) == ["Joining", "JoiningBlock"]
    rounds, join = data["blocks"]["JoiningBlock"]["layers"]
    assert (rounds["repeat"], rounds["layers"][1]["layer{i + 1}"]["append"]) == ("=num_layers", "features")
    assert join["from"] == ["input", "features"]
    assert "append" in imported("dense").text


def test_everything_is_left_as_it_was() -> None:
    model = Residual(3, 8).eval()
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    torch.manual_seed(7)
    state = torch.get_rng_state()
    with torch.no_grad():
        archspec.from_module(model, input=(3, 8, 8))
        assert not torch.is_grad_enabled()
    assert torch.equal(torch.get_rng_state(), state)
    assert not model.training
    assert all(torch.equal(tensor, before[name]) for name, tensor in model.state_dict().items())
    assert not any(module._forward_hooks or module._forward_pre_hooks for module in model.modules())


@pytest.mark.parametrize("name", INITIALISERS)
def test_initial_weights(name: str) -> None:
    """The rule that yields the model's weights for the same seed is found; if none does, that is said."""
    spec = archspec.from_module(initialised, args={"name": name}, input=(3, 8, 8))
    assert spec.report is not None
    expected = INITIALISERS[name][1]
    assert spec.report.initial_weights.ok == (expected is not None)
    assert ("Initial weights are torch's defaults here" in spec.text) == (expected is None)
    rules = [] if expected is None else [{"op": ["conv2d", "linear"], "weight": expected, "bias": 0}]
    assert spec.document.data.get("init", []) == rules


@pytest.mark.parametrize(
    ("fill", "expected"),
    [
        (nn.init.normal_, "normal"),
        (nn.init.uniform_, "uniform"),
        (nn.init.xavier_uniform_, "xavier_uniform"),
        (lambda own: nn.init.trunc_normal_(own, std=0.02), {"normal": {"std": 0.02}}),
        (lambda own: nn.init.uniform_(own, -0.25, 0.25), {"uniform": {"a": -0.25, "b": 0.25}}),
        (nn.init.eye_, None),
    ],
)
def test_initial_numbers_of_a_parameter(fill: Any, expected: Any) -> None:
    """Its initialiser is found, and that it is filled after another layer; the file says if the numbers differ."""
    spec = archspec.from_module(Drawn, args={"fill": fill}, input=(3, 4, 4))
    assert spec.report is not None
    (own,) = [item["own"] for item in spec.document.data["layers"] if "own" in item]
    assert own.get("init") == expected
    assert spec.report.initial_weights.ok == (expected is not None)
    assert ("Initial weights" in spec.text) == (expected is None)


def test_modules_are_constructed_in_the_order_they_run_in() -> None:
    spec = archspec.from_module(UpsFirst, input=(3, 8, 8))
    assert spec.document.data["construct"] == ["ups"]
    assert spec.report is not None
    assert spec.report.initial_weights.ok


def test_an_identity_matrix_is_not_drawn() -> None:
    """Its numbers have the spread of `xavier_normal`."""

    def make() -> nn.Module:
        model = nn.Sequential(nn.Linear(64, 64))
        nn.init.eye_(model.get_parameter("0.weight"))
        return model

    spec = archspec.from_module(make, input=(64,))
    assert "init" not in spec.document.data
    assert "Initial weights are torch's defaults here" in spec.text


def test_the_heading_speaks_of_rules_only() -> None:
    """An initialiser of a parameter is no rule for the layers."""

    def make() -> nn.Module:
        model = WithTable()
        model.get_parameter("fc.weight").data = torch.arange(400.0).reshape(20, 20)
        return model

    spec = archspec.from_module(make, input=(20,))
    assert spec.document.data["layers"][0]["table"]["init"] == {"normal": {"std": 0.02}}
    assert "Initial weights are torch's defaults here" in spec.text


def test_the_generated_file_is_compared_too(monkeypatch: pytest.MonkeyPatch) -> None:
    """The built module runs once for both comparisons, in which the others differ or not."""
    real = generated.construct

    def other(text: str, name: str) -> nn.Module:
        module = real(text, name)
        module.register_forward_hook(lambda module, given, result: result * 2)
        return module

    monkeypatch.setattr(generated, "construct", other)
    spec = archspec.from_module(Residual(3, 8), input=(3, 8, 8), allow_inexact=True)
    assert spec.report is not None
    assert spec.report.original.ok
    assert [check.name for check in spec.report.differences] == ["outputs in evaluation", "outputs in training"]


def test_work_is_bounded() -> None:
    make, size = IDIOMS["residuals"]
    with archspec.step_limit(20), pytest.raises(archspec.SpecError, match="more than 20 steps"):
        archspec.from_module(make(), input=size)


def test_memory_is_bounded() -> None:
    """What the proof would take is an error of its own, not one of the spec; `force` accepts it."""
    with pytest.raises(archspec.SpecError) as caught:
        archspec.from_module(Residual(3, 8), input=(3, 8, 8), max_memory="1KiB")
    assert [found.kind for found in caught.value.diagnostics] == ["limit"]
    assert re.search(r"of memory, more than 1\.0 KiB\n.*, 4 copies\n.*\n.*--force", str(caught.value))
    spec = archspec.from_module(Residual(3, 8), input=(3, 8, 8), max_memory="1KiB", force=True)
    assert spec.report is not None
    assert spec.report.exact


def test_an_internal_error_is_no_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    """It says where it happened: in which module and call, or after the recording."""
    make, size = IDIOMS["gates"]
    monkeypatch.setattr("archspec.importer.convert.prepare", lambda *given: 1 / 0)
    with pytest.raises(archspec.SpecError, match="internal error: ZeroDivisionError"):
        archspec.from_module(make(), input=size)
    monkeypatch.setattr("archspec.importer.calls.Calls.function", lambda *given: 1 / 0)
    with pytest.raises(archspec.SpecError, match="mean cannot be imported: an internal error: ZeroDivisionError"):
        archspec.from_module(make(), input=size)


def test_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "mine_to_import.py").write_text(
        "from torch import nn\ndef net(width):\n    return nn.Sequential(nn.Conv2d(3, width, 3), nn.ReLU())\n"
    )
    monkeypatch.chdir(tmp_path)
    arguments = ["import", "mine_to_import:net", "--args", "width=4", "--input", "3x8x8", "-o", "net.yaml"]
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 0, result.output
    assert archspec.compile(tmp_path / "net.yaml").params == 112
    assert archspec.compile(tmp_path / "net.yaml", width=5).params == 140
    assert "Equal to it to the bit" in (tmp_path / "net.yaml").read_text()


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["own_models:Recurrent", "--input", "6x8"], 1, "own_models.py:"),
        (["own_models:Missing", "--input", "3x6x6"], 2, "has no attribute 'Missing'"),
        (["own_models:SelfMade", "--input", "3xA"], 2, "is not the shape of one sample"),
        (["own_models:SelfMade", "--input", "3x8x8", "--name", "a b"], 1, "expected an identifier"),
        (["own_models:SelfMade", "--input", "3x8x8", "--name", "class"], 1, "generated code uses the name 'class'"),
        (["own_models:SelfMade", "--input", "3x8x8", "--name", "nn"], 1, "generated code uses the name 'nn'"),
        (["own_models:SelfMade", "--input", "3x9"], 1, "raised"),
    ],
)
def test_errors_of_the_command(arguments: list[str], code: int, words: str) -> None:
    result = CliRunner().invoke(app, ["import", *arguments])
    assert result.exit_code == code
    assert words in result.output
    assert "Traceback" not in result.output
