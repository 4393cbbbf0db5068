"""The least input that a network works with, for those whose input is too small for its windows."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

MAX_SIDE: Final = 4096
"""Inputs that are not looked at: who gives one of 16 is not helped by being told of one of 10,000."""


def least_input(shape: list[int], fits: Callable[[list[int]], bool]) -> list[int] | None:
    """The smallest picture, at least as large as `shape` on each side, that fits; `None` if none is in sight.

    What is larger than a picture that fits is taken to fit, too, as it is with windows.

    >>> least_input([3, 8, 24], lambda shape: min(shape[1:]) >= 17)
    [3, 17, 24]
    """
    if len(shape) != 3:
        return None
    channels, height, width = shape

    def picture(side: int) -> list[int]:
        return [channels, max(height, side), max(width, side)]

    too_small = min(height, width)
    enough = 2 * too_small
    while not fits(picture(enough)):
        too_small, enough = enough, 2 * enough
        if enough > MAX_SIDE:
            return None
    while enough - too_small > 1:
        side = (too_small + enough) // 2
        too_small, enough = (too_small, side) if fits(picture(side)) else (side, enough)
    return picture(enough)
