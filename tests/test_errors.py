"""Bad specs and the full message each gets, compared literally.

`fixtures/errors/NAME.yaml` is a spec with errors, `NAME.txt` archspec's message for it.
"""

from __future__ import annotations

import ast
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from types import FrameType
from typing import Any

import pytest

import archspec
from archspec.diagnostics.diagnostic import Diagnostic, LayerInput, LayerOutput, SpecError
from archspec.diagnostics.formatting import MAX_SHOWN, format_diagnostic, format_diagnostics, printable
from archspec.diagnostics.suggestions import nearest

FOLDER = Path(__file__).parent / "fixtures" / "errors"
REFRESH = "ARCHSPEC_REFRESH=1 pytest tests/test_errors.py"


def message_of(name: str) -> str:
    with pytest.raises(SpecError) as caught:
        archspec.compile(f"{name}.yaml")
    return f"{caught.value}\n"


@pytest.mark.parametrize("name", sorted(path.stem for path in FOLDER.glob("*.yaml")))
def test_message(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(FOLDER)  # so that messages name the file and no folder
    found, recorded = message_of(name), FOLDER / f"{name}.txt"
    if os.environ.get("ARCHSPEC_REFRESH"):
        recorded.write_text(found, encoding="utf-8")
    assert found == recorded.read_text(encoding="utf-8"), f"if this is as it should be: {REFRESH}"


def test_every_message_has_its_spec() -> None:
    assert {path.stem for path in FOLDER.glob("*.txt")} == {path.stem for path in FOLDER.glob("*.yaml")}


@pytest.mark.parametrize("name", sorted(path.stem for path in FOLDER.glob("*.txt")))
def test_messages_say_where(name: str) -> None:
    """Every headline has a place or is about the whole file, and none is repeated."""
    text = (FOLDER / f"{name}.txt").read_text(encoding="utf-8")
    headlines = [line for line in text.splitlines() if line.startswith("error[")]
    assert headlines
    assert len(set(headlines)) == len(headlines)
    assert all(f"]: {name}.yaml:" in line for line in headlines)


# -- every rule has a spec that breaks it --------------------------------------------------------------------------

PACKAGE = Path(archspec.__file__).parent
FILES = ("expressions/grammar", "expressions/functions", "expressions/parse", "expressions/evaluate",
         "ops/initialisers", "diagnostics/validation")  # fmt: skip
FOLDERS = ("passes/specialize", "frontend/model", "frontend/yaml", "frontend/families", "ops")
RULES = [
    *(PACKAGE / f"{name}.py" for name in FILES),
    *(path for folder in FOLDERS for path in sorted((PACKAGE / folder).glob("*.py"))),
]
TELLING = ("problem", "refuse", "_refuse", "error", "report", "report_error", "field_error", "Diagnostic")
"""What reports errors."""

ELSEWHERE = (
    "raise Unsupported(",  # an import collects these: in test_import
    "raise TooLong",  # no error: code generation goes on without expressions
    "raise _DependsOnMore",  # no error: what such an item runs is evaluated each time
    "raise too_large(file)",  # in test_read_limits
    'Diagnostic("limit", str(error), help=HELP)',  # the budget of steps, in test_resource_limits
    "raise self.error() from None",  # likewise
    "raise DocumentError([bad_character(",  # half a character, which a file cannot hold: in test_yaml
    "the list has more than {MAX_LIST:,} values, got",  # in test_hostile
    'return Diagnostic("syntax", message, help=help, file=file)',  # PyYAML's types allow for it, libyaml does not do it
)
"""Lines that report errors which no spec here has."""


def rules(path: Path) -> Iterator[int]:
    """The lines of a file at which errors are reported."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        called = getattr(node, "func", None)
        if isinstance(node, ast.Raise) or getattr(called, "attr", getattr(called, "id", "")) in TELLING:
            yield node.lineno  # type: ignore[attr-defined]


def test_every_rule_has_a_spec(monkeypatch: pytest.MonkeyPatch) -> None:
    """So a new rule needs a fixture, and a rule that no spec can violate is found."""
    files, reached = {str(path) for path in RULES}, set()

    def trace(frame: FrameType, event: str, argument: Any) -> Any:
        file = frame.f_code.co_filename
        if file in files:
            reached.add((file, frame.f_lineno))
            return trace
        return None

    monkeypatch.chdir(FOLDER)
    before = sys.gettrace()
    sys.settrace(trace)
    try:
        for name in sorted(path.stem for path in FOLDER.glob("*.yaml")):
            message_of(name)
    finally:
        sys.settrace(before)
    lines = {path: path.read_text(encoding="utf-8").splitlines() for path in RULES}
    missed = [(path.name, line, lines[path][line - 1].strip()) for path in RULES for line in rules(path)
              if (str(path), line) not in reached]  # fmt: skip
    assert [rule for rule in missed if not any(text in rule[2] for text in ELSEWHERE)] == []


# -- the printer -------------------------------------------------------------------------------------------------


def test_format() -> None:
    diagnostic = Diagnostic(
        "shape", "cannot add", where="layer3.sum", notes=("bn3  256×14×14",), help="give it stride 2",
        file="net.yaml", line=31, column=3, width=3, source="- sum: {op: add}",
    )  # fmt: skip
    assert str(diagnostic) == (
        "error[shape]: net.yaml:31:3: layer3.sum: cannot add\n"
        "   |\n"
        "31 | - sum: {op: add}\n"
        "   |   ^^^\n"
        "   = bn3  256×14×14\n"
        "   = help: give it stride 2"
    )


def test_format_without_a_place() -> None:
    assert (
        format_diagnostic(Diagnostic("file", "cannot be read", file="a.yaml")) == "error[file]: a.yaml: cannot be read"
    )
    assert str(SpecError("no such thing")) == "error[usage]: no such thing"


def test_messages_come_in_the_order_of_the_file_and_are_bounded() -> None:
    many = [Diagnostic("schema", f"wrong {line}", file="a", line=line, column=1) for line in range(100, 0, -1)]
    assert [found.line for found in SpecError(many).diagnostics] == list(range(1, 101))
    text = format_diagnostics(many)
    assert text.startswith("error[schema]: a:1:1: wrong 1\n")
    assert text.endswith(f"… and {100 - MAX_SHOWN} more")


def test_equal_errors_are_reported_once() -> None:
    assert len(SpecError([Diagnostic("schema", "wrong"), Diagnostic("schema", "wrong")]).diagnostics) == 1


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain × text", "plain × text"),
        ("\x1b[31mred", "\\u{1b}[31mred"),
        ("a\nb\r\tc", "a\\u{a}b\\u{d}\\u{9}c"),
        ("\u202eevil", "\\u{202e}evil"),
        ("zero\u200bwidth", "zero\\u{200b}width"),
    ],
)
def test_no_spec_can_drive_a_terminal(text: str, shown: str) -> None:
    assert printable(text) == shown
    for where in ("", text):
        hostile = Diagnostic(
            "schema", text, (text,), where, notes=(text,), help=text, file=text, line=1, column=1, source=text,
            edges=(LayerInput(text, text, text),), trail=(LayerOutput(text, text, text),),
        )  # fmt: skip
        assert not {"\x1b", "\u202e", "\r", "\t", "\u200b"} & set(str(hostile))


def test_nearest() -> None:
    assert nearest("stagse", ["stages", "block"]) == "did you mean 'stages'?"
    assert nearest("x", ["stages", "block"]) == "known: block, stages"
    assert nearest("x", []) == ""
    assert nearest("x", map(str, range(100))) == ""


@pytest.mark.parametrize(("word", "meant"), [("Stages", "stages"), ("nn.ReLU", "relu"), ("relu.x", "relu.y")])
def test_nearest_whatever_the_case_and_the_module(word: str, meant: str) -> None:
    assert nearest(word, ["stages", "relu", "relu.y"]) == f"did you mean '{meant}'?"


def test_a_file_that_is_too_large() -> None:
    """No fixture: it would be a mebibyte."""
    with pytest.raises(SpecError, match=r"error\[limit\]: <text>: the file is larger than 1 MiB"):
        archspec.load("# " + "x" * (1 << 20) + "\n")


@pytest.mark.parametrize("source", [5, None, b"lenet", ["lenet"], {"name": "net"}])
def test_what_is_no_source(source: Any) -> None:
    wanted = "expected a path, the name of a shipped spec, YAML text, a loaded spec, or a graph, got "
    with pytest.raises(SpecError) as caught:
        archspec.load(source)
    assert str(caught.value) == f"error[usage]: {wanted}{source!r} ({type(source).__name__})"


def test_an_override_that_no_yaml_can_say() -> None:
    with pytest.raises(SpecError) as caught:
        archspec.load("resnet18", num_classes=object)
    assert str(caught.value).startswith("error[schema]: override: num_classes: expected an integer, got <class")


def test_neither_family_nor_layers() -> None:
    """The families are listed, so this message grows with them."""
    with pytest.raises(SpecError, match=r"(?s)a spec needs a family, or layers.*help: families: vgg, resnet"):
        archspec.load("name: net\ninput: [3, 32, 32]\n")
