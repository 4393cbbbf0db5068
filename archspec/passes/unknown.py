"""The value of everything that is unknown because of an error that was reported; `recovery` says how it is used."""

from __future__ import annotations

from enum import Enum
from typing import Final


class Unknown(Enum):
    """The type of `UNKNOWN`, which stands for anything unknown because of an error that was reported."""

    UNKNOWN = "unknown"


UNKNOWN: Final = Unknown.UNKNOWN


class DependsOnUnknown(Exception):
    """An expression reads a value that is `UNKNOWN`. It is caught where the expression is evaluated."""
