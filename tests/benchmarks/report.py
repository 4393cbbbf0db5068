"""What a benchmark found, and how it is printed."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from .timing import Times, ratio, typical

HEADER = ("what", "archspec", "peer", "ratio", "budget", "")


@dataclass(frozen=True)
class Row:
    """One measurement. `kept` says whether it is within its budget; `None` if it has none."""

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
    """A row for two contestants; `most` is how many times as long ours may take."""
    found = ratio(times[ours], times[theirs])
    return Row(
        what, seconds(typical(times[ours])), f"{seconds(typical(times[theirs]))} {theirs}", _times(found),
        "" if most is None else f"≤ {_times(most)}", None if most is None else found <= most,
    )  # fmt: skip


def _times(number: float) -> str:
    return f"1/{1 / number:.4g}" if number <= 0.5 else f"{number:.3g}×"


def seconds(value: float) -> str:
    """A time with a unit that suits it.

    >>> seconds(0.00512)
    '5.12 ms'
    """
    for size, unit in ((1.0, "s"), (1e-3, "ms")):
        if value >= size:
            return f"{value / size:.3g} {unit}"
    return f"{value / 1e-6:.3g} µs"


def markdown(rows: Iterable[Row]) -> str:
    """The rows as a Markdown table, columns aligned."""
    table = [HEADER, *(row.cells for row in rows)]
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    lines = ["| " + " | ".join(f"{cell:{w}}" for cell, w in zip(cells, widths, strict=True)) + " |" for cells in table]
    return "\n".join([lines[0], "|" + "|".join("-" * (width + 2) for width in widths) + "|", *lines[1:]])


def put_into(page: Path, table: str) -> None:
    """The table in place of the one that the page has between its two comments."""
    begin, end = "<!-- performance: begin -->", "<!-- performance: end -->"
    text = page.read_text(encoding="utf-8")
    changed, count = re.subn(f"{begin}.*?{end}", lambda _: f"{begin}\n{table}\n{end}", text, flags=re.DOTALL)
    if count != 1:
        raise ValueError(f"{page} has no place for the table")
    page.write_text(changed, encoding="utf-8")
