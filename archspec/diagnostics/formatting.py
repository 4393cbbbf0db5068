"""Diagnostics as text: a headline, the line of the spec with a caret, notes, help. No other file formats an error."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from archspec.diagnostics.diagnostic import Diagnostic

MAX_SHOWN = 20
"""How many diagnostics are printed; the rest are only counted, since users act on the first ones."""

MAX_TRAIL = 8
"""Layers printed before the one that fails."""

MAX_SOURCE = 160
"""Characters printed of a line of the spec."""


def in_file_order(diagnostics: Iterable[Diagnostic]) -> list[Diagnostic]:
    """Diagnostics by file, line and column; those at the same place keep their order."""
    return sorted(diagnostics, key=lambda d: (d.file, d.line, d.column))


def printable(text: str) -> str:
    """`text` with control, bidi and other invisible characters escaped, so that no spec can control a terminal."""
    return "".join(c if is_visible(c) else f"\\u{{{ord(c):x}}}" for c in text)


def is_visible(character: str) -> bool:
    """Whether a character is visible as itself; the ordinary space is, other spaces are not."""
    return character == " " or unicodedata.category(character)[0] not in "CZ"


def format_diagnostics(diagnostics: Sequence[Diagnostic]) -> str:
    """All diagnostics as text, in file order, at most `MAX_SHOWN` of them."""
    ordered = in_file_order(diagnostics)
    shown = [format_diagnostic(d) for d in ordered[:MAX_SHOWN]]
    if len(ordered) > MAX_SHOWN:
        shown.append(f"… and {len(ordered) - MAX_SHOWN} more")
    return "\n\n".join(shown)


def format_diagnostic(diagnostic: Diagnostic) -> str:
    """One diagnostic in the manner of a compiler: a headline, the source line with a caret, notes, help."""
    d = diagnostic
    lines = [f"error[{d.kind}]: {_position(d)}{_subject(d)}{printable(d.message)}"]
    lines += _excerpt(d)
    margin = " " * _margin(d)
    lines += [f"{margin} = {printable(note)}" for note in (*_edges(d), *d.notes)]
    if d.help:
        lines.append(f"{margin} = help: {printable(d.help)}")
    if d.trail:
        lines += [f"{margin} = the network up to here:", *(f"{margin} :   {row}" for row in _trail(d))]
    return "\n".join(lines)


def _edges(d: Diagnostic) -> list[str]:
    """The inputs of the failing layer, in columns; an input that names its own origin is not named twice."""
    first, second = (max((len(edge[column]) for edge in d.edges), default=0) for column in (0, 1))
    rows = ((name, shape, "" if origin == f"from {name}" else origin) for name, shape, origin in d.edges)
    return [f"{name:{first}}  {shape:{second}}  {origin}".rstrip() for name, shape, origin in rows]


def _trail(d: Diagnostic) -> list[str]:
    """The last layers before the one that fails, and that one, marked."""
    rows = [*d.trail[-MAX_TRAIL:], (f"▶ {d.where}", "", "fails")]
    widths = [max(len(row[column]) for row in rows) for column in (0, 1)]
    before = len(d.trail) - MAX_TRAIL
    text = [f"{name:{widths[0]}}  {kind:{widths[1]}}  {shape}" for name, kind, shape in rows]
    earlier = [f"… {before} {'layer' if before == 1 else 'layers'} before"] if before > 0 else []
    return [*earlier, *map(printable, text)]


def _position(d: Diagnostic) -> str:
    if d.file and d.line:
        return f"{printable(d.file)}:{d.line}:{d.column}: "
    return f"{printable(d.file)}: " if d.file else ""


def _subject(d: Diagnostic) -> str:
    """The item or field that an error is about, unless the message begins with it: an op without a name is its kind."""
    subject = d.where or ".".join(str(part) for part in d.path)
    begins = d.message.startswith((f"{subject}: ", f"{subject} ")) and subject != "a"  # an item may have that name
    return f"{printable(subject)}: " if subject and not begins else ""


def _margin(d: Diagnostic) -> int:
    return len(str(d.line)) if d.source else 2


def _excerpt(d: Diagnostic) -> list[str]:
    if not d.source:
        return []
    margin = " " * _margin(d)
    source, column = _window(d.source.replace("\t", " "), d.column - 1)
    before = printable(source[:column])
    marked = printable(source[column : column + d.width])
    caret = " " * len(before) + "^" * max(1, len(marked))
    return [f"{margin} |", f"{d.line} | {printable(source)}", f"{margin} | {caret}"]


def _window(source: str, column: int) -> tuple[str, int]:
    """The part of a line around a column, at most `MAX_SOURCE` long, and where the column is in it."""
    begin = max(0, min(column - MAX_SOURCE // 2, len(source) - MAX_SOURCE))
    shown = source[begin : begin + MAX_SOURCE]
    before, behind = "… " * (begin > 0), " …" * (begin + MAX_SOURCE < len(source))
    return before + shown + behind, column - begin + len(before)


def joined(names: Sequence[str], conjunction: str) -> str:
    """Names joined as in a sentence.

    >>> joined(["a", "b", "c"], "and")
    'a, b and c'
    """
    return f" {conjunction} ".join(filter(None, [", ".join(names[:-1]), names[-1]]))
