"""One task for many specs: their errors are collected, and the work uses all cores if that saves time."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Final, TypeVar

from archspec.diagnostics.diagnostic import Diagnostic, SpecError

S = TypeVar("S")
T = TypeVar("T")

_WORTH_IT: Final = 8
"""With fewer specs than this, starting processes takes longer than they save."""

Notify = Callable[[str], object]
"""Called after each spec with a text to show; an empty text leaves the last one."""


def _ignore(doing: str) -> None:
    pass


_HIDDEN: Final[AbstractContextManager[Notify]] = nullcontext(_ignore)


def each(task: Callable[[S], T], specs: Iterable[S], notify: Notify = _ignore) -> list[T]:
    """The task's results for all specs; if any fail, raises one `SpecError` with all their diagnostics.

    `notify` is called after each spec.

    >>> each(str.upper, ["a", "b"])
    ['A', 'B']
    """
    results: list[T] = []
    diagnostics: list[Diagnostic] = []
    for spec in specs:
        try:
            results.append(task(spec))
        except SpecError as error:
            diagnostics += error.diagnostics
        notify("")
    if diagnostics:
        raise SpecError(diagnostics)
    return results


def each_on_all_cores(
    task: Callable[[S], T], specs: Sequence[S], shown: AbstractContextManager[Notify] = _HIDDEN
) -> list[T]:
    """The same as `each`, with the work shared among processes: the task, specs and results must be picklable.

    `shown` is entered once the processes have started: it may start a thread, and a process with threads cannot be
    forked safely.
    """
    cores = _cores()
    if cores == 1 or len(specs) < _WORTH_IT or not _may_fork():
        with shown as notify:
            return each(task, specs, notify)
    import multiprocessing
    from concurrent.futures import Future, ProcessPoolExecutor
    from concurrent.futures.process import BrokenProcessPool

    context = multiprocessing.get_context("fork")
    pool = ProcessPoolExecutor(min(cores, len(specs)), context, initializer=_leave_interrupts_to_the_parent)
    try:
        running: list[Future[T]] = [pool.submit(task, spec) for spec in specs]
        with shown as notify:
            return each(Future.result, running, notify)
    except BrokenProcessPool:  # a worker was killed, perhaps for lack of memory: one process alone may succeed
        return each(task, specs)
    finally:
        pool.shutdown(cancel_futures=True)


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _may_fork() -> bool:
    """Whether this process can be forked: torch has threads of its own, which a forked process lacks."""
    return sys.platform == "linux" and "torch" not in sys.modules


def _leave_interrupts_to_the_parent() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
