"""Graph → SVG, PNG, PDF or DOT.

words    what an op is called          units   which steps share a box
labels   what is said in a box         picture  boxes, clusters and edges
dot      how all of it looks           draw     its layout, by Graphviz
"""

from __future__ import annotations

from typing import Final

from archspec.backends.diagram.dot import dot_source
from archspec.backends.diagram.draw import draw
from archspec.backends.diagram.picture import picture
from archspec.diagnostics.diagnostic import TargetError
from archspec.diagnostics.suggestions import nearest
from archspec.ir.graph import Graph

FORMATS: Final = ("svg", "png", "pdf", "dot")
DIRECTIONS: Final = ("TB", "LR", "BT", "RL")


def render(graph: Graph, format: str = "svg", depth: int | None = None, direction: str = "TB") -> bytes:
    """A picture of a network.

    `format` is svg, png, pdf or dot; `depth` counts the levels that are drawn (1: the network's own items;
    by default what is legible); `direction` is TB (top to bottom), LR, BT or RL. Raises `TargetError`.

    >>> import archspec
    >>> render(archspec.compile("lenet"), format="dot").decode().splitlines()[0]
    'digraph lenet {'
    """
    _check("format", format, FORMATS)
    _check("direction", direction, DIRECTIONS)
    dot = dot_source(picture(graph, depth), direction)
    return dot.encode("utf-8") if format == "dot" else draw(dot, format)


def _check(what: str, given: str, known: tuple[str, ...]) -> None:
    if given not in known:
        close = nearest(given, known)
        listed = f"known: {', '.join(known)}"
        hint = listed if close == listed else f"{close} ({listed})"
        raise TargetError(f"there is no {what} '{given[:40]}'; {hint}")
