"""Help lines that name what a user probably meant."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from archspec.diagnostics.budget import can_afford

MAX_LISTED = 60
"""If there are more known names than this, none are listed: the help would be longer than the error."""


NAME: Final = 40
"""Steps that a comparison with one known name costs."""


def nearest(word: str, known: Iterable[str]) -> str:
    """A help line with the nearest known name: `did you mean 'stages'?`, or the list of known names.

    >>> nearest("stagse", ["stages", "block"])
    "did you mean 'stages'?"
    >>> nearest("x", ["stages", "block"])
    'known: block, stages'
    """
    names = sorted(known)
    return meant(word, names) or (f"known: {', '.join(names)}" if 0 < len(names) <= MAX_LISTED else "")


def meant(word: str, known: Iterable[str]) -> str:
    """A help line with the known name that was probably meant; empty if no name is similar.

    >>> meant("stagse", ["stages", "block"]), meant("x", ["stages", "block"])
    ("did you mean 'stages'?", '')
    """
    lower = {name.lower(): name for name in sorted(known, reverse=True)}
    if not can_afford(len(lower) * NAME):
        return ""
    for given in dict.fromkeys((word.lower(), word.lower().rpartition(".")[2])):  # nn.ReLU is relu
        close = alike(given, lower)
        if close is not None and lower[close] != word:
            return f"did you mean '{lower[close]}'?"
    return ""


def alike(word: str, known: Iterable[str], least: float = 0.6) -> str | None:
    """The known name that is most like a word, if their likeness (0 to 1) is at least `least`."""
    from difflib import get_close_matches  # imported here: only an error needs it

    return next(iter(get_close_matches(word, known, n=1, cutoff=least)), None)
