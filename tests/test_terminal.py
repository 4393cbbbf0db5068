"""The command line on a terminal (a pseudo-terminal of a chosen width): tables that fit, colour, progress."""

from __future__ import annotations

import fcntl
import io
import os
import re
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Mapping
from pathlib import Path
from threading import Event
from typing import TextIO

import pytest
from command import fine
from rich.progress import Progress

import archspec
from archspec.cli import output
from archspec.cli import progress as progress_module
from archspec.cli.progress import progress

ROOT = Path(__file__).parent.parent
ESCAPES = re.compile(r"\033\[[0-9;?]*[A-Za-z]")
BAD = "name: bad\ninput: [3, 8, 8]\nlayers:\n- {op: reluu}\n"


ARCHSPEC = "import archspec.cli.progress as p; p.DELAY = 600; from archspec.__main__ import main; main()"
"""The command, without the progress that it shows on a machine that is busy."""


def on_terminal(*command: str | Path, columns: int = 80, changes: Mapping[str, str] = {}) -> str:
    """What a command prints, standard error included, on a terminal with this many columns."""
    primary, terminal = os.openpty()
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    inherited = {key: value for key, value in os.environ.items() if key not in ("COLUMNS", "NO_COLOR", "TERM")}
    process = subprocess.Popen(
        [sys.executable, *map(str, command)], cwd=ROOT, stdin=terminal, stdout=terminal, stderr=terminal,
        env={**inherited, "TERM": "xterm", **changes},
    )  # fmt: skip
    os.close(terminal)
    printed = _all_of(primary)
    os.close(primary)
    assert process.wait(timeout=60) in (0, 1)
    return printed.decode("utf-8").replace("\r\n", "\n")


def _all_of(primary: int) -> bytes:
    printed = b""
    while True:
        try:
            part = os.read(primary, 1 << 16)
        except OSError:  # Linux says so when the last process has closed the other end
            return printed
        if not part:
            return printed
        printed += part


def plain(text: str) -> str:
    return ESCAPES.sub("", text)


@pytest.mark.parametrize("columns", [60, 80, 120])
def test_a_summary_is_as_wide_as_the_terminal(columns: int) -> None:
    text = on_terminal("-c", ARCHSPEC, "summary", "googlenet", columns=columns)
    assert "\033[1m" in text
    assert plain(text) == fine("summary", "googlenet", COLUMNS=str(columns))
    assert max(map(len, plain(text).splitlines())) <= columns


def test_columns_goes_before_the_terminal() -> None:
    text = on_terminal("-c", ARCHSPEC, "summary", "googlenet", columns=120, changes={"COLUMNS": "60", "NO_COLOR": "1"})
    assert text == fine("summary", "googlenet", COLUMNS="60")
    assert max(map(len, text.splitlines())) <= 60


@pytest.mark.parametrize("columns", ["", "0", "-1", "many", "9" * 5000])
def test_columns_that_are_no_number_are_no_limit(columns: str) -> None:
    assert fine("summary", "googlenet", COLUMNS=columns) == archspec.summary("googlenet") + "\n"


def test_a_list_is_as_wide_as_the_terminal() -> None:
    text = on_terminal("-c", ARCHSPEC, "list", "resnet", columns=80)
    assert text == fine("list", "resnet", COLUMNS="80")
    assert text.count("…\n") > 0


def test_errors_are_in_colour(tmp_path: Path) -> None:
    path = tmp_path / "net.yaml"
    path.write_text(BAD, encoding="utf-8")
    for command in ("check", "summary"):
        text = on_terminal("-c", ARCHSPEC, command, path, columns=200)
        assert "\033[1;31merror[schema]\033[0m: " in text
        assert "\033[1;31m^^^^^\033[0m" in text
        assert "\033[36mhelp:\033[0m did you mean 'relu'?" in text
        with pytest.raises(archspec.SpecError) as caught:
            archspec.compile(path)
        assert plain(text) == f"{caught.value}\n"


@pytest.mark.parametrize("changes", [{"NO_COLOR": "1"}, {"TERM": "dumb"}])
def test_no_colour_where_it_is_not_wanted(changes: dict[str, str]) -> None:
    for command in (["check", "resnet10"], ["summary", "lenet"]):
        assert "\033" not in on_terminal("-c", ARCHSPEC, *command, changes=changes)


EXCERPT = """\
error[shape]: net.yaml:4:76: conv: 3 input channels
  |
4 | - conv: {op: conv2d} # error[shape]: ^^^
  |                      ^^^^
  = input  3×8×8
  = help: groups may be 1
  = the network up to here:
  :   ▶ conv

error[file]: no | file
… and 2 more"""


