"""Values of `forward` that exist as expressions and are not yet part of a statement."""

from __future__ import annotations

from archspec.backends.python.formatter import Code


class Pending:
    """The pending expressions, by the numbers of their sites, in the order in which they run."""

    def __init__(self) -> None:
        self.code: dict[int, Code] = {}
        self.branches: set[int] = set()
        """Those that are branches of a later `cat`."""
        self.reads: dict[int, set[int]] = {}
        """The values in variables that each expression reads, nested ones included; finished expressions are kept."""

    def __contains__(self, value: int) -> bool:
        return value in self.code

    def reads_of(self, value: int) -> set[int]:
        """The values in variables that are read when a value is read."""
        return self.reads[value] if value in self.code else {value}

    def is_read(self, value: int) -> bool:
        """Whether a pending expression reads a value."""
        return any(value in self.reads[number] for number in self.code)
