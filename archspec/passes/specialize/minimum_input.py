"""The smallest input that a network accepts, as help for one whose input is too small for its windows."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

MAX_SIDE: Final = 4096
"""Larger inputs are not tried: if the input is 16, it does not help to know that 10,000 would fit."""


def least_input(shape: list[int], fits: Callable[[list[int]], bool]) -> list[int] | None:
    """The smallest image, at least as large as `shape` in each dimension, that fits; `None` if none does.

    An image larger than one that fits is assumed to fit as well, which is true for windows.

    >>> least_input([3, 8, 24], lambda shape: min(shape[1:]) >= 17)
    [3, 17, 24]
    """
    if len(shape) != 3:
        return None
    channels, height, width = shape

    def image(side: int) -> list[int]:
        return [channels, max(height, side), max(width, side)]

    too_small = min(height, width)
    enough = 2 * too_small
    while not fits(image(enough)):
        too_small, enough = enough, 2 * enough
        if enough > MAX_SIDE:
            return None
    while enough - too_small > 1:
        side = (too_small + enough) // 2
        too_small, enough = (too_small, side) if fits(image(side)) else (side, enough)
    return image(enough)
