"""YAML text → plain data, and every value's place in the text.

The accepted language is YAML 1.2's core schema without tags and merge keys. Words that YAML 1.1 read
differently (`yes`, `010`, `1_000`, `1:30`) are refused rather than guessed at, and so are duplicate keys,
several documents in a file, and anything over the size limits. Data holds only dict, list, str, int,
float, bool and None.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any, Final

import yaml

from archspec.errors import Diagnostic, DocumentError, Path

MAX_BYTES: Final = 1 << 20
MAX_DEPTH: Final = 64
MAX_VALUES: Final = 200_000
MAX_SCALAR: Final = 10_000
MAX_DIGITS: Final = 18
"""Integers of more digits than this are no dimension of any network, and would only cost time."""
MAX_LINE: Final = 160
"""What is longer is not written on one line."""

_INT = re.compile(r"[-+]?[0-9]+")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_YAML_1_1 = re.compile(r"[-+]?0[0-9]+|[-+]?0[xob][0-9a-fA-F_]+|[-+]?[0-9][0-9_]*_[0-9_]*|[-+]?[0-9]+(:[0-5]?[0-9])+")
_BOOL_1_1 = frozenset(
    spelling for word in ("yes", "no", "on", "off") for spelling in (word, word.capitalize(), word.upper())
)
_CONSTANTS: Final[dict[str, bool | None]] = {
    "": None, "~": None, "null": None, "Null": None, "NULL": None,
    "true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False,
}  # fmt: skip


@dataclass(slots=True)
class Node:
    """A value of the document with its place (line and column from 0) and the values below it."""

    data: Any
    line: int
    column: int
    width: int
    size: int = 1
    children: dict[str | int, Node] = field(default_factory=dict)
    keys: dict[str | int, Node] = field(default_factory=dict)


@dataclass(frozen=True)
class Document:
    """A parsed text: `data`, and the way back from a path in it to the line and column."""

    file: str
    text: str
    root: Node = field(repr=False)

    @property
    def data(self) -> Any:
        """The text's content as plain data."""
        return self.root.data

    def locate(self, path: Path) -> Node:
        """The node at `path`, or the nearest one above it.

        Path elements that the text does not have are passed over (Pydantic adds the tags of unions), and
        the one key of an item (`- conv1: {...}`) may be left out, since it is the item's name.
        """
        node = self.root
        for part in path:
            node = self._step(node, part)
        return node

    @staticmethod
    def _step(node: Node, part: str | int) -> Node:
        if part in node.children:
            return node.children[part]
        if len(node.children) == 1:
            (only,) = node.children.values()
            return only.children.get(part, node)
        return node

    def _place(self, path: Path) -> Node:
        """Where to put the caret: at the key, where the last element of the path is one."""
        parent = self.locate(path[:-1])
        for candidate in (parent, *parent.children.values()):
            if path and path[-1] in candidate.keys and self.locate(path) is candidate.children[path[-1]]:
                return candidate.keys[path[-1]]
        node = self.locate(path)
        return next(iter(node.keys.values())) if len(node.keys) == 1 else node

    def locate_diagnostic(self, diagnostic: Diagnostic) -> Diagnostic:
        """`diagnostic` with file, line, column and source line filled in from its path."""
        if diagnostic.line or diagnostic.file:
            return diagnostic
        node = self._place(diagnostic.path)
        lines = self.text.splitlines()
        source = lines[node.line] if node.line < len(lines) else ""
        return replace(
            diagnostic, file=self.file, line=node.line + 1, column=node.column + 1, width=node.width, source=source
        )


def parse(text: str, file: str = "<text>") -> Document:
    """Parse one YAML document.

    Raises `DocumentError` for YAML that is malformed, ambiguous or over a limit.

    >>> parse("stages: [3, 4, 6, 3]").data
    {'stages': [3, 4, 6, 3]}
    """
    if len(text.encode("utf-8", "surrogatepass")) > MAX_BYTES:
        raise _error(file, f"the file is larger than {MAX_BYTES >> 20} MiB", kind="limit")
    try:
        return Document(file, text, _Reader(file, text).read())
    except yaml.MarkedYAMLError as error:
        raise _syntax_error(file, text, error) from None
    except yaml.YAMLError as error:
        raise _error(file, f"not YAML: {str(error).splitlines()[0]}") from None


