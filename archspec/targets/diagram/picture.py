"""Graph → picture: which boxes, clusters and edges are drawn, and what they say. Nothing here knows Graphviz.

Legibility is decided here. A chain such as conv → batch norm → relu is one box; equal neighbours are one box
with ×N; a module is either a box or, when it is opened, a cluster of what it contains.
"""

from __future__ import annotations

import textwrap
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any, Final

from archspec.errors import TargetError
from archspec.graph import Graph, Module, Ref, Step
from archspec.ops.base import Op, Shape, format_shape, numel, pair_of

LEGIBLE_BOXES: Final = 40
"""The default depth is chosen so that a picture has no more boxes than this."""

MAX_BOXES: Final = 2000
"""Laying out more takes Graphviz minutes, and nobody could read it."""

LIGHT: Final = frozenset({"norm", "activation", "dropout", "shape"})
"""Roles of ops that are mentioned in the box of the op they follow."""

HEAVY: Final = frozenset({"convolution", "linear"})

LINE: Final = 24
"""What is said of a block's inside is put on a line of its own if it is longer."""

WIDEST: Final = 44
"""What is wrong with a layer that fails is said in lines of at most this many characters."""

END: Final = "end"
"""The role of the boxes where a value enters or leaves the network."""

FAILED: Final = "failed"
"""The role of the layer that cannot run, at the end of a network that goes no further."""

FORK: Final = "fork"
"""The role of the point where the input of an opened block goes several ways."""

WORDS: Final = {
    "conv2d": "conv", "conv_transpose2d": "transposed conv", "batch_norm1d": "bn", "batch_norm2d": "bn",
    "adaptive_avg_pool2d": "avg pool", "adaptive_max_pool2d": "max pool", "cat": "concat",
}  # fmt: skip
"""What an op is called in a picture, where that is not its kind."""


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


@dataclass(frozen=True)
class Cluster:
    """An opened module: a frame around what it contains."""

    id: str
    title: str
    details: str
    items: tuple[Box | Cluster, ...]
    times: int = 1
    train_only: bool = False


@dataclass(frozen=True)
class Edge:
    """A value on its way from one box to another, with its shape."""

    tail: str
    head: str
    label: str
    train_only: bool = False


@dataclass(frozen=True)
class Picture:
    """Everything that is drawn."""

    title: str
    subtitle: str
    description: str
    items: tuple[Box | Cluster, ...]
    edges: tuple[Edge, ...]

    @property
    def boxes(self) -> tuple[Box, ...]:
        """All boxes, those in clusters too."""
        return tuple(_boxes(self.items))


def picture(graph: Graph, depth: int | None = None) -> Picture:
    """What is drawn of a network.

    `depth` counts levels: 1 draws the network's own items as boxes, 2 opens them, and so on. By default
    every `seq` is opened and every block is a box, or what comes nearest to it and can be read.
    """
    if depth is not None:
        if depth < 1:
            raise TargetError(f"depth {depth}: the least is 1, the network's own items")
        return _draw(graph, lambda module, level: level < depth, MAX_BOXES)
    return _legible(graph)


def _legible(graph: Graph) -> Picture:
    """The first of several ways to open the network that is neither crowded nor empty."""
    levels: list[_Opens] = [lambda module, level: module.is_seq, lambda module, level: False]
    for opens in levels:
        found = _draw_at_most(graph, opens, LEGIBLE_BOXES)
        if found is not None and len(found.boxes) > 3:
            return found
    return _draw_at_most(graph, lambda module, level: level < 2, LEGIBLE_BOXES) or _draw(graph, levels[-1], MAX_BOXES)


def _draw_at_most(graph: Graph, opens: _Opens, limit: int) -> Picture | None:
    try:
        return _draw(graph, opens, limit)
    except TargetError:
        return None


_Opens = Callable[[Module, int], bool]
"""Whether a module, found at a level (1 is the network's own), is drawn opened."""


