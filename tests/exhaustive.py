"""What is left to the exhaustive run (`pytest -m exhaustive`), so that the usual one ends within minutes."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cache
from typing import Any

import pytest

import archspec

LARGE = 28_000_000
"""Parameters from which on a network takes seconds to run; its family has smaller ones, which the usual run tries."""

LARGE_IN_DOUBLE = 12_000_000
"""The same where it is run in several forms, and in double precision."""


def first(values: Sequence[Any], count: int) -> list[Any]:
    """All values as parameters of a test; those behind the first `count` are for the exhaustive run."""
    return [*values[:count], *(pytest.param(value, marks=pytest.mark.exhaustive) for value in values[count:])]


def large_last(names: Iterable[str], large: int = LARGE) -> list[Any]:
    """The names as parameters of a test; those of large networks are for the exhaustive run."""
    return [pytest.param(name, marks=pytest.mark.exhaustive) if _params(name) > large else name for name in names]


@cache
def _params(name: str) -> int:
    return archspec.compile(name).params
