"""`archspec check`: the totals of each spec or its errors, as text, or as JSON for editors."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import click

from archspec.cli import output
from archspec.cli.progress import progress
from archspec.diagnostics.diagnostic import Diagnostic, SpecError
from archspec.diagnostics.formatting import format_diagnostics, in_file_order
from archspec.diagnostics.json_text import json_text
from archspec.frontend.loader import Source, path_of
from archspec.ir.graph import Graph
from archspec.ops.shapes import format_input, format_shape
from archspec.passes.pipeline import compile


@dataclass(frozen=True)
class Findings:
    """The totals of the specs without errors, one line each, and the errors in the others, in file order."""

    totals: tuple[str, ...]
    diagnostics: tuple[Diagnostic, ...]

    def text(self) -> str:
        """The errors as text; only the first ones, if there are many."""
        return format_diagnostics(self.diagnostics)

    def json(self, between: str = "\n") -> str:
        """All errors as a JSON array, one per line; empty if there are none."""
        found = [json_text(diagnostic.to_data()) for diagnostic in self.diagnostics]
        return f"[{between}{f',{between}'.join(found)}{between}]" if found else "[]"


def run(sources: Sequence[Source], format: str, between: str = "\n") -> bool:
    """Check specs and print the result; returns whether there are no errors."""
    with progress("checking", len(sources)) as step:
        found = check(sources, step)
    if format == "json":
        click.echo(found.json(between))
        return not found.diagnostics
    for line in found.totals:
        click.echo(line)
    if found.diagnostics:
        output.print_error(found.text())
    return not found.diagnostics


def run_again(sources: Sequence[Source], format: str, modules: Sequence[str] = ()) -> None:
    """The same for `--watch`, after importing the `modules` of own ops again: a terminal is cleared first, JSON is on
    one line."""
    for name in modules:
        sys.modules.pop(name, None)
    importlib.invalidate_caches()
    click.clear()
    run(sources, format, between="")
    if sys.stdout.isatty():
        click.echo("watching for changes; Ctrl-C ends", err=True)


def check(sources: Iterable[Source], notify: Callable[[str], object] = lambda doing: None) -> Findings:
    """Compile specs; `notify` is called before each of them.

    >>> check(["lenet"]).totals
    ('lenet: 3×32×32 → 10, 7 layers, 121,182 params, 2,327,720 MACs',)
    """
    totals: list[str] = []
    diagnostics: list[Diagnostic] = []
    for source in sources:
        notify(f"checking {source}")
        try:
            totals.append(_totals(compile(source)))
        except SpecError as error:
            diagnostics += error.diagnostics
    return Findings(tuple(totals), tuple(in_file_order(diagnostics)))


def _totals(graph: Graph) -> str:
    shapes = f"{format_input(graph.input_shape)} → {format_shape(graph.output_shape)}"
    layers = f"{len(graph.layers):,} {'layer' if len(graph.layers) == 1 else 'layers'}"
    return f"{graph.name}: {shapes}, {layers}, {graph.params:,} params, {graph.macs:,} MACs"


def files_of_modules(modules: Sequence[str]) -> list[str]:
    """The files of imported modules."""
    return [file for name in modules if (file := getattr(sys.modules.get(name), "__file__", None)) is not None]


def files_of(sources: Sequence[str]) -> list[str]:
    """The files that specs are read from; raises `SpecError` for an unknown name."""
    return [str(path_of(source)) for source in sources]