def dump(data: Any) -> str:
    """Plain data as YAML text, as a person would write it: what is flat and short goes on one line."""
    return yaml.dump(_styled(data), Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=MAX_LINE)


class _Reader:
    """Builds nodes from YAML's events. Events rather than PyYAML's constructor: they show tags and aliases as
    written, come one at a time (so nesting can be bounded) and carry the marks."""

    def __init__(self, file: str, text: str) -> None:
        self.file = file
        self.text = text
        self.anchors: dict[str, Node] = {}
        self.depth = 0

    def read(self) -> Node:
        events = yaml.parse(self.text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
        root = None
        for event in events:
            if isinstance(event, yaml.DocumentStartEvent):
                if root is not None:
                    raise self.error(event, "a second document begins here; a spec file holds one")
                root = self.value(next(events), events)
        if root is None:
            raise _error(self.file, "the file is empty")
        return root

    def value(self, event: Any, events: Iterator[Any]) -> Node:
        if isinstance(event, yaml.AliasEvent):
            return self.alias(event)
        if event.tag is not None:
            tag = event.tag.replace("tag:yaml.org,2002:", "!!")
            raise self.error(event, f"YAML tags such as '{tag}' are not part of the spec language")
        node = self.node(event, events)
        if event.anchor is not None:
            self.anchors[event.anchor] = node
        return node

    def node(self, event: Any, events: Iterator[Any]) -> Node:
        if isinstance(event, yaml.ScalarEvent):
            return self.scalar(event)
        self.depth += 1
        if self.depth > MAX_DEPTH:
            raise self.error(event, f"nested more than {MAX_DEPTH} deep", kind="limit")
        collection = self.mapping if isinstance(event, yaml.MappingStartEvent) else self.sequence
        node = collection(event, events)
        self.depth -= 1
        return node

    def alias(self, event: Any) -> Node:
        if event.anchor not in self.anchors:
            raise self.error(event, f"alias '*{event.anchor}' has no anchor before it")
        return replace(self.anchors[event.anchor], line=event.start_mark.line, column=event.start_mark.column)

    def scalar(self, event: Any) -> Node:
        if len(event.value) > MAX_SCALAR:
            raise self.error(event, f"a value of more than {MAX_SCALAR:,} characters", kind="limit")
        data = self.plain(event) if event.style in (None, "") and event.implicit[0] else event.value
        return self.new(event, data)

    def plain(self, event: Any) -> Any:
        """A plain scalar's meaning in YAML 1.2's core schema."""
        word = event.value
        if word in _CONSTANTS:
            return _CONSTANTS[word]
        if word in _BOOL_1_1:
            raise self.error(event, f"'{word}' is a boolean in YAML 1.1 and a word in YAML 1.2",
                             help=f"write true or false, or quote it: '{word}'")  # fmt: skip
        if _YAML_1_1.fullmatch(word):
            raise self.error(event, f"'{word}' means different numbers in YAML 1.1 and 1.2",
                             help="write a plain decimal number, or quote it")  # fmt: skip
        if _INT.fullmatch(word):
            if len(word) > MAX_DIGITS:
                raise self.error(event, f"an integer of more than {MAX_DIGITS} digits", kind="limit")
            return int(word)
        return self.float(event) if _FLOAT.fullmatch(word) else word

    def float(self, event: Any) -> float:
        number = float(event.value)
        if math.isinf(number):
            raise self.error(event, f"'{event.value[:60]}' is beyond the range of numbers", kind="limit")
        return number

    def sequence(self, event: Any, events: Iterator[Any]) -> Node:
        node = self.new(event, [])
        for item in events:
            if isinstance(item, yaml.SequenceEndEvent):
                break
            self.add(node, len(node.children), self.value(item, events), event)
        node.data = [child.data for child in node.children.values()]
        return node

    def mapping(self, event: Any, events: Iterator[Any]) -> Node:
        node = self.new(event, {})
        for item in events:
            if isinstance(item, yaml.MappingEndEvent):
                break
            key = self.key(node, item, events)
            node.keys[key.data] = key
            self.add(node, key.data, self.value(next(events), events), event)
        node.data = {name: child.data for name, child in node.children.items()}
        return node

    def key(self, node: Node, event: Any, events: Iterator[Any]) -> Node:
        key = self.value(event, events)
        if not isinstance(key.data, str):
            raise self.error(event, "a key must be a word", help="quote it if it is meant as a name")
        if key.data == "<<":
            raise self.error(event, "merge keys ('<<') are not part of the spec language")
        if key.data in node.keys:
            first = node.keys[key.data]
            raise self.error(event, f"the key '{key.data}' is given twice", notes=(f"first on line {first.line + 1}",))
        return key

    def add(self, node: Node, key: str | int, child: Node, event: Any) -> None:
        node.children[key] = child
        node.size += child.size
        if node.size > MAX_VALUES:  # here and not later: an alias bomb must not be walked
            raise self.error(event, f"more than {MAX_VALUES:,} values (aliases counted)", kind="limit")

    def new(self, event: Any, data: Any) -> Node:
        start, end = event.start_mark, event.end_mark
        width = end.column - start.column if end.line == start.line else 1
        return Node(data, start.line, start.column, max(1, width))

    def error(
        self, event: Any, message: str, *, kind: str = "syntax", help: str = "", notes: tuple[str, ...] = ()
    ) -> DocumentError:
        node = self.new(event, None)
        lines = self.text.splitlines()
        return DocumentError([Diagnostic(
            kind, message, notes=notes, help=help, file=self.file, line=node.line + 1, column=node.column + 1,
            width=node.width, source=lines[node.line] if node.line < len(lines) else "",
        )])  # fmt: skip


class _FlowDict(dict[str, Any]):
    """A mapping to be written on one line."""


class _FlowList(list[Any]):
    """A list to be written on one line."""


class _Dumper(yaml.SafeDumper):
    """Writes no aliases, and each mapping and list in the style `_styled` chose for it."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


def _mapping(dumper: yaml.SafeDumper, data: dict[str, Any]) -> yaml.Node:
    return dumper.represent_mapping("tag:yaml.org,2002:map", data.items(), isinstance(data, _FlowDict))


def _sequence(dumper: yaml.SafeDumper, data: list[Any]) -> yaml.Node:
    return dumper.represent_sequence("tag:yaml.org,2002:seq", data, isinstance(data, _FlowList))


def _text(dumper: yaml.SafeDumper, data: str) -> yaml.Node:
    """In quotes where PyYAML does not put them: with line breaks of other kinds, and words read as numbers here."""
    is_number = _INT.fullmatch(data) or _FLOAT.fullmatch(data) or _YAML_1_1.fullmatch(data)
    style = '"' if is_number or any(c in data for c in "\x85\u2028\u2029") else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", data, style)


_Dumper.add_representer(str, _text)
for _kind in (dict, _FlowDict):
    _Dumper.add_representer(_kind, _mapping)
for _list in (list, _FlowList):
    _Dumper.add_representer(_list, _sequence)


def _styled(data: Any, place: str = "root") -> Any:
    """`data` with its flat parts marked to go on one line; the name of an item (`- conv1: {…}`) stays outside."""
    if isinstance(data, dict):
        named = place == "list" and [type(value) for value in data.values()] == [dict]
        if place != "root" and not named and _is_flat(data) and len(str(data)) < MAX_LINE:
            return _FlowDict(data)
        return {key: _styled(value, "mapping") for key, value in data.items()}
    if isinstance(data, list):
        return _FlowList(data) if _is_flat(data) else [_styled(value, "list") for value in data]
    return data


def _is_flat(data: Any) -> bool:
    """Whether nothing in `data` is a list of more than scalars."""
    if isinstance(data, dict):
        return all(map(_is_flat, data.values()))
    return not isinstance(data, list) or not any(isinstance(value, dict | list) for value in data)


def _error(file: str, message: str, kind: str = "syntax") -> DocumentError:
    return DocumentError([Diagnostic(kind, message, file=file)])


def _syntax_error(file: str, text: str, error: yaml.MarkedYAMLError) -> DocumentError:
    mark, begin = error.problem_mark or error.context_mark, error.context_mark
    if mark is None:
        return _error(file, f"not YAML: {error.problem or error.context}")
    lines = text.splitlines()
    source = lines[mark.line] if mark.line < len(lines) else ""
    notes = (f"{error.context} that begins on line {begin.line + 1}",) if begin and begin.line != mark.line else ()
    tab = source[mark.column : mark.column + 1] == "\t"
    return DocumentError([Diagnostic(
        "syntax", f"not YAML: {error.problem or error.context}", notes=notes,
        help="YAML is indented with blanks, never with tabs" if tab else "",
        file=file, line=mark.line + 1, column=mark.column + 1, source=source,
    )])  # fmt: skip
