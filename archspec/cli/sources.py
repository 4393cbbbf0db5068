"""A SPEC on the command line → a loaded spec, a graph, or a source file."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, Final

import click

from archspec.cli.progress import progress

if TYPE_CHECKING:
    from archspec.diagnostics.diagnostic import SpecError
    from archspec.frontend.loader import Source
    from archspec.ir.graph import Graph

STANDARD_INPUT: Final = "-"


def read_standard_input(
    ctx: click.Context, param: click.Parameter, given: str | tuple[str, ...]
) -> Source | tuple[Source, ...]:  # fmt: skip
    """The SPECs as given, with the content of standard input, which is read once, in place of `-`."""
    if ctx.resilient_parsing or STANDARD_INPUT not in ([given] if isinstance(given, str) else given):
        return given  # nothing is read while a shell completes a command
    content = _content_of_standard_input()
    if isinstance(given, str):
        return content
    return tuple(content if source == STANDARD_INPUT else source for source in given)


def _content_of_standard_input() -> Source:
    from archspec.frontend.content import read_stream

    try:
        if sys.stdin is None:
            raise _unreadable("it is closed")
        return read_stream(sys.stdin.buffer, "<stdin>")
    except OSError as error:
        raise _unreadable(error.strerror or str(error)) from None


def _unreadable(reason: str) -> SpecError:
    from archspec.diagnostics.diagnostic import Diagnostic, DocumentError

    return DocumentError([Diagnostic("file", f"cannot be read: {reason}", file="<stdin>")])


def compile_with_progress(spec: Source, overrides: Mapping[str, Any]) -> Graph:
    """The graph of a spec."""
    from archspec.passes.pipeline import compile, load

    with progress(f"analysing {spec}"):
        return compile(load(spec, overrides=overrides))


def generate(specs: Sequence[Source], form: dict[str, Any], overrides: Mapping[str, Any]) -> list[tuple[str, str]]:
    """The names and source texts of several specs, in the requested form: folded, or cut down to features."""
    from archspec.cli.parallel import each_on_all_cores

    shown = progress("writing source files", len(specs))
    return each_on_all_cores(partial(_generate_one, form, overrides), specs, shown)


def _generate_one(form: dict[str, Any], overrides: Mapping[str, Any], source: Source) -> tuple[str, str]:
    from archspec.api import codegen
    from archspec.passes.pipeline import load

    spec = load(source, overrides=overrides)
    return spec.name, codegen(spec, **form, overrides={})
