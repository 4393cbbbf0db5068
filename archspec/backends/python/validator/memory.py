"""Checks that no value is read after it was overwritten: in-place ops overwrite memory that values may share."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import NoReturn

from archspec.diagnostics.diagnostic import ValidationError
from archspec.ir.module import Module, Ref, Step

Memory = frozenset[int]
"""The pieces of memory that a value may be in, identified by the step or input that allocated them."""


@lru_cache(maxsize=4096)
def shared_with(module: Module) -> frozenset[int]:
    """The inputs whose memory the module's result may share, as refs name them: -1, -2, …"""
    memory = _Memory(module)
    for number in range(len(module.steps)):
        memory.run(number, False)  # a tuple of values shares the memory of each
    return frozenset(piece for piece in memory.of(module.result) if piece < 0)


def check_memory(
    file: str, module: Module, runs: Sequence[tuple[int, bool]], results: Iterable[Ref], where: str
) -> None:
    """Check the steps that run, each with whether it overwrites its first input, and the values read at the end.

    Dropout is treated as in evaluation: as a view.
    """
    ran = {number for number, _ in runs}
    memory = _Memory(module)
    for number, step in enumerate(module.steps):
        if not step.inputs:
            memory.run(number, False)
    for number, inplace in runs:
        step = module.steps[number]
        for ref in step.inputs:
            if memory.is_lost(ref):
                _fail(file, module, step, where, f"reads {_name(module, ref)} after it was overwritten")
        if inplace and memory.is_foreign(step.inputs[0]):
            _fail(file, module, step, where, f"overwrites {_name(module, step.inputs[0])}, which others may read")
        memory.run(number, inplace)
    for ref in results:
        if memory.is_lost(ref) or (ref.step >= 0 and ref.step not in ran and module.steps[ref.step].inputs):
            _fail(file, module, None, where, f"returns {_name(module, ref)} after it was overwritten")


class _Memory:
    """The memory of a module's values while it runs."""

    def __init__(self, module: Module) -> None:
        self.module = module
        self.pieces: dict[int, Memory] = {}
        self.born: dict[int, int] = {}
        self.written: dict[int, int] = {}
        self.time = 0

    def of(self, ref: Ref) -> Memory:
        return frozenset((ref.step,)) if ref.step < 0 else self.pieces.get(ref.step, frozenset())

    def is_lost(self, ref: Ref) -> bool:
        """Whether a value has been overwritten since it was made."""
        if not self.written:
            return False
        return any(self.written.get(piece, -1) > self.born.get(ref.step, 0) for piece in self.of(ref))

    def is_foreign(self, ref: Ref) -> bool:
        """Whether a value is in the memory of an input or a parameter."""
        return any(piece < 0 or not self.module.steps[piece].inputs for piece in self.of(ref))

    def run(self, number: int, inplace: bool) -> None:
        """Record the memory of a step's output."""
        step = self.module.steps[number]
        self.time += 1
        if inplace:
            pieces = self.of(step.inputs[0])
            self.written.update(dict.fromkeys(pieces, self.time))
        else:
            shared = self.shared(step)
            pieces = frozenset((number,)) if shared is None else shared
        self.pieces[number], self.born[number] = pieces, self.time

    def shared(self, step: Step) -> Memory | None:
        """The memory of a view; `None` if the output is new memory."""
        target = self.module.runs(step)
        if isinstance(target, Module):
            inputs = [step.inputs[-1 - number] for number in shared_with(target)]
        else:
            inputs = list(step.inputs) if target.view else []
        return frozenset().union(*map(self.of, inputs)) if inputs else None


def _name(module: Module, ref: Ref) -> str:
    return "the input" if ref.step < 0 else module.steps[ref.step].label


def _fail(file: str, module: Module, step: Step | None, where: str, message: str) -> NoReturn:
    label = "forward" if step is None else step.label
    place = ".".join(part for part in (where, label) if part)
    raise ValidationError(file, 0, place, f"the file {message}")
