"""Ops with validated fields. Equal ops are one object, so that fields are not validated for every layer."""

from __future__ import annotations

from collections.abc import Container
from dataclasses import replace
from typing import Any, Final

from archspec.diagnostics.budget import spend
from archspec.diagnostics.diagnostic import Diagnostic, Path, SchemaError
from archspec.diagnostics.validation import validate
from archspec.expressions.errors import ExpressionError
from archspec.expressions.parse import parse
from archspec.expressions.sizes import plain
from archspec.ops import Ops
from archspec.ops.base import Op
from archspec.passes.specialize.errors import BodyErrors
from archspec.passes.unknown import UNKNOWN, Unknown

NEW: Final = 20
"""Steps of the budget that validating the fields of an op costs."""


class OpCache:
    """The ops of one run."""

    def __init__(self, known: Ops, carries_expressions: bool) -> None:
        self._known = known
        self._carries_expressions = carries_expressions
        self._ops: dict[Any, Op] = {}

    def op(
        self, kind: str, arguments: dict[str, Any], path: Path, where: str, errors: BodyErrors, names: Container[str]
    ) -> Op | Unknown:
        """An op with these fields; `names` are those that an expression in them can read."""
        if self._carries_expressions:  # equal ops are shared by blocks, and a `Dim` belongs to one of them
            arguments = {name: plain(value) for name, value in arguments.items()}
        key = (kind, hashable(arguments))
        if key not in self._ops:
            spend(NEW)
            try:
                self._ops[key] = validate(self._known[kind], arguments)
            except SchemaError as error:
                for found in error.diagnostics:
                    errors.add(_completed(found, kind, arguments, names).at(path), where)
                return UNKNOWN
        return self._ops[key]


def _completed(found: Diagnostic, kind: str, arguments: dict[str, Any], names: Container[str]) -> Diagnostic:
    """An error in the fields of an op, with the help that the item around it allows."""
    message = f"{found.path[0] if found.path else kind}: {found.message}"
    return replace(found, message=message, help=found.help or _help_for_missing_equals(arguments, found.path, names))


def _help_for_missing_equals(arguments: dict[str, Any], path: Path, known: Container[str]) -> str:
    """Help for an expression that was probably written without its `=`, since all names it reads are known."""
    given = arguments.get(str(path[0])) if path else None
    try:
        names = parse(given).names if isinstance(given, str) else frozenset()
    except ExpressionError:
        return ""
    return f"an expression begins with '=': ={given}" if names and all(name in known for name in names) else ""


def hashable(arguments: dict[str, Any]) -> Any:
    """Arguments as a key. Values of different types are different, even if Python compares them as equal."""
    return tuple([(name, frozen(value) if type(value) in _AMBIGUOUS else value) for name, value in arguments.items()])


_AMBIGUOUS: Final = frozenset({float, bool, list, tuple, dict})
"""Types whose values may be equal to integers, or cannot be keys."""


def frozen(value: Any) -> Any:
    """A value as part of a key: `True` and 1, or 1 and 1.0, are different arguments."""
    if isinstance(value, float):
        return (value, "float")
    if isinstance(value, list | tuple):
        spend(len(value))
        return tuple(map(frozen, value))
    if isinstance(value, dict):
        return hashable(value)
    return (value, "bool") if isinstance(value, bool) else value
