"""Drawing → DOT: colours, fonts and labels.

Text from specs is untrusted: all of it goes through `_text` or `_plain`.
"""

from __future__ import annotations

import html
import re
import textwrap
from collections import Counter
from collections.abc import Iterable
from typing import Any, Final

import graphviz

from archspec.backends.diagram.drawing import Box, Cluster, Drawing, Edge
from archspec.backends.theme import END, FAILED, FAINT_INK, FORK, FRAME_LINE, FRAMES, INK, STYLES, Style
from archspec.diagnostics.formatting import printable

FONT: Final = "Helvetica,Arial,sans-serif"
MIN_WIDTH: Final = "2.3"
"""Inches, for blocks in clusters: narrow ones would put the edge into a cluster across its label."""


def dot_source(drawn: Drawing, direction: str = "TB") -> str:
    """The drawing in Graphviz's language."""
    graph = graphviz.Digraph(
        printable(drawn.title), graph_attr=_page(drawn, direction), node_attr=_NODE, edge_attr=_EDGE
    )
    _add_items(graph, drawn.items, 0)
    straight = _straight(drawn)
    for edge in drawn.edges:
        _add_edge(graph, edge, {"weight": "20"} if edge in straight else {})
    return str(graph.source)


_NODE: Final = {
    "shape": "box", "style": "rounded,filled", "fontname": FONT, "fontsize": "12", "fontcolor": INK.light,
    "margin": "0.11,0.05", "height": "0.3", "penwidth": "1.2",
}  # fmt: skip
_EDGE: Final = {
    "fontname": FONT, "fontsize": "10", "fontcolor": FAINT_INK.light, "color": FAINT_INK.light, "arrowsize": "0.7",
}  # fmt: skip


def _page(drawn: Drawing, direction: str) -> dict[str, str]:
    return {
        "rankdir": direction, "bgcolor": "transparent", "fontname": FONT, "fontcolor": INK.light, "pad": "0.25",
        "nodesep": "0.3", "ranksep": "0.3", "label": _heading(drawn), "labelloc": "t", "labeljust": "l",
        "tooltip": _plain(drawn.title),
    }  # fmt: skip


def _add_items(graph: Any, items: Iterable[Box | Cluster], level: int) -> None:
    for item in items:
        if isinstance(item, Box):
            graph.node(item.id, **({"width": MIN_WIDTH} if level and item.role == "block" else {}) | _box(item))
            continue
        with graph.subgraph(name=f"cluster_{item.id}", graph_attr=_cluster(item, level)) as inner:
            _add_items(inner, item.items, level + 1)


def _straight(drawn: Drawing) -> set[Edge]:
    """The edges of the trunk, which get more weight, so that skips and branches bend around them.

    They are the only way from a box to the next, but for skips and training-only branches.
    """
    order = {box.id: number for number, box in enumerate(drawn.boxes)}
    leaving, arriving = _degrees(drawn.edges)
    shortcuts = [edge for edge in drawn.edges if leaving[edge.tail] > 1 and arriving[edge.head] > 1]
    skips = {edge for edge in shortcuts if order[edge.head] > order[edge.tail] + 1}
    real = [edge for edge in drawn.edges if edge not in skips and not edge.train_only]
    leaving, arriving = _degrees(real)
    return {edge for edge in real if leaving[edge.tail] == arriving[edge.head] == 1}


def _degrees(edges: Iterable[Edge]) -> tuple[Counter[str], Counter[str]]:
    """The numbers of edges that leave and that reach each box."""
    ends = [(edge.tail, edge.head) for edge in edges]
    return Counter(tail for tail, _ in ends), Counter(head for _, head in ends)


def _add_edge(graph: Any, edge: Edge, looks: dict[str, str]) -> None:
    looks = looks | ({"label": f"  {edge.label} "} if edge.label else {})
    graph.edge(edge.tail, edge.head, **looks, **({"style": "dashed"} if edge.train_only else {}))


def _box(box: Box) -> dict[str, str]:
    style = STYLES.get(box.role, STYLES["other"])
    looks = {"fillcolor": style.fill.light, "color": style.line.light, "tooltip": _plain(box.path or box.title or " ")}
    if box.role == FORK:
        return {"label": "", "shape": "circle", "width": "0.08", "height": "0.08", "margin": "0", **looks}
    if box.role == END:
        looks |= {"fontcolor": "#ffffff"}
    if box.role == FAILED:
        looks |= {"penwidth": "3"}
    if box.train_only:
        looks |= {"style": "rounded,filled,dashed"}
    return {"label": _label(box, style), **looks}


