"""The specs that archspec ships, for `archspec list`: selected by name, as a table or as JSON."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from fnmatch import fnmatchcase
from typing import Final

from archspec.backends.summary.columns import GAP, elided, fit
from archspec.diagnostics.diagnostic import Diagnostic, DocumentError
from archspec.diagnostics.formatting import printable
from archspec.diagnostics.json_text import json_text
from archspec.frontend.loader import shipped
from archspec.frontend.spec_names import help_for
from archspec.ops.shapes import Shape
from archspec.passes.pipeline import compile

_HEADER: Final = ("Name", "Params", "MACs", "Description")
_LEAST: Final = 20
"""A description is cut to this many characters before its column is left out."""


@dataclass(frozen=True)
class Entry:
    """A shipped spec: its description and its totals."""

    name: str
    description: str
    reference: str
    input_shape: Shape
    output_shape: Shape
    params: int
    macs: int


def select(patterns: Sequence[str]) -> list[str]:
    """The names of the shipped specs that match one of the patterns, or all of them if there is no pattern.

    A pattern is a part of the name, or a glob if it contains one of `*?[`; case is ignored. Raises `DocumentError` for
    a pattern without a match.

    >>> select(["VGG1[13]", "half"])
    ['alexnet_half', 'vgg11', 'vgg13']
    """
    names = list(shipped())
    for pattern in patterns:
        if not any(_matches(name, pattern) for name in names):
            message = f"no shipped spec matches '{printable(pattern[:100])}'"
            raise DocumentError([Diagnostic("file", message, help=help_for(pattern, names))])
    return [name for name in names if not patterns or any(_matches(name, pattern) for pattern in patterns)]


def _matches(name: str, pattern: str) -> bool:
    is_glob = any(character in pattern for character in "*?[")
    return fnmatchcase(name, pattern.lower()) if is_glob else pattern.lower() in name


def entries(names: Iterable[str], notify: Callable[[str], None] = lambda name: None) -> list[Entry]:
    """Compile shipped specs; `notify` is called with the name of each."""
    return [_entry(name, notify) for name in names]


def _entry(name: str, notify: Callable[[str], None]) -> Entry:
    notify(f"analysing {name}")
    net = compile(name)
    return Entry(name, net.description, net.reference, net.input_shape, net.output_shape, net.params, net.macs)


def to_json(found: Sequence[Entry]) -> str:
    """A JSON array with an object for each spec, one per line; shapes are without the batch."""
    lines = ",\n".join(json_text(asdict(entry)) for entry in found)
    return f"[\n{lines}\n]"


def to_table(found: Sequence[Entry], width: int | None = None) -> str:
    """A table in at most `width` characters: descriptions are cut, then columns are left out from the right."""
    lines = [_HEADER, *map(_cells, found)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    columns = fit(widths, [*widths[:-1], min(widths[-1], _LEAST)], ranks=(3, 2, 1), width=width)
    return "\n".join(_aligned(line, columns.shown, columns.widths) for line in lines)


def _cells(entry: Entry) -> tuple[str, ...]:
    return entry.name, f"{entry.params:,}", f"{entry.macs:,}", printable(" ".join(entry.description.split()))


def _aligned(cells: Sequence[str], shown: Sequence[int], widths: Sequence[int]) -> str:
    placed = [
        cells[number].rjust(width) if number in (1, 2) else elided(cells[number], width).ljust(width)
        for number, width in zip(shown, widths, strict=True)
    ]
    return (" " * GAP).join(placed).rstrip()
