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
from functools import cached_property
from typing import Any, Final

import yaml

from archspec.diagnostics.diagnostic import Diagnostic, DocumentError, Path
from archspec.diagnostics.formatting import is_visible
from archspec.diagnostics.suggestions import nearest

MAX_BYTES: Final = 1 << 20
MAX_DEPTH: Final = 64
MAX_VALUES: Final = 200_000
MAX_SCALAR: Final = 10_000
MAX_DIGITS: Final = 18
"""No network has a dimension of more digits than this; parsing longer integers would only cost time."""
MAX_LINE: Final = 160
"""What is longer is not written on one line."""

_INT = re.compile(r"[-+]?[0-9]+")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_NOT_FINITE = re.compile(r"[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)")
SURROGATE = re.compile("[\ud800-\udfff]")
"""Half of a character: Python's text can hold it alone, UTF-8 cannot."""
_YAML_1_1 = re.compile(r"[-+]?0[0-9]+|[-+]?0[xob][0-9a-fA-F_]+|[-+]?[0-9][0-9_]*_[0-9_]*|[-+]?[0-9]+(:[0-5]?[0-9])+")
_BOOL_1_1: Final[dict[str, str]] = {
    spelling: meaning
    for word, meaning in (("yes", "true"), ("no", "false"), ("on", "true"), ("off", "false"))
    for spelling in (word, word.capitalize(), word.upper())
}
_CONSTANTS: Final[dict[str, bool | None]] = {
    "": None, "~": None, "null": None, "Null": None, "NULL": None,
    "true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False,
}  # fmt: skip


@dataclass(slots=True)
class Node:
    """A value of the document with its place (line and column from 0) and the values below it.

    `width` is the number of characters it takes, and 0 for one that is not there or on more than one line.
    """

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

    def _place(self, path: Path, about_key: bool) -> Node:
        """Where to put the caret: at a value of one line, at the key of one that is longer or a mapping."""
        node = self.locate(path)
        key = self._key(path, node)
        if key is not None and (about_key or node.width == 0 or isinstance(node.data, dict)):
            return key
        if len(node.keys) == 1 and all(isinstance(child.data, dict) for child in node.children.values()):
            return next(iter(node.keys.values()))  # the name of an item
        return node if node.width else next(iter(node.keys.values()), key or node)

    def _key(self, path: Path, node: Node) -> Node | None:
        """The key of the node that a path leads to, if the last element of the path is one."""
        parent = self.locate(path[:-1])
        for candidate in (parent, *parent.children.values()):
            if path and path[-1] in candidate.keys and node is candidate.children[path[-1]]:
                return candidate.keys[path[-1]]
        return None

    def locate_diagnostic(self, diagnostic: Diagnostic) -> Diagnostic:
        """`diagnostic` with file, line, column and source line filled in from its path."""
        if diagnostic.line or diagnostic.file:
            return diagnostic
        node = self._place(diagnostic.path, diagnostic.about_key)
        source = self._lines[node.line] if node.line < len(self._lines) else ""
        column, width = _part(source, node, diagnostic.word)
        return replace(diagnostic, file=self.file, line=node.line + 1, column=column + 1, width=width, source=source)

    @cached_property
    def _lines(self) -> list[str]:
        return self.text.splitlines()


def _part(source: str, node: Node, word: str) -> tuple[int, int]:
    """Column and width of a word within a value, or of all of it if the word is not there."""
    boundary = r"(?<!\w)" if word[:1].isalnum() else ""
    found = re.compile(rf"{boundary}{re.escape(word)}(?!\w)").search(source, node.column, node.column + node.width)
    return (found.start(), len(word)) if word and found else (node.column, max(1, node.width))


def parse(text: str, file: str = "<text>") -> Document:
    """Parse one YAML document.

    Raises `DocumentError` with every error, up to the first one after which nothing can be read.

    >>> parse("stages: [3, 4, 6, 3]").data
    {'stages': [3, 4, 6, 3]}
    """
    if len(text) > MAX_BYTES or len(text.encode("utf-8", "surrogatepass")) > MAX_BYTES:
        raise too_large(file)
    if surrogate := SURROGATE.search(text):
        raise DocumentError([_no_text(file, text, surrogate.start())])
    reader = _Reader(file, text)
    try:
        root = reader.read()
    except DocumentError as error:
        reader.problems += error.diagnostics
    except yaml.MarkedYAMLError as error:
        reader.problems.append(_syntax_error(file, text, error))
    except yaml.reader.ReaderError as error:
        reader.problems.append(_unreadable(file, text, error))
    if reader.problems:
        raise DocumentError(reader.problems)
    return Document(file, text, root)


