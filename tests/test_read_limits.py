"""How much of a source is read: at most as much as a spec may have, whatever the source is."""

from __future__ import annotations

import io
import os
import resource
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Final

import pytest
from command import run

import archspec
from archspec.diagnostics.diagnostic import DocumentError
from archspec.frontend.content import read_file, read_stream
from archspec.frontend.yaml.reader import MAX_BYTES

MIB: Final = 1 << 20
SPEC: Final = "name: net\ninput: [3, 8, 8]\nlayers:\n- {op: relu}\n"
TOO_LARGE: Final = "the file is larger than 1 MiB"


class Counting(io.RawIOBase):
    """A source without an end that counts what is taken from it."""

    def __init__(self, at_once: int) -> None:
        self.at_once = at_once
        self.taken = 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        count = min(len(buffer), self.at_once)
        buffer[:count] = b"#" * count
        self.taken += count
        return count


@pytest.fixture
def little_memory() -> Iterator[None]:
    """No more than 256 MiB beyond what this process has already."""
    before = resource.getrlimit(resource.RLIMIT_AS)
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0])
    resource.setrlimit(resource.RLIMIT_AS, (pages * resource.getpagesize() + 256 * MIB, before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_AS, before)


@pytest.mark.parametrize("at_once", [1 << 12, 1 << 16, 1 << 30])
@pytest.mark.parametrize("is_buffered", [False, True])
def test_one_byte_more_than_the_limit_is_taken(at_once: int, is_buffered: bool) -> None:
    source = Counting(at_once)
    with pytest.raises(DocumentError, match=f"<stdin>: {TOO_LARGE}"):
        read_stream(io.BufferedReader(source) if is_buffered else source, "<stdin>")  # type: ignore[arg-type]
    assert source.taken == MAX_BYTES + 1


def test_a_spec_of_the_largest_size_is_read(tmp_path: Path) -> None:
    path = tmp_path / "net.yaml"
    path.write_text(SPEC + "#" * (MAX_BYTES - len(SPEC)), encoding="utf-8")
    assert len(read_file(path).data) == MAX_BYTES
    assert archspec.compile(path).name == "net"
    with path.open("a", encoding="utf-8") as opened:
        opened.write("#")
    with pytest.raises(archspec.SpecError, match=TOO_LARGE):
        archspec.compile(path)


@pytest.mark.parametrize("source", [Path("/dev/zero"), "/dev/zero"])
def test_a_device_without_an_end(source: str | Path, little_memory: None) -> None:
    with pytest.raises(archspec.SpecError, match=f"/dev/zero: {TOO_LARGE}"):
        archspec.load(source)


def test_a_file_of_3_gib(tmp_path: Path, little_memory: None) -> None:
    path = tmp_path / "huge.yaml"
    with path.open("wb") as opened:
        opened.truncate(3 << 30)
    with pytest.raises(archspec.SpecError, match=TOO_LARGE):
        archspec.load(path)
    result = run("check", path)
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr == f"error[limit]: {path}: {TOO_LARGE}\n"


def test_a_fifo_whose_writer_never_ends(tmp_path: Path, little_memory: None) -> None:
    path, written = tmp_path / "pipe.yaml", []

    def feed() -> None:
        with suppress(BrokenPipeError), open(path, "wb", buffering=0) as opened:
            while True:
                written.append(opened.write(b"#" * 4096))

    os.mkfifo(path)
    writer = threading.Thread(target=feed, daemon=True)
    writer.start()
    with pytest.raises(archspec.SpecError, match=TOO_LARGE):
        archspec.load(path)
    writer.join(timeout=60)
    assert not writer.is_alive()
    assert sum(written) <= MAX_BYTES + MIB  # what the system keeps in a pipe


@pytest.mark.parametrize("command", ["check", "summary", "codegen", "expand", "build", "verify"])
def test_standard_input_without_an_end(command: str) -> None:
    with open("/dev/zero", "rb") as zero:
        done = subprocess.run(
            [sys.executable, "-c", LIMITED, command, "-"], stdin=zero, capture_output=True, check=False
        )
    assert (done.returncode, done.stdout) == (1, b"")
    assert done.stderr.decode() == f"error[limit]: <stdin>: {TOO_LARGE}\n"


LIMITED: Final = f"""
import resource
resource.setrlimit(resource.RLIMIT_AS, ({512 * MIB}, {512 * MIB}))
from archspec.__main__ import main
main()
"""


def test_standard_input_that_has_nothing_at_the_moment() -> None:
    reader, writer = os.pipe()
    os.set_blocking(reader, False)
    with open(reader, "rb", buffering=0) as opened, pytest.raises(BlockingIOError, match="temporarily unavailable"):
        read_stream(opened, "<stdin>")
    os.close(writer)


def test_text_that_is_too_large_is_not_encoded() -> None:
    with pytest.raises(archspec.SpecError, match=f"<text>: {TOO_LARGE}"):
        archspec.load("\n" + "é" * (MAX_BYTES // 2 + 1))


# -- names of files -----------------------------------------------------------------------------------------------


def test_the_name_of_a_file_may_hold_a_newline(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("a\nb.yaml", "a\nb", "name: net\ninput: [3, 8, 8]\n"):
        Path(name).write_text(SPEC, encoding="utf-8")
        assert archspec.compile(name).name == "net"
        assert archspec.compile(Path(name)).name == "net"
        assert run("check", name).exit_code == 0
    with pytest.raises(archspec.SpecError, match=r"no\\u\{a\}file.yaml: cannot be read: No such file"):
        archspec.compile(Path("no\nfile.yaml"))
    with pytest.raises(archspec.SpecError, match=r"<text>:1:1: a spec is a mapping"):
        archspec.compile("no\nfile.yaml")


@pytest.mark.parametrize("name", ["nope.**", "nope.[", "nope.*?", "n" * 300 + ".yaml", "a\0b", "\ud800.yaml", "\udcff"])
def test_names_of_no_file(name: str) -> None:
    with pytest.raises(archspec.SpecError, match="cannot be read"):
        archspec.load(Path(name))
    with pytest.raises(archspec.SpecError, match=r"cannot be read|no file or shipped spec"):
        archspec.load(name)