def _draw(graph: Graph, opens: _Opens, limit: int) -> Picture:
    drawing = _Drawing(opens, limit)
    outputs = () if graph.outputs is None else tuple(graph.outputs.fields.items())
    kept = frozenset(ref.step for _, ref in outputs)
    begin = drawing.box(Box("input", END, "input"))
    items, sources = drawing.module(graph.root, _Place(kept=kept), (begin.id,))
    ends: list[Box] = []
    if not is_partial(graph):
        ends.append(drawing.end("output", graph.root, graph.root.result, sources))
        ends += [drawing.end(name, graph.root, ref, sources) for name, ref in outputs if ref != graph.root.result]
    return Picture(graph.name, _subtitle(graph), graph.description, (begin, *items, *ends), tuple(drawing.edges))


def is_partial(graph: Graph) -> bool:
    """Whether a network ends at a layer that fails."""
    return bool(graph.root.steps) and bool(graph.root.steps[-1].failure)


def _subtitle(graph: Graph) -> str:
    if is_partial(graph):
        return f"up to the layer that fails · input {format_shape(graph.input_shape)}"
    size = f"{quantity(graph.params)} params · {quantity(graph.macs)} MACs"
    return f"{size} · {format_shape(graph.input_shape)} → {format_shape(graph.output_shape)}"


# -- units: what becomes a box --------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Unit:
    """Steps that share a box, as numbers in their module, and what the box says of them."""

    steps: tuple[int, ...]
    roles: tuple[str, ...]
    phrases: tuple[str, ...]
    head: int
    """The step the box is named after: the first convolution or linear layer, if there is one."""
    body: Module | None = None
    """The module it runs, unless that is a plain chain of ops."""
    opened: bool = False

    @property
    def role(self) -> str:
        return next((role for role in self.roles if role not in LIGHT), self.roles[0])

    @property
    def is_light(self) -> bool:
        return LIGHT.issuperset(self.roles)

    def then(self, other: _Unit) -> _Unit:
        """Both in one box."""
        head = other.head if self.is_light and not other.is_light else self.head
        return replace(self, steps=self.steps + other.steps, roles=self.roles + other.roles,
                       phrases=self.phrases + other.phrases, head=head)  # fmt: skip


def _units(module: Module, kept: frozenset[int], opens: Callable[[Module], bool]) -> list[_Unit]:
    """The steps of a module, with every chain of an op and what refines its output in one unit."""
    readers = _readers(module, kept)
    units: list[_Unit] = []
    for number in range(len(module.steps)):
        unit = _unit(module, number, opens)
        if units and _follows(module, units[-1], unit, readers) and _joins(units[-1], unit):
            unit = units.pop().then(unit)
        elif units and _is_round(module, units[-1], unit):
            unit = replace(unit, steps=units.pop().steps + unit.steps, opened=False)
        units.append(unit)
    return units


def _is_round(module: Module, before: _Unit, unit: _Unit) -> bool:
    """Whether a `cat` and the block that takes it are one round of a loop, as in a dense block: they are one box."""
    cat, step = module.steps[before.steps[-1]], module.steps[unit.steps[0]]
    together = cat.slot[:-1] == step.slot[:-1] and bool(cat.indices) and cat.indices == step.indices
    is_cat = isinstance(cat.target, Op) and cat.target.kind == "cat" and len(before.steps) == 1
    return is_cat and together and unit.body is not None and step.inputs == (Ref(before.steps[-1]),)


def _grows(module: Module, before: _Unit, unit: _Unit) -> bool:
    """Whether two units are rounds of a loop, the second on all that the first takes and on what it yields."""
    if before.body is None or unit.body is None or len(before.steps) != 2 or len(unit.steps) != 2:
        return False
    like = (before.body.definition, before.body.output) == (unit.body.definition, unit.body.output)
    (first, last), cat = before.steps, module.steps[unit.steps[0]]
    return like and cat.inputs == (*module.steps[first].inputs, Ref(last))


