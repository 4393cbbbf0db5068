"""Compares two modules: first as constructed, then by running them with equal weights."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

from torch import Tensor, nn

from archspec.verification.differences import difference
from archspec.verification.key_pairing import abridged, entries, pair
from archspec.verification.report import Check
from archspec.verification.runtime_checks import NAMES, Running

INITIAL = "initial weights"


class Subjects(NamedTuple):
    """Two modules, and how they are to be compared."""

    ours: nn.Module
    theirs: nn.Module
    other: str
    """The second module's name in messages."""
    is_generated: bool
    """Whether all names in the second must be equal, too."""
    is_seeded: bool
    """Whether both were constructed with the same seed."""
    batch: Tensor
    """What both are run on."""
    seed: int
    tolerance: float
    skip: Sequence[str]
    notify: Callable[[str], None]
    known: dict[Any, Any]
    """What ours gave when it was compared with another module."""


def compare(subjects: Subjects) -> Iterator[Check]:
    """All checks; one that depends on an earlier check that failed is reported as not compared."""
    s = subjects
    found = pair(entries(s.ours), entries(s.theirs), s.other, by_name_only=s.is_generated)
    yield from found.checks
    if found.pairs is None:
        yield from (
            Check(name, None, "not compared: the modules cannot have equal weights") for name in (INITIAL, *NAMES)
        )
        return
    yield _initial_weights(s, found.pairs)
    running = Running(s.ours, s.theirs, s.other, found.pairs, s.batch, s.seed, s.tolerance, s.is_generated, s.notify,
                      s.known)  # fmt: skip
    yield from running.checks(s.skip)


def _initial_weights(s: Subjects, pairs: Sequence[tuple[str, str]]) -> Check:
    if "initial-weights" in s.skip:
        return Check(INITIAL, None, "skipped")
    if not s.is_seeded:
        return Check(INITIAL, None, f"not compared: {s.other} was constructed before")
    s.notify("initial weights")
    ours, theirs = s.ours.state_dict(), s.theirs.state_dict()
    apart = [(a, b) for a, b in pairs if difference(ours[a], theirs[b].to(ours[a].device))]

    def line(pair: tuple[str, str]) -> str:
        a, b = pair
        return f"{a}: {_spread(ours[a])}; in {s.other} {_spread(theirs[b])}"

    if apart:
        return Check(INITIAL, False, abridged(f"{len(apart)} of {len(pairs)} differ for seed {s.seed}", apart, line))
    return Check(INITIAL, True, f"{len(pairs)}, all equal for seed {s.seed}")


def _spread(tensor: Tensor) -> str:
    """The statistics of a tensor that distinguish initialisations."""
    values = tensor.double()
    return f"mean {values.mean():.3g}, standard deviation {values.std(correction=0):.3g}"
