"""The output of commands: text and files, in colour and to the width of the terminal if there is one."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TextIO

import click

from archspec.diagnostics.formatting import joined

_BOLD, _RED, _BLUE, _CYAN, _RESET = "\033[1m", "\033[1;31m", "\033[34m", "\033[36m", "\033[0m"


def has_colour(stream: TextIO) -> bool:
    """Whether a stream is a terminal with colours that its user has not disabled (https://no-color.org)."""
    return stream.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def width() -> int | None:
    """The length of a line of standard output: `COLUMNS`, or the terminal's width; `None` if unlimited."""
    given = os.environ.get("COLUMNS", "")
    if re.fullmatch("[1-9][0-9]{0,4}", given):
        return int(given)
    if not sys.stdout.isatty():
        return None
    try:
        return os.get_terminal_size(sys.stdout.fileno()).columns or None
    except OSError:
        return None


def print_error(text: str) -> None:
    """Print diagnostics on standard error."""
    click.echo(coloured(text) if has_colour(sys.stderr) else text, err=True)


def coloured(text: str) -> str:
    """Diagnostics with their headlines, carets and help in colour; the text is unchanged.

    >>> coloured("error[file]: net.yaml: cannot be read").partition(": ")[0]
    '\\x1b[1;31merror[file]\\x1b[0m'
    """
    return "\n".join(map(_coloured_line, text.split("\n")))


def _coloured_line(line: str) -> str:
    if found := re.fullmatch(r"(error\[\w+\]): (.*)", line):
        return f"{_RED}{found[1]}{_RESET}: {_BOLD}{found[2]}{_RESET}"
    if found := re.fullmatch(r"( *\|)( +)(\^+)", line):
        return f"{_BLUE}{found[1]}{_RESET}{found[2]}{_RED}{found[3]}{_RESET}"
    if found := re.fullmatch(r"( *= )(help:)( .*)", line):
        return f"{_BLUE}{found[1]}{_RESET}{_CYAN}{found[2]}{_RESET}{found[3]}"
    if found := re.fullmatch(r"([ \d]*[|=:])( .*)?", line):
        return f"{_BLUE}{found[1]}{_RESET}{found[2] or ''}"
    return line


def print_or_write(text: str, path: str | None) -> None:
    """Print a text, or write it to a file; `-` is standard output."""
    if path in (None, "-"):
        click.echo(text, nl=False)
        return
    from archspec.backends import output_file

    output_file.write(str(path), text)
    wrote(str(path))


def wrote(path: str | Path, note: str = "") -> None:
    """Report on standard error which file was written."""
    from archspec.diagnostics.formatting import printable

    click.echo(f"wrote {printable(str(path))}{note}", err=True)


def check_suffix(path: str, known: Sequence[str]) -> str:
    """The suffix of an output file, in lower case; raises `BadParameter` if it is not one of `known`."""
    suffix = Path(path).suffix.lower()
    if suffix not in known:
        raise click.BadParameter(f"'{path}' should end in {joined(known, 'or')}", param_hint="'-o'")
    return suffix