def _readers(module: Module, kept: frozenset[int]) -> Counter[int]:
    """How often each step's value is read; a value that leaves the module counts as read once more."""
    readers = Counter(ref.step for step in module.steps for ref in step.inputs)
    readers.update({module.result.step, *kept})
    return readers


def _unit(module: Module, number: int, opens: Callable[[Module], bool]) -> _Unit:
    step, target = module.steps[number], module.runs(module.steps[number])
    if step.failure and isinstance(step.target, Module):
        return _Unit((number,), ("block",), (), number, step.target, True)
    if step.failure:
        what = phrase(target, module.shapes(step)) if isinstance(target, Op) else _content(target)
        return _Unit((number,), (FAILED,), (what,), number)
    parts = _chain(target, module.shapes(step))
    if isinstance(step.target, int) and (parts is None or not LIGHT.issuperset(role for role, _ in parts)):
        return _Unit((number,), ("call",), _again(module, step.target), number)
    if parts is not None:
        roles, phrases = zip(*parts, strict=True)
        return _Unit((number,), roles, phrases, number)
    assert isinstance(target, Module)
    return _Unit((number,), ("block",), (), number, target, opens(target))


def _again(module: Module, number: int) -> tuple[str, ...]:
    return (f"{module.steps[number].name} again",)


def _follows(module: Module, before: _Unit, unit: _Unit, readers: Counter[int]) -> bool:
    """Whether a unit reads the one before it and nothing else, and is its only reader."""
    last, first = before.steps[-1], module.steps[unit.steps[0]]
    return first.inputs == (Ref(last),) and readers[last] == 1 and first.train_only == module.steps[last].train_only


def _joins(before: _Unit, unit: _Unit) -> bool:
    """Whether two units in a row are one box: an op and what refines its output, or what prepares its input."""
    if before.body is not None or unit.body is not None or "call" in (*before.roles, *unit.roles):
        return False
    if unit.is_light:
        return not set(unit.roles) & set(before.roles)
    return before.is_light and unit.role in HEAVY


def _chain(target: Op | Module, shapes: tuple[Shape, ...]) -> list[tuple[str, str]] | None:
    """Role and phrase of each op of a plain chain that fits one box; `None` for anything else."""
    if isinstance(target, Op):
        return [(target.role, phrase(target, shapes))]
    found: list[tuple[str, str]] = []
    for number, step in enumerate(target.steps):
        parts = _chain(target.runs(step), target.shapes(step))
        if step.inputs != (Ref(number - 1),) or parts is None or step.train_only:
            return None
        found += parts
    roles = [role for role, _ in found]
    rest = roles[next((i for i, role in enumerate(roles) if role not in LIGHT), 0) + 1 :]
    in_line = target.result == Ref(len(target.steps) - 1) and len(target.inputs) == 1
    return found if found and in_line and LIGHT.issuperset(rest) else None


# -- runs: equal units in a row -------------------------------------------------------------------------------


def _runs(module: Module, units: list[_Unit], kept: frozenset[int]) -> Iterator[list[_Unit]]:
    """Units, equal ones in a row together."""
    readers = _readers(module, kept)
    run: list[_Unit] = []
    for unit in units:
        if run and not _repeats(module, run[-1], unit, readers):
            yield run
            run = []
        run.append(unit)
    if run:
        yield run


def _repeats(module: Module, before: _Unit, unit: _Unit, readers: Counter[int]) -> bool:
    if module.steps[unit.steps[0]].failure:
        return False
    return _grows(module, before, unit) or (_follows(module, before, unit, readers) and _same(module, before, unit))


def _same(module: Module, left: _Unit, right: _Unit) -> bool:
    """Block instances that are alike, or chains that say the same and yield the same shape."""
    if left.body is not None or right.body is not None:
        return left.body is not None and right.body is not None and left.body.is_like(right.body)
    shapes = [module.steps[unit.steps[-1]].output for unit in (left, right)]
    return left.phrases == right.phrases and shapes[0] == shapes[1]


