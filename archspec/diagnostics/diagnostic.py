"""What is wrong in a spec, where, and how to fix it: the one value for it, and the exceptions that carry it.

    Diagnostic        one error, with everything known about it
    UnlocatedError    carries one diagnostic from code that does not know the place: shape rules, expressions
    SpecError         carries all diagnostics of a run to the user; a subclass for each stage

An error starts as an `UnlocatedError`, or as a diagnostic that is reported directly. Code that knows its path adds it
(`at`), the document adds file, line and column, and `formatting` prints it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar, NamedTuple

from archspec.diagnostics.formatting import format_diagnostic, format_diagnostics, in_file_order

Path = tuple[str | int, ...]


class LayerInput(NamedTuple):
    """An input of the layer that fails: its name, its shape, and which layer gave it that shape."""

    name: str
    shape: str
    origin: str


class LayerOutput(NamedTuple):
    """A layer before the one that fails, and the shape of its output."""

    name: str
    type: str
    output_shape: str


@dataclass(frozen=True)
class Diagnostic:
    """One error in a spec.

    `kind` names the class of error (`syntax`, `schema`, `expression`, `reference`, `shape`, `limit`, …); `path` is the
    place in the spec's data, and `where` the module of the network, if there is one (`layer3.0.conv2`). `file`, `line`
    and `column` (both from 1), `source` (the text of that line) and `width` (the number of characters at fault) are
    filled in once the document is known.
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
    edges: tuple[LayerInput, ...] = ()
    """For a shape error: the inputs of the layer that fails."""
    trail: tuple[LayerOutput, ...] = ()
    """For a shape error: the layers before the one that fails, which is `where`."""
    about_key: bool = field(default=False, repr=False)
    """Whether the key at the end of the path is wrong, rather than its value."""
    word: str = field(default="", repr=False)
    """The part of the value that is wrong, if not all of it."""

    def at(self, path: Path) -> Diagnostic:
        """The same error, its path prefixed by the path of the value that was checked.

        >>> Diagnostic("schema", "expected a list", ("stages",)).at(("blocks", "stem")).path
        ('blocks', 'stem', 'stages')
        """
        return replace(self, path=(*path, *self.path))

    def to_data(self) -> dict[str, Any]:
        """The facts as plain data, for JSON. Unknown facts are null; lines and columns are counted from 1.

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


class UnlocatedError(Exception):
    """An error found by code that does not know its place in the spec. `diagnostic` holds everything else.

    The code that catches it completes the diagnostic and reports it.

    >>> class DepthError(UnlocatedError):
    ...     kind = "schema"
    >>> DepthError("depth must be 1 or more", help="write depth: 1").diagnostic.at(("params", "depth")).path
    ('params', 'depth')
    """

    kind: ClassVar[str]
    """The `kind` of the diagnostic."""

    def __init__(self, message: str, help: str = "", **more: Any) -> None:
        super().__init__(message)
        self.diagnostic = Diagnostic(self.kind, message, help=help, **more)

    @property
    def help(self) -> str:
        """What to do about it."""
        return self.diagnostic.help


class SpecError(Exception):
    """One or more errors in a spec or in how archspec was called; `diagnostics` holds everything known about them.

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
        """An error of the same class with other diagnostics: the same ones, located."""
        return type(self)(diagnostics)


class DocumentError(SpecError):
    """The text is not YAML, or uses a part of YAML that specs do not."""


class SchemaError(SpecError):
    """The document does not have the form of a spec."""


class ElaborationError(SpecError):
    """The spec is well formed, but an expression, a reference or a shape in it is wrong.

    After a shape error `partial` is the graph of the network up to the first layer that fails:
    `archspec.render(error.partial)` draws it.
    """

    def __init__(self, diagnostics: Iterable[Diagnostic] | str, partial: Any = None) -> None:
        super().__init__(diagnostics)
        self.partial = partial

    def with_diagnostics(self, diagnostics: Iterable[Diagnostic]) -> SpecError:
        """An error of the same class with other diagnostics: the same ones, located."""
        return ElaborationError(diagnostics, self.partial)


class TargetError(SpecError):
    """The network is valid, but the requested output cannot be made from it."""


class ValidationError(Exception):
    """A generated file does not match its network: a bug in archspec. The file is not written.

    `file` and `line` (0 if there is none) are the place in the generated text, `where` names the module.
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
