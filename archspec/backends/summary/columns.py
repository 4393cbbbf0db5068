"""Fits the columns of a table to a terminal: which are shown, their widths, and which are cut."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

GAP: Final = 2
"""Spaces between two columns."""


@dataclass(frozen=True)
class Columns:
    """The columns that are `shown`, by number, with the width of each; `hidden` are those left out."""

    shown: tuple[int, ...]
    widths: tuple[int, ...]
    hidden: tuple[int, ...] = ()

    @property
    def width(self) -> int:
        """Characters in a line."""
        return sum(self.widths) + GAP * (len(self.widths) - 1)


def fit(widths: Sequence[int], least: Sequence[int], ranks: Sequence[int], width: int | None) -> Columns:
    """The columns of a table in at most `width` characters.

    `widths` are those of the columns' texts, and `least` the widths that they may be cut to. `ranks` lists the columns
    in the order in which they are left out; a column that is not listed is always shown, and cut as far as needed.

    >>> fit([10, 20, 8], least=[10, 6, 8], ranks=[2, 1], width=24)
    Columns(shown=(0, 1), widths=(10, 12), hidden=(2,))
    """
    shown, hidden = list(range(len(widths))), []
    if width is None:
        return Columns(tuple(shown), tuple(widths))
    for column in ranks:
        if _total(least[number] for number in shown) <= width:
            break
        shown.remove(column)
        hidden.append(column)
    return Columns(tuple(shown), tuple(_cut(shown, widths, least, width)), tuple(sorted(hidden)))


def _cut(shown: Sequence[int], widths: Sequence[int], least: Sequence[int], width: int) -> list[int]:
    """The widths of the columns, reduced to `width`: columns that may be cut are cut, then the first one."""
    found = [widths[number] for number in shown]
    for place, number in reversed([*enumerate(shown)]):
        found[place] -= min(max(0, _total(found) - width), widths[number] - least[number])
    found[0] = max(1, found[0] - max(0, _total(found) - width))
    return found


def _total(widths: Iterable[int]) -> int:
    listed = list(widths)
    return sum(listed) + GAP * (len(listed) - 1)


def elided(text: str, width: int) -> str:
    """A text in at most `width` characters.

    >>> elided("adaptive_avg_pool2d", 10)
    'adaptive_…'
    """
    return text if len(text) <= width else f"{text[: width - 1]}…"
