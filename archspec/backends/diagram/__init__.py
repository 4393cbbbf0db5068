"""Graph → SVG, PNG, PDF or DOT.

grouping   which steps share a box      variants   rates that differ in a box
shortcuts  the shortcuts of a block     counts     the costs of a box
labels     the text in a box            drawing    boxes, clusters and edges
layout     their positions              font       the width of text
boxes      the lines of a box           heading    title, description and legend
compose    everything as plain shapes   picture    these shapes
svg, png, pdf                           dot        the drawing for Graphviz
image      the bytes, as notebooks show them

What ops are called, and colours, are those of the page, too: `backends.op_labels` and `backends.theme`.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

from archspec.backends.diagram.image import Image as Image
from archspec.diagnostics.budget import budgeted
from archspec.diagnostics.diagnostic import Diagnostic, TargetError

if TYPE_CHECKING:
    from archspec.backends.diagram.picture import Picture
    from archspec.ir.graph import Graph

FORMATS: Final = ("svg", "png", "pdf", "dot")
"""The formats of an image, which are the suffixes of its file, too."""

DIRECTIONS: Final = ("TB", "LR", "BT", "RL")
"""From top to bottom, from left to right, and the reverse of both."""


THEMES: Final = ("auto", "light", "dark")
"""The colours: as the reader prefers, or always those for light or for dark pages. The background is transparent."""

SHOWN: Final = ("params",)
"""The counts that boxes show by default."""

COUNTS: Final = ("params", "macs", "activations")
"""What a box can show: trainable parameters, multiply-accumulates, elements of the layers' outputs."""


@budgeted
def render(
    graph: Graph, format: str = "svg", depth: int | None = None, direction: str = "TB",
    show: Sequence[str] = SHOWN, theme: str = "auto",
) -> bytes:  # fmt: skip
    """An image of a network.

    `format` is one of `FORMATS` and `direction` one of `DIRECTIONS`; `depth` is the number of levels that are drawn (1:
    the network's own items; by default as many as are legible); `show` are some of `COUNTS`. With the `theme` `auto` an
    SVG follows its reader's preference, light or dark; other images are then light. Raises `TargetError`.

    >>> import archspec
    >>> render(archspec.compile("lenet"), format="dot").decode().splitlines()[0]
    'digraph lenet {'
    """
    # Imported here, so that the command line can read the constants above without loading all of this.
    from archspec.backends.diagram.compose import compose
    from archspec.backends.diagram.dot import dot_source
    from archspec.backends.diagram.drawing import drawing

    _check("format", format, FORMATS)
    _check("direction", direction, DIRECTIONS)
    _check("theme", theme, THEMES)
    for count in show:
        _check("count", count, COUNTS)
    drawn = drawing(graph, depth, show)
    if format == "dot":
        return dot_source(drawn, direction).encode("utf-8")
    return _written(compose(drawn, direction), format, theme)


def _written(picture: Picture, format: str, theme: str) -> bytes:
    """A picture in a format. PNG and PDF files cannot follow the page around them: `auto` is `light` there."""
    if format == "svg":
        from archspec.backends.diagram.svg import to_svg

        return to_svg(picture, theme).encode("utf-8")
    theme = "light" if theme == "auto" else theme
    if format == "pdf":
        from archspec.backends.diagram.pdf import to_pdf

        return to_pdf(picture, theme)
    from archspec.backends.diagram.png import to_png

    return to_png(picture, theme)


def format_of(format: str | None, path: str | os.PathLike[str] | None) -> str:
    """The format of an image: as given, or as the suffix of its file says, or SVG. Raises `TargetError`."""
    suffix = FORMATS[0] if path is None else Path(path).suffix.lower().removeprefix(".")
    if path is not None and suffix not in FORMATS:
        help = f"its name should end in {', '.join(f'.{known}' for known in FORMATS)}"
        raise TargetError([Diagnostic("usage", "is not an image file", file=os.fspath(path), help=help)])
    if path is not None and format not in (None, suffix):
        raise TargetError([Diagnostic("usage", f"does not end in .{format}", file=os.fspath(path))])
    return format or suffix


def _check(what: str, given: str, known: tuple[str, ...]) -> None:
    if given not in known:
        help = f"expected one of {', '.join(known)}"
        raise TargetError([Diagnostic("usage", f"unknown {what} '{given[:40]}'", help=help)])
