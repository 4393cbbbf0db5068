"""Rows → text for a terminal: the changes, the totals, and which weights fit."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Final

from archspec.backends.summary.columns import GAP, elided
from archspec.changes.rows import REST, Row, Total, advice, headline, mismatches, rows, title, totals
from archspec.diagnostics.formatting import printable

if TYPE_CHECKING:
    from archspec.changes.diff import Diff

_COLOURS: Final = {"+": "\033[32m", "-": "\033[31m", "~": "\033[33m"}
_BOLD, _DIM, _RESET = "\033[1m", "\033[2m", "\033[0m"

_MOST: Final = (48, 32)
"""The most characters of a name and of a type that are shown."""

_LEAST_DETAILS: Final = 24
"""Details are wrapped to the rest of the line, but not to less than this."""


def to_text(diff: Diff, colour: bool = False, width: int | None = None) -> str:
    """A difference as text, in lines of at most `width` characters if that is given."""
    found = [*rows(diff)]
    lines = [
        _styled(printable(title(diff)), _BOLD, colour),
        "",
        *_layers(found, colour, width),
        *([""] if found else []),
    ]
    lines += [*_table([*totals(diff)], diff, colour, width), "", *_weights(diff, width)]
    return "\n".join(line.rstrip() for line in lines)


def _styled(text: str, style: str, colour: bool) -> str:
    return f"{style}{text}{_RESET}" if colour else text


def _layers(found: Sequence[Row], colour: bool, width: int | None) -> Iterator[str]:
    names = min(_MOST[0], max((len(row.name) for row in found), default=0))
    types = min(_MOST[1], max((len(row.type) for row in found), default=0))
    indent = 2 + names + GAP + types + GAP
    for row in found:
        head = f"{row.mark} {elided(row.name, names):{names}}{' ' * GAP}{elided(row.type, types):{types}}{' ' * GAP}"
        first, *others = _wrapped("; ".join(row.details), indent, width) or [""]
        lines = [head + first, *(" " * indent + line for line in others)]
        yield from (_styled(line.rstrip(), _COLOURS[row.mark], colour) for line in lines)


def _wrapped(text: str, indent: int, width: int | None) -> list[str]:
    if width is None:
        return [text]
    return textwrap.wrap(text, max(_LEAST_DETAILS, width - indent), break_on_hyphens=False)


def _table(found: Sequence[Total], diff: Diff, colour: bool, width: int | None) -> Iterator[str]:
    """The totals; on a narrow terminal with shorter differences, or without them."""
    head = Total("", printable(diff.a.name), printable(diff.b.name), "")
    forms = ([*found], [line._replace(change=line.change.partition(" ")[0]) for line in found],
             [line._replace(change="") for line in found])  # fmt: skip
    tables = [_aligned([head, *lines]) for lines in forms]
    chosen = next((table for table in tables if width is None or max(map(len, table)) <= width), tables[-1])
    yield _styled(chosen[0], _BOLD, colour)
    for total, line in zip(found, chosen[1:], strict=True):
        yield _styled(line, _DIM, colour and total.a == total.b)


def _aligned(lines: Sequence[Total]) -> list[str]:
    widths = [max(len(line[column]) for line in lines) for column in range(3)]
    return [
        f"{line.name:{widths[0]}}  {line.a:>{widths[1]}}  {line.b:>{widths[2]}}  {line.change}".rstrip()
        for line in lines
    ]


def _weights(diff: Diff, width: int | None) -> Iterator[str]:
    yield from _indented(f"Weights: {headline(diff)}", 0, width)
    for group in mismatches(diff):
        yield from _indented(str(group), 2, width)
    if given := advice(diff):
        yield from _indented(f"{REST} {given}", 2, width)


def _indented(text: str, indent: int, width: int | None) -> list[str]:
    margin = " " * indent
    if width is None:
        return [margin + printable(text)]
    return textwrap.wrap(
        printable(text), max(_LEAST_DETAILS, width), initial_indent=margin, subsequent_indent=f"{margin}  ",
        break_on_hyphens=False, break_long_words=False,
    )  # fmt: skip
