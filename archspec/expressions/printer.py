"""Trees → Python source on one line."""

from __future__ import annotations

import ast
import re
from functools import lru_cache


def text_of(tree: ast.expr) -> str:
    """A tree as source text, with quotes and powers as ruff's formatter writes them, and `is` in comparisons with None.

    >>> text_of(ast.parse("f('relu', 2 ** i) == None", mode="eval").body)
    'f("relu", 2**i) is None'
    """
    return _plain(tree) or _SPELLING.sub(_respelt, ast.unparse(tree))


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


def spelling(tree: ast.expr) -> str:
    """An expression as text that is equal for equal expressions: a key, not for print."""
    return _plain(tree) or _structure(tree)


@lru_cache(maxsize=1 << 14)
def _structure(tree: ast.expr) -> str:
    """An expression with all parts in parentheses. The text of its parts is known, where it was made of others."""
    match tree:
        case ast.BinOp(left=left, op=op, right=right):
            return f"({spelling(left)} {type(op).__name__} {spelling(right)})"
        case ast.Constant(value=value):
            return repr(value)
        case ast.Call(func=ast.Name(id=name), args=arguments, keywords=[]):
            return f"{name}({', '.join(map(spelling, arguments))})"
        case ast.List(elts=elements) | ast.Tuple(elts=elements):
            return f"{type(tree).__name__}({', '.join(map(spelling, elements))})"
    return ast.unparse(tree)


def _plain(tree: ast.expr) -> str:
    """The text of a name or an integer, which most trees are; empty for any other tree."""
    if type(tree) is ast.Name:
        return tree.id
    return str(tree.value) if type(tree) is ast.Constant and type(tree.value) is int else ""
