"""The lines where a generated file makes and runs the modules of a network, found during validation."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from archspec.ir.module import Module, Step

Lines = Mapping[int, int]
"""Lines of the file, from 1, by the numbers of a module's steps."""


class Places(NamedTuple):
    """The lines of the steps of each module, by the module's `id`: where a step's module is made, and where it runs.

    A module that is used several times has the lines of one use: they differ where one definition became several
    classes. A step that the file leaves out, because nothing reads its value, has no line.
    """

    made: dict[int, dict[int, int]]
    run: dict[int, dict[int, int]]

    def of(self, module: Module, number: int) -> tuple[int, int]:
        """The lines where step `number` of a module is made and run; 0 if there is none."""
        return tuple(lines.get(id(module), {}).get(number, 0) for lines in self)  # type: ignore[return-value]

    def add_made(self, module: Module, lines: Mapping[str, int], line: int) -> None:
        """Record where the submodules of a module are made, by name; `line` is that of the module itself."""
        numbers: Mapping[int, int] = {id(step): number for number, step in enumerate(module.steps)}
        self.made[id(module)] = {numbers[id(step)]: _line(step, lines, line) for step in module.registered}

    def add_run(self, module: Module, lines: Mapping[int, int]) -> None:
        """Record where the steps of a module run; training-only steps are missing in evaluation mode."""
        self.run.setdefault(id(module), {}).update(lines)


def _line(step: Step, lines: Mapping[str, int], line: int) -> int:
    return lines.get(str(step.name), line)
