"""What is raised for an expression that is not valid, or cannot be evaluated."""

from __future__ import annotations

import ast

from archspec.diagnostics.errors import nearest


class ExpressionError(Exception):
    """An error in an expression; the caller knows where the expression is. `word` is the part at fault."""

    def __init__(self, message: str, word: str = "", help: str = "") -> None:
        super().__init__(message)
        self.word = word
        self.help = help


class UnknownName(ExpressionError):
    """An expression reads a name that is not defined where it is evaluated; `known` are those that are."""

    def __init__(self, name: str, known: list[str], help: str = "") -> None:
        super().__init__(f"unknown name '{name}'", name, help or nearest(name, known))
        self.known = known


def quoted(node: ast.expr) -> str:
    """A part of an expression, short enough for a message."""
    try:
        text = ast.unparse(node)
    except RecursionError:
        return "…"
    return text if len(text) <= 60 else f"{text[:60]}…"
