"""Output files: written completely or not at all, under any name, with nothing left behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from command import fine, run

import archspec
from archspec.backends import output_file
from archspec.diagnostics.diagnostic import TargetError

LONG = "n" * 300


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An empty folder to work in."""
    monkeypatch.chdir(tmp_path)
    return tmp_path  # type: ignore[return-value]


# -- names --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["n" * 255, "é" * 127, "網" * 85, "\U0001f600" * 63, "a\nb", "\udcff\udc80", "."])
def test_any_name_that_the_system_takes(folder: Path, name: str) -> None:
    path = Path(name) if name != "." else Path("..name.")
    for text in ("one", "two"):
        output_file.write(path, text)
        assert [*map(str, folder.iterdir())] == [str(folder / path)]
        assert path.read_text(encoding="utf-8") == text


@pytest.mark.parametrize("name", [LONG, "é" * 128, f"{LONG}/out", "a\0b", "\ud800"])
def test_names_that_no_file_can_have(folder: Path, name: str) -> None:
    with pytest.raises(TargetError, match="cannot be written: ") as caught:
        output_file.write(name, "text")
    assert caught.value.diagnostics[0].file == name
    assert list(folder.iterdir()) == []


@pytest.mark.parametrize(
    "arguments",
    [
        ("expand", "lenet", "-o", LONG), ("schema", "-o", LONG), ("render", "lenet", "-o", f"{LONG}.dot"),
        ("codegen", "lenet", "-o", LONG), ("codegen", "lenet", "-o", f"{LONG}.py"),
        ("codegen", "lenet", "-o", f"{LONG}/"), ("codegen", "lenet", "alexnet", "-o", LONG),
        ("build", "lenet", "-q", "-o", f"{LONG}.pt"), ("build", "lenet", "-q", "-o", f"{LONG}.safetensors"),
        ("build", "lenet", "-q", "-o", f"{LONG}.pt2"),
    ],
)  # fmt: skip
def test_names_that_are_too_long_are_errors_of_that_file(folder: Path, arguments: tuple[str, ...]) -> None:
    result = run(*arguments)
    assert result.exit_code == 1
    assert result.stderr.startswith(f"error[file]: {LONG}")
    assert result.stderr.rstrip().endswith((" written: File name too long", " created: File name too long"))
    assert list(folder.iterdir()) == []


def test_a_file_that_may_not_be_read_is_replaced(folder: Path) -> None:
    Path("net.py").write_text("before", encoding="utf-8")
    Path("net.py").chmod(0)
    fine("codegen", "lenet", "-o", "net.py")
    Path("net.py").chmod(0o644)
    assert Path("net.py").read_text(encoding="utf-8") == archspec.codegen("lenet")


# -- what a killed run leaves behind ------------------------------------------------------------------------------

WRITER = """
import sys, time
from archspec.backends import output_file
with output_file.replacing(sys.argv[1]) as draft:
    draft.write_text("half")
    print("writing", flush=True)
    sys.stdin.read()
    draft.write_text("whole")
"""


def writing(path: str) -> subprocess.Popen[bytes]:
    """A process that is writing a file, and ends when its standard input is closed."""
    process = subprocess.Popen([sys.executable, "-c", WRITER, path], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert process.stdout is not None
    assert process.stdout.readline() == b"writing\n"
    return process


@pytest.mark.parametrize("name", ["out.txt", "é" * 127, "a[b]*.txt"])
def test_what_a_killed_run_left_behind_is_removed(folder: Path, name: str) -> None:
    for _ in range(2):
        process = writing(name)
        process.send_signal(signal.SIGKILL)
        process.communicate()
    assert [path.suffix for path in folder.iterdir()] == [".tmp"]
    output_file.write("other.txt", "")
    assert len(list(folder.iterdir())) == 2
    output_file.write(name, "text")
    assert {path.name for path in folder.iterdir()} == {"other.txt", name}


def test_what_a_living_process_writes_is_left_alone(folder: Path) -> None:
    process = writing("out.txt")
    output_file.write("out.txt", "first")
    assert len(list(folder.iterdir())) == 2
    assert Path("out.txt").read_text(encoding="utf-8") == "first"
    process.communicate()
    assert process.returncode == 0
    assert [path.name for path in folder.iterdir()] == ["out.txt"]
    assert Path("out.txt").read_text(encoding="utf-8") == "whole"


def test_what_is_not_surely_ours_is_left_alone(folder: Path) -> None:
    for name in (
        ".out.txt.tmp",
        ".out.txt.0123456.tmp",
        ".out.txt.0123456z.tmp",
        ".out.txt.01234567.tmp2",
        "xout.txt.01234567.tmp",
    ):
        Path(name).mkdir()
    Path(".out.txt.01234567.tmp").write_text("a file", encoding="utf-8")
    Path(".out.txt.aaaaaaaa.tmp").symlink_to("elsewhere")
    Path("elsewhere").mkdir()
    Path("elsewhere/kept").touch()
    Path(".out.txt.bbbbbbbb.tmp/kept").mkdir(parents=True)
    before = sorted(folder.rglob("*"))
    output_file.write("out.txt", "text")
    assert sorted(folder.rglob("*")) == sorted([*before, folder / "out.txt"])


def test_a_folder_that_may_not_be_listed_is_written_to(folder: Path) -> None:
    Path("closed").mkdir()
    Path("closed").chmod(0o300)
    try:
        output_file.write("closed/out.txt", "text")
        assert Path("closed/out.txt").read_text(encoding="utf-8") == "text"
    finally:
        Path("closed").chmod(0o700)
    assert os.listdir("closed") == ["out.txt"]


def test_without_locks_files_are_written_nevertheless(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(output_file, "fcntl", None)
    Path(".out.txt.01234567.tmp").mkdir()
    output_file.write("out.txt", "text")
    assert {path.name for path in folder.iterdir()} == {"out.txt", ".out.txt.01234567.tmp"}


@pytest.mark.parametrize("suffix", [".safetensors", ".pt", ".py", ".svg"])
def test_files_have_the_permissions_of_new_files(folder: Path, suffix: str) -> None:
    command = {".py": "codegen", ".svg": "render"}.get(suffix, "build")
    fine(command, "lenet", "-o", f"net{suffix}")
    Path("usual").touch()
    assert Path(f"net{suffix}").stat().st_mode == Path("usual").stat().st_mode
    assert {path.name for path in folder.iterdir()} == {"usual", f"net{suffix}"}
