"""The parts of a module that a spec cannot describe; they are collected into one error."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, NamedTuple

from archspec.diagnostics.diagnostic import Diagnostic, TargetError


class NotImportable(TargetError):
    """A module cannot be imported; `diagnostics` say why, each with a module's path and a line of source."""


class Problem(NamedTuple):
    """A module or call that no op can describe."""

    what: str
    reason: str
    path: str
    module: str
    where: str


@dataclass
class Problems:
    """The problems found so far."""

    found: list[Problem] = field(default_factory=list)

    def add(self, path: str, module: Any, where: str, what: str, reason: str) -> None:
        """Note that a spec cannot describe something in a module."""
        self.found.append(Problem(what, reason, path, type(module).__name__, where))

    def require_none(self, title: str) -> None:
        """Raise one error with all problems, equal ones once."""
        if not self.found:
            return
        groups: dict[tuple[str, str, str, str], list[Problem]] = {}
        for problem in self.found:
            groups.setdefault((problem.what, problem.reason, problem.module, problem.where), []).append(problem)
        raise NotImportable([_diagnostic(title, *group) for group in groups.values()])


def _diagnostic(title: str, first: Problem, *others: Problem) -> Diagnostic:
    place = f"{first.path or 'the model'} ({first.module})"
    elsewhere = len({problem.path for problem in others} - {first.path})
    more = f", and {elsewhere} more {'module' if elsewhere == 1 else 'modules'}" if elsewhere else ""
    reason = f": {first.reason}" if first.reason else ""
    notes = (f"in {place}{more}", *((f"at {first.where}",) if first.where else ()))
    return Diagnostic("usage", f"{first.what} cannot be imported{reason}", where=title, notes=notes)