# -- drawing --------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Place:
    """Where in the network a module stands."""

    id: str = "n"
    path: str = ""
    level: int = 1
    train_only: bool = False
    kept: frozenset[int] = frozenset()
    """The steps whose values leave the module besides its result."""

    def inside(self, number: int, name: str, train_only: bool) -> _Place:
        return _Place(f"{self.id}{number}_", f"{self.path}{name}.", self.level + 1, train_only)


@dataclass
class _Drawing:
    """The boxes counted and the edges found so far."""

    opens: _Opens
    limit: int
    edges: list[Edge] = field(default_factory=list)
    points: list[str] = field(default_factory=list)
    """The forks: the edge that leads to one says the shape, those from it need not."""
    count: int = 0

    def module(
        self, module: Module, place: _Place, inputs: tuple[str, ...]
    ) -> tuple[list[Box | Cluster], dict[int, str]]:
        """What is drawn of a module, and the box each of its values comes from (inputs at -1, -2, …)."""
        sources = {-1 - number: source for number, source in enumerate(inputs)}
        units = _units(module, place.kept, lambda inner: self.opens(inner, place.level))
        return [self.run(module, run, place, sources) for run in _runs(module, units, place.kept)], sources

    def run(self, module: Module, run: list[_Unit], place: _Place, sources: dict[int, str]) -> Box | Cluster:
        """The box or cluster of equal units; enters their values into `sources`."""
        if run[0].opened:
            return self.cluster(module, run, place, sources)
        first = module.steps[run[0].steps[0]]
        train_only = place.train_only or first.train_only
        drawn = Box(
            f"{place.id}{run[0].steps[0]}", run[0].role, _title(module, run), _details(module, run),
            place.path + _names(module, run), len(run), train_only,
        )  # fmt: skip
        self.box(drawn)
        numbers = [number for unit in run for number in unit.steps]
        self.connect(module, numbers, drawn, sources)
        sources.update(dict.fromkeys(numbers, drawn.id))
        return drawn

    def cluster(self, module: Module, run: list[_Unit], place: _Place, sources: dict[int, str]) -> Cluster:
        number, body = run[0].steps[0], run[0].body
        assert body is not None
        step = module.steps[number]
        train_only = place.train_only or step.train_only
        inside = place.inside(number, _names(module, run), train_only)
        forks, entries = self.forks(body, inside, tuple(sources[ref.step] for ref in step.inputs))
        items, inner = self.module(body, inside, entries)
        sources.update({unit.steps[0]: inner[body.result.step] for unit in run})
        name, title = _names(module, run), _title(module, run)
        parts = [*([name] if name[0].isdigit() and title != name else []), *_counts(module, run)]
        return Cluster(inside.id, title, " · ".join(parts), (*forks, *items), len(run), train_only)

    def forks(self, body: Module, place: _Place, sources: tuple[str, ...]) -> tuple[list[Box], tuple[str, ...]]:
        """A point inside the cluster for each input that goes several ways, so that only one edge crosses its frame."""
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

    def connect(self, module: Module, numbers: Iterable[int], drawn: Box, sources: dict[int, str]) -> None:
        """Edges to a box from the boxes it reads, one from each."""
        own = frozenset(numbers)
        read = [ref for number in numbers for ref in module.steps[number].inputs if ref.step not in own]
        labels = {sources[ref.step]: format_shape(module.value(ref)) for ref in reversed(read)}
        labels.update(dict.fromkeys(self.points, ""))
        for tail in dict.fromkeys(sources[ref.step] for ref in read):
            self.edges.append(Edge(tail, drawn.id, labels[tail], drawn.train_only))

    def end(self, name: str, root: Module, ref: Ref, sources: dict[int, str]) -> Box:
        """The box where a value leaves the network."""
        train_only = ref.step >= 0 and root.steps[ref.step].train_only
        drawn = self.box(Box(f"output{len(self.edges)}", END, name, train_only=train_only))
        self.edges.append(Edge(sources[ref.step], drawn.id, format_shape(root.value(ref)), train_only))
        return drawn

    def box(self, drawn: Box) -> Box:
        self.count += 1
        if self.count > self.limit:
            raise TargetError(f"the picture would have more than {self.limit:,} boxes: choose a smaller depth")
        return drawn


