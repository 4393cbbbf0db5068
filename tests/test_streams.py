"""Standard streams that are closed, full or broken, and `python -OO`: an answer or one error, never a traceback."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
CLOSED = b"error[file]: standard output: cannot be written: it is closed\n"
FULL = b"error[file]: standard output: cannot be written: No space left on device\n"

PRINTING = (
    ("summary", "lenet"), ("summary", "lenet", "--format", "json"), ("codegen", "lenet"), ("check", "lenet"),
    ("list", "lenet"), ("expand", "lenet"), ("schema",), ("--help",), ("check", "--help"), ("--version",),
)  # fmt: skip
"""Commands that print on standard output, and nothing on standard error."""


def command(*arguments: str, python: tuple[str, ...] = ()) -> list[str]:
    return [sys.executable, *python, "-m", "archspec", *arguments]


def closing(*numbers: int) -> Callable[[], None]:
    """What closes streams in a new process before it runs a program, as `>&-` does."""

    def close() -> None:
        for number in numbers:
            os.close(number)

    return close


@pytest.mark.parametrize("arguments", PRINTING)
def test_a_closed_standard_output(arguments: tuple[str, ...]) -> None:
    done = subprocess.run(command(*arguments), stderr=subprocess.PIPE, preexec_fn=closing(1), check=False)
    assert (done.returncode, done.stderr) == (1, CLOSED)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="a device of Linux")
@pytest.mark.parametrize("arguments", [("--help",), ("list", "--help"), ("--version",), ("codegen", "lenet")])
def test_a_standard_output_that_is_full(arguments: tuple[str, ...]) -> None:
    with open("/dev/full", "wb") as full:
        done = subprocess.run(command(*arguments), stdout=full, stderr=subprocess.PIPE, check=False)
    assert (done.returncode, done.stderr) == (1, FULL)


@pytest.mark.parametrize(
    ("arguments", "code"),
    [(("summary", "lenet"), 0), (("codegen", "lenet"), 0), (("check", "lenet", "nope"), 1), (("summary", "nope"), 1),
     (("summary", "--nope"), 2)],
)  # fmt: skip
def test_a_closed_standard_error(arguments: tuple[str, ...], code: int) -> None:
    done = subprocess.run(command(*arguments), stdout=subprocess.PIPE, preexec_fn=closing(2), check=False)
    assert done.returncode == code
    assert bool(done.stdout) == (arguments[-1] == "lenet" or "check" in arguments)
    assert b"Traceback" not in done.stdout


@pytest.mark.parametrize("closed", [(1,), (2,), (1, 2), (0, 1, 2)])
def test_output_files_with_closed_streams(tmp_path: Path, closed: tuple[int, ...]) -> None:
    """The number of a closed stream is not reused for a file, which would receive the printed text."""
    path = tmp_path / "net.dot"
    done = subprocess.run(
        command("render", "lenet", "-o", str(path)), preexec_fn=closing(*closed), check=False, cwd=ROOT
    )
    assert done.returncode == 0
    assert path.read_bytes().startswith(b"digraph lenet {")
    assert path.read_bytes().endswith(b"}\n")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="a device of Linux")
def test_a_standard_error_that_is_full(tmp_path: Path) -> None:
    with open("/dev/full", "wb") as full:
        done = subprocess.run(command("check", "nope"), stdout=subprocess.PIPE, stderr=full, check=False)
    assert (done.returncode, done.stdout) == (1, b"")


@pytest.fixture(scope="session")
def bytecode(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where `python -OO` keeps what it compiled: torch takes seconds, and all commands need it once."""
    return tmp_path_factory.mktemp("bytecode")


@pytest.mark.parametrize(
    "arguments",
    [
        ("summary", "efficientnet_b0"), ("codegen", "googlenet"), ("codegen", "resnet18", "--fold-batch-norm"),
        ("check", "lenet", "nope"), ("list", "vgg11", "--format", "json"), ("expand", "convnext_tiny"),
        ("render", "lenet", "-o", "out.pdf"),
        pytest.param(("build", "lenet", "--seed", "0", "-o", "out.safetensors"), marks=pytest.mark.exhaustive),
        pytest.param(("verify", "lenet"), marks=pytest.mark.exhaustive),
        ("summary", "resnet50", "--set", "stages=x"), ("--version",),
    ],
)  # fmt: skip
def test_without_docstrings_and_asserts(tmp_path: Path, bytecode: Path, arguments: tuple[str, ...]) -> None:
    """`python -OO` leaves them out: every command does the same."""
    found = []
    for options, cache in (((), ""), (("-OO",), str(bytecode))):
        environment = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONPYCACHEPREFIX": cache}
        done = subprocess.run(
            command(*arguments, python=options), capture_output=True, env=environment, cwd=tmp_path, check=False
        )
        found.append((done.returncode, done.stdout, done.stderr, [path.read_bytes() for path in tmp_path.iterdir()]))
    assert found[0] == found[1]
    assert b"Traceback" not in found[1][2]


@pytest.mark.parametrize("arguments", [("schema",), ("--help",), ("check", "--help")])
def test_descriptions_are_all_that_is_missing_without_docstrings(arguments: tuple[str, ...]) -> None:
    done = subprocess.run(command(*arguments, python=("-OO",)), capture_output=True, cwd=ROOT, check=True)
    assert done.stderr == b""
    assert len(done.stdout.splitlines()) > 5


NOT_UTF_8 = b"a\xff\xed\xa0\x80"


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        ((b"check", NOT_UTF_8), 1), ((b"check", b"--format", b"json", NOT_UTF_8 + b".yaml"), 1), ((NOT_UTF_8,), 2),
        ((b"summary", b"lenet", b"--set", b"input=" + NOT_UTF_8), 1), ((b"list", b"[" + NOT_UTF_8), 1),
        ((b"codegen", b"lenet", b"-o", NOT_UTF_8 + b".py"), 0), ((b"expand", b"lenet", b"-o", NOT_UTF_8), 0),
        ((b"render", b"lenet", b"-o", NOT_UTF_8 + b".svg"), 0), ((b"codegen", b"lenet", b"--features", NOT_UTF_8), 1),
        ((b"build", b"lenet", b"-q", b"-o", NOT_UTF_8 + b".pt"), 0),
        ((b"verify", b"lenet", b"--against", NOT_UTF_8), 2),
    ],
)  # fmt: skip
def test_arguments_that_are_no_text(tmp_path: Path, arguments: tuple[bytes, ...], code: int) -> None:
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    given = [*map(os.fsencode, command()), *arguments]
    done = subprocess.run(given, capture_output=True, env=environment, cwd=tmp_path, check=False)
    assert done.returncode == code
    assert b"Traceback" not in done.stderr
    assert (done.stdout + done.stderr).decode("utf-8").replace("\n", "").isprintable()