def test_colour_adds_nothing_but_colour() -> None:
    coloured = output.coloured(EXCERPT)
    assert plain(coloured) == EXCERPT
    assert coloured.count("\033[1;31m") == 3, "two headlines and one caret, nothing inside the user's own text"


# -- progress ---------------------------------------------------------------------------------------------------


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


WORK = """
import time
from archspec.cli.progress import progress
with progress("drawing lenet"{total}) as step:
    step("")
    time.sleep({seconds})
    step("writing lenet")
    time.sleep({seconds})
"""


def work(seconds: float, total: str = "") -> str:
    return on_terminal("-c", WORK.format(seconds=seconds, total=total))


def test_long_work_shows_what_is_done_and_for_how_long() -> None:
    text = plain(work(1.4))
    assert "drawing lenet" in text
    assert re.search(r"0:00:0[1-9] writing lenet", text), "the time since the work began, not since it was shown"


def test_work_of_known_length_shows_how_much_is_done() -> None:
    text = plain(work(1.2, total=", 2"))
    assert re.search(r"1/2 \S+ drawing lenet", text)
    assert re.search(r"2/2 \S+ writing lenet", text)


def test_progress_leaves_nothing_behind() -> None:
    """The terminal ends with an empty line, and the cursor is visible again."""
    text = work(1.2)
    assert "\033[?25h" in text
    assert text.rstrip("\r").endswith("\033[2K")


def test_short_work_shows_nothing_and_does_not_load_rich() -> None:
    assert work(0.0) == ""
    code = ARCHSPEC.replace("main()", "\ntry: main()\nexcept SystemExit: import sys; print('rich' in sys.modules)")
    assert on_terminal("-c", code, "summary", "lenet").endswith("\nFalse\n")


def test_no_progress_without_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    stream = io.StringIO()
    monkeypatch.setattr(sys, "stderr", stream)
    monkeypatch.setattr(progress_module, "Timer", None)
    with progress("working", 2) as step:
        step("further")
    assert stream.getvalue() == ""


def test_no_progress_if_quiet(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stderr", Terminal())
    monkeypatch.setattr(progress_module, "Timer", None)
    with progress("working", quiet=True) as step:
        step("further")


@pytest.mark.parametrize("error", [KeyboardInterrupt, archspec.SpecError])
def test_progress_ends_with_an_error(monkeypatch: pytest.MonkeyPatch, error: type[BaseException]) -> None:
    stream = Terminal()
    monkeypatch.setattr(sys, "stderr", stream)
    monkeypatch.setattr(progress_module, "DELAY", 0.0)

    def failing() -> None:
        with progress("working"):
            wait_for(stream, "working")
            raise error("why")

    with pytest.raises(error):
        failing()
    assert stream.getvalue().endswith("\033[2K")


def test_work_that_ends_while_its_progress_is_being_drawn(monkeypatch: pytest.MonkeyPatch) -> None:
    stream, begun, columns = Terminal(), Event(), progress_module._columns

    def slowly(counted: bool) -> Progress:
        begun.set()
        time.sleep(0.2)
        return columns(counted)

    monkeypatch.setattr(sys, "stderr", stream)
    monkeypatch.setattr(progress_module, "DELAY", 0.0)
    monkeypatch.setattr(progress_module, "_columns", slowly)
    with progress("working"):
        assert begun.wait(60)
    assert stream.getvalue().endswith("\033[2K")


def wait_for(stream: io.StringIO, text: str) -> None:
    until = time.monotonic() + 60
    while text not in stream.getvalue():
        assert time.monotonic() < until
        time.sleep(0.01)


def test_what_the_work_prints_goes_where_it_always_goes(monkeypatch: pytest.MonkeyPatch) -> None:
    """rich would send standard output to the terminal of standard error."""
    printed, stream = io.StringIO(), Terminal()
    monkeypatch.setattr(sys, "stdout", printed)
    monkeypatch.setattr(sys, "stderr", stream)
    monkeypatch.setattr(progress_module, "DELAY", 0.0)
    with progress("working"):
        wait_for(stream, "working")
        print("a result")
    assert printed.getvalue() == "a result\n"
    assert "a result" not in stream.getvalue()


def test_images_have_the_suffixes_of_their_formats_and_a_page_has_its_own() -> None:
    from archspec.backends.diagram import FORMATS
    from archspec.cli.options import IMAGES

    assert tuple(suffix.removeprefix(".") for suffix in IMAGES) == (*FORMATS, "html")


def test_the_width_of_what_is_no_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    stream: TextIO = Terminal()
    monkeypatch.delenv("COLUMNS", raising=False)
    monkeypatch.setattr(sys, "stdout", stream)
    assert output.width() is None, "a terminal without a file has no width that could be asked for"
