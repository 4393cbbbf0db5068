"""Graph → drawing: which boxes, clusters and edges are drawn, and their texts. Nothing here knows Graphviz.

Legibility is decided here. A chain such as conv → batch norm → relu is one box; equal neighbours are one box
with ×N; a module is either a box or, when it is opened, a cluster of what it contains.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import repeat
from typing import Final

from archspec.backends.diagram.counts import counts_of, exact_counts
from archspec.backends.diagram.grouping import Unit, runs, units_of
from archspec.backends.diagram.labels import details_of, names_of, title_of
from archspec.backends.diagram.variants import merged, ranges_in
from archspec.backends.op_labels import quantity
from archspec.backends.theme import END, FORK
from archspec.diagnostics.diagnostic import Diagnostic, TargetError
from archspec.expressions.sizes import is_whole
from archspec.ir.graph import Graph
from archspec.ir.module import Module, Ref
from archspec.ops.collect import Collect
from archspec.ops.shapes import format_input, format_shape

LEGIBLE_BOXES: Final = 40
"""The default depth is chosen so that an image has no more boxes than this."""

MAX_BOXES: Final = 1000
"""The most boxes of an image; one with more would be illegible."""

MAX_PASSED: Final = 600
"""The most boxes that all edges together pass: each edge needs a lane beside the boxes it passes, and Graphviz needs
minutes to route thousands in a DOT file. A U-Net of 30 boxes has about 100."""

SHOWN: Final = ("params",)
"""The counts that boxes show by default."""


@dataclass(frozen=True)
class Box:
    """One node: a headline, smaller lines, and the kind that gives it its colour."""

    id: str
    role: str
    title: str
    details: tuple[str, ...] = ()
    path: str = ""
    times: int = 1
    train_only: bool = False
    facts: tuple[str, ...] = ()
    """The lines of its tooltip: full path, shapes, exact counts."""


@dataclass(frozen=True)
class Cluster:
    """An opened module: a frame around what it contains."""

    id: str
    title: str
    details: tuple[str, ...]
    items: tuple[Box | Cluster, ...]
    times: int = 1
    train_only: bool = False
    facts: tuple[str, ...] = ()


@dataclass(frozen=True)
class Edge:
    """A value that goes from one box to another, with its shape."""

    tail: str
    head: str
    label: str
    train_only: bool = False


@dataclass(frozen=True)
class Drawing:
    """The content of an image: a heading, and boxes, clusters and edges in the order they run."""

    title: str
    subtitle: str
    description: str
    items: tuple[Box | Cluster, ...]
    edges: tuple[Edge, ...]

    @property
    def boxes(self) -> tuple[Box, ...]:
        """All boxes, those in clusters too."""
        return tuple(_boxes(self.items))


def drawing(graph: Graph, depth: int | None = None, show: Sequence[str] = SHOWN) -> Drawing:
    """The boxes, clusters and edges of a network, with the counts in `show`.

    `depth` counts levels: 1 draws the network's own items as boxes, 2 opens them, and so on. By default
    every `seq` is opened and every block is a box, or, if that is not legible, fewer levels.
    """
    if depth is not None:
        if not (is_whole(depth) and depth >= 1):
            raise TargetError(f"depth must be 1 or more, got {depth!r:.60}")
        return _draw(graph, lambda module, level: level < depth, MAX_BOXES, show)
    return _legible(graph, show)


def _legible(graph: Graph, show: Sequence[str]) -> Drawing:
    """The first of several ways to open the network that is neither crowded nor empty."""
    levels: list[_Opens] = [lambda module, level: module.is_seq, lambda module, level: False]
    for opens in levels:
        found = _draw_at_most(graph, opens, LEGIBLE_BOXES, show)
        if found is not None and len(found.boxes) > 3:
            return found
    found = _draw_at_most(graph, lambda module, level: level < 2, LEGIBLE_BOXES, show)
    return found or _draw(graph, levels[-1], MAX_BOXES, show)


def _draw_at_most(graph: Graph, opens: _Opens, limit: int, show: Sequence[str]) -> Drawing | None:
    try:
        return _draw(graph, opens, limit, show)
    except TargetError:
        return None


_Opens = Callable[[Module, int], bool]
"""Whether a module, found at a level (1 is the network's own), is drawn opened."""


def _draw(graph: Graph, opens: _Opens, limit: int, show: Sequence[str]) -> Drawing:
    builder = _Builder(opens, limit, show)
    outputs = () if graph.outputs is None else tuple(graph.outputs.fields.items())
    kept = frozenset(ref.step for _, ref in outputs)
    begin = builder.box(Box("input", END, "input"))
    items, sources = builder.module(graph.root, _Place(kept=kept), (begin.id,))
    ends: list[Box] = []
    if not is_partial(graph):
        if graph.outputs is None or not graph.outputs.always:
            ends.append(builder.end("output", graph.root, graph.root.result, sources))
        ends += [builder.end(name, graph.root, ref, sources) for name, ref in outputs if ref != graph.root.result]
    drawn = Drawing(graph.name, _subtitle(graph), graph.description, (begin, *items, *ends), tuple(builder.edges))
    if _passed(drawn) > MAX_PASSED:
        raise _too_large(f"edges past more than {MAX_PASSED:,} boxes")
    return drawn


def _too_large(what: str) -> TargetError:
    return TargetError([Diagnostic("limit", f"the image would have {what}", help="draw it with a smaller depth")])


def _passed(drawn: Drawing) -> int:
    """How many boxes the edges pass: for each edge, those on the longest path between its ends."""
    level = levels(drawn.boxes, drawn.edges)
    return sum(level[edge.head] - level[edge.tail] - 1 for edge in drawn.edges)


def levels(boxes: Iterable[Box], edges: Iterable[Edge]) -> Counter[str]:
    """The number of boxes before each box on the longest path to it; boxes are in the order they run."""
    order = {box.id: number for number, box in enumerate(boxes)}
    level: Counter[str] = Counter()
    for edge in sorted(edges, key=lambda edge: order[edge.tail]):
        level[edge.head] = max(level[edge.head], level[edge.tail] + 1)
    return level


def is_partial(graph: Graph) -> bool:
    """Whether a network ends at a layer that fails."""
    return bool(graph.root.steps) and bool(graph.root.steps[-1].failure)


def _subtitle(graph: Graph) -> str:
    if is_partial(graph):
        return f"up to the layer that fails · input {format_input(graph.input_shape)}"
    size = f"{quantity(graph.params)} params · {quantity(graph.macs)} MACs"
    return f"{size} · {format_input(graph.input_shape)} → {format_shape(graph.output_shape)}"


@dataclass(frozen=True)
class _Place:
    """A module's place in the network."""

    id: str = "n"
    path: str = ""
    level: int = 1
    train_only: bool = False
    kept: frozenset[int] = frozenset()
    """The steps whose values leave the module in addition to its result."""

    def inside(self, number: int, name: str, train_only: bool) -> _Place:
        return _Place(f"{self.id}{number}_", f"{self.path}{name}.", self.level + 1, train_only)


Sources = dict[Ref, str]
"""The box that each value of a module comes from; a part of several values may come from another box."""


def _source(sources: Sources, ref: Ref) -> str:
    return sources[ref] if ref in sources else sources[Ref(ref.step)]


def _yielded(module: Module, number: int, inner: Sources) -> Iterator[tuple[Ref, str]]:
    """The boxes that the values of step `number` come from; the step runs a module that is drawn opened."""
    last = module.steps[module.result.step] if module.result.step >= 0 else None
    if last is not None and isinstance(last.target, Collect):
        yield from ((Ref(number, part), _source(inner, ref)) for part, ref in enumerate(last.inputs))
    elif module.result not in inner and Ref(module.result.step) not in inner:  # all values of a block
        yield from ((Ref(number, ref.part), box) for ref, box in inner.items() if ref.step == module.result.step)
    else:
        yield Ref(number), _source(inner, module.result)


@dataclass
class _Builder:
    """Builds a drawing; holds the number of boxes and the edges found so far."""

    opens: _Opens
    limit: int
    show: Sequence[str]
    edges: list[Edge] = field(default_factory=list)
    points: list[str] = field(default_factory=list)
    """The forks: the edge to a fork has the shape as its label, edges from it have none."""
    count: int = 0

    def module(self, module: Module, place: _Place, inputs: tuple[str, ...]) -> tuple[list[Box | Cluster], Sources]:
        """The boxes and clusters of a module, and the box that each of its values comes from."""
        sources = {Ref(-1 - number): source for number, source in enumerate(inputs)}
        units = units_of(module, place.kept, lambda inner: self.opens(inner, place.level))
        grouped = list(runs(module, units, place.kept))
        heads = [run[0] for run in grouped]
        beside = [heads[max(0, n - 1) : n] + heads[n + 1 : n + 2] for n in range(len(heads))]
        drawn = map(self.run, repeat(module), map(_as_one, grouped), beside, repeat(place), repeat(sources))
        return list(drawn), sources

    def run(self, module: Module, run: list[Unit], near: list[Unit], place: _Place, sources: Sources) -> Box | Cluster:
        """The box or cluster of equal units between those `near` it; adds their values to `sources`."""
        if run[0].opened:
            return self.cluster(module, run, place, sources)
        first = module.steps[run[0].steps[0]]
        train_only = place.train_only or first.train_only
        drawn = Box(
            f"{place.id}{run[0].steps[0]}", run[0].role, title_of(module, run),
            details_of(module, run, self.show, near), place.path + names_of(module, run), len(run), train_only,
            _facts(module, run, place),
        )  # fmt: skip
        self.box(drawn)
        numbers = [number for unit in run for number in unit.steps]
        self.connect(module, numbers, drawn, sources)
        sources.update((Ref(number), drawn.id) for number in numbers)
        return drawn

    def cluster(self, module: Module, run: list[Unit], place: _Place, sources: Sources) -> Cluster:
        number, body = run[0].steps[0], run[0].body
        assert body is not None
        step = module.steps[number]
        train_only = place.train_only or step.train_only
        inside = place.inside(number, names_of(module, run), train_only)
        forks, entries = self.forks(body, inside, tuple(_source(sources, ref) for ref in step.inputs))
        items, inner = self.module(body, inside, entries)
        for unit in run:
            sources.update(_yielded(body, unit.steps[0], inner))
        name, title = names_of(module, run), title_of(module, run)
        parts = [*([name] if name[0].isdigit() and title != name else []), *counts_of(module, run, self.show)]
        ranges = dict.fromkeys(ranges_in(body)) if len(run) > 1 else ()
        details = (*filter(None, [" · ".join(parts)]), *ranges)
        facts = _facts(module, run, place)
        return Cluster(inside.id, title, details, (*forks, *items), len(run), train_only, facts)

    def forks(self, body: Module, place: _Place, sources: tuple[str, ...]) -> tuple[list[Box], tuple[str, ...]]:
        """A point inside the cluster for each input that forks, so that only one edge crosses its frame."""
        readers = Counter(ref.step for step in body.steps for ref in {*step.inputs} if ref.part is None)
        forks: list[Box] = []
        entries: list[str] = []
        for number, (source, shape) in enumerate(zip(sources, body.inputs, strict=True)):
            if readers[-1 - number] > 1:
                fork = self.box(Box(f"{place.id}in{number}", FORK, ""))
                self.edges.append(Edge(source, fork.id, format_shape(shape), place.train_only))
                forks.append(fork)
                self.points.append(fork.id)
            entries.append(forks[-1].id if readers[-1 - number] > 1 else source)
        return forks, tuple(entries)

    def connect(self, module: Module, numbers: Iterable[int], drawn: Box, sources: Sources) -> None:
        """Add edges to a box from the boxes it reads: one from each, with the shapes of all values read from it."""
        own = frozenset(numbers)
        read = [ref for number in numbers for ref in module.steps[number].inputs if ref.step not in own]
        shapes: dict[str, dict[str, None]] = {}
        for ref in read:
            shapes.setdefault(_source(sources, ref), {})[format_shape(module.value(ref))] = None
        for tail, found in shapes.items():
            label = "" if tail in self.points else ", ".join(found)
            self.edges.append(Edge(tail, drawn.id, label, drawn.train_only))

    def end(self, name: str, root: Module, ref: Ref, sources: Sources) -> Box:
        """The box where a value leaves the network."""
        train_only = ref.step >= 0 and root.steps[ref.step].train_only
        drawn = self.box(Box(f"output{len(self.edges)}", END, name, train_only=train_only))
        self.edges.append(Edge(_source(sources, ref), drawn.id, format_shape(root.value(ref)), train_only))
        return drawn

    def box(self, drawn: Box) -> Box:
        self.count += 1
        if self.count > self.limit:
            raise _too_large(f"more than {self.limit:,} boxes")
        return drawn


def _facts(module: Module, run: list[Unit], place: _Place) -> tuple[str, ...]:
    """The full path of a box, the shapes of its inputs and outputs, and its counts; why a layer fails."""
    first, last = module.steps[run[0].steps[0]], module.steps[run[-1].steps[-1]]
    names = dict.fromkeys(place.path + name for name in _names(module, run))
    if last.failure:
        return (*names, last.failure)
    inputs = ", ".join(format_shape(shape) for shape in dict.fromkeys(module.shapes(first)))
    shapes = f"{inputs} → {format_shape(last.output)}" if inputs else format_shape(last.output)
    return (*filter(None, [" – ".join(names)]), shapes, *exact_counts(module, run))


def _names(module: Module, run: list[Unit]) -> list[str]:
    """The attribute names of the first and of the last of equal units."""
    names = [module.steps[unit.head].name for unit in (run[0], run[-1])]
    return [name for name in names if name]


def _as_one(run: list[Unit]) -> list[Unit]:
    """Equal units, where the first shows the rates in which their blocks differ as ranges."""
    bodies = [unit.body for unit in run if unit.body is not None]
    if len(bodies) < 2 or not bodies[0].is_like(bodies[-1]):
        return run
    return [replace(run[0], body=merged(bodies)), *run[1:]]


def _boxes(items: Iterable[Box | Cluster]) -> Iterator[Box]:
    for item in items:
        if isinstance(item, Cluster):
            yield from _boxes(item.items)
        else:
            yield item
