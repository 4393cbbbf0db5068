"""The files that `archspec codegen` writes: the path of each, and whether it is up to date."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import click

from archspec.backends import output_file
from archspec.cli.output import wrote
from archspec.diagnostics.formatting import printable
from archspec.frontend import loader


def specs_folder() -> Path:
    """The folder specs/ of the checkout that the command runs in, or of the one that archspec runs from."""
    return Path("specs") if Path("specs").is_dir() else loader.specs_folder()


def all_specs() -> list[str]:
    """The paths of all specs in `specs_folder`, in order."""
    return list(map(str, sorted(specs_folder().rglob("*.yaml"))))


def destinations(generated: Sequence[tuple[str, str]], output: str | None, alone: bool) -> dict[Path, str]:
    """The texts by path: one spec goes into a file or a folder, several into a folder."""
    if output == "-":
        raise click.UsageError("standard output takes one SPEC, and --check needs files")
    if alone and output is not None and not _is_folder(output):
        return {Path(output): generated[0][1]}
    if output is not None and os.path.isfile(output):
        raise click.UsageError(f"several files need a folder, but '{output}' is a file")
    if output is not None and output.endswith(".py") and not os.path.isdir(output):
        raise click.UsageError(f"several files need a folder, but '{output}' is named like a file")
    folder = Path(output) if output is not None else _generated_folder()
    names = [name for name, _ in generated]
    twice = {name for name in names if names.count(name) > 1}
    if twice:
        raise click.UsageError(f"two of the specs are named '{min(twice)}'")
    return {folder / f"{name}.py": text for name, text in generated}


def _is_folder(output: str) -> bool:
    """Whether a path denotes a folder: it is one, ends in / or has no suffix."""
    return (
        output.endswith(("/", os.sep)) or os.path.isdir(output) or not (Path(output).suffix or os.path.exists(output))
    )


def _generated_folder() -> Path:
    specs = specs_folder()
    if (specs.parent / "__init__.py").exists():
        raise click.UsageError("the current directory has no folder specs/; use -o DIR")
    return specs.parent / "generated"


def write_sources(wanted: dict[Path, str], folder: bool) -> None:
    """Write the files whose content differs; with `folder`, create the folder they are in."""
    changed = [path for path, text in wanted.items() if _state(path, text)]
    for path in changed:
        if folder:
            output_file.make_folder(path.parent)
        output_file.write(path, wanted[path])
        wrote(path)
    others = ", the others are up to date" if len(changed) < len(wanted) else ""
    click.echo(f"{len(changed)} of {len(wanted)} files written{others}", err=True)


def check_fresh(wanted: dict[Path, str], everything: bool) -> None:
    """List the files that are out of date or missing and, with `everything`, those that no spec generates."""
    found = [f"{state}: {printable(str(path))}" for path, text in wanted.items() if (state := _state(path, text))]
    if everything:
        folders = {path.parent for path in wanted}
        there = sorted(path for folder in folders for path in folder.glob("*.py") if path.name != "__init__.py")
        found += [f"extra: {printable(str(path))}" for path in there if path not in wanted]
    if found:
        click.echo("\n".join([*found, "'archspec codegen' writes what is stale or missing"]))
        click.get_current_context().exit(1)
    click.echo("1 file is up to date" if len(wanted) == 1 else f"{len(wanted)} files are up to date")


def _state(path: Path, text: str) -> str:
    """What is wrong with a file that should contain `text`; empty if nothing is."""
    if not os.path.isfile(path):
        return "missing"
    wanted = text.encode("utf-8")
    try:
        return "" if path.stat().st_size == len(wanted) and path.read_bytes() == wanted else "stale"
    except OSError:  # it cannot be read
        return "stale"
