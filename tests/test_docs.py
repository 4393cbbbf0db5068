"""The READMEs and all docstrings: their examples and commands work, and their statements about the code are true."""

from __future__ import annotations

import ast
import doctest
import json
import re
import shlex
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import NamedTuple

import pytest
import torch
import torchinfo
from assets import FOLDER, images
from assets import REFRESH as REFRESH_IMAGES
from click.testing import CliRunner
from oracle import models, oracle
from packaging.requirements import Requirement
from reference import FILES, PARTS, REFRESH, ROOT, refreshed

import archspec
from archspec.cli.commands import app
from archspec.frontend.loader import shipped

README, REFERENCE = FILES
BENCHMARKS = ROOT / "tests" / "benchmarks" / "README.md"


class Example(NamedTuple):
    """A fenced block: the language, the words after it, and the text."""

    place: str
    language: str
    words: tuple[str, ...]
    text: str


def examples(path: Path) -> Iterator[Example]:
    text = path.read_text(encoding="utf-8")
    for found in re.finditer(r"^```(\w+)([^\n]*)\n(.*?)^```$", text, re.DOTALL | re.MULTILINE):
        line = text.count("\n", 0, found.start()) + 1
        yield Example(f"{path.relative_to(ROOT)}:{line}", found[1], tuple(found[2].split()), found[3])


ALL = [example for path in FILES for example in examples(path)]
YAML = [example for example in ALL if example.language == "yaml"]


def chosen(*words: str) -> list[object]:
    return [pytest.param(example.text, id=example.place) for example in YAML if example.words[:1] == words]


def whole(fragment: str) -> str:
    """A fragment made into a spec: items get a network around them, and a network its header."""
    if fragment.startswith("- "):
        fragment = f"layers:\n{fragment}"
    if "layers:" not in fragment:
        fragment = f"{fragment}layers:\n- {{op: relu}}\n"
    return f"name: fragment\ninput: [16, 32, 32]\n{fragment}"


@pytest.mark.parametrize("text", [*chosen(), *chosen("file=tiny_resnet.yaml")])
def test_complete_specs_compile(text: str) -> None:
    archspec.compile(text).verify()


@pytest.mark.parametrize("text", chosen("fragment"))
def test_fragments_compile(text: str) -> None:
    archspec.compile(whole(text)).verify()


@pytest.mark.parametrize("text", chosen("refused"))
def test_what_is_said_to_be_refused_is(text: str) -> None:
    with pytest.raises(archspec.SpecError):
        archspec.compile(text)


def test_every_yaml_example_is_of_a_known_kind() -> None:
    kinds = {"fragment", "refused", "error", "file=tiny_resnet.yaml", "file=grn_net.yaml"}
    assert {word for example in YAML for word in example.words} == kinds


def test_the_error_shown_is_the_error_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (spec,) = (example for example in ALL if example.words == ("error",))
    shown = ALL[ALL.index(spec) + 1]
    Path("net.yaml").write_text(spec.text, encoding="utf-8")
    with pytest.raises(archspec.SpecError) as caught:
        archspec.compile("net.yaml")
    assert f"{caught.value}\n" == shown.text


def test_the_json_shown_is_the_json_printed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (spec,) = (example for example in ALL if example.words == ("error",))
    (shown,) = (example for example in ALL if example.language == "json")
    Path("net.yaml").write_text(spec.text, encoding="utf-8")
    printed = CliRunner().invoke(app, ["check", "net.yaml", "--format", "json"]).stdout
    assert json.loads(printed) == json.loads(shown.text)


def test_the_report_shown_is_the_report_printed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (module,) = (example for example in ALL if example.words == ("file=mine.py",))
    shell, shown = ALL[ALL.index(module) + 1 :][:2]
    Path("mine.py").write_text(module.text, encoding="utf-8")
    result = CliRunner().invoke(app, shlex.split(shell.text)[1:])
    assert result.exit_code == 1
    assert without_numbers(result.stdout) == without_numbers(shown.text)


def test_the_difference_shown_is_the_difference_printed() -> None:
    (shown,) = (example for example in ALL if example.words == ("diff",))
    line = ALL[ALL.index(shown) - 1].text.splitlines()[0]
    result = CliRunner(env={"COLUMNS": "120"}).invoke(app, shlex.split(line)[1:])
    assert result.stdout == shown.text


def without_numbers(report: str) -> str:
    """By how much values differ depends on the machine."""
    return re.sub(r"by up to [\d.]+, where the largest is [\d.]+", "by up to N", report)


def test_the_spec_shown_is_the_spec_shipped() -> None:
    (first, *_) = (example for example in YAML if not example.words)
    assert shipped()["resnet101"].read_text(encoding="utf-8").partition("\n")[2] == first.text


