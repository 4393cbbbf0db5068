"""Progress of long work on a terminal: the current step, the elapsed time, and the share that is done."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Lock, Timer
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

DELAY: Final = 0.5
"""Seconds until progress is shown. Shorter work does not load rich, which takes a tenth of a second."""

Step = Callable[[str], None]
"""Called when a step ends or begins; a text, if given, describes the step that begins."""


@contextmanager
def progress(doing: str, total: int | None = None, quiet: bool = False) -> Iterator[Step]:
    """Show the current work, the time taken and, if `total` is known, the number of steps; cleared at the end.

    Shows nothing if standard error is not a terminal.
    """
    if quiet or not sys.stderr.isatty():
        yield lambda doing: None
        return
    from archspec.diagnostics.formatting import printable

    display = _Display(printable(doing), total)
    timer = Timer(DELAY, display.show)
    timer.daemon = True
    timer.start()
    try:
        yield lambda doing: display.step(printable(doing))
    finally:
        timer.cancel()
        timer.join()  # it may be drawing at this moment
        display.close()


class _Display:
    """The line on the terminal. A timer's thread shows it, while the work continues in the main thread."""

    def __init__(self, doing: str, total: int | None) -> None:
        self._doing, self._total, self._done = doing, total, 0
        self._began = time.monotonic()
        self._lock = Lock()
        self._drawn: tuple[Progress, TaskID] | None = None

    def step(self, doing: str) -> None:
        """Count a step, and show the description of the next."""
        with self._lock:
            self._done += 1
            self._doing = doing or self._doing
            if self._drawn is not None:
                progress, task = self._drawn
                progress.update(task, description=self._doing, completed=self._done)

    def show(self) -> None:
        """Draw the line, and keep it up to date."""
        progress = _columns(counted=self._total is not None)
        with self._lock:
            task = progress.add_task(self._doing, total=self._total, completed=self._done)
            progress.tasks[0].start_time = self._began
            self._drawn = progress, task
        progress.start()

    def close(self) -> None:
        """Clear the line."""
        if self._drawn is not None:
            self._drawn[0].stop()


def _columns(counted: bool) -> Progress:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    first = (BarColumn(), MofNCompleteColumn()) if counted else (SpinnerColumn(),)
    # The output of the work itself is not redirected: rich would move standard output to standard error.
    return Progress(
        *first, TimeElapsedColumn(), TextColumn("{task.description}", markup=False), console=Console(stderr=True),
        transient=True, redirect_stdout=False, redirect_stderr=False, get_time=time.monotonic,
    )  # fmt: skip
