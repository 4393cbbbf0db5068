"""YAML text → plain data, and every value's place in the text.

The accepted language is YAML 1.2's core schema without tags and merge keys. Words that YAML 1.1 read
differently (`yes`, `010`, `1_000`, `1:30`) are refused rather than guessed at, and so are duplicate keys,
several documents in a file, and anything over the size limits. Data holds only dict, list, str, int,
float, bool and None.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace
from typing import Any, Final

import yaml

from archspec.diagnostics.diagnostic import Diagnostic, DocumentError
from archspec.diagnostics.suggestions import nearest
from archspec.frontend.yaml.document import Document, Node
from archspec.frontend.yaml.scalars import (
    BOOL_1_1,
    CONSTANTS,
    FLOAT,
    INT,
    MAX_DIGITS,
    NOT_FINITE,
    NUMERIC,
    YAML_1_1,
    decimal,
)
from archspec.frontend.yaml.syntax_errors import SURROGATE, bad_character, document_error, syntax_error, unreadable

MAX_BYTES: Final = 1 << 20
MAX_DEPTH: Final = 64
MAX_VALUES: Final = 200_000
MAX_SCALAR: Final = 10_000


def parse(text: str, file: str = "<text>") -> Document:
    """Parse one YAML document.

    Raises `DocumentError` with every error, up to the first one after which nothing can be read.

    >>> parse("stages: [3, 4, 6, 3]").data
    {'stages': [3, 4, 6, 3]}
    """
    if len(text) > MAX_BYTES or len(text.encode("utf-8", "surrogatepass")) > MAX_BYTES:
        raise too_large(file)
    if surrogate := SURROGATE.search(text):
        raise DocumentError([bad_character(file, text, surrogate.start())])
    reader = _Reader(file, text)
    try:
        root = reader.read()
    except DocumentError as error:
        reader.problems += error.diagnostics
    except yaml.MarkedYAMLError as error:
        reader.problems.append(syntax_error(file, text, error))
    except yaml.reader.ReaderError as error:
        reader.problems.append(unreadable(file, text, error))
    if reader.problems:
        raise DocumentError(reader.problems)
    return Document(file, text, root)


def too_large(file: str) -> DocumentError:
    """The error for a spec of more than `MAX_BYTES`."""
    return document_error(file, f"the file is larger than {MAX_BYTES >> 20} MiB", kind="limit")


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
            help = "a spec begins with its name, its input, and a family or layers; 'archspec expand lenet' prints one"
            raise document_error(self.file, "the file is empty", help=help)
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
            raise self.error(event, f"nested more than {MAX_DEPTH} levels deep", kind="limit")
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
        if word in CONSTANTS:
            return CONSTANTS[word]
        if word[0] not in NUMERIC and word not in BOOL_1_1:  # almost all are names and expressions
            return word
        if word in BOOL_1_1:
            self.refuse(event, f"'{word}' is a boolean in YAML 1.1 and text in YAML 1.2",
                        help=f"write {BOOL_1_1[word]}, or quote it: '{word}'")  # fmt: skip
        elif YAML_1_1.fullmatch(word):
            self.refuse(event, f"'{word[:60]}' means different numbers in YAML 1.1 and 1.2",
                        help=f"write {decimal(word)}, or quote it")  # fmt: skip
        elif NOT_FINITE.fullmatch(word):
            self.refuse(event, f"'{word}' is not a finite number", help="write a number, or quote it if text is meant")
        elif INT.fullmatch(word):
            return self.whole(event)
        elif FLOAT.fullmatch(word):
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
            self.refuse(event, "a key must be text", help="quote it if it is meant as a name", width=key.width)
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
