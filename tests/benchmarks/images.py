"""Images: ResNet-101 drawn by archspec and by torchview."""

from __future__ import annotations

import re
from collections.abc import Iterator

import torchview
from oracle import models

import archspec

from .report import Row, beside
from .timing import interleaved


def ours() -> bytes:
    """From the spec's name to an SVG."""
    return archspec.render("resnet101", format="svg")


def theirs() -> str:
    """From torchvision's constructor to DOT, without the layout, which would need Graphviz on the PATH."""
    graph = torchview.draw_graph(models.resnet101(), input_size=(1, 3, 224, 224), device="meta")
    return str(graph.visual_graph.source)


def images(rounds: int) -> Iterator[Row]:
    """Time (archspec includes the layout, in a process of its own), and the number of nodes."""
    times = interleaved({"archspec": ours, "torchview": theirs}, max(3, rounds // 3), wall=True)
    yield beside("image of ResNet-101 (ours with layout)", times, "archspec", "torchview", None)
    mine = len(re.findall(r'class="node"', ours().decode()))
    others = len(re.findall(r"^\s*\d+ \[label=", theirs(), re.MULTILINE))
    yield Row("nodes of that image", str(mine), f"{others} torchview", f"1/{others / mine:.0f}", "≤ 40", mine <= 40)
