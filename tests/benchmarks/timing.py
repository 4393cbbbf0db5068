"""Timing side by side: the contestants take turns, so that noise hits all of them alike."""

from __future__ import annotations

import gc
import random
import statistics
from collections.abc import Callable, Mapping
from time import perf_counter
from typing import Any

Times = dict[str, list[float]]
"""Seconds of each contestant, one for each round."""


def interleaved(contestants: Mapping[str, Callable[[], Any]], rounds: int, *, collect: bool = True) -> Times:
    """Run all contestants `rounds` times in turns, after one round that does not count.

    Their order changes from round to round, since what runs second may find the caches warmer. `collect` leaves
    the garbage collector on.
    """
    times: Times = {name: [] for name in contestants}
    order = list(contestants)
    for name in order:
        contestants[name]()
    gc.collect()
    gc.freeze()
    shuffle = random.Random(0).shuffle
    for _ in range(rounds):
        shuffle(order)
        for name in order:
            times[name].append(_once(contestants[name], collect))
    gc.unfreeze()
    return times


def _once(run: Callable[[], Any], collect: bool) -> float:
    if not collect:
        gc.disable()
    start = perf_counter()
    result = run()
    seconds = perf_counter() - start
    gc.enable()
    del result
    return seconds


def median(times: list[float]) -> float:
    """The median of one contestant's rounds."""
    return statistics.median(times)


def ratio(ours: list[float], theirs: list[float]) -> float:
    """How many times as long ours takes: the median over the rounds, each compared with its neighbour in time."""
    return statistics.median(a / b for a, b in zip(ours, theirs, strict=True))
