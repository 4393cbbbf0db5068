"""Which tests are left to the exhaustive run, and which to a run by hand.

pytest                          the usual run: minutes
pytest -m exhaustive            what .ci/run adds to it
pytest -m by_hand               larger networks and more random ones of the same kinds: an hour
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from functools import cache
from typing import Any

import pytest

import archspec

LARGE = 12_000_000
"""Parameters above which a network takes seconds to run; its family has smaller ones, which the usual run tries."""

HUGE = 50_000_000
"""Parameters above which three copies of a network with gradients take gigabytes and tens of seconds."""


def first(values: Sequence[Any], usual: int, exhaustive: int | None = None) -> list[Any]:
    """All values as parameters of a test: the first ones for the usual run, those up to `exhaustive` for the
    exhaustive one, all others by hand."""
    end = len(values) if exhaustive is None else exhaustive
    return [*values[:usual], *marked(values[usual:end], "exhaustive"), *marked(values[end:], "by_hand")]


def marked(values: Sequence[Any], marker: str) -> list[Any]:
    """The values as parameters of a test, with that marker."""
    return [pytest.param(value, marks=getattr(pytest.mark, marker)) for value in values]


def large_last(names: Iterable[str], usual: Sequence[str] = ()) -> list[Any]:
    """The names as parameters of a test: large networks, except the `usual` ones, for the slower runs."""
    return [name if name in usual or _params(name) <= LARGE else _slow(name) for name in names]


def one_of_each_family(names: Iterable[str], largest: float = math.inf) -> list[Any]:
    """The names as parameters of a test: the smallest network of each family, and all that have none, for the usual
    run unless they have more parameters than the `largest`, the others for the slower ones."""
    smallest: dict[str, str] = {}
    for name in sorted(names := [*names], key=_params):
        smallest.setdefault(_family(name), name)
    usual = {name for name in smallest.values() if _params(name) <= largest}
    return [name if name in usual else _slow(name) for name in names]


def slower(name: str) -> str:
    """The marker of tests of a large network: those of a huge one are run by hand."""
    return "by_hand" if _params(name) > HUGE else "exhaustive"


def _slow(name: str) -> Any:
    return marked([name], slower(name))[0]


@cache
def _family(name: str) -> str:
    return getattr(archspec.load(name).model, "family", name)


@cache
def _params(name: str) -> int:
    return archspec.compile(name).params
