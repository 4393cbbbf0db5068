"""The rows of the result, and the pages that show them."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from .timing import Times, ratio, typical

HEADER = ("what", "archspec", "peer", "ratio", "budget", "")
PAGE = Path(__file__).with_name("README.md")
"""Shows all rows."""

README = PAGE.parent.parent.parent / "README.md"
"""Shows the rows of `HIGHLIGHTS`."""

HIGHLIGHTS = (
    ("analysis of ResNet-152, repeated", "constructor, torchinfo"),
    ("cold `archspec summary`", "torchinfo"),
    ("construct resnet152", "torchvision"),
    ("train resnet50 2×3×128×128, generated", "torchvision"),
    ("image of ResNet-101 (ours with layout)", "torchview"),
    ("load resnet152, all of it used", "torchvision"),
)
"""Measurement and peer of each row in the main README."""


@dataclass(frozen=True)
class Row:
    """One measurement; `kept` is whether it is within its budget, `None` if it has no budget."""

    what: str
    ours: str
    theirs: str = ""
    ratio: str = ""
    budget: str = ""
    kept: bool | None = None

    @property
    def cells(self) -> tuple[str, ...]:
        mark = "" if self.kept is None else "✓" if self.kept else "✗"
        return (self.what, self.ours, self.theirs, self.ratio, self.budget, mark)


def beside(what: str, times: Times, ours: str, theirs: str, most: float | None) -> Row:
    """A row for two contestants; `most` is the largest allowed ratio of ours to theirs."""
    found = ratio(times[ours], times[theirs])
    return Row(
        what, seconds(typical(times[ours])), f"{seconds(typical(times[theirs]))} {theirs}", _times(found),
        "" if most is None else f"≤ {_times(most)}", None if most is None else found <= most,
    )  # fmt: skip


def _times(number: float) -> str:
    return f"1/{1 / number:.4g}" if number <= 0.5 else f"{number:.3g}×"


def seconds(value: float) -> str:
    """A time in seconds, formatted with a suitable unit.

    >>> seconds(0.00512)
    '5.12 ms'
    """
    for size, unit in ((1.0, "s"), (1e-3, "ms")):
        if value >= size:
            return f"{value / size:.3g} {unit}"
    return f"{value / 1e-6:.3g} µs"


def markdown(rows: Iterable[Row]) -> str:
    """The rows as a Markdown table with aligned columns."""
    table = [HEADER, *(row.cells for row in rows)]
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    lines = ["| " + " | ".join(f"{cell:{w}}" for cell, w in zip(cells, widths, strict=True)) + " |" for cells in table]
    return "\n".join([lines[0], "|" + "|".join("-" * (width + 2) for width in widths) + "|", *lines[1:]])


def highlights(rows: Iterable[Row]) -> list[Row]:
    """The rows for the main README, in the order of `HIGHLIGHTS`; raises `KeyError` if one was not measured."""
    found = {(row.what, row.theirs.split(" ", 2)[-1]): row for row in rows}
    return [found[wanted] for wanted in HIGHLIGHTS]


def put_into(page: Path, table: str) -> None:
    """Replace the table that a page has between its two comments."""
    begin, end = "<!-- performance: begin -->", "<!-- performance: end -->"
    text = page.read_text(encoding="utf-8")
    changed, count = re.subn(f"{begin}.*?{end}", lambda _: f"{begin}\n{table}\n{end}", text, flags=re.DOTALL)
    if count != 1:
        raise ValueError(f"{page}: expects one {begin} … {end}, found {count}")
    page.write_text(changed, encoding="utf-8")