def _boxes(items: Iterable[Box | Cluster]) -> Iterator[Box]:
    for item in items:
        if isinstance(item, Cluster):
            yield from _boxes(item.items)
        else:
            yield item


# -- text -----------------------------------------------------------------------------------------------------


def _title(module: Module, run: list[_Unit]) -> str:
    unit, body = run[0], run[0].body
    if unit.role == FAILED:
        return " · ".join(dict.fromkeys((module.steps[unit.head].label, *unit.phrases)))
    if body is None:
        return " · ".join(unit.phrases)
    name, what = _names(module, run), body.definition or ("" if unit.opened else _contents(body))
    if name[0].isdigit():
        return what or name
    return f"{name} · {what}" if what else name


def _details(module: Module, run: list[_Unit]) -> tuple[str, ...]:
    if run[0].role == FAILED:
        return tuple(textwrap.wrap(module.steps[run[0].head].failure, WIDEST))
    name = _names(module, run)
    named = run[0].body is None or name[0].isdigit()
    parts = [*([name] if named and name else []), *_counts(module, run)]
    inside = _inside(run[0].body)
    if run[0].body is not None and len(run[0].steps) > 1:
        inside = f"{inside}; adds {run[0].body.output[0]} channels".removeprefix("; ")
    lines = [[inside, *parts]] if len(parts) < 2 and len(inside) <= LINE else [[inside], parts]
    return tuple(" · ".join(filter(None, line)) for line in lines if any(line))


def _names(module: Module, run: list[_Unit]) -> str:
    """The attribute a box stands for, or the first and the last of several; empty for functions."""
    first, last = (module.steps[unit.head].name for unit in (run[0], run[-1]))
    if first is None or last is None:
        return ""
    return first if len(run) == 1 else f"{first} – {last}"


def _counts(module: Module, run: list[_Unit]) -> tuple[str, ...]:
    """How many parameters; for equal units those of each."""
    counts = [sum(_params(module, module.steps[number]) for number in unit.steps) for unit in run]
    if not sum(counts):
        return ()
    if len(set(counts)) == 1 and len(run) > 1:
        return (f"{len(run)} × {quantity(counts[0])} params",)
    return (f"{quantity(sum(counts))} params",)


def _params(module: Module, step: Step) -> int:
    if step.failure:
        return 0
    if isinstance(step.target, Module):
        return step.target.params
    return 0 if isinstance(step.target, int) else sum(map(numel, step.target.parameters(*module.shapes(step)).values()))


def _contents(module: Module) -> str:
    """What a seq holds, in a few words: `23 × Bottleneck`, `13 × conv · 5 × max pool`."""
    words = Counter(_content(module.runs(step)) for step in module.steps)
    return " · ".join(f"{count} × {word}" for word, count in words.items() if word) or "Sequential"


def _content(target: Op | Module) -> str:
    if isinstance(target, Module):
        return target.definition or "Sequential"
    return "" if target.role in LIGHT else word(target)


def _inside(body: Module | None) -> str:
    """The windows of a block's convolutions, or how many branches it joins."""
    if body is None or body.is_seq or not body.steps:
        return ""
    if growth := _growth(body):
        return growth
    targets = [body.runs(step) for step in body.steps]
    windows = [window(target) for target in targets if isinstance(target, Op) and target.role == "convolution"]
    joined = [len(step.inputs) for step in body.steps if isinstance(step.target, Op) and step.target.role == "join"]
    if not windows and not any(isinstance(target, Op) and target.kind == "cat" for target in targets):
        windows = max((_windows(target) for target in targets), key=len, default=[])
    return f"conv {', '.join(windows)}" if windows else f"{max(joined)} branches" if joined else ""


