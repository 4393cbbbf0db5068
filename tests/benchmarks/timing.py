"""Timing side by side: the contestants take turns, so that noise affects all of them alike."""

from __future__ import annotations

import gc
import random
from collections.abc import Callable, Mapping
from statistics import median
from time import perf_counter, process_time
from typing import Any

Times = dict[str, list[float]]
"""Seconds of each contestant, one for each round."""


def interleaved(
    contestants: Mapping[str, Callable[[], Any]], rounds: int, *, collect: bool = True, wall: bool = False
) -> Times:
    """Run all contestants `rounds` times in turns, after one warm-up round.

    Their order changes from round to round, since the second to run may find warmer caches. `collect` leaves the
    garbage collector on. Times are CPU time, which other processes disturb least, or wall-clock time with `wall`.
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
            times[name].append(_once(contestants[name], collect, perf_counter if wall else process_time))
    gc.unfreeze()
    return times


def _once(run: Callable[[], Any], collect: bool, clock: Callable[[], float]) -> float:
    if not collect:
        gc.disable()
    start = clock()
    result = run()
    seconds = clock() - start
    gc.enable()
    del result
    return seconds


def typical(times: list[float]) -> float:
    """The median of one contestant's rounds, in seconds."""
    return median(times)


def ratio(ours: list[float], theirs: list[float]) -> float:
    """How many times as long ours takes: the median of the ratios of single rounds."""
    return median(a / b for a, b in zip(ours, theirs, strict=True))
