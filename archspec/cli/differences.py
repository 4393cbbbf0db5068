"""The command `diff`: in which format a difference is printed or written."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from archspec.cli import output as out
from archspec.cli.options import DIFFERENCES

if TYPE_CHECKING:
    from archspec.changes.diff import Diff


def format_of(format: str | None, output: str | None) -> str:
    """The format as given, or as the suffix of the file says. Raises `BadParameter` if the two differ."""
    if output is None:
        return format or "text"
    found = DIFFERENCES[out.check_suffix(output, tuple(DIFFERENCES))]
    if format not in (None, found):
        raise click.BadParameter(f"'{output}' is not the name of a {format} file", param_hint="'-o'")
    return found


def written(diff: Diff, format: str) -> str:
    """A difference in a format, with a line break at the end."""
    texts = {"text": diff.to_text, "json": diff.to_json, "markdown": diff.to_markdown, "html": diff.to_html}
    return f"{texts[format]()}\n"
