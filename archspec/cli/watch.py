"""Runs a task again whenever one of several files is saved."""

from __future__ import annotations

import gc
import os
import time
from collections.abc import Callable, Sequence
from typing import Final, NoReturn

INTERVAL: Final = 0.2
"""Seconds between two checks of the files, which only read their status."""

Stamp = tuple[int, int, int] | None
"""A file's modification time, size and inode; `None` for a file that does not exist."""


def watch(files: Sequence[str], task: Callable[[], object], interval: float = INTERVAL) -> NoReturn:
    """Run a task at once, and again after each change of a file, until an exception ends it.

    The task does not run while a file is changing: editors write in steps, or remove a file and put another in its
    place.
    """
    gc.enable()  # the command line disables it, since most commands end soon
    done = before = _stamps(files)
    task()
    while True:
        time.sleep(interval)
        now = _stamps(files)
        if now == before != done:
            done = now
            task()
        before = now


def _stamps(files: Sequence[str]) -> list[Stamp]:
    return [_stamp(file) for file in files]


def _stamp(file: str) -> Stamp:
    try:
        found = os.stat(file)
    except (OSError, ValueError):  # ValueError: a name with a null character
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino
