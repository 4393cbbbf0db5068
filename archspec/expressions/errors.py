"""The exceptions for expressions that are not valid or cannot be evaluated."""

from __future__ import annotations

import ast

from archspec.diagnostics.diagnostic import UnlocatedError
from archspec.diagnostics.suggestions import nearest


class ExpressionError(UnlocatedError):
    """An error in an expression; the caller knows where in the spec it is. `word` is the part that is wrong."""

    kind = "expression"

    def __init__(self, message: str, word: str = "", help: str = "") -> None:
        super().__init__(message, help, word=word)

    @property
    def word(self) -> str:
        """The part of the expression that is wrong, if not all of it."""
        return self.diagnostic.word


class UnknownName(ExpressionError):
    """An expression reads a name that is not defined where it is evaluated; `known` are the defined names."""

    def __init__(self, name: str, known: list[str], help: str = "") -> None:
        super().__init__(f"unknown name '{name}'", name, help or nearest(name, known))
        self.known = known


def quoted(node: ast.expr) -> str:
    """A part of an expression, short enough for a message."""
    try:
        return shortened(ast.unparse(node))
    except RecursionError:
        return "…"


def shortened(text: str) -> str:
    """At most 60 characters of a text."""
    return text if len(text) <= 60 else f"{text[:60]}…"
