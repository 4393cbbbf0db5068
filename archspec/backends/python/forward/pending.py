"""Values of `forward` that are written as expressions, and still to be put into a statement."""

from __future__ import annotations

from archspec.backends.python.formatter import Code


class Pending:
    """The expressions that are open, by the numbers of their sites, in the order in which they run."""

    def __init__(self) -> None:
        self.code: dict[int, Code] = {}
        self.branches: set[int] = set()
        """Those that are branches of a `cat` that is still to come."""
        self.reads: dict[int, set[int]] = {}
        """The values in variables that each expression reads, also through what is nested in it; closed ones stay."""

    def __contains__(self, value: int) -> bool:
        return value in self.code

    def reads_of(self, value: int) -> set[int]:
        """The values in variables that reading a value reads."""
        return self.reads[value] if value in self.code else {value}

    def is_read(self, value: int) -> bool:
        """Whether an open expression reads a value."""
        return any(value in self.reads[number] for number in self.code)
