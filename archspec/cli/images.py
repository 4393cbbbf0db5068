"""The command `render`: where the image is written, and how much is drawn of a network that fails."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import click
from click.core import ParameterSource

from archspec.backends import diagram, output_file
from archspec.cli import output as out
from archspec.cli.options import IMAGES, PAGE
from archspec.cli.progress import progress
from archspec.cli.sources import compile_with_progress
from archspec.diagnostics.diagnostic import ElaborationError, TargetError

if TYPE_CHECKING:
    from archspec.frontend.loader import Source
    from archspec.ir.graph import Graph


class Target(NamedTuple):
    """Where the image is written: a file, `-` or, by default, a file with the network's name; and whether to open
    it."""

    output: str | None
    format: str | None
    opens: bool

    def checked(self) -> Target:
        """The target with its format filled in; raises `BadParameter` if the options contradict each other."""
        if self.output in (None, "-"):
            if self.output == "-" and self.opens:
                raise click.BadParameter("it needs a file, not standard output", param_hint="'--open'")
            return self._replace(format=self.format or diagram.FORMATS[0])
        format = out.check_suffix(str(self.output), IMAGES).removeprefix(".")
        if self.format not in (None, format):
            raise click.BadParameter(
                f"'{self.output}' does not end in .{self.format}, as --format says", param_hint="'-o'"
            )
        return self._replace(format=format)

    def path(self, graph: Graph) -> str:
        """The path of the file."""
        return f"{graph.name}.{self.format}" if self.output is None else self.output


class Looks(NamedTuple):
    """The options of an image."""

    depth: int | None
    direction: str
    show: list[str]
    theme: str

    def require_defaults(self) -> None:
        """Raise `UsageError` for an option that is given where it means nothing: for a page."""
        context = click.get_current_context()
        for name in self._fields:
            if context.get_parameter_source(name) is not ParameterSource.DEFAULT:
                raise click.UsageError(f"--{name} is for images: a page has controls for what it shows")


def render(spec: Source, overrides: dict[str, Any], target: Target, looks: Looks) -> None:
    """Draw a network. If it fails, draw the part up to the layer that fails, and raise the error again."""
    target = target.checked()
    if target.format == PAGE:
        looks.require_defaults()
    try:
        _draw(compile_with_progress(spec, overrides), target, looks)
    except ElaborationError as error:
        if error.partial is not None and target.format != PAGE:
            _draw(error.partial, target, looks, ": the network up to the layer that fails")
        raise


def _draw(graph: Graph, target: Target, looks: Looks, note: str = "") -> None:
    with progress(f"drawing {graph.name}"):
        image = _page(graph) if target.format == PAGE else _image(graph, str(target.format), looks)
    if target.output == "-":
        click.echo(image, nl=False)
        return
    path = target.path(graph)
    output_file.write(path, image)
    out.wrote(path, note)
    if target.opens:
        _open(path)


def _image(graph: Graph, format: str, looks: Looks) -> bytes:
    return diagram.render(graph, format, **looks._asdict())


def _page(graph: Graph) -> bytes:
    from archspec.api import explore

    return explore(graph).encode("utf-8")


def _open(path: str) -> None:
    """Open a file in the default program."""
    if click.launch(str(Path(path).absolute()), wait=sys.platform == "linux"):  # on Linux the launcher ends at once
        raise TargetError(f"{path}: no program could be started to show it")
