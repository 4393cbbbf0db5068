"""The errors of libyaml, reworded for people who write specs."""

from __future__ import annotations

import re
from typing import Final

import yaml

from archspec.diagnostics.diagnostic import Diagnostic, DocumentError

SURROGATE = re.compile("[\ud800-\udfff]")
"""Surrogates: half of a character in UTF-16. A Python string may contain one alone, UTF-8 text may not."""


def document_error(file: str, message: str, kind: str = "syntax", help: str = "") -> DocumentError:
    """An error about the whole text."""
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
"""libyaml's phrases for what it was reading, and ours."""

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
        "the keys of a mapping begin in the same column, each followed by ':'; text that contains ': ' needs quotes",
    ),
    "found unexpected end of stream": ("the quotes are never closed", "close the quotes"),
    "block sequence entries are not allowed in this context": (
        "a list cannot begin here", "begin it on a line of its own, or write it as [a, b]"
    ),
    "did not find expected node content": ("expected a value", ""),
    "found unknown escape character": ("unknown escape sequence", "write a backslash as '\\\\', or use single quotes"),
    "found undefined tag handle": ("YAML tags are not part of the spec language", "quote text that begins with '!'"),
}  # fmt: skip
"""libyaml's messages, and ours with their help."""


_IN_EXPRESSION: Final = re.compile(r"[:,\[]\s*=[^,{}\[\]]*$")
"""The beginning of a line that ends within an expression without quotes."""


def syntax_error(file: str, text: str, error: yaml.MarkedYAMLError) -> Diagnostic:
    """An error of libyaml's, at the place that it marks."""
    mark, begin = error.problem_mark or error.context_mark, error.context_mark
    message, help = _PROBLEMS.get(str(error.problem), (f"not YAML: {error.problem or error.context}", ""))
    if mark is None:
        return Diagnostic("syntax", message, help=help, file=file)
    line, column, source = _seen(text, mark.line, mark.column)
    if source[column : column + 1] == "\t":
        message, help = "tabs cannot be used for indentation", "indent with spaces"
    elif source[column : column + 1] in ("@", "`", "%"):
        message, help = f"a value cannot begin with '{source[column]}'", "quote it if it is meant as text"
    elif message.startswith("expected ','") and _IN_EXPRESSION.search(source[:column]):
        help = "put quotes around the expression: within { } and [ ] of YAML its brackets need them"
    context = _CONTEXTS.get(error.context or "", "") if begin is not None and begin.line != line else ""
    notes = (context.format(line=begin.line + 1),) if begin is not None and context else ()
    return Diagnostic("syntax", message, notes=notes, help=help, file=file, line=line + 1, column=column + 1,
                      source=source)  # fmt: skip


def unreadable(file: str, text: str, error: yaml.reader.ReaderError) -> Diagnostic:
    """The error for a character that YAML does not allow; the C reader gives its position in bytes."""
    before = text.encode("utf-8")[: error.position].decode("utf-8", "replace")
    return bad_character(file, text, len(before))


def bad_character(file: str, text: str, position: int) -> Diagnostic:
    """The error for the character at a position, which YAML does not allow."""
    before, character = text[:position], ord(text[position]) if position < len(text) else 0
    line, column = before.count("\n"), position - before.rfind("\n") - 1
    message = f"the character U+{character:04X} is not allowed in YAML"
    help = "remove it, or escape it in double quotes" if not SURROGATE.match(chr(character)) else "remove it"
    return Diagnostic("syntax", message, help=help, file=file, line=line + 1, column=column + 1,
                      source=text.split("\n")[line])  # fmt: skip


def _seen(text: str, line: int, column: int) -> tuple[int, int, str]:
    """The place to point at, and its line: an error at the end of the file is shown after the last text."""
    lines = text.splitlines()
    if line < len(lines) and lines[line].strip():
        return line, column, lines[line]
    last = max((number for number, words in enumerate(lines[: line + 1]) if words.strip()), default=0)
    source = lines[last] if lines else ""
    return last, len(source.rstrip()), source
