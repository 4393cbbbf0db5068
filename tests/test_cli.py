"""The commands: exit codes, overrides, output files, and correct behaviour in a shell."""

from __future__ import annotations

import inspect
import json
import os
import queue
import signal
import stat
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import IO, Any

import pytest
import torch
from command import fine, run

import archspec
from archspec.backends import output_file
from archspec.backends.torch import build as torch_target
from archspec.cli import build, sources, watch
from archspec.cli import commands as cli
from archspec.cli.options import IMAGES
from archspec.diagnostics.formatting import joined
from archspec.frontend import loader
from archspec.frontend.suffixes import SAVED
from archspec.ir.limits import MAX_MEMORY, MAX_NODES
from archspec.passes import pipeline
from archspec.passes.specialize.specializer import _limit as node_limits
from archspec.verification.verify import Options as VerifyOptions
from archspec.weights.build import Options as BuildOptions

ROOT = Path(__file__).parent.parent


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An empty folder to work in."""
    monkeypatch.chdir(tmp_path)
    return tmp_path  # type: ignore[return-value]


LENET = "lenet: 3×32×32 → 10, 7 layers, 121,182 params, 2,327,720 MACs"
BAD = """\
name: bad
input: [3, 8, 8]
layers:
- conv: {op: conv2d, out_channels: 4, kernel_size: 3, bias: false, groups: 2}
"""
GOOD = BAD.replace("groups: 2", "groups: 1")

COMMANDS = (
    "build", "check", "codegen", "diff", "expand", "import", "list", "project", "render", "schema", "summary", "verify",
)  # fmt: skip


def test_commands() -> None:
    assert set(cli.app.commands) == set(COMMANDS)


@pytest.mark.parametrize("command", ["", *COMMANDS])
def test_help_has_examples(command: str) -> None:
    text = fine(*filter(None, [command]), "--help")
    assert "Examples:\n" in text
    assert f"archspec {command}".strip() in text.partition("Examples:\n")[2]


def test_version() -> None:
    assert fine("--version") == f"archspec, version {archspec.__version__}\n"


# -- overrides --------------------------------------------------------------------------------------------------


def test_overrides() -> None:
    options = ["--set", "stages=[1, 1]", "--set", "block=basic", "--num-classes", "5", "--input", "1x64x48"]
    found = json.loads(fine("summary", "resnet50", "--format", "json", *options))
    net = archspec.compile("resnet50", stages=[1, 1], block="basic", num_classes=5, input=[1, 64, 48])
    assert (found["input_shape"], found["output_shape"], found["params"]) == ([1, 64, 48], [5], net.params)


@pytest.mark.parametrize(
    "options",
    [
        ["--set", "num_classes"],
        ["--set", "num classes=3"],
        ["--set", "a.b=3"],
        ["--set", "num_classes="],
        ["--set", "num_classes=3", "--num-classes", "3"],
        ["--set", "input=[3, 8, 8]", "--input", "3x8x8"],
        ["--num-classes", "many"],
        ["--input", "3x"],
        ["--input", "3,8,8"],
        ["--input", "-3x8x8"],
        ["--depth", "-1"],
        ["--format", "xml"],
        ["--nonsense"],
    ],
)
def test_usage_errors(options: list[str]) -> None:
    result = run("summary", "lenet", *options)
    assert result.exit_code == 2
    assert "Usage: archspec summary" in result.stderr
    assert result.stdout == ""


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--set", "num_clases=3"], "did you mean 'num_classes'"),
        (["--set", "num_classes=yes"], "--set num_classes:1:1: 'yes' is a boolean in YAML 1.1"),
        (["--set", "num_classes=[1"], "error[syntax]: --set num_classes:1:3: expected ',' or ']'"),
        (["--set", "num_classes=!!python/object x"], "YAML tags"),
        (["--set", "source=1"], "unknown parameter 'source'"),
        (["--num-classes", "0"], "num_classes"),
        (["--input", "3x2x2"], "conv1"),
    ],
)
def test_errors_in_overrides_are_spec_errors(options: list[str], message: str) -> None:
    result = run("summary", "lenet", *options)
    assert result.exit_code == 1
    assert message in result.stderr
    assert result.stderr.startswith("error[")
    assert result.stdout == ""


SAID = {
    "summary resnet18 --set stages=[": """\
error[syntax]: --set stages:1:2: expected a value
  |
