"""Graph → SVG, PNG, PDF or DOT.

op_labels  what an op is called         grouping   which steps share a box
variants   rates that differ in a box   shortcuts  what a residual block adds
counts     what a box costs             labels     the text in a box
drawing    boxes, clusters and edges    dot        their styles, as DOT
draw       their layout, by Graphviz
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from archspec.diagnostics.budget import budgeted
from archspec.diagnostics.diagnostic import Diagnostic, TargetError

if TYPE_CHECKING:
    from archspec.ir.graph import Graph

FORMATS: Final = ("svg", "png", "pdf", "dot")
"""The formats of an image, which are the suffixes of its file, too."""

DIRECTIONS: Final = ("TB", "LR", "BT", "RL")
"""From top to bottom, from left to right, and the reverse of both."""


SHOWN: Final = ("params",)
"""The counts that boxes show by default."""

COUNTS: Final = ("params", "macs", "activations")
"""What a box can show: trainable parameters, multiply-accumulates, elements of the layers' outputs."""


@budgeted
def render(
    graph: Graph, format: str = "svg", depth: int | None = None, direction: str = "TB", show: Sequence[str] = SHOWN
) -> bytes:
    """An image of a network.

    `format` is one of `FORMATS` and `direction` one of `DIRECTIONS`; `depth` is the number of levels that are drawn
    (1: the network's own items; by default as many as are legible); `show` are some of `COUNTS`. Raises `TargetError`.

    >>> import archspec
    >>> render(archspec.compile("lenet"), format="dot").decode().splitlines()[0]
    'digraph lenet {'
    """
    # Imported here, so that the command line can read the constants above without loading Graphviz.
    from archspec.backends.diagram.dot import dot_source
    from archspec.backends.diagram.draw import draw
    from archspec.backends.diagram.drawing import drawing

    _check("format", format, FORMATS)
    _check("direction", direction, DIRECTIONS)
    for count in show:
        _check("count", count, COUNTS)
    dot = dot_source(drawing(graph, depth, show), direction)
    return dot.encode("utf-8") if format == "dot" else draw(dot, format)


def _check(what: str, given: str, known: tuple[str, ...]) -> None:
    if given not in known:
        help = f"expected one of {', '.join(known)}"
        raise TargetError([Diagnostic("usage", f"unknown {what} '{given[:40]}'", help=help)])
