"""What running a network costs: the most values in memory at once, those that training keeps, and the work.

All are for one sample. They follow from the shapes, so that a network is refused before memory is taken for it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from archspec.ir.graph import Graph
from archspec.ir.module import Module, Ref, Step
from archspec.ops.shapes import words


class Footprint(NamedTuple):
    """The cost of a pass of one sample, without the input and the weights."""

    live: int
    """The most values that an evaluation pass has in memory at once; kernels' working memory is not counted."""
    kept: int
    """The values that a training pass keeps for its gradients: all outputs, those of training-only items included."""
    work: int
    """Values read and written plus multiply-accumulates, as a measure of the time of an evaluation pass."""


@dataclass(frozen=True)
class _Run:
    """The footprint of a step or module, and how many values stay in memory as long as its result does (`held`)."""

    footprint: Footprint
    held: int
    shared: frozenset[int] = frozenset()
    """The numbers of the inputs whose memory the result may share."""


def footprint(graph: Graph) -> Footprint:
    """The footprint of a network.

    >>> import archspec
    >>> footprint(archspec.compile("lenet")).live  # the first convolution's output and its pooled version
    15680
    """
    found: dict[int, _Run] = {}
    for module in graph.root.modules:
        results = [module.result]
        if module is graph.root and graph.outputs and not graph.outputs.always:
            results += graph.outputs.fields.values()
        found[id(module)] = _Memory(module, results).run(found)
    return found[id(graph.root)].footprint


class _Memory:
    """Simulates the memory of a module's program: each value is in a register until another takes its place.

    A module's inputs are held, and counted, by its caller. A value's memory is freed when no register holds the value,
    or another one in the same memory: the result of an in-place op, or an input that a block returns. A view counts as
    memory of its own, since some views have to be copied.
    """

    def __init__(self, module: Module, results: Iterable[Ref]) -> None:
        self.module = module
        self.results = tuple(results)
        self.last = {ref.step: number for number, step in enumerate(module.steps) for ref in step.inputs}
        self.last.update((ref.step, len(module.steps)) for ref in self.results)
        self.registers = {-1 - number: number for number in range(len(module.inputs))}
        self.contents: list[int | None] = [*self.registers]
        self.free: list[int] = []
        self.holders: dict[int, int] = defaultdict(int)
        self.sizes: dict[int, int] = defaultdict(int)
        self.sharing: dict[int, list[int]] = {}
        self.live = 0

    def run(self, inner: Mapping[int, _Run]) -> _Run:
        peak = kept = work = 0
        for number, step in enumerate(self.module.steps):
            runs = _runs(self.module, step, inner)
            kept += runs.footprint.kept
            register = self._registered(number, step)
            if not step.train_only:
                peak = max(peak, self.live + runs.footprint.live)
                work += runs.footprint.work
                self.sizes[number] = runs.held
                self.sharing[number] = [step.inputs[index].step for index in runs.shared]
            self._assign(register, number)
        results = {ref.step for ref in self.results}
        for register, value in enumerate(self.contents):
            if value not in results:
                self._assign(register, None)
        return _Run(Footprint(peak, kept, work), self.live, self._shared())

    def _registered(self, number: int, step: Step) -> int:
        """The register for a step's value: that of an input that no later step reads, if there is one."""
        parts = [self._part(ref.step) for ref in step.inputs if ref.part is not None]
        ended = [ref for ref in dict.fromkeys(ref.step for ref in step.inputs) if self.last[ref] == number]
        self.free += [*parts, *(self.registers[ref] for ref in ended)]
        self.registers[number] = register = self._take()
        if number not in self.last:
            self.free.append(register)
        return register

    def _part(self, value: int) -> int:
        """A register for a part of a value, which shares its memory."""
        register = self._take()
        self._assign(register, value)
        return register

    def _take(self) -> int:
        if not self.free:
            self.contents.append(None)
            return len(self.contents) - 1
        return self.free.pop()

    def _assign(self, register: int, value: int | None) -> None:
        old, self.contents[register] = self.contents[register], value
        if value is not None:
            self._hold(value)
        if old is not None and old >= 0:
            self._release(old)

    def _hold(self, value: int) -> None:
        """Add a holder to a value; the first one allocates it, and holds the values that it shares memory with."""
        self.holders[value] += 1
        if self.holders[value] == 1:
            self.live += self.sizes[value]
            for other in self.sharing.get(value, ()):
                self._hold(other)

    def _release(self, value: int) -> None:
        values = [value]
        while values:
            value = values.pop()
            self.holders[value] -= 1
            if self.holders[value] == 0:
                self.live -= self.sizes[value]
                values += self.sharing.get(value, ())

    def _shared(self) -> frozenset[int]:
        """The inputs whose memory the results may share."""
        found, values = set(), [ref.step for ref in self.results]
        seen = set(values)
        while values:
            value = values.pop()
            if value < 0:
                found.add(-1 - value)
            new = [other for other in self.sharing.get(value, ()) if other not in seen]
            seen.update(new)
            values += new
        return frozenset(found)


def _runs(module: Module, step: Step, inner: Mapping[int, _Run]) -> _Run:
    target, size = module.runs(step), words(step.output)
    if isinstance(target, Module):
        return inner[id(target)]
    work = target.work(module.shapes(step), step.output)
    if step.inplace:
        return _Run(Footprint(0, size, work), 0, frozenset({0}))
    return _Run(Footprint(size, size, work), size)
