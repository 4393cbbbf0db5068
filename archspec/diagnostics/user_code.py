"""Python code that a user names on the command line or in Python: importing it, and what it raises.

A spec cannot name code.
"""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType

from archspec.diagnostics.diagnostic import UnlocatedError
from archspec.diagnostics.formatting import printable

MAX_MESSAGE = 300
"""The most characters shown of a message from the user's code."""


class UserCodeError(UnlocatedError):
    """A module that a user names cannot be imported."""

    kind = "usage"


@contextmanager
def importable_here() -> Iterator[None]:
    """Allow imports from the current directory, as `python -m` does."""
    before = list(sys.path)
    sys.path.insert(0, os.getcwd())
    importlib.invalidate_caches()
    try:
        yield
    finally:
        sys.path[:] = before


def imported(path: str) -> ModuleType:
    """Import a module by name; raises `UserCodeError`.

    >>> imported("math").__name__
    'math'
    """
    try:
        return importlib.import_module(path)
    except ModuleNotFoundError as error:
        if error.name is not None and f"{path}.".startswith(f"{error.name}."):
            help = "the current directory and the installed packages are searched"
            raise UserCodeError(f"no module named '{error.name}'", help) from None
        raise UserCodeError(f"importing '{path}' raised {described(error)}") from None
    except (Exception, SystemExit) as error:
        raise UserCodeError(f"importing '{path}' raised {described(error)}") from None


def described(error: BaseException) -> str:
    """The type and message of an exception from the user's code, on one line."""
    said = printable(" ".join(str(error).split()))
    said = said if len(said) <= MAX_MESSAGE else f"{said[:MAX_MESSAGE]} …"
    return f"{type(error).__name__}: {said}" if said else type(error).__name__