def too_large(file: str) -> DocumentError:
    """The error for a spec of more than `MAX_BYTES`."""
    return _error(file, f"the file is larger than {MAX_BYTES >> 20} MiB", kind="limit")


def dump(data: Any) -> str:
    """Plain data as YAML text, as a person would write it: what is flat and short goes on one line."""
    text = yaml.dump(_styled(data), Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=MAX_LINE)
    return text if text.isascii() else "".join(c if is_visible(c) or c == "\n" else _escaped(c) for c in text)


def _escaped(character: str) -> str:
    """An invisible character as it is written in double quotes, and `_text` puts all text that has one in these."""
    code = ord(character)
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


class _Reader:
    """Builds nodes from YAML's events. Events rather than PyYAML's constructor: they show tags and aliases as
    written, come one at a time (so nesting can be bounded) and carry the marks.

    Errors are recorded in `problems`, and reading continues where possible."""

    def __init__(self, file: str, text: str) -> None:
        self.file = file
        self.text = text
        self.lines = text.splitlines()
        self.problems: list[Diagnostic] = []
        self.anchors: dict[str, Node] = {}
        self.depth = 0

    def read(self) -> Node:
        events = yaml.parse(self.text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
        root = None
        for event in events:
            if isinstance(event, yaml.DocumentStartEvent):
                if root is not None:
                    raise self.error(event, "a second document begins here; a spec file holds one",
                                     help="put it into a file of its own, or remove the '---'")  # fmt: skip
                root = self.value(next(events), events)
        if root is None:
            raise _error(self.file, "the file is empty", help="a spec begins with its name, its input, and a family "
                         "or layers; 'archspec expand lenet' prints one")  # fmt: skip
        return root

    def value(self, event: Any, events: Iterator[Any]) -> Node:
        if isinstance(event, yaml.AliasEvent):
            return self.alias(event)
        if event.tag is not None:
            tag = event.tag.replace("tag:yaml.org,2002:", "!!")
            self.refuse(event, f"YAML tags such as '{tag}' are not part of the spec language",
                        help="write the plain value", width=len(tag))  # fmt: skip
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
            self.refuse(event, f"alias '*{event.anchor}' has no anchor before it",
                        help=nearest(event.anchor, self.anchors))  # fmt: skip
            return self.new(event, None)
        place = self.new(event, None)
        return replace(self.anchors[event.anchor], line=place.line, column=place.column, width=place.width)

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
            self.refuse(event, f"'{word}' is a boolean in YAML 1.1 and a word in YAML 1.2",
                        help=f"write {_BOOL_1_1[word]}, or quote it: '{word}'")  # fmt: skip
        elif _YAML_1_1.fullmatch(word):
            self.refuse(event, f"'{word[:60]}' means different numbers in YAML 1.1 and 1.2",
                        help=f"write {_decimal(word)}, or quote it")  # fmt: skip
        elif _NOT_FINITE.fullmatch(word):
            self.refuse(event, f"'{word}' is not a finite number", help="write a number, or quote it if text is meant")
        elif _INT.fullmatch(word):
            return self.whole(event)
        elif _FLOAT.fullmatch(word):
            return self.real(event)
        return word

    def whole(self, event: Any) -> int:
        if len(event.value) > MAX_DIGITS:
            self.refuse(event, f"an integer of more than {MAX_DIGITS} digits", kind="limit")
            return 0
        return int(event.value)

    def real(self, event: Any) -> float:
        number = float(event.value)
        if math.isinf(number):
            self.refuse(event, f"'{event.value[:60]}' is beyond the range of numbers", kind="limit")
        return number

    def sequence(self, event: Any, events: Iterator[Any]) -> Node:
        node = self.new(event, [])
        for item in events:
            if isinstance(item, yaml.SequenceEndEvent):
                break
            self.add(node, len(node.children), self.value(item, events), event)
        node.data = [child.data for child in node.children.values()]
        return self.closed(node, event, item)

    def mapping(self, event: Any, events: Iterator[Any]) -> Node:
        node = self.new(event, {})
        for item in events:
            if isinstance(item, yaml.MappingEndEvent):
                break
            key = self.value(item, events)
            if self.takes(node, key, item):
                node.keys[key.data] = key
                self.add(node, key.data, self.value(next(events), events), event)
            else:
                self.count(node, self.value(next(events), events), event)
        node.data = {name: child.data for name, child in node.children.items()}
        return self.closed(node, event, item)

    def takes(self, node: Node, key: Node, event: Any) -> bool:
        """Whether a mapping can have this key."""
        if not isinstance(key.data, str):
            self.refuse(event, "a key must be a word", help="quote it if it is meant as a name", width=key.width)
        elif key.data == "<<":
            self.refuse(event, "merge keys ('<<') are not part of the spec language",
                        help="write the keys out; an alias may stand for a whole value")  # fmt: skip
        elif key.data in node.keys:
            first = node.keys[key.data].line + 1
            notes = (f"first on line {first}",) if first != key.line + 1 else ()
            self.refuse(event, f"duplicate key '{key.data}'", help="keep one of the two", notes=notes)
        else:
            return True
        return False

    def add(self, node: Node, key: str | int, child: Node, event: Any) -> None:
        node.children[key] = child
        self.count(node, child, event)

    def count(self, node: Node, child: Node, event: Any) -> None:
        node.size += child.size
        if node.size > MAX_VALUES:  # here and not later: an alias bomb must not be walked
            raise self.error(event, f"more than {MAX_VALUES:,} values (aliases counted)", kind="limit")

    def new(self, event: Any, data: Any) -> Node:
        start, end = event.start_mark, event.end_mark
        return Node(data, start.line, start.column, end.column - start.column if end.line == start.line else 0)

    def closed(self, node: Node, begin: Any, end: Any) -> Node:
        """A collection whose end is known: one in brackets has a width if it is on one line."""
        one_line = begin.flow_style and end.end_mark.line == node.line
        node.width = end.end_mark.column - node.column if one_line else 0
        return node

    def refuse(
        self, event: Any, message: str, *, kind: str = "syntax", help: str = "", notes: tuple[str, ...] = (),
        width: int = 0,
    ) -> None:  # fmt: skip
        """Record an error at an event."""
        node = self.new(event, None)
        self.problems.append(Diagnostic(
            kind, message, notes=notes, help=help, file=self.file, line=node.line + 1, column=node.column + 1,
            width=width or max(1, node.width), source=self.lines[node.line] if node.line < len(self.lines) else "",
        ))  # fmt: skip

    def error(self, event: Any, message: str, *, kind: str = "syntax", help: str = "") -> DocumentError:
        """An error at an event after which nothing is read; it is reported with those before it."""
        self.refuse(event, message, kind=kind, help=help)
        return DocumentError([self.problems.pop()])


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
    """In quotes where PyYAML does not put them: with invisible characters, and words read as numbers here."""
    is_number = _INT.fullmatch(data) or _FLOAT.fullmatch(data) or _YAML_1_1.fullmatch(data)
    style = '"' if is_number or not (data.isascii() or all(is_visible(c) or c == "\n" for c in data)) else None
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


def _error(file: str, message: str, kind: str = "syntax", help: str = "") -> DocumentError:
    return DocumentError([Diagnostic(kind, message, help=help, file=file)])


_CONTEXTS: Final = {
    "while parsing a flow sequence": "in the list [ that begins on line {line}",
    "while parsing a flow mapping": "in the mapping {{ that begins on line {line}",
    "while parsing a block mapping": "in the mapping that begins on line {line}",
    "while parsing a block collection": "in the list that begins on line {line}",
    "while scanning a quoted scalar": "in the quotes that open on line {line}",
    "while scanning a simple key": "in the key that begins on line {line}",
    "while scanning a block scalar": "in the text that begins on line {line}",
}
"""libyaml's words for what it was reading, and ours."""

_PROBLEMS: Final = {
    "did not find expected ',' or ']'": ("expected ',' or ']'", "close the list with ']'"),
    "did not find expected ',' or '}'": ("expected ',' or '}'", "close the mapping with '}'"),
    "did not find expected key": ("expected a key", "the keys of a mapping begin in the same column"),
    "did not find expected '-' indicator": (
        "expected '-'", "the items of a list begin in the same column, each with '- '"
    ),
    "could not find expected ':'": ("expected ':' after the key", "write a key and its value as 'key: value'"),
    "mapping values are not allowed in this context": (
        "a ':' has no meaning here",
        "is one missing above? Keys of one mapping begin in the same column; text that has ': ' in it needs quotes",
    ),
    "found unexpected end of stream": ("the quotes are never closed", "close them"),
    "block sequence entries are not allowed in this context": (
        "a list cannot begin here", "begin it on a line of its own, or write it as [a, b]"
    ),
    "did not find expected node content": ("expected a value", ""),
    "found unknown escape character": ("unknown escape sequence", "write a backslash as '\\\\', or use single quotes"),
    "found undefined tag handle": ("YAML tags are not part of the spec language", "quote text that begins with '!'"),
}  # fmt: skip
"""What libyaml misses: in our words, and what to do."""


_IN_EXPRESSION: Final = re.compile(r"[:,\[]\s*=[^,{}\[\]]*$")
"""The beginning of a line that ends within an expression without quotes."""


def _syntax_error(file: str, text: str, error: yaml.MarkedYAMLError) -> Diagnostic:
    mark, begin = error.problem_mark or error.context_mark, error.context_mark
    message, help = _PROBLEMS.get(str(error.problem), (f"not YAML: {error.problem or error.context}", ""))
    if mark is None:
        return Diagnostic("syntax", message, help=help, file=file)
    line, column, source = _seen(text, mark.line, mark.column)
    if source[column : column + 1] == "\t":
        message, help = "tabs cannot be used for indentation", "indent with spaces"
    elif source[column : column + 1] in ("@", "`", "%"):
        message, help = f"no value begins with '{source[column]}'", "quote it if it is meant as text"
    elif message.startswith("expected ','") and _IN_EXPRESSION.search(source[:column]):
        help = "put quotes around the expression: within { } and [ ] of YAML its brackets need them"
    context = _CONTEXTS.get(error.context or "", "") if begin is not None and begin.line != line else ""
    notes = (context.format(line=begin.line + 1),) if begin is not None and context else ()
    return Diagnostic("syntax", message, notes=notes, help=help, file=file, line=line + 1, column=column + 1,
                      source=source)  # fmt: skip


def _unreadable(file: str, text: str, error: yaml.reader.ReaderError) -> Diagnostic:
    """A character that YAML does not have; the C reader counts bytes."""
    before = text.encode("utf-8")[: error.position].decode("utf-8", "replace")
    return _no_text(file, text, len(before))


def _no_text(file: str, text: str, position: int) -> Diagnostic:
    """The error for the character at a position, which no text of YAML may have."""
    before, character = text[:position], ord(text[position]) if position < len(text) else 0
    line, column = before.count("\n"), position - before.rfind("\n") - 1
    message = f"the character U+{character:04X} is not allowed in YAML"
    help = "remove it, or escape it in double quotes" if not SURROGATE.match(chr(character)) else "remove it"
    return Diagnostic("syntax", message, help=help, file=file, line=line + 1, column=column + 1,
                      source=text.split("\n")[line])  # fmt: skip


def _decimal(word: str) -> str:
    """What a number of YAML 1.1 was probably meant to be."""
    plain = word.replace("_", "")
    if re.fullmatch(r"[-+]?0[xob][0-9a-fA-F]+", plain):
        try:
            return str(int(plain, 0))
        except ValueError:
            return "a decimal number"
    return str(int(plain)) if _INT.fullmatch(plain) and len(plain) <= MAX_DIGITS else "a decimal number"


def _seen(text: str, line: int, column: int) -> tuple[int, int, str]:
    """A place as a reader sees it: what goes wrong at the end of the file is shown behind its last words."""
    lines = text.splitlines()
    if line < len(lines) and lines[line].strip():
        return line, column, lines[line]
    last = max((number for number, words in enumerate(lines[: line + 1]) if words.strip()), default=0)
    source = lines[last] if lines else ""
    return last, len(source.rstrip()), source
