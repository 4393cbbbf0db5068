"""The budget of a call: how many steps of work it may take, whatever its spec describes.

A spec of a few lines can describe an unbounded amount of work: nested repeats, lists that double, blocks that use each
other twice. So everything that can repeat draws from one budget: expressions and the lists they make, rounds of
repeats, instances of blocks, inputs of items, rules, errors with their suggestions, and what backends write. A step is
about a microsecond. When the budget is spent the call ends with one error of kind `limit`, at the item that was being
read.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import wraps
from typing import Any, Final, ParamSpec, TypeVar

from archspec.diagnostics.diagnostic import Diagnostic, SpecError
from archspec.ir.limits import MAX_STEPS

P = ParamSpec("P")
R = TypeVar("R")

CHARACTERS: Final = 16
"""How many characters of a name are made in one step."""

HELP: Final = "raise the limit with archspec.step_limit (--max-steps)"


class OutOfSteps(Exception):
    """The budget is spent. Not an error that is collected with others: nothing is continued after it."""

    def __init__(self, limit: int) -> None:
        super().__init__(f"more than {limit:,} steps of work")
        self.limit = limit


class Budget:
    """What is left of a call's steps."""

    __slots__ = ("left", "limit")

    def __init__(self, limit: int) -> None:
        self.limit = self.left = limit


_limit: Final = ContextVar("max_steps", default=MAX_STEPS)
current: Final[ContextVar[Budget | None]] = ContextVar("budget", default=None)


@contextmanager
def step_limit(most: int) -> Iterator[None]:
    """Let each call take up to `most` steps while the context lasts, in place of 3,000,000.

    >>> import archspec
    >>> with archspec.step_limit(100):
    ...     try:
    ...         archspec.compile("lenet")
    ...     except archspec.SpecError as error:
    ...         print(error.diagnostics[0].message)
    more than 100 steps of work
    """
    token = _limit.set(most)
    try:
        yield
    finally:
        _limit.reset(token)


def spend(steps: int) -> None:
    """Draw steps from the budget of the call; raises `OutOfSteps` when it is spent."""
    budget = current.get()
    if budget is not None:
        budget.left -= steps
        if budget.left < 0:
            raise OutOfSteps(budget.limit)


def can_afford(steps: int) -> bool:
    """Draw steps for something that may be left out, like a suggestion; `False`, and none drawn, if that is more than a
    tenth of those left."""
    budget = current.get()
    if budget is None:
        return True
    if steps * 10 > budget.left:
        return False
    budget.left -= steps
    return True


def budgeted(function: Callable[P, R]) -> Callable[P, R]:
    """Give each call of a public function a budget; the functions that it calls draw from the same one."""

    @wraps(function)
    def call(*args: P.args, **keywords: P.kwargs) -> R:
        if current.get() is not None:
            return function(*args, **keywords)
        token = current.set(Budget(_limit.get()))
        try:
            return function(*args, **keywords)
        except OutOfSteps as error:
            message = f"{function.__name__}: {error}"
            raise SpecError([Diagnostic("limit", message, file=_file(args[:1]), help=HELP)]) from None
        finally:
            current.reset(token)

    return call


def _file(sources: tuple[Any, ...]) -> str:
    """The name of a source in errors."""
    source = sources[0] if sources else ""
    if isinstance(source, str | os.PathLike):
        name = str(source)
        return "<text>" if "\n" in name else name
    document = getattr(getattr(source, "spec", source), "document", None)
    return getattr(document, "file", "")
