"""Small specs that test the interaction of constructs: `python tests/network_fixtures.py [FOLDER or FILE …]`.

Without arguments it tries `fixtures/networks`; with `--lint`, ruff and mypy read the generated files, too. It prints a
line for each. A spec is a network that must be right in every way (`checks.py`), unless a comment at its top says
otherwise:

    # refused: WORDS            it is an error at a place in the file, whose message or help has these words
    # refused-or-equal: WORDS   either
    # errors: N                 … and there are so many errors, no more

A network that once failed is kept in `networks`, where the tests try it.
"""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Final, NamedTuple

from checks import check_network, failure

import archspec

FOLDER: Final = Path(__file__).parent / "fixtures"
FIXTURES: Final = sorted((FOLDER / "networks").glob("*.yaml"))


class Expected(NamedTuple):
    """The expectations that a fixture states at its top."""

    words: str | None
    """Words of the message of its refusal; empty for a network that must be right."""
    may_be_right: bool
    errors: int | None


def expected(text: str) -> Expected:
    """Read the comments at the top of a fixture."""
    said = dict(re.findall(r"^# (refused|refused-or-equal|errors): (.+)$", text, re.MULTILINE))
    words = said.get("refused", said.get("refused-or-equal"))
    return Expected(words, "refused" not in said, int(said["errors"]) if "errors" in said else None)


def is_refused(text: str) -> bool:
    """Whether a fixture is an error, today."""
    if expected(text).words is None:
        return False
    try:
        archspec.codegen(text)
    except archspec.SpecError:
        return True
    return False


def check_fixture(text: str) -> None:
    """A fixture meets the expectations that it states."""
    wanted = expected(text)
    if wanted.words is None:
        check_network(text)
        return
    try:
        archspec.codegen(text)
    except archspec.SpecError as error:
        check_refusal(wanted, error)
    else:
        assert wanted.may_be_right, f"not refused: {wanted.words}"
        check_network(text)


def check_refusal(wanted: Expected, error: archspec.SpecError) -> None:
    """The error states its reason and its place, and is the only one if the fixture says so."""
    found = error.diagnostics
    assert wanted.words is not None
    assert any(wanted.words in f"{one.message} {one.help}" for one in found), f"refused otherwise: {found[0].message}"
    assert all(one.line for one in found), f"refused without a place: {found[0].message}"
    assert wanted.errors is None or len(found) == wanted.errors, f"{len(found)} errors: {found[-1].message}"


def verdict(text: str) -> str | None:
    """What is wrong with a fixture, in one line."""
    if expected(text).words is None:
        return failure(text)
    try:
        check_fixture(text)
    except Exception as error:
        return f"{type(error).__name__}: {(str(error) or '?').splitlines()[0]:.200}"
    return None


def files(arguments: list[str]) -> list[Path]:
    given = [Path(argument) for argument in arguments] or [FOLDER / "networks"]
    return [file for path in given for file in (sorted(path.glob("*.yaml")) if path.is_dir() else [path])]


RUFF: Final = (
    ["ruff", "check", "--no-cache", "--output-format=concise"],
    ["ruff", "format", "--check", "--no-cache"],
)
MYPY: Final = (["mypy", "--no-warn-return-any", "--cache-dir=cache"],)


def lint(texts: Mapping[str, str], folder: Path, tools: Iterable[list[str]] = (*RUFF, *MYPY)) -> list[str]:
    """The findings of ruff and mypy in the generated files of these specs, with the settings for generated/."""
    settings = FOLDER.parent.parent / "pyproject.toml"
    (folder / "pyproject.toml").write_bytes(settings.read_bytes())
    (folder / "generated").mkdir()
    for name, text in texts.items():
        (folder / "generated" / f"{name}.py").write_text(archspec.codegen(text), encoding="utf-8")
    found: list[str] = []
    for tool in tools:
        done = subprocess.run([sys.executable, "-m", *tool, "generated"], cwd=folder, capture_output=True, text=True,
                              check=False)  # fmt: skip
        found += [] if done.returncode == 0 else done.stdout.splitlines() + done.stderr.splitlines()
    return found


def is_written(text: str) -> bool:
    """Whether a spec has a generated file that Python can read."""
    try:
        ast.parse(archspec.codegen(text))
    except Exception:
        return False
    return True


def main(arguments: list[str]) -> int:
    """Report for each file whether it is right; returns the number of those that are not."""
    wrong = 0
    if "--lint" in arguments:
        arguments = [argument for argument in arguments if argument != "--lint"]
        texts = {path.stem: path.read_text(encoding="utf-8") for path in files(arguments)}
        with tempfile.TemporaryDirectory() as folder:
            said = lint({name: text for name, text in texts.items() if is_written(text)}, Path(folder))
        print(*said, sep="\n")
    for path in files(arguments):
        reason = verdict(path.read_text(encoding="utf-8"))
        wrong += reason is not None
        print(f"OK    {path.stem}" if reason is None else f"FAIL  {path.stem}: {reason}", flush=True)
    print(f"{wrong} wrong")
    return wrong


if __name__ == "__main__":
    sys.exit(bool(main(sys.argv[1:])))
