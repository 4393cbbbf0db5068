"""`archspec project`: writes the files of a project, and reports which were written."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from archspec.cli.output import wrote
from archspec.cli.progress import progress

if TYPE_CHECKING:
    from archspec.frontend.loader import Source


def write(spec: Source, folder: str, overrides: Mapping[str, Any], force: bool) -> None:
    """Write the project of a spec into a folder, and list the written files."""
    from archspec.api import project

    with progress(f"writing {folder}"):
        written = project(spec, folder, force=force, overrides=overrides)
    for path in written:
        wrote(path)
    if not written:
        click.echo(f"all files in {Path(folder)} are up to date", err=True)