def _cluster(cluster: Cluster, level: int) -> dict[str, str]:
    style = "rounded,filled,dashed" if cluster.train_only else "rounded,filled"
    times = f" ×{cluster.times}" if cluster.times > 1 else ""
    title = _line(cluster.title + times, 12, INK.light, bold=True)
    details = [_line(text, 10, FAINT_INK.light) for text in cluster.details]
    return {
        "label": _table([_row(_cell(line)) for line in [title, *details]]), "labeljust": "l",
        "style": style, "fillcolor": FRAMES[level % 2].light, "color": FRAME_LINE.light, "margin": "10",
        "tooltip": _plain(cluster.title),
    }  # fmt: skip


# -- labels: Graphviz's HTML-like language --------------------------------------------------------------------


def _label(box: Box, style: Style) -> str:
    if box.role == END:
        return f"<{_text(box.title)}>"
    first, *rest = [_line(line, 12, INK.light, bold=True) for line in _wrap(box.title, 40)]
    rest += [_line(text, 10, FAINT_INK.light) for text in box.details]
    badge = ""
    if box.times > 1:
        times = _line(f"×{box.times}", 14, style.line.light, bold=True)
        badge = f'<td rowspan="{1 + len(rest)}" cellpadding="6">{times}</td>'
    return _table([_row(_cell(first) + badge), *(_row(_cell(line)) for line in rest)])


def _heading(drawn: Drawing) -> str:
    """Name, size and description of the network, and the legend."""
    title = f'<td align="left" height="28">{_line(drawn.title, 20, INK.light, bold=True)}</td>'
    lines = [_line(drawn.subtitle, 12, INK.light)]
    lines += [_line(text, 11, FAINT_INK.light) for text in _wrap(drawn.description, 64)[:3] if text]
    return _table([_row(title), *(_row(_cell(line)) for line in [*lines, *_legend(drawn)])])


def _legend(drawn: Drawing) -> list[str]:
    """Rows of colours and their meanings."""
    roles = {box.role for box in drawn.boxes}
    entries = [(style, "solid") for role, style in STYLES.items() if role in roles and style.name]
    if any(box.train_only for box in drawn.boxes):
        entries.append((Style("training only", FRAMES[1], FAINT_INK), "dashed"))
    return [_legend_row(entries[i : i + 5]) for i in range(0, len(entries), 5)]


def _legend_row(entries: list[tuple[Style, str]]) -> str:
    """A row of fixed size, since Graphviz would otherwise spread it over the width of the heading."""
    cells = "".join(_swatch(style, line) for style, line in entries)
    width = sum(54 + 7 * len(style.name) for style, _ in entries)
    size = f'fixedsize="true" width="{width}" height="22" align="left"'
    return f'<table border="0" cellborder="0" cellspacing="5" cellpadding="0" {size}>{_row(cells)}</table>'


def _swatch(style: Style, line: str) -> str:
    looks = f'style="{line}" bgcolor="{style.fill.light}" color="{style.line.light}"'
    box = f'<td border="1" fixedsize="true" width="16" height="11" {looks}></td>'
    return f'{box}{_cell(_line(style.name, 10, FAINT_INK.light))}<td fixedsize="true" width="8" height="11"></td>'


def _table(rows: list[str]) -> str:
    return f'<<table border="0" cellborder="0" cellspacing="0" cellpadding="1">{"".join(rows)}</table>>'


def _row(cells: str) -> str:
    return f"<tr>{cells}</tr>"


def _cell(content: str) -> str:
    return f'<td align="left">{content}</td>'


def _line(text: str, size: int, colour: str, bold: bool = False) -> str:
    inner = f"<b>{_text(text)}</b>" if bold else _text(text)
    return f'<font point-size="{size}" color="{colour}">{inner}</font>'


def _wrap(text: str, width: int) -> list[str]:
    return textwrap.wrap(" ".join(text.split()), width) or [""]


def _text(text: str) -> str:
    """Untrusted text inside markup.

    Graphviz expands `\\G` and the like (to the graph's name) even here, and offers no escape for it; an invisible word
    joiner between the two characters prevents it.
    """
    return re.sub(r"\\(?=[GNETHL])", "\\\\\u2060", html.escape(printable(text)))


def _plain(text: str) -> str:
    """Untrusted text in a quoted DOT string."""
    return str(graphviz.escape(printable(text)))
