"""The memory and work that making a module and running it takes, and whether that is within the limits.

Everything follows from the graph, so that a network is refused before memory is allocated for it. The figures are
estimates: memory of torch and the exporters other than tensors is not counted.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, Final

from archspec.diagnostics.byte_sizes import UNITS, format_bytes
from archspec.diagnostics.diagnostic import Diagnostic, TargetError
from archspec.expressions.sizes import is_whole
from archspec.ir.footprint import footprint
from archspec.ir.graph import Graph
from archspec.ir.limits import MAX_MEMORY, MAX_WORK
from archspec.ops.shapes import words

_SIZE: Final = re.compile(r"([0-9]{1,15}(?:\.[0-9]{1,9})?) ?([KMGT]?)(?:iB|B)?")

NUMBER: Final = 4
"""Bytes of a float32."""

WORKSPACE: Final = 2
"""Memory that a pass takes, relative to that of its values: kernels make copies in their own layouts."""


@dataclass(frozen=True)
class Limits:
    """How much a network may take. `archspec build`, `archspec verify` and their functions have these options."""

    max_memory: int | str = MAX_MEMORY
    """Bytes, or text such as `64GiB`."""
    max_params: int | None = None
    """A limit of parameters and buffer values, in addition to that of memory."""
    force: bool = False
    """Whether networks beyond the limits are accepted."""


@dataclass(frozen=True)
class Use:
    """What is done with a module after it is made."""

    copies: int = 0
    """How many further copies of its weights there are at once: other modules, gradients, a file in memory."""
    samples: int = 0
    """The samples that are run at once."""
    evaluated: int = 0
    """The samples that are run in evaluation, in all."""
    trained: int = 0
    """The samples that are run in training, in all; each takes the work of three in evaluation."""


MAKE: Final = Use()
"""The module is returned to the caller."""


def build_and_check(suffix: str = "") -> Use:
    """The use by `archspec build`: one pass of two samples, and writing a file with this suffix.

    A `.pt2` file is put together in memory. An ONNX file is, too, from a copy of the weights, and run by onnxruntime,
    which has its own; it and torch each run batches of one and three.
    """
    if suffix == ".onnx":
        return Use(copies=4, samples=3, evaluated=2 + 2 * (1 + 3))
    return Use(copies=3 if suffix == ".pt2" else 0, samples=2, evaluated=2)


def compare(samples: int, training: bool) -> Use:
    """The use by `archspec verify`: three evaluation passes, and one training pass of each module, with gradients.

    There are two modules, and the gradients of both.
    """
    return Use(3 if training else 1, samples, 3 * samples, 2 * samples * training)


@dataclass(frozen=True)
class Requirements:
    """What a use of a network takes: bytes, and work as `Footprint` counts it."""

    name: str
    numbers: int
    """Parameters and buffer values of one copy, those included that the constructor removes."""
    copies: int
    values: int
    samples: int
    work: int

    @property
    def weights(self) -> int:
        """Bytes of all copies of the weights."""
        return NUMBER * self.numbers * (1 + self.copies)

    @property
    def memory(self) -> int:
        """Bytes in all."""
        return self.weights + self.values

    @property
    def notes(self) -> tuple[str, ...]:
        """What the memory is for, one line for each kind."""
        times = f", {1 + self.copies} copies" if self.copies else ""
        notes = [f"{self.holds}{times}"]
        if self.values:
            notes.append(f"the values of a pass on {self.samples:,} samples take {format_bytes(self.values)}")
        return tuple(notes)

    @property
    def holds(self) -> str:
        """The size of the network, as text."""
        return f"{self.name} holds {self.numbers:,} numbers ({format_bytes(NUMBER * self.numbers)} of float32)"


def requirements(graph: Graph, use: Use = MAKE) -> Requirements:
    """The requirements of making the module of a graph and using it.

    >>> import archspec
    >>> requirements(archspec.compile("lenet")).memory  # 121,182 parameters
    484728
    """
    each = footprint(graph) if use.samples else None
    values = work = 0
    if each is not None:
        alive = words(graph.input_shape) + WORKSPACE * each.live + (each.kept if use.trained else 0)
        values = NUMBER * use.samples * alive
        work = each.work * (use.evaluated + 3 * use.trained)
    numbers = graph.params + graph.buffers + graph.root.removed
    return Requirements(graph.name, numbers, use.copies, values, use.samples, work)


def require_within(limits: Limits, graph: Graph, use: Use = MAKE) -> None:
    """Refuse a use of a network that takes more than the limits; raises `TargetError` with its requirements."""
    most, most_params = parse_bytes(limits.max_memory), _params(limits.max_params)
    if limits.force:
        return
    needed = requirements(graph, use)
    found: list[Diagnostic] = []
    if most_params is not None and needed.numbers > most_params:
        help = f"at most {most_params:,} unless max_params (--max-params) is set"
        found.append(Diagnostic("limit", needed.holds, help=help))
    if needed.memory > most:
        found.append(_too_large(needed, most))
    if needed.work > MAX_WORK:
        found.append(_too_slow(needed))
    if found:
        raise TargetError(found)


def _too_large(needed: Requirements, most: int) -> Diagnostic:
    unit = next(unit for unit in "KMGT" if needed.memory < UNITS[unit] << 10 or unit == "T")
    enough = f"{-(-needed.memory // UNITS[unit])}{unit}iB"
    message = f"{needed.name} takes about {format_bytes(needed.memory)} of memory, more than {format_bytes(most)}"
    help = f"--max-memory {enough} (max_memory='{enough}') allows that much, --force (force=True) anything"
    return Diagnostic("limit", message, notes=needed.notes, help=help)


def _too_slow(needed: Requirements) -> Diagnostic:
    message = f"running {needed.name} takes about {needed.work:.1e} operations, more than {MAX_WORK:.0e}"
    note = "operations are multiply-accumulates, and numbers read and written, for all samples that are run"
    return Diagnostic("limit", message, notes=(note,), help="--force (force=True) runs it anyway")


def parse_bytes(given: Any) -> int:
    """A number of bytes from an integer or a text with a unit; raises `TargetError` for anything else.

    >>> parse_bytes("1.5 GiB"), parse_bytes("800M"), parse_bytes(4096)
    (1610612736, 838860800, 4096)
    """
    found = _SIZE.fullmatch(given) if isinstance(given, str) else None
    size = int(float(found[1]) * UNITS[found[2]]) if found else given
    if is_whole(size) and size > 0:
        return int(size)
    raise TargetError(f"max_memory: expected bytes or a size such as '64GiB', got {given!r:.60}")


def _params(given: Any) -> int | None:
    if given is None:
        return None
    if is_whole(given) and given > 0:
        return int(given)
    raise TargetError(f"max_params: expected an integer from 1, got {given!r:.60}")
