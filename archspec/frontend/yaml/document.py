"""A parsed text: its data, and the place of every value in it."""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

from archspec.diagnostics.diagnostic import Diagnostic, Path


@dataclass(slots=True)
class Node:
    """A value of the document with its place (line and column from 0) and the values below it.

    `width` is its number of characters; 0 if it is absent or on more than one line.
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
        the one key of an item (`- conv1: {...}`) may be left out, since it is the item's name. The last
        element may be an entry of a list of names: in `outputs: [low, high]`, `high` is the second entry.
        """
        above = node = self.root
        for part in path:
            above, node = node, self._step(node, part)
        if node is above and path and isinstance(node.data, list):
            return next((entry for entry in node.children.values() if entry.data == path[-1] != ""), node)
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
        """Where to put the caret: at the value if it is on one line, at its key if it is longer or a mapping."""
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
    """Column and width of a word within a value; those of the whole value if it does not contain the word."""
    boundary = r"(?<!\w)" if word[:1].isalnum() else ""
    found = re.compile(rf"{boundary}{re.escape(word)}(?!\w)").search(source, node.column, node.column + node.width)
    return (found.start(), len(word)) if word and found else (node.column, max(1, node.width))
