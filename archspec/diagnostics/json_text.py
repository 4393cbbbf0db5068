"""Data as JSON that can be printed: no text in it, wherever it comes from, can control a terminal or an editor."""

from __future__ import annotations

import json
from typing import Any

from archspec.diagnostics.formatting import is_visible


def json_text(data: Any, indent: int | None = None) -> str:
    """`data` as JSON, with control, bidi and other invisible characters escaped and all others as they are.

    >>> print(json_text({"name": "né\\u202e\\x9b"}))
    {"name": "né\\u202e\\u009b"}
    """
    text = json.dumps(data, ensure_ascii=False, indent=indent)
    if text.isascii() and "\x7f" not in text:  # the usual case; `json` escapes all other control characters
        return text
    return "".join(c if is_visible(c) or c == "\n" else _escaped(c) for c in text)


def _escaped(character: str) -> str:
    """A character as a JSON escape: UTF-16 code units, two of them beyond U+FFFF."""
    units = character.encode("utf-16-be", "surrogatepass")
    return "".join(f"\\u{units[n : n + 2].hex()}" for n in range(0, len(units), 2))