def test_the_class_shown_is_the_class_generated() -> None:
    """Every piece between two lines of dots, in order."""
    (shown,) = (example.text for example in ALL if example.words == ("generated",))
    rest = (ROOT / "generated" / "resnet101.py").read_text(encoding="utf-8")
    for piece in re.split(r"^ *\.\.\.\n", shown, flags=re.MULTILINE):
        _, found, rest = rest.partition(piece)
        assert found, f"not generated, or not in this order:\n{piece}"


def test_the_comparison_counts_what_is_printed_and_drawn() -> None:
    page = README.read_text(encoding="utf-8")
    rows = {found[1]: found[2] for found in re.finditer(r"^\| (\w+) [^|]*\|[^|]*\|(.*)$", page, re.MULTILINE)}
    ours = archspec.summary("resnet101").splitlines()
    nodes = archspec.render("resnet101").count(b'class="node"')
    with torch.device("meta"):
        theirs = torchinfo.summary(models.resnet101(), (1, 3, 224, 224), device="meta", verbose=0)
    assert rows["archspec"].startswith(f" {len(ours)} lines | {nodes} boxes")
    assert rows["torchinfo"].startswith(f" {len(str(theirs).splitlines())} lines ")


def test_the_timings_shown_are_those_of_the_benchmarks() -> None:
    highlights, all_rows = (measured(page) for page in (README, BENCHMARKS))
    assert len(highlights) == 7  # with the header
    assert set(highlights) <= set(all_rows)


def measured(page: Path) -> list[tuple[str, ...]]:
    """The rows of the table of measurements, without the line below its header."""
    table = page.read_text(encoding="utf-8").partition("<!-- performance: begin -->\n")[2]
    lines = [line for line in table.partition("<!-- performance: end -->")[0].splitlines() if "---" not in line]
    return [tuple(cell.strip() for cell in line.split("|")) for line in lines]


@pytest.mark.parametrize("path", [*FILES, BENCHMARKS], ids=lambda path: str(path.relative_to(ROOT)))
def test_every_row_of_a_table_has_the_cells_of_its_header(path: Path) -> None:
    """A cell that holds a line break or an unescaped bar breaks the row."""
    text = re.sub(r"^```.*?^```$", "", path.read_text(encoding="utf-8"), flags=re.DOTALL | re.MULTILINE)
    tables = re.findall(r"^\|.*?(?=\n[^|]|\n\n|\Z)", text, re.DOTALL | re.MULTILINE)
    assert tables
    for table in tables:
        head, *rows = (re.findall(r"(?<!\\)\|", line) for line in table.splitlines())
        assert all(len(row) == len(head) for row in rows), table
        assert all(line.endswith("|") for line in table.splitlines()), table


PYTHONS = ("3.10", "3.11", "3.12", "3.13", "3.14")


def test_every_package_has_one_pin_for_each_python() -> None:
    """The classifiers name those Pythons that archspec was run with; for 3.14 only the pins were resolved."""
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    pins = [Requirement(line) for line in lines]
    for python in PYTHONS:
        chosen = [pin.name for pin in pins if not pin.marker or pin.marker.evaluate({"python_version": python})]
        assert len(chosen) == len(set(chosen)), python
        assert {pin.name for pin in pins} - set(chosen) <= ONLY_ON_310, python
    assert all(len(pin.specifier) == 1 and str(pin.specifier).startswith("==") for pin in pins)
    project = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    assert tuple(re.findall(r"Python :: (3\.\d+)", project)) == PYTHONS[:-1]


