"""The errors that the evaluation of a file raises."""

from __future__ import annotations

import ast
from dataclasses import dataclass

from archspec.diagnostics.diagnostic import ValidationError


@dataclass(frozen=True, slots=True)
class Errors:
    """Makes the errors of one file."""

    file: str

    def at(self, node: ast.AST, message: str) -> ValidationError:
        """The error for a part of the text that is not allowed there, or not supported."""
        return self.at_line(getattr(node, "lineno", 0), message)

    def at_line(self, line: int, message: str, where: str = "") -> ValidationError:
        """The same for a line; `where` is the class or module it is about."""
        return ValidationError(self.file, line, where, message)
