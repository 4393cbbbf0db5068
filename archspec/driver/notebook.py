"""How notebooks show specs, graphs and results: as tables and images in place of a line of text."""

from __future__ import annotations

from base64 import b64encode
from functools import singledispatch
from html import escape
from typing import Any, Final

from archspec.api import explore as explore
from archspec.changes.diff import Diff
from archspec.diagnostics.diagnostic import ElaborationError, SpecError
from archspec.diagnostics.formatting import printable
from archspec.frontend.loader import Spec
from archspec.ir.graph import Graph
from archspec.passes.pipeline import compile
from archspec.verification.report import Report

_SIDE_BY_SIDE: Final = "display: flex; flex-wrap: wrap; gap: 2em; align-items: flex-start"
_IMAGE: Final = "max-width: 100%; max-height: 60em"


@singledispatch
def bundle(value: Any) -> dict[str, str]:
    """The representations of a value by MIME type; a notebook shows the richest that it supports.

    >>> import archspec
    >>> sorted(bundle(archspec.compile("lenet")))
    ['text/html', 'text/plain']
    """
    raise TypeError(f"cannot show a {type(value).__name__}")


@bundle.register
def _(graph: Graph) -> dict[str, str]:
    return {"text/plain": repr(graph), "text/html": _shown(graph)}


@bundle.register
def _(spec: Spec) -> dict[str, str]:
    """A spec is shown as its graph; one that does not compile, as its errors and the part of the network before
    them."""
    try:
        return {"text/plain": repr(spec), "text/html": _shown(compile(spec))}
    except SpecError as error:
        partial = error.partial if isinstance(error, ElaborationError) else None
        drawn = "" if partial is None else _image(partial)
        return {"text/plain": repr(spec), "text/html": f"{_text(error)}{drawn}"}


@bundle.register
def _(diff: Diff) -> dict[str, str]:
    return {"text/plain": str(diff), "text/markdown": diff.to_markdown()}


@bundle.register
def _(report: Report) -> dict[str, str]:
    return {"text/plain": str(report)}


def _shown(graph: Graph) -> str:
    """The image and the table; for a network that ends at a layer that fails, only the image."""
    if graph.is_partial:
        return _image(graph)
    from archspec.backends.summary.html import to_html
    from archspec.backends.summary.rows import rows, totals

    table = to_html(graph, rows(graph), totals(graph))
    return f'<div style="{_SIDE_BY_SIDE}">{_image(graph)}<div>{table}</div></div>'


def _image(graph: Graph) -> str:
    """The image, embedded as a file: its styles do not affect the page, and nothing in it can run."""
    from archspec.backends.diagram import render

    try:
        drawn = b64encode(render(graph)).decode("ascii")
    except SpecError as error:  # a network too large to be drawn
        return _text(error)
    name = escape(printable(graph.name))
    return f'<img alt="The network {name}" style="{_IMAGE}" src="data:image/svg+xml;base64,{drawn}">'


def _text(error: SpecError) -> str:
    return f"<pre>{escape(str(error))}</pre>"
