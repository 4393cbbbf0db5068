"""Diagnostics: what is wrong in a spec, where, and what to do about it.

Every stage reports mistakes as `Diagnostic` values inside one `SpecError`. This file is the only one
that turns them into text.
"""

from __future__ import annotations

import difflib
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

MAX_SHOWN = 20
"""More diagnostics than this are counted, not printed: the first ones are what a user can act on."""

MAX_TRAIL = 8
"""Rows shown of the network before a failing layer."""

MAX_SOURCE = 160
"""Characters shown of a line of the spec."""

Path = tuple[str | int, ...]


class Edge(NamedTuple):
    """A value that a layer cannot take: what it is called there, its shape, and where that came from."""

    name: str
    shape: str
    origin: str


class Row(NamedTuple):
    """A layer before the one that fails."""

    name: str
    type: str
    output_shape: str


@dataclass(frozen=True)
class Diagnostic:
    """One mistake in a spec.

    `kind` is the stage's word for it (`syntax`, `schema`, `expression`, `reference`, `shape`, `limit`, …);
    `path` leads to the place in the spec's data; `where` names the module of the network, if there is one
    (`layer3.0.conv2`). `file`, `line` and `column` (both from 1) and `source` (the text of that line) are
    filled in once the document is at hand, and so is `width`, the number of characters at fault.
    """

    kind: str
    message: str
    path: Path = ()
    where: str = ""
    notes: tuple[str, ...] = ()
    help: str = ""
    file: str = ""
    line: int = 0
    column: int = 0
    width: int = 1
    source: str = field(default="", repr=False)
    edges: tuple[Edge, ...] = ()
    """For a shape error: the values that do not fit."""
    trail: tuple[Row, ...] = ()
    """For a shape error: the layers before the one that fails, which is `where`."""
    about_key: bool = field(default=False, repr=False)
    """Whether the key at the end of the path is at fault, and not its value."""
    word: str = field(default="", repr=False)
    """The part of the value that is at fault, if not all of it."""

    def at(self, prefix: Path) -> Diagnostic:
        """The same mistake, with its path seen from further up in the spec."""
        return replace(self, path=(*prefix, *self.path))

    def to_data(self) -> dict[str, Any]:
        """The facts as plain data, for JSON. What is not known is null; lines and columns count characters from 1.

        >>> Diagnostic("schema", "expected a list", ("stages",), file="net.yaml", line=3, column=9).to_data()["path"]
        ['stages']
        """
        place: dict[str, Any] = {"line": None, "column": None, "end_column": None}
        if self.line:
            place = {"line": self.line, "column": self.column, "end_column": self.column + max(1, self.width)}
        return {
            "file": self.file or None, **place, "severity": "error", "kind": self.kind, "path": list(self.path),
            "where": self.where or None, "message": self.message, "help": self.help or None,
            "notes": list(self.notes), "edges": [edge._asdict() for edge in self.edges],
            "trail": [row._asdict() for row in self.trail],
        }  # fmt: skip

    def __str__(self) -> str:
        return format_diagnostic(self)


class SpecError(Exception):
    """A mistake of the user's, with everything there is to say about it in `diagnostics`.

    >>> error = SpecError([Diagnostic("schema", "stages: expected a list", file="net.yaml", line=3, column=9)])
    >>> print(error)
    error[schema]: net.yaml:3:9: stages: expected a list
    """

    def __init__(self, diagnostics: Iterable[Diagnostic] | str) -> None:
        if isinstance(diagnostics, str):
            diagnostics = [Diagnostic("usage", diagnostics)]
        self.diagnostics: tuple[Diagnostic, ...] = tuple(in_file_order(dict.fromkeys(diagnostics)))
        super().__init__(self.diagnostics)

    def __str__(self) -> str:
        return format_diagnostics(self.diagnostics)

    def with_diagnostics(self, diagnostics: Iterable[Diagnostic]) -> SpecError:
        """An error of the same stage that carries other diagnostics (the same ones, located)."""
        return type(self)(diagnostics)


class DocumentError(SpecError):
    """The text is not a YAML document this language accepts."""


class SchemaError(SpecError):
    """The document does not have the form of a spec."""