def _growth(body: Module) -> str:
    """How far a block grows whose blocks of one kind each add their channels to its input, as in a DenseNet."""
    first, *rest = body.steps[body.result.step].inputs
    targets = [body.steps[ref.step].target for ref in rest if ref.step >= 0]
    blocks = [target for target in targets if isinstance(target, Module) and target.definition]
    kinds = {(block.definition, str(block.output[0])) for block in blocks}
    if first != Ref(-1) or len(rest) != len(blocks) or len(blocks) < 2 or len(kinds) != 1:
        return ""
    ((name, added),) = kinds
    return f"{len(blocks)} × {name}, {body.inputs[0][0]} + {len(blocks)} × {added} channels"


def _windows(target: Op | Module) -> list[str]:
    """The windows of the convolutions in a row of layers; of blocks, only what is such a row is looked into."""
    if isinstance(target, Op):
        return [window(target)] if target.role == "convolution" else []
    if not target.is_seq and any(step.inputs != (Ref(number - 1),) for number, step in enumerate(target.steps)):
        return []
    return [found for step in target.steps for found in _windows(target.runs(step))]


def word(op: Op) -> str:
    """What an op is called in a picture."""
    return WORDS.get(op.kind, op.kind.removesuffix("2d").replace("_", " "))


def phrase(op: Op, shapes: tuple[Shape, ...]) -> str:
    """An op with the numbers a designer looks for: `conv 7×7/2, 64`, `max pool 3×3/2`, `linear 1000`, `dropout 0.5`."""
    parts = [word(op), window(op)]
    parts += [f"to {_extent(pair_of(op.output_size))}"] if hasattr(op, "output_size") else []
    parts += [_extent(getattr(op, name)) for name in ("out_features", "p") if hasattr(op, name)]
    head = " ".join(part for part in parts if part)
    return ", ".join([head, *_settings(op, shapes)])


def window(op: Op) -> str:
    """`3×3`, with `/2` for a stride; empty for an op without a window.

    >>> from archspec.ops import OPS
    >>> window(OPS["conv2d"](out_channels=64, kernel_size=7, stride=2))
    '7×7/2'
    """
    kernel: Any = getattr(op, "kernel_size", None)
    stride: Any = getattr(op, "step", None) or getattr(op, "stride", 1)
    if kernel is None:
        return ""
    rows, columns = pair_of(stride)
    moves = "" if rows == columns == 1 else f"/{rows}" if rows == columns else f"/{rows}×{columns}"
    return _extent(pair_of(kernel)) + moves


def _settings(op: Op, shapes: tuple[Shape, ...]) -> Iterator[str]:
    fields: dict[str, Any] = {name: getattr(op, name, None) for name in ("out_channels", "groups", "dilation")}
    if fields["out_channels"] is not None:
        yield str(int(fields["out_channels"]))
    if (fields["groups"] or 1) > 1:
        yield "depthwise" if fields["groups"] == shapes[0][0] else f"{fields['groups']} groups"
    if fields["dilation"] not in (None, 1, (1, 1)):
        yield f"dilation {_extent(fields['dilation'])}"


def _extent(value: Any) -> str:
    return "×".join(str(part) for part in value) if isinstance(value, tuple | list) else f"{value:g}"


def quantity(count: int) -> str:
    """A count in three digits.

    >>> quantity(44549160), quantity(9408), quantity(640)
    ('44.5 M', '9.41 K', '640')
    """
    for unit, size in (("T", 10**12), ("G", 10**9), ("M", 10**6), ("K", 10**3)):
        if count >= size:
            scaled = count / size
            return f"{scaled:.{2 - min(2, len(str(int(scaled))) - 1)}f} {unit}"
    return str(count)