1 | [
  |  ^
""",
    "summary resnet18 --set stages=[3,4": """\
error[syntax]: --set stages:1:5: expected ',' or ']'
  |
1 | [3,4
  |     ^
  = help: close the list with ']'
""",
    "summary resnet18 --set num_classes=010": """\
error[syntax]: --set num_classes:1:1: '010' means different numbers in YAML 1.1 and 1.2
  |
1 | 010
  | ^^^
  = help: write 10, or quote it
""",
    "summary resnet18 --set num_classes=hi": """\
error[schema]: override:1:14: num_classes: expected an integer, got 'hi'
  |
1 | num_classes: hi
  |              ^^
""",
    "summary lenet --set num_classes=hi": """\
error[schema]: override:1:14: num_classes: expected a number, like the 10 in the spec, got 'hi'
  |
1 | num_classes: hi
  |              ^^
""",
    "summary resnet18 --set stages=[3,-1] --num-classes 0": """\
error[schema]: override:1:13: stages.1: expected at least 1, got -1
  |
1 | stages: [3, -1]
  |             ^^

error[schema]: override:1:14: num_classes: expected at least 1, got 0
  |
1 | num_classes: 0
  |              ^
""",
    "summary resnet18 --set block=basik": """\
error[schema]: override:1:8: block: expected 'basic' or 'bottleneck', got 'basik'
  |
1 | block: basik
  |        ^^^^^
  = help: did you mean 'basic'?
""",
    "summary resnet18 --set nmu_classes=3 --set stagse=[1]": """\
error[usage]: override:1:1: nmu_classes: unknown parameter 'nmu_classes'
  |
1 | nmu_classes: 3
  | ^^^^^^^^^^^
  = help: did you mean 'num_classes'?

error[usage]: override:1:1: stagse: unknown parameter 'stagse'
  |
1 | stagse: [1]
  | ^^^^^^
  = help: did you mean 'stages'?
""",
    "summary lenet --set num_clases=3": """\
error[usage]: override:1:1: num_clases: unknown parameter 'num_clases'
  |
1 | num_clases: 3
  | ^^^^^^^^^^
  = help: did you mean 'num_classes'?
""",
    "summary resnet18 --set family=vgg": """\
error[usage]: override:1:1: family: 'family' cannot be overridden
  |
1 | family: vgg
  | ^^^^^^
  = help: edit the spec; parameters are overridden by their own names
""",
    "summary resnet18 --input 3x224": """\
error[schema]: override:1:8: input: expected channels, height and width, got 2 numbers
  |
1 | input: [3, 224]
  |        ^^^^^^^^
""",
    "summary resnet18 --input 3x99999999x9": """\
error[schema]: override:1:12: input.1: expected at most 1048576, got 99999999
  |
1 | input: [3, 99999999, 9]
  |            ^^^^^^^^
""",
    "summary resnet18 --input 3x-1x9": (
        "'--input': '3x-1x9' is not channels, height and width, as in 3x224x224: '-1' is not a size"
    ),
    "summary resnet18 --input 3x0x9": (
        "'--input': '3x0x9' is not channels, height and width, as in 3x224x224: '0' is not a size"
    ),
    "summary resnet18 --input 1x3x224x224": (
        "'--input': '1x3x224x224' is not channels, height and width, as in 3x224x224: got 4 sizes"
    ),
    "summary resnet18 --set num_classes": (
        "'--set': 'num_classes' is not K=V: expected the name of a field and its value, like num_classes=5"
    ),
    "summary resnet18 --set num_classes=": ("'--set': 'num_classes=' has no value; write 'num_classes=null' for none"),
    "summary resnet18 --num-classes 1.5": "'--num-classes': '1.5' is not a valid integer.",
    "summary resnet18 --format xml": "'--format': 'xml' is not one of 'table', 'json', 'csv', 'markdown'.",
    "check resnet18 --format xml": "'--format': 'xml' is not one of 'text', 'json'.",
    "render lenet -o out.bmp": "'-o': 'out.bmp' should end in .svg, .png, .pdf, .dot or .html",
    "build lenet -o out.h5": "'-o': 'out.h5' should end in .safetensors, .pt, .pth, .pt2 or .onnx",
    "render lenet -o out.svg --format png": "'-o': 'out.svg' does not end in .png, as --format says",
    "render lenet -o - --open": "'--open': it needs a file, not standard output",
    "render lenet --show params,flops": "'--show': 'flops' is not one of params, macs, activations, none",
    "render lenet -o no/out.svg": "error[file]: no/out.svg: cannot be written: folder '{folder}/no' does not exist\n",
    "expand lenet -o .": "error[file]: .: cannot be written: it is a folder\n",
    "check nte.yaml": """\
error[file]: nte.yaml: cannot be read: No such file or directory
   = help: did you mean 'net.yaml'?
""",
    "check no/net.yaml": """\
error[file]: no/net.yaml: cannot be read: No such file or directory
   = help: folder 'no' does not exist
""",
    "summary resnet81": """\
error[file]: no file or shipped spec is named 'resnet81'
   = help: did you mean 'resnet18'?
""",
}
"""Commands and their errors: the full text if it is about a spec, otherwise the line about the value."""


@pytest.mark.parametrize("command", SAID)
def test_errors_in_values(folder: Path, command: str) -> None:
    """They are as clear as errors in a file, and nothing is written."""
    Path("net.yaml").write_text(GOOD, encoding="utf-8")
    result, said = run(*command.split()), SAID[command].replace("{folder}", str(folder))
    assert result.stdout == ""
    if said.startswith("error["):
        assert (result.exit_code, result.stderr) == (1, said)
    else:
        assert (result.exit_code, result.stderr.splitlines()[-1]) == (2, f"Error: Invalid value for {said}")
    assert [path.name for path in folder.iterdir()] == ["net.yaml"]


# -- commands ---------------------------------------------------------------------------------------------------


def test_summary() -> None:
    assert (
        fine("summary", "resnet18", "--depth", "1").splitlines() == archspec.summary("resnet18", depth=1).splitlines()
    )
    assert fine("summary", ROOT / "specs" / "lenet.yaml") == fine("summary", "lenet")


def test_check_reports_all_errors_of_all_specs(folder: Path) -> None:
    Path("a.yaml").write_text("name: a\nfamily: vgg\ninput: [3, 32]\ncfg: [64, X]\ndropout: 2\n", encoding="utf-8")
    Path("b.yaml").write_text("name: [\n", encoding="utf-8")
    result = run("check", "lenet", "a.yaml", "b.yaml", "alexnet")
    assert result.exit_code == 1
    assert "a.yaml:" in result.stderr
    assert "b.yaml:" in result.stderr
    assert result.stderr.count("error[") >= 3
    assert result.stdout.splitlines() == [
        LENET,
        "alexnet: 3×224×224 → 1000, 21 layers, 61,100,840 params, 714,188,480 MACs",
    ]


def test_check_of_what_is_fine() -> None:
    assert fine("check", "lenet") == f"{LENET}\n"


def test_check_for_editors(folder: Path) -> None:
    Path("b.yaml").write_text(f"{BAD}- {{op: relu, from: inptu}}\n", encoding="utf-8")
    Path("a.yaml").write_text("name: a\nfamily: vgg\ninput: [3, 32, 32]\ncfg: [64, X]\n", encoding="utf-8")
    result = run("check", "lenet", "b.yaml", "a.yaml", "--format", "json")
    assert (result.exit_code, result.stderr) == (1, "")
    found = json.loads(result.stdout)
    assert [(d["file"], d["line"], d["column"], d["end_column"]) for d in found] == [
        ("a.yaml", 4, 11, 12), ("b.yaml", 4, 76, 77), ("b.yaml", 5, 20, 25),
    ]  # fmt: skip
    assert found[0]["path"] == ["cfg", 1]
    assert found[1] == {
        "file": "b.yaml", "line": 4, "column": 76, "end_column": 77, "severity": "error", "kind": "shape",
        "path": ["layers", 0, "conv", "groups"], "where": "conv",
        "message": "3 input channels cannot be split into 2 groups", "help": "groups may be 1", "notes": [],
        "edges": [{"name": "input", "shape": "3×8×8", "origin": "the network's input"}], "trail": [],
    }  # fmt: skip
    with pytest.raises(archspec.SpecError) as caught:
        archspec.compile("b.yaml")
    assert [d.to_data() for d in caught.value.diagnostics] == found[1:]
    assert run("check", "lenet", "b.yaml", "a.yaml", "--format", "json").stdout == result.stdout


def test_check_for_editors_of_what_is_fine_and_of_what_is_not_there() -> None:
    assert fine("check", "lenet", "--format", "json") == "[]\n"
    result = run("check", "lenett", "--format", "json")
    (found,) = json.loads(result.stdout)
    assert (result.exit_code, found["file"], found["line"], found["help"]) == (1, None, None, "did you mean 'lenet'?")


def test_list() -> None:
    lines = fine("list").splitlines()
    assert lines[0].split() == ["Name", "Params", "MACs", "Description"]
    assert [line.split()[0] for line in lines[1:]] == list(loader.shipped())
    assert any(line.split()[:3] == ["resnet101", "44,549,160", "7,801,405,440"] for line in lines)


@pytest.mark.parametrize(
    ("patterns", "names"),
    [
        (["resnet18"], ["resnet18"]),
        (["resnet1?"], ["resnet18"]),
        (["WIDE"], ["wide_resnet101_2", "wide_resnet50_2"]),
        (["*net", "half"], ["alexnet", "alexnet_half", "googlenet", "lenet", "zfnet"]),
    ],
)
def test_list_of_what_matches(patterns: list[str], names: list[str]) -> None:
    found = json.loads(fine("list", *patterns, "--format", "json"))
    assert [entry["name"] for entry in found] == names
    assert [line.split()[0] for line in fine("list", *patterns).splitlines()[1:]] == names


def test_list_for_programs() -> None:
    (found,) = json.loads(fine("list", "zfnet", "--format", "json"))
    net = archspec.compile("zfnet")
    assert found == {
        "name": "zfnet", "description": net.description, "reference": net.reference, "input_shape": [3, 224, 224],
        "output_shape": [1000], "params": net.params, "macs": net.macs,
    }  # fmt: skip


@pytest.mark.parametrize("format", ["table", "json"])
def test_list_of_what_does_not_match(format: str) -> None:
    result = run("list", "lenet", "yolo", "--format", format)
    message = "error[file]: no shipped spec matches 'yolo'\n   = help: 'archspec list' shows the shipped specs\n"
    assert (result.exit_code, result.stdout, result.stderr) == (1, "", message)


def test_list_cuts_descriptions_to_the_width() -> None:
    whole, cut, narrow = (fine("list", "vgg1", COLUMNS=columns).splitlines() for columns in ("200", "80", "50"))
    assert fine("list", "vgg1").splitlines() == whole
    assert max(map(len, whole)) > 80 == max(map(len, cut))
    assert any(line.endswith("…") for line in cut)
    assert narrow[0].split() == ["Name", "Params", "MACs"]


@pytest.mark.parametrize(
    ("given", "help"),
    [
        ("ResNet50", "did you mean 'resnet50'?"),
        ("resnet-50", "did you mean 'resnet50'?"),
        ("resent50", "did you mean 'resnet50'?"),
        ("mobilenetv2", "did you mean 'mobilenet_v2'?"),
        ("inception_v4", "did you mean 'inception_v3'?"),
        ("vgg16_nb", "did you mean 'vgg16_bn'?"),
        ("convnext_tinny", "did you mean 'convnext_tiny'?"),
        ("lenet5", "did you mean 'lenet'?"),
        ("resnet10", "'archspec list resnet' shows the shipped ones: resnet18, resnet34, resnet50, resnet101, "),
        ("regnet", "'archspec list regnet' shows the shipped ones: regnet_x_8gf, "),
        ("resnext50", "'archspec list resnext' shows the shipped ones: resnext50_32x4d, "),
        ("r3d_50", "'archspec list r' shows the shipped ones: r3d_18, r2plus1d_18"),
        ("rexnet_200", "'archspec list' shows the shipped specs"),
        ("xcit_s_12", "'archspec list' shows the shipped specs"),
        ("yolov8", "'archspec list' shows the shipped specs"),
        ("lenet.yaml", "archspec ships 'lenet': give its name without '.yaml'"),
    ],
)
def test_unknown_names_lead_on(folder: Path, given: str, help: str) -> None:
    result = run("summary", given)
    assert result.exit_code == 1
    assert f" = help: {help}" in result.stderr


# -- standard input ---------------------------------------------------------------------------------------------


def test_specs_from_standard_input(folder: Path) -> None:
    """Every command that takes a SPEC takes -, with overrides and all."""
    spec = archspec.expand("lenet")
    for command in ("summary", "expand", "codegen", "build", "check", "verify"):
        assert fine(command, "-", stdin=spec) == fine(command, "lenet")
    for command in ("summary", "codegen", "build"):
        assert fine(command, "-", "--input", "1x32x32", stdin=spec) == fine(command, "lenet", "--input", "1x32x32")
    fine("render", "-", "-o", "out.dot", stdin=spec)
    assert Path("out.dot").read_bytes() == archspec.render("lenet", format="dot")


def test_standard_input_is_read_once() -> None:
    assert fine("check", "-", "lenet", "-", stdin=archspec.expand("lenet")) == 3 * f"{LENET}\n"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (BAD, "error[shape]: <stdin>:4:76: conv: 3 input channels cannot be split into 2 groups"),
        ("name: net", "error[schema]: <stdin>:1:1: a spec needs a family"),
        ("", "error["),
        (b"name: \xff", "error[file]: <stdin>:1:7: is not UTF-8 text"),
    ],
)
def test_errors_in_standard_input(text: str | bytes, message: str) -> None:
    result = run("summary", "-", stdin=text)
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr.startswith(message)
    found = json.loads(run("check", "-", "--format", "json", stdin=text).stdout)
    assert [diagnostic["file"] for diagnostic in found] == ["<stdin>"]


def test_standard_input_that_is_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", None)
    with pytest.raises(archspec.SpecError, match="<stdin>: cannot be read: it is closed"):
        sources._content_of_standard_input()


def test_standard_input_is_not_watched() -> None:
    result = run("check", "-", "--watch", stdin=GOOD)
    assert result.exit_code == 2
    assert "--watch needs files" in result.stderr


def test_completion_does_not_read_standard_input() -> None:
    """While a shell completes a command, standard input is the user's keyboard."""
    words = {"_ARCHSPEC_COMPLETE": "bash_complete", "COMP_WORDS": "archspec summary - --fo", "COMP_CWORD": "3"}
    keyboard, typed = os.pipe()
    command = [sys.executable, "-m", "archspec"]
    done = subprocess.run(
        command, cwd=ROOT, stdin=keyboard, capture_output=True, env={**os.environ, **words}, timeout=60, check=True
    )
    os.close(keyboard)
    os.close(typed)
    assert done.stdout.split() == [b"plain,--format"]


def test_expand(folder: Path) -> None:
    text = fine("expand", "resnet18", "--num-classes", "5")
    assert text == archspec.expand("resnet18", num_classes=5)
    fine("expand", "resnet18", "--num-classes", "5", "-o", "out.yaml")
    assert Path("out.yaml").read_text(encoding="utf-8") == text
    assert "params" in fine("check", "out.yaml")


def test_schema(folder: Path) -> None:
    text = fine("schema")
    assert json.loads(text)
    fine("schema", "-o", "schema.json")
    assert Path("schema.json").read_text(encoding="utf-8") == text


@pytest.mark.parametrize(
    ("suffix", "start"), [("svg", b"<?xml"), ("png", b"\x89PNG"), ("pdf", b"%PDF"), ("dot", b"digraph")]
)
def test_render(folder: Path, suffix: str, start: bytes) -> None:
    fine("render", "lenet", "-o", f"out.{suffix}", "--direction", "LR", "--depth", "1")
    assert Path(f"out.{suffix}").read_bytes().startswith(start)


@pytest.mark.parametrize("output", ["out.bmp", "out", "svg"])
def test_render_knows_its_formats(folder: Path, output: str) -> None:
    result = run("render", "lenet", "-o", output)
    assert result.exit_code == 2
    assert ".svg" in result.stderr
    assert list(folder.iterdir()) == []


def test_an_image_has_the_name_of_the_network(folder: Path) -> None:
    assert run("render", "lenet", "--depth", "1").stderr == "wrote lenet.svg\n"
    assert run("render", "lenet", "--format", "dot", "--depth", "1").stderr == "wrote lenet.dot\n"
    assert [path.name for path in sorted(folder.iterdir())] == ["lenet.dot", "lenet.svg"]
    assert Path("lenet.svg").read_bytes() == archspec.render("lenet", depth=1)


def test_an_image_on_standard_output(folder: Path) -> None:
    assert run("render", "lenet", "-o", "-").stdout_bytes == archspec.render("lenet")
    shown = run("render", "lenet", "-o", "-", "--format", "dot", "--show", "macs,activations").stdout_bytes
    assert shown == archspec.render("lenet", "dot", show=["macs", "activations"])
    assert run("render", "lenet", "-o", "-", "--format", "dot", "--show", "none").stdout_bytes != shown
    assert list(folder.iterdir()) == []


def test_an_image_is_opened(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[str] = []

    def launch(path: str, wait: bool) -> int:
        opened.append(path)
        return len(opened) - 1

    monkeypatch.setattr("click.launch", launch)
    fine("render", "lenet", "--format", "dot", "--open")
    assert opened == [str(folder / "lenet.dot")]
    result = run("render", "lenet", "-o", "out.dot", "--open")
    assert (result.exit_code, Path("out.dot").exists()) == (1, True)
    assert "out.dot: no program could be started to show it" in result.stderr


# -- build ------------------------------------------------------------------------------------------------------


BUILT = """\
lenet: LeNet
input → output  3×32×32 → 3
parameters      120,587 (471.0 KiB of float32)
MACs            2,327,132 for one sample
✓ 7 layers: every observed shape equals the inferred one
"""


def test_build_checks_the_shapes_and_saves_the_weights(folder: Path) -> None:
    assert fine("build", "lenet", "--num-classes", "3", "--seed", "7", "-o", "lenet.pt") == BUILT
    torch.manual_seed(7)
    expected = archspec.build("lenet", num_classes=3).state_dict()
    saved = torch.load("lenet.pt", weights_only=True)
    assert list(saved) == list(expected)
    assert all(torch.equal(saved[name], expected[name]) for name in expected)


def test_build_says_what_it_did_not_run(folder: Path) -> None:
    layers = "[{a: {op: relu}}, {b: {op: linear, out_features: 2, train_only: true}}, {c: {op: relu}}]"
    Path("net.yaml").write_text(f"name: net\ninput: [4]\nlayers: {layers}\n", encoding="utf-8")
    line = fine("build", "net.yaml").splitlines()[-1]
    assert line.startswith("✓ 2 layers: every observed shape")
    assert line.endswith("(1 that run in training only were left out)")


def test_build_with_a_summary(folder: Path) -> None:
    text = fine("build", "lenet", "--num-classes", "3", "--summary")
    assert text == f"{archspec.summary('lenet', num_classes=3)}\n\n{BUILT}"


def test_a_quiet_build_prints_errors_only(folder: Path) -> None:
    result = run("build", "lenet", "--quiet", "-o", "lenet.pt")
    assert (result.exit_code, result.output) == (0, "")
    assert Path("lenet.pt").stat().st_size > 4 * 121_182
    result = run("build", "lenet", "--quiet", "-o", "no/lenet.pt")
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr.startswith("error[file]: no/lenet.pt: cannot be written")
    assert run("build", "lenet", "--quiet", "--summary").exit_code == 2


def test_build_fails_if_a_shape_is_not_as_inferred(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    mismatch = torch_target.Mismatch("conv1", "6×28×28", "6×30×30")
    monkeypatch.setattr(build, "check_shapes", lambda graph, module: [mismatch])
    result = run("build", "lenet", "-o", "lenet.pt")
    assert result.exit_code == 1
    assert "conv1: inferred 6×28×28, observed 6×30×30" in result.stderr
    assert "✓" not in result.output
    assert not Path("lenet.pt").exists()


def test_build_saves_to_checkpoints_only(folder: Path) -> None:
    result = run("build", "lenet", "-o", "lenet.h5")
    assert result.exit_code == 2
    assert ".pt2 or .onnx" in result.stderr


# -- codegen ----------------------------------------------------------------------------------------------------


@pytest.fixture
def checkout(folder: Path) -> Path:
    """A folder with two specs in specs/, one of them further down."""
    for name, place in (("lenet", "specs"), ("zfnet", "specs/more")):
        Path(place).mkdir()
        Path(place, f"{name}.yaml").write_bytes((ROOT / "specs" / f"{name}.yaml").read_bytes())
    return folder


def test_codegen_to_standard_output() -> None:
    expected = archspec.codegen("lenet", num_classes=5)
    assert fine("codegen", "lenet", "--num-classes", "5") == expected
    assert fine("codegen", "lenet", "--num-classes", "5", "-o", "-") == expected


@pytest.mark.parametrize(
    ("output", "place"),
    [("net.py", "net.py"), ("new/", "new/lenet.py"), ("here", "here/lenet.py"), ("new", "new/lenet.py")],
)
def test_codegen_to_a_file_or_a_folder(folder: Path, output: str, place: str) -> None:
    Path("here").mkdir()
    fine("codegen", "lenet", "-o", output)
    assert Path(place).read_text(encoding="utf-8") == archspec.codegen("lenet")


def test_codegen_of_several(folder: Path) -> None:
    assert run("codegen", "lenet", "zfnet").exit_code == 2
    fine("codegen", "lenet", "zfnet", "-o", "out")
    assert sorted(path.name for path in Path("out").iterdir()) == ["lenet.py", "zfnet.py"]
    Path("file.py").touch()
    assert run("codegen", "lenet", "zfnet", "-o", "file.py").exit_code == 2
    assert run("codegen", "lenet", ROOT / "specs" / "lenet.yaml", "-o", "out").exit_code == 2


def test_codegen_of_a_checkout_and_its_check(checkout: Path) -> None:
    missing = run("codegen", "--check")
    assert missing.exit_code == 1
    assert missing.stdout.splitlines()[:2] == ["missing: generated/lenet.py", "missing: generated/zfnet.py"]
    assert not Path("generated").exists()
    fine("codegen")
    assert sorted(path.name for path in Path("generated").iterdir()) == ["lenet.py", "zfnet.py"]
    assert fine("codegen", "--check") == "2 files are up to date\n"


def test_codegen_check_finds_every_kind_of_difference(checkout: Path) -> None:
    fine("codegen")
    Path("generated/lenet.py").write_text("# edited\n", encoding="utf-8")
    Path("generated/zfnet.py").unlink()
    Path("generated/old.py").touch()
    Path("generated/__init__.py").touch()
    result = run("codegen", "--check")
    assert result.exit_code == 1
    found = result.stdout.splitlines()
    assert found[:3] == ["stale: generated/lenet.py", "missing: generated/zfnet.py", "extra: generated/old.py"]
    assert len(found) == 4
    assert Path("generated/lenet.py").read_text(encoding="utf-8") == "# edited\n"
    assert run("codegen", "lenet", "--check").exit_code == 1
    fine("codegen", "lenet")
    assert run("codegen", "lenet", "--check", "-o", "generated").exit_code == 1


def test_codegen_writes_only_what_differs(checkout: Path) -> None:
    fine("codegen")
    os.utime("generated/zfnet.py", (1, 1))
    Path("generated/lenet.py").write_text("# edited\n", encoding="utf-8")
    result = run("codegen")
    assert "1 of 2 files written" in result.stderr
    assert Path("generated/zfnet.py").stat().st_mtime == 1
    assert Path("generated/lenet.py").read_text(encoding="utf-8") == archspec.codegen("lenet")


def test_codegen_writes_nothing_if_one_spec_is_wrong(checkout: Path) -> None:
    Path("specs/bad.yaml").write_text("name: bad\n", encoding="utf-8")
    Path("specs/worse.yaml").write_text("name: worse\n", encoding="utf-8")
    result = run("codegen")
    assert result.exit_code == 1
    assert "bad.yaml" in result.stderr
    assert "worse.yaml" in result.stderr
    assert not Path("generated").exists()


@pytest.mark.parametrize("options", [["--num-classes", "5"], ["-o", "-"], ["-o", "-", "--check"]])
def test_codegen_of_a_checkout_takes_no_overrides(checkout: Path, options: list[str]) -> None:
    assert run("codegen", *options).exit_code == 2


# -- output files -----------------------------------------------------------------------------------------------


def test_an_unwritable_path_is_one_clear_error(folder: Path) -> None:
    Path("out.svg").mkdir()
    for output, reason in [
        ("no/such/out.svg", f"folder '{folder}/no/such' does not exist"),
        ("out.svg", "it is a folder"),
    ]:
        result = run("render", "lenet", "-o", output)
        assert result.exit_code == 1
        assert result.stderr.startswith(f"error[file]: {output}: cannot be written: {reason}")
    result = run("codegen", "lenet", "-o", "no/such/net.py")
    assert (result.exit_code, Path("no").exists()) == (1, False)
    assert result.stderr.startswith(f"error[file]: no/such/net.py: cannot be written: folder '{folder}/no/such'")


def test_a_file_is_written_whole_or_not_at_all(folder: Path) -> None:
    path = Path("out.txt")
    path.write_text("before", encoding="utf-8")

    def interrupted() -> None:
        with output_file.replacing(path) as draft:
            draft.write_text("half", encoding="utf-8")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert [entry.name for entry in folder.iterdir()] == ["out.txt"]
    assert path.read_text(encoding="utf-8") == "before"


def test_permissions_and_links_are_kept(folder: Path) -> None:
    path, link = Path("out.txt"), Path("link.txt")
    path.write_text("before", encoding="utf-8")
    path.chmod(0o640)
    link.symlink_to(path)
    output_file.write(link, "after")
    assert link.is_symlink()
    assert path.read_text(encoding="utf-8") == "after"
    assert stat.S_IMODE(path.stat().st_mode) == 0o640


def test_new_files_get_the_usual_permissions(folder: Path) -> None:
    Path("usual").touch()
    output_file.write("out.txt", b"")
    assert Path("out.txt").stat().st_mode == Path("usual").stat().st_mode


def test_a_pipe_is_written_to_and_stays(folder: Path) -> None:
    os.mkfifo("pipe")
    reader = os.open("pipe", os.O_RDONLY | os.O_NONBLOCK)
    output_file.write("pipe", "text")
    assert os.read(reader, 10) == b"text"
    os.close(reader)
    assert stat.S_ISFIFO(Path("pipe").stat().st_mode)


# -- one definition of each option --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("command", "options", "function"),
    [("build", BuildOptions(), archspec.build), ("verify", VerifyOptions(), archspec.verify)],
)
def test_commands_and_functions_have_the_same_options(
    command: str, options: object, function: Callable[..., Any]
) -> None:
    """With the same names and defaults, but that `()` may be `[]`, `{}`."""
    expected = {name: value or None for name, value in vars(options).items()}
    given = cli.app.commands[command].make_context(command, ["lenet"]).params
    assert {name: given[name] or None for name in expected} == expected
    others = {"spec", "output", "summary", "quiet", "settings", "num_classes", "input", "format"}
    assert given.keys() == expected.keys() | (others & given.keys())
    parameters = inspect.signature(function).parameters
    assert {name: parameters[name].default or None for name in expected} == expected


def test_limits_are_those_of_the_functions() -> None:
    assert f"by default {MAX_NODES:,}." in " ".join(fine("summary", "--help").split())
    assert f"default: {MAX_MEMORY >> 30}GiB]" in " ".join(fine("build", "--help").split())
    assert node_limits.get() == MAX_NODES


def test_suffixes_are_those_that_are_written() -> None:
    assert joined(SAVED, "or") in " ".join(fine("build", "--help").split())
    assert joined(IMAGES, "or") in " ".join(fine("render", "--help").split())


# -- as a process -----------------------------------------------------------------------------------------------


def archspec_process(*arguments: str, **changes: str) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "archspec", *arguments]
    pipe: Any = subprocess.PIPE
    environment = {**os.environ, "COLUMNS": "", **changes}
    return subprocess.Popen(command, cwd=ROOT, stdout=pipe, stderr=pipe, env=environment)


class Watcher:
    """`archspec check --watch` in a process, whose output is read line by line; nothing is waited for without end."""

    def __init__(self, *arguments: str | Path) -> None:
        self.process = archspec_process("check", *map(str, arguments), "--watch")
        self.lines: queue.Queue[str] = queue.Queue()
        for stream in (self.process.stdout, self.process.stderr):
            threading.Thread(target=self._read, args=[stream], daemon=True).start()

    def _read(self, stream: IO[bytes]) -> None:
        with stream:
            for line in stream:
                self.lines.put(line.decode("utf-8").rstrip("\n"))

    def until(self, text: str) -> list[str]:
        """The lines up to the one that has a text in it."""
        lines = [self.lines.get(timeout=60)]
        while text not in lines[-1]:
            lines.append(self.lines.get(timeout=60))
        return lines

    def interrupted(self) -> int:
        """The exit code after Ctrl-C."""
        self.process.send_signal(signal.SIGINT)
        return self.process.wait(timeout=60)


@pytest.fixture
def watching() -> Iterator[Callable[..., Watcher]]:
    watchers: list[Watcher] = []
    # What a shell runs in the background ignores Ctrl-C, the tests too, and so would every process they start.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)

    def watch(*arguments: str | Path) -> Watcher:
        watchers.append(Watcher(*arguments))
        return watchers[-1]

    yield watch
    for watcher in watchers:
        watcher.process.kill()
        watcher.process.wait()
    signal.signal(signal.SIGINT, before)


def save(path: Path, text: str) -> None:
    """As editors do: what is there is whole at any time."""
    new = path.with_suffix(".new")
    new.write_text(text, encoding="utf-8")
    new.replace(path)


def test_watch(tmp_path: Path, watching: Callable[..., Watcher]) -> None:
    """It survives errors, and files that go away and come back."""
    path = tmp_path / "net.yaml"
    save(path, GOOD)
    watcher = watching(path)
    assert watcher.until("params") == ["bad: 3×8×8 → 4×6×6, 1 layer, 108 params, 3,888 MACs"]
    save(path, BAD)
    assert watcher.until("groups may be 1")[0].startswith("error[shape]: ")
    save(path, GOOD.replace("[3, 8, 8]", "[3, 9, 9]"))
    assert watcher.until("params")[-1].startswith("bad: 3×9×9 → 4×7×7,")
    path.unlink()
    assert "cannot be read" in watcher.until("error[file]")[-1]
    save(path, "name: [\n")
    watcher.until("error[syntax]")
    assert watcher.interrupted() == 130
    rest = [watcher.lines.get_nowait() for _ in range(watcher.lines.qsize())]
    assert "Traceback" not in "\n".join(rest)


def test_watch_for_editors(tmp_path: Path, watching: Callable[..., Watcher]) -> None:
    path = tmp_path / "net.yaml"
    save(path, BAD)
    watcher = watching(path, "lenet", "--format", "json")
    assert [found["line"] for found in json.loads(watcher.until("]")[-1])] == [4]
    save(path, GOOD)
    assert watcher.until("]") == ["[]"]
    assert watcher.interrupted() == 130


class Rest(Exception):
    """Nothing more is going to happen."""


def test_watch_waits_until_a_file_is_at_rest(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = iter(["old", "old", "half", "new", None, "new", "new", "new"])
    now: list[str | None] = ["old"]
    done: list[str | None] = []

    def sleep(seconds: float) -> None:
        now[0] = next(seen, "end")
        if now[0] == "end":
            raise Rest

    monkeypatch.setattr(watch, "time", SimpleNamespace(sleep=sleep))
    monkeypatch.setattr(watch, "_stamp", lambda file: now[0])
    with pytest.raises(Rest):
        watch.watch(["net.yaml"], lambda: done.append(now[0]))
    assert done == ["old", "new"]


def test_watch_needs_a_spec() -> None:
    result = run("check", "no-such-spec", "--watch")
    assert result.exit_code == 1
    assert result.stderr.startswith("error[file]: no file or shipped spec is named 'no-such-spec'")


def test_output_is_utf_8_whatever_the_locale() -> None:
    process = archspec_process("summary", "lenet", LC_ALL="C", PYTHONUTF8="0", PYTHONIOENCODING="ascii")
    stdout, stderr = process.communicate()
    assert (process.returncode, stderr) == (0, b"")
    assert stdout.decode("utf-8") == archspec.summary("lenet") + "\n"


def test_a_closed_pipe_is_no_error() -> None:
    process = archspec_process("summary", "resnet152", "--format", "json")
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdout.close()
    assert process.stderr.read() == b""
    assert process.wait() == 141
    process.stderr.close()


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="a device of Linux")
def test_output_that_cannot_be_written_is_one_clear_error() -> None:
    command = [sys.executable, "-m", "archspec", "summary", "lenet"]
    with open("/dev/full", "w", encoding="utf-8") as full:
        done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr == "error[file]: standard output: cannot be written: No space left on device\n"


def test_what_does_not_compile_is_not_expanded(folder: Path) -> None:
    Path("net.yaml").write_text(
        "name: net\ninput: [3, 8, 8]\nlayers:\n- c: {op: conv2d, out_channels: 4, kernel_size: 9}\n"
    )
    Path("out.yaml").write_text("before", encoding="utf-8")
    result = run("expand", "net.yaml", "-o", "out.yaml")
    assert (result.exit_code, Path("out.yaml").read_text(encoding="utf-8")) == (1, "before")
    assert result.stderr.startswith("error[shape]: net.yaml:4:")


def test_a_device_is_no_folder() -> None:
    fine("codegen", "lenet", "-o", os.devnull)
    assert stat.S_ISCHR(os.stat(os.devnull).st_mode)


def test_a_spec_error_shows_no_traceback() -> None:
    process = archspec_process("check", "no-such-spec")
    stdout, stderr = process.communicate()
    assert (process.returncode, stdout) == (1, b"")
    assert stderr.startswith(b"error[file]: no file or shipped spec is named 'no-such-spec'")
    assert b"Traceback" not in stderr


def test_an_interrupt_ends_quietly(monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*arguments: Any, **options: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(pipeline, "load", interrupted)
    result = run("summary", "lenet")
    assert (result.exit_code, result.output) == (130, "")


def test_a_error_of_ours_is_not_hidden(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*arguments: Any, **options: Any) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(pipeline, "load", broken)
    with pytest.raises(ZeroDivisionError):
        run("summary", "lenet")


@pytest.mark.parametrize("arguments", [["--help"], ["summary", "--help"], ["build", "--help"]])
def test_help_loads_next_to_nothing(arguments: list[str]) -> None:
    code = f"import sys\nfrom archspec.cli import commands\ntry: commands.app({arguments})\nexcept SystemExit: "
    code += "print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    assert not {"pydantic", "yaml", "torch", "rich", "jinja2", "graphviz"} & set(loaded.stdout.splitlines()[-1].split())


def test_summary_loads_no_more_than_it_needs() -> None:
    code = "import sys\nfrom archspec.cli.commands import app\ntry: app(['summary', 'lenet'])\nexcept SystemExit:"
    code += " print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    names = set(loaded.stdout.splitlines()[-1].split())
    assert "archspec.backends.summary.table" in names
    assert not {"torch", "rich", "jinja2", "graphviz"} & names


@pytest.mark.parametrize("command", ["summary", "check", "codegen", "build"])
def test_the_limit_of_nodes_is_an_option(folder: Path, command: str) -> None:
    result = run(command, "lenet", "--max-nodes", "3")
    assert result.exit_code == 1
    assert result.stderr.count("more than 3 nodes") == 1
    assert "raise the limit with archspec.node_limit (--max-nodes)" in result.stderr
    assert run(command, "lenet", "--max-nodes", "3000000").exit_code == 0


def test_codegen_of_several_does_not_make_a_folder_named_like_a_file(tmp_path: Path) -> None:
    result = run("codegen", "lenet", "alexnet", "-o", tmp_path / "out.py")
    assert (result.exit_code, (tmp_path / "out.py").exists()) == (2, False)
    assert "is named like a file" in result.stderr