class ElaborationError(SpecError):
    """The spec is well formed but describes no network: an expression, reference or shape is wrong.

    After a shape mistake `partial` is the graph of the network up to the first layer that fails, to be drawn:
    `archspec.render(error.partial)`.
    """

    def __init__(self, diagnostics: Iterable[Diagnostic] | str, partial: Any = None) -> None:
        super().__init__(diagnostics)
        self.partial = partial

    def with_diagnostics(self, diagnostics: Iterable[Diagnostic]) -> SpecError:
        """An error of the same stage that carries other diagnostics (the same ones, located)."""
        return ElaborationError(diagnostics, self.partial)


class TargetError(SpecError):
    """The network is fine but an output could not be made from it."""


class ValidationError(Exception):
    """A generated file is not the network it was made from: a mistake of archspec's own, and no file is written.

    `file` and `line` (0 if there is no such place) are in the text that was refused, `where` names the module.
    """

    def __init__(self, file: str, line: int, where: str, message: str) -> None:
        super().__init__(file, line, where, message)
        self.file = file
        self.line = line
        self.where = where
        self.message = message

    def __str__(self) -> str:
        return format_diagnostic(Diagnostic("internal", self.message, where=self.where,
                                            file=self.file + f":{self.line}" * bool(self.line)))  # fmt: skip


def in_file_order(diagnostics: Iterable[Diagnostic]) -> list[Diagnostic]:
    """Diagnostics by file, line and column; those of one place keep their order."""
    return sorted(diagnostics, key=lambda d: (d.file, d.line, d.column))


def nearest(word: str, known: Iterable[str]) -> str:
    """A help line with the nearest known names: `did you mean 'stages'?`, or the list of what is known.

    >>> nearest("stagse", ["stages", "block"])
    "did you mean 'stages'?"
    """
    names = sorted(known)
    return meant(word, names) or (f"known: {', '.join(names)}" if 0 < len(names) <= 60 else "")


def meant(word: str, known: Iterable[str]) -> str:
    """A help line with the known name that was probably meant; empty where none is near.

    >>> meant("stagse", ["stages", "block"]), meant("x", ["stages", "block"])
    ("did you mean 'stages'?", '')
    """
    lower = {name.lower(): name for name in sorted(known, reverse=True)}
    for given in (word.lower(), word.lower().rpartition(".")[2]):  # nn.ReLU is relu
        close = difflib.get_close_matches(given, lower, n=1, cutoff=0.6)
        if close and lower[close[0]] != word:
            return f"did you mean '{lower[close[0]]}'?"
    return ""


def printable(text: str) -> str:
    """`text` with control, bidi and other invisible characters escaped, so that no spec can drive a terminal."""
    return "".join(c if _is_visible(c) else f"\\u{{{ord(c):x}}}" for c in text)


def _is_visible(character: str) -> bool:
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
    """The values that do not fit, in columns; what is its own origin is not named twice."""
    first, second = (max((len(edge[column]) for edge in d.edges), default=0) for column in (0, 1))
    rows = ((name, shape, "" if origin == f"from {name}" else origin) for name, shape, origin in d.edges)
    return [f"{name:{first}}  {shape:{second}}  {origin}".rstrip() for name, shape, origin in rows]


def _trail(d: Diagnostic) -> list[str]:
    """The summary up to the failing layer, its last rows; the failing layer is marked."""
    rows = [*d.trail[-MAX_TRAIL:], (f"▶ {d.where}", "", "fails")]
    widths = [max(len(row[column]) for row in rows) for column in (0, 1)]
    before = len(d.trail) - MAX_TRAIL
    text = [f"{name:{widths[0]}}  {kind:{widths[1]}}  {shape}" for name, kind, shape in rows]
    return [f"… {before} layers before"] * (before > 0) + [printable(line) for line in text]


def _position(d: Diagnostic) -> str:
    if d.file and d.line:
        return f"{printable(d.file)}:{d.line}:{d.column}: "
    return f"{printable(d.file)}: " if d.file else ""


def _subject(d: Diagnostic) -> str:
    subject = d.where or ".".join(str(part) for part in d.path)
    return f"{printable(subject)}: " if subject else ""


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
    """A line no longer than `MAX_SOURCE`, and where a column of it went: of a longer one, the part around that."""
    begin = max(0, min(column - MAX_SOURCE // 2, len(source) - MAX_SOURCE))
    shown = source[begin : begin + MAX_SOURCE]
    before, behind = "… " * (begin > 0), " …" * (begin + MAX_SOURCE < len(source))
    return before + shown + behind, column - begin + len(before)
