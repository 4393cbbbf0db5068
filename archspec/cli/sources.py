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
    from archspec.ops import Ops

STANDARD_INPUT: Final = "-"

OPS: Final = "archspec.ops"
"""The key of a command's context that holds the modules of `--ops`."""


def read_sources(
    ctx: click.Context, param: click.Parameter, given: str | tuple[str, ...]
) -> Source | tuple[Source, ...]:  # fmt: skip
    """The SPECs as given, with the content of standard input in place of `-`, and with the ops of `--ops`."""
    if ctx.resilient_parsing:
        return given  # nothing is read while a shell completes a command
    named, ops = (given,) if isinstance(given, str) else given, ctx.meta.get(OPS, ())
    sources = tuple(_with_ops(source, ops) for source in _read(named))
    return sources[0] if isinstance(given, str) else sources


def _read(given: Sequence[str]) -> tuple[Source, ...]:
    """The sources with these names. Standard input is read once."""
    content = _content_of_standard_input() if STANDARD_INPUT in given else None
    return tuple(content if content is not None and name == STANDARD_INPUT else name for name in given)


def _with_ops(source: Source, ops: tuple[str, ...]) -> Source:
    if not ops:
        return source
    from archspec.frontend.loader import WithOps

    return WithOps(source, ops)


def ops_given() -> Ops:
    """All ops of this command: archspec's, and those of `--ops`."""
    from archspec import ops
    from archspec.frontend.own_ops import own_ops

    return ops.OPS.with_own(own_ops(click.get_current_context().meta.get(OPS, ())))


def file_name(source: Source) -> str | None:
    """The path or name that a source was given by; `None` for standard input."""
    named = getattr(source, "source", source)
    return named if isinstance(named, str) else None


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
