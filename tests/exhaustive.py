"""What is left to the exhaustive run (`pytest -m exhaustive`), so that the usual one ends within minutes."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pytest

import archspec

LARGE = 75_000_000
"""Parameters from which on a network takes seconds to run; its family has smaller ones, which the usual run tries."""


def large_last(names: Iterable[str]) -> list[Any]:
    """The names as parameters of a test; those of large networks are for the exhaustive run."""
    return [
        pytest.param(name, marks=pytest.mark.exhaustive) if archspec.compile(name).params > LARGE else name
        for name in names
    ]
