"""Jinja's settings for all files that are written from templates: templates loop and print, and decide nothing."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import jinja2


@cache
def environment(folder: Path) -> jinja2.Environment:
    """The templates of a folder. A name that is missing is an error; lines are left as they are written."""
    return jinja2.Environment(
        loader=jinja2.FileSystemLoader(folder), undefined=jinja2.StrictUndefined, trim_blocks=True,
        lstrip_blocks=True, keep_trailing_newline=True, autoescape=False,
    )  # fmt: skip
