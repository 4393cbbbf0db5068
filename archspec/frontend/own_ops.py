"""Ops passed by the user, as classes or as modules that define them → the checked classes.

This runs code that the user names on the command line or in Python. A spec cannot name code.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from types import ModuleType
from typing import Any, Final

from archspec.diagnostics.diagnostic import Diagnostic, SpecError
from archspec.diagnostics.user_code import UserCodeError, imported
from archspec.frontend.model.field_types import KEYWORDS
from archspec.frontend.reserved_names import VARIABLES, is_source_name
from archspec.ops import OPS
from archspec.ops.base import Op, is_own

One = type[Op] | ModuleType | str
"""The class of an op, a module that defines ops, or the name of such a module."""

Given = One | Sequence[One]

_KIND: Final = re.compile(r"[a-z][a-z0-9_]{0,59}")


def own_ops(given: Given) -> tuple[type[Op], ...]:
    """The classes of ops that are given individually or by their modules. Raises `SpecError` with all errors.

    >>> from archspec.ops.base import Input, Call
    >>> class CumProd(Op):
    ...     kind = "cumprod"
    ...     def function(self, *inputs):
    ...         return Call("torch.cumprod", (Input(0), 1))
    >>> [op.kind for op in own_ops(CumProd)]
    ['cumprod']
    """
    several = [given] if isinstance(given, str | type | ModuleType) else given
    ops = tuple(dict.fromkeys(op for one in several for op in _ops_in(one)))
    if problems := [*_problems(ops)]:
        raise SpecError(problems)
    return ops


def _ops_in(given: Any) -> list[type[Op]]:
    """The ops given by a class, a module or the name of a module."""
    if isinstance(given, type) and issubclass(given, Op):
        return [given]
    if isinstance(given, str):
        try:
            given = imported(given)
        except UserCodeError as error:
            raise _error(given, str(error), error.help) from None
    if not isinstance(given, ModuleType):
        raise _error("", f"expected a subclass of archspec.ops.base.Op, a module or its name, got {given!r:.60}")
    found = [value for value in vars(given).values() if _is_own(value)]
    if not found:
        help = "an op is a subclass of archspec.ops.base.Op with a 'kind', its name in specs"
        raise _error(given.__name__, "defines no op", help)
    return found


def _is_own(value: Any) -> bool:
    """Whether an attribute of a module is an op of the user's, not one of archspec's or a base class."""
    return isinstance(value, type) and issubclass(value, Op) and hasattr(value, "kind") and is_own(value)


def _problems(ops: tuple[type[Op], ...]) -> Iterator[Diagnostic]:
    """The errors in the classes of own ops."""
    kinds: dict[str, type[Op]] = {}
    for op in ops:
        name = f"{op.__module__}.{op.__qualname__}"
        for message, help in _wrong(op):
            yield _diagnostic(name, message, help)
        other = kinds.setdefault(getattr(op, "kind", name), op)
        if other is not op:
            yield _diagnostic(name, f"{other.__module__}.{other.__qualname__} has the same kind, '{op.kind}'", "")


def _wrong(op: type[Op]) -> Iterator[tuple[str, str]]:
    """The errors in a single class: messages, and help."""
    kind = getattr(op, "kind", None)
    if not isinstance(kind, str) or not _KIND.fullmatch(kind):
        yield f"its kind is {kind!r:.60}", "kind is its name in specs, of lower-case letters, digits and '_'"
    elif kind in OPS:
        yield f"archspec has an op '{kind}'", "choose another kind"
    if op.module is None and not op.has_function() and not op.raw:
        yield "has neither a module nor a function", "set module or define function(): its form in torch"
    names = [helper.partition(":")[2] for helper in op.helpers]
    if op.module is not None and not op.module.startswith(("nn.", "torch.")) and op.module not in names:
        yield f"its module '{op.module}' is neither torch's, as nn.Conv2d, nor one of its helpers", ""
    for name in names:
        if not name.isidentifier() or name in (*KEYWORDS, *VARIABLES) or is_source_name(name, OPS):
            yield f"its helper cannot be called '{name}'", "it is not an identifier, or generated files use it"
    for field in op.model_fields.keys() & {*KEYWORDS, "kind"}:
        yield f"'{field}' cannot be a field: items have a key of that name", "choose another name"


def _error(where: str, message: str, help: str = "") -> SpecError:
    return SpecError([_diagnostic(where, message, help)])


def _diagnostic(where: str, message: str, help: str) -> Diagnostic:
    return Diagnostic("usage", f"ops: {where}: {message}" if where else f"ops: {message}", help=help)
