"""Trees → Python source on one line."""

from __future__ import annotations

import ast
import re

from archspec.expressions.rewrite import plain_text


def text_of(tree: ast.expr) -> str:
    """A tree as source text, with quotes and powers as ruff's formatter writes them, and `is` in comparisons with None.

    >>> text_of(ast.parse("f('relu', 2 ** i) == None", mode="eval").body)
    'f("relu", 2**i) is None'
    """
    return plain_text(tree) or _SPELLING.sub(_respelt, ast.unparse(tree))


def text_within_quotes(tree: ast.expr) -> str | None:
    """A tree as source text inside an f-string in double quotes: its own texts are in single ones.

    `None` if it cannot be written so: before Python 3.12 an f-string holds neither its own quotes nor a backslash.

    >>> text_within_quotes(ast.parse("'a' if 2 ** i else 'b'", mode="eval").body)
    "'a' if 2**i else 'b'"
    """
    text = _SPELLING.sub(lambda found: "**" if found[0] == " ** " else found[0], ast.unparse(tree))
    return None if '"' in text or "\\" in text else text


_SPELLING = re.compile(r"""'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*"|(?<=[\w.]) \*\* (?=[\w.])| [!=]= None(?!\w)""")
"""A string, a power of simple operands, or a comparison with None. A string is matched as a whole, so that nothing
within it is changed."""


_RESPELT = {" ** ": "**", " == None": " is None", " != None": " is not None"}


def _respelt(found: re.Match[str]) -> str:
    token = found[0]
    if token in _RESPELT:
        return _RESPELT[token]
    plain = token[0] == "'" and '"' not in token and "\\" not in token
    return f'"{token[1:-1]}"' if plain else token