ONLY_ON_310 = {"coloredlogs", "exceptiongroup", "humanfriendly", "six", "tomli"}
"""Packages that others need on Python 3.10 only."""


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_what_is_made_from_the_code_is_fresh(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert text == refreshed(text), REFRESH


def test_every_part_is_somewhere() -> None:
    texts = [path.read_text(encoding="utf-8") for path in FILES]
    assert all(sum(text.count(f"<!-- begin: {part} -->") for text in texts) == 1 for part in PARTS)


@pytest.mark.parametrize("name", ["resnet101.svg", "resnet101-dark.svg"])
def test_the_images_are_fresh(name: str) -> None:
    assert images()[name] == (FOLDER / name).read_text(encoding="utf-8"), REFRESH_IMAGES
    assert f"/{name}" in README.read_text(encoding="utf-8")


def test_links_lead_somewhere() -> None:
    for path in (*FILES, BENCHMARKS):
        text = path.read_text(encoding="utf-8")
        for link in re.findall(r"(?:\]\(|src=\"|srcset=\"|href=\")([^)\"]+)", text):
            target, _, section = link.partition("#")
            page = path.parent / target if target else path
            assert link.startswith("http") or page.exists(), link
            assert link.startswith("http") or not section or section in anchors(page), link


def anchors(page: Path) -> set[str]:
    return {anchor(found[1]) for found in re.finditer(r"^#+ (.*)$", page.read_text(encoding="utf-8"), re.MULTILINE)}


def anchor(heading: str) -> str:
    """The anchor of a heading in links on GitHub."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


# -- docstrings -------------------------------------------------------------------------------------------------


class Documented(NamedTuple):
    """The examples in one docstring."""

    name: str
    file: Path
    line: int
    text: str


def documented(file: Path) -> Iterator[Documented]:
    """The docstrings with examples in a file: of the module, and of every class and function, however decorated."""
    text = file.read_text(encoding="utf-8")
    for node in ast.walk(ast.parse(text)) if ">>>" in text else ():
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef) and ">>>" in (ast.get_docstring(node) or ""):
            line = node.body[0].lineno
            name = f"{file.relative_to(ROOT)}:{getattr(node, 'name', 'module')}"
            yield Documented(name, file, line, str(ast.get_docstring(node)))


SOURCES = [path for folder in ("archspec", "tests") for path in sorted((ROOT / folder).rglob("*.py"))]
DOCUMENTED = [found for file in SOURCES for found in documented(file)]


def module_of(file: Path) -> str:
    """The module name of a file; pytest puts the folder of the tests on the path."""
    parts = file.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[1:] if parts[0] == "tests" else parts).removesuffix(".__init__")


@pytest.mark.parametrize("example", DOCUMENTED, ids=lambda example: example.name)
def test_examples_in_docstrings_hold(example: Documented) -> None:
    names = dict(vars(import_module(module_of(example.file))))
    test = doctest.DocTestParser().get_doctest(example.text, names, example.name, str(example.file), example.line)
    said: list[str] = []
    result = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS).run(test, out=said.append)
    assert result.attempted
    assert not result.failed, "".join(said)


def test_no_example_is_left_out() -> None:
    """Everything that looks like an example is in a docstring that was found."""
    lines = {path: path.read_text(encoding="utf-8").splitlines() for path in SOURCES}
    written = sum(bool(re.match(r"\s*>>> ", line)) for found in lines.values() for line in found)
    parsed = (doctest.DocTestParser().get_examples(example.text) for example in DOCUMENTED)
    assert sum(map(len, parsed)) == written > 50


@pytest.mark.parametrize(
    "function", ["build", "codegen", "compile", "diff", "expand", "load", "project", "render", "specs", "summary"]
)
def test_public_functions_have_an_example(function: str) -> None:
    assert any(example.name.endswith(f":{function}") for example in DOCUMENTED)
    assert ">>>" in getattr(archspec, function).__doc__


# -- commands and Python, in the order of the README ------------------------------------------------------------


def test_the_readme_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every `archspec` command and every Python example, one after the other in one folder."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    weights = oracle("resnet18").state_dict()
    monkeypatch.setattr(torch.hub, "load_state_dict_from_url", lambda url: weights)
    ran = [run(example) for example in examples(README)]
    assert sum(ran) > 15, "the README's examples were not found"
    assert Path("resnet101.svg").stat().st_size > 0
    assert "class Residual(nn.Module):" in Path("tiny_resnet.py").read_text(encoding="utf-8")


def run(example: Example) -> int:
    """How many things were run."""
    if example.words[:1] and example.words[0].startswith("file="):
        Path(example.words[0].removeprefix("file=")).write_text(example.text, encoding="utf-8")
        return 0
    if example.language == "python" and "generated" not in example.words:
        exec(compile(example.text, example.place, "exec"), {"__name__": "example"})
        return 1
    commands = example.text.splitlines() if example.language == "sh" and "fails" not in example.words else []
    code = 1 if "differs" in example.words else 0
    return sum(command(line, code) for line in commands if line.startswith("archspec "))


def command(line: str, code: int) -> bool:
    arguments, _, target = line.partition(" > ")
    result = CliRunner().invoke(app, shlex.split(arguments)[1:], catch_exceptions=False)
    assert result.exit_code == code, f"{line}\n{result.output}"
    if target:
        Path(target).write_text(result.stdout, encoding="utf-8")
    return True


def test_the_weights_shown_are_torchvisions() -> None:
    from torchvision.models import ResNet18_Weights

    assert ResNet18_Weights.IMAGENET1K_V1.url in README.read_text(encoding="utf-8")


def test_the_two_commands_are_one_line_each() -> None:
    """`.ci/run` takes the second from the README."""
    lines = [line for line in README.read_text(encoding="utf-8").splitlines() if line.startswith("python3 -m venv")]
    assert [line.rpartition("&& ")[2] for line in lines] == [
        ".venv/bin/archspec build specs/resnet101.yaml",
        ".venv/bin/pytest -n auto",
    ]
