"""Graph → the rows of the tree and the totals below it: finished values, independent of how they are printed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

from archspec.ir.container import Container, Entry
from archspec.ir.graph import Graph
from archspec.ir.measure import follow, measured
from archspec.ir.module import Module, Ref, Step
from archspec.ir.receptive_field import FieldSize, ReceptiveFields, compose, field_size, start_of
from archspec.ops.base import Op
from archspec.ops.shapes import Value, numel

DTYPES: Final[Mapping[str, int]] = {"float64": 8, "float32": 4, "float16": 2, "bfloat16": 2}
"""Bytes per number."""


class Row(NamedTuple):
    """A module in the tree, with all its repeats: every number is the sum over them.

    `path` is the state_dict prefix (`layer3.1–22`), `name` its last part. `repeats` is how many equal modules the row
    stands for, including repeats of the rows around it; `runs` is how often one of them runs. Output and `field` are
    those of the last repeat; a container has no output. `macs` is 0 for training-only modules.
    """

    depth: int
    path: str
    name: str
    type: str
    repeats: int
    runs: int
    output_shape: Value | None
    params: int
    buffers: int
    macs: int
    field: FieldSize | None
    train_only: bool


@dataclass(frozen=True)
class Totals:
    """The numbers of the whole network; MACs, runs and activations are for one sample in evaluation.

    `counted` and `uncounted` say how often each kind of op runs: those that `macs` includes, and the others.
    `activations` counts the elements of all layers' outputs.
    """

    layers: int
    params: int
    train_only_params: int
    buffers: int
    macs: int
    activations: int
    counted: Mapping[str, int]
    uncounted: Mapping[str, int]
    field: FieldSize | None

    @property
    def flops(self) -> int:
        """Floating-point operations, counted as two per multiply-accumulate."""
        return 2 * self.macs

    def memory(self, dtype: str) -> tuple[int, int]:
        """Bytes of the parameters, and of all layers' outputs for one sample."""
        return self.params * DTYPES[dtype], self.activations * DTYPES[dtype]


def totals(graph: Graph) -> Totals:
    """The totals of a network."""
    runs = _runs_by_op(graph.root)
    counted = {op.kind: n for op, n in runs if op.macs is not Op.macs}
    uncounted = {op.kind: n for op, n in runs if op.kind not in counted and op.kind in graph.ops}
    activations = sum(layer.activations for layer in graph.layers if not layer.train_only)
    return Totals(
        len(graph.layers), graph.params, graph.train_only_params, graph.buffers, graph.macs, activations,
        counted, uncounted, _field(graph),
    )  # fmt: skip


def rows(graph: Graph, depth: int | None = None) -> list[Row]:
    """The tree down to `depth` levels below the network; with `None`, blocks are closed and everything else is open."""
    root = graph.root
    top = Row(0, "", graph.name, graph.class_name, 1, 1, root.output, root.params, root.buffers, root.macs,
              _field(graph), False)  # fmt: skip
    return [top, *_below(root, top, [start_of(shape) for shape in root.inputs], depth)] if depth != 0 else [top]


def _field(graph: Graph) -> FieldSize | None:
    return field_size(compose(start_of(graph.input_shape), measured(graph.root)[1]), graph.root.output)


def _below(
    module: Module, parent: Row, starts: Sequence[ReceptiveFields], depth: int | None, evaluations: int = 1
) -> Iterator[Row]:
    """The rows inside `parent`, whose inputs have the receptive fields `starts`; it runs `evaluations` times."""
    return _Rows(module, starts, depth, evaluations).of(parent)


class _Rows:
    """The rows inside a module."""

    def __init__(self, module: Module, starts: Sequence[ReceptiveFields], depth: int | None, evaluations: int) -> None:
        self.module = module
        self.fields = follow(module, starts)
        self.depth = depth
        self.evaluations = evaluations
        self.runs, self.evaluated = _runs(module)
        self.groups = {id(module.steps[group[0]]): group for group in _folded(module)}
        """Groups of equal steps, by the first of each."""

    def of(self, parent: Row) -> Iterator[Row]:
        """The rows inside `parent`, in the order they run."""
        names = (str(self.module.steps[group[0]].name) for group in self.groups.values())
        first = dict.fromkeys(name.partition(".")[0] for name in names)
        yield from self.entries({name: self.module.tree[name] for name in first}, parent)

    def entries(self, entries: Mapping[str, Entry[Step]], parent: Row) -> Iterator[Row]:
        """The rows of modules, and of containers of modules."""
        for name, entry in entries.items():
            if isinstance(entry, Container):
                yield from self.container(name, entry, parent)
            elif id(entry) in self.groups:
                yield from self.group(self.groups[id(entry)], parent)

    def container(self, name: str, container: Container[Step], parent: Row) -> Iterator[Row]:
        """The row of a container, and those inside it; it has no output of its own, since it does not run."""
        row = Row(
            parent.depth + 1, f"{parent.path}.{name}" if parent.path else name, name, container.kind, parent.repeats,
            parent.runs, None, 0, 0, 0, None, parent.train_only,
        )  # fmt: skip
        inside = [*self.entries(container.entries, row)]
        own = [inner for inner in inside if inner.depth == row.depth + 1]
        params, buffers, macs = (sum(getattr(inner, what) for inner in own) for what in ("params", "buffers", "macs"))
        yield row._replace(params=params, buffers=buffers, macs=macs, train_only=all(inner.train_only for inner in own))
        if self.depth is None or row.depth < self.depth:
            yield from inside

    def group(self, group: list[int], parent: Row) -> Iterator[Row]:
        """The row of equal steps, and those inside it."""
        module, first, last = self.module, group[0], group[-1]
        row = _row(module, group, parent, self.fields[last][1])
        macs = sum(self.evaluated[number] * module.step_macs(module.steps[number]) for number in group)
        macs = 0 if row.train_only else macs * parent.repeats * self.evaluations
        row = row._replace(runs=parent.runs * self.runs[first], macs=macs)
        yield row
        target = module.steps[last].target
        if isinstance(target, Module) and _is_open(target, row.depth, self.depth):
            yield from _below(target, row, self.fields[last][0], self.depth, self.evaluations * self.evaluated[last])


def _row(module: Module, group: list[int], parent: Row, field: ReceptiveFields) -> Row:
    steps = [module.steps[number] for number in group]
    first, last = steps[0], steps[-1]
    names = [str(step.name).rpartition(".")[2] for step in (first, last)]
    name = names[0] if first is last else "–".join(names)
    repeats = parent.repeats * len(group)
    params, buffers = _tensors(module, first)
    return Row(
        parent.depth + 1, f"{parent.path}.{name}" if parent.path else name, name, _type(first), repeats, 1,
        last.output, params * repeats, buffers * repeats, 0, field_size(field, last.output),
        parent.train_only or first.train_only,
    )  # fmt: skip


def _is_open(module: Module, at: int, depth: int | None) -> bool:
    return module.is_seq if depth is None else at < depth


def _type(step: Step) -> str:
    if isinstance(step.target, Module):
        return step.target.definition or "seq"
    assert isinstance(step.target, Op)
    return step.target.kind


def _tensors(module: Module, step: Step) -> tuple[int, int]:
    """The numbers of elements of a step's parameters and of its buffers."""
    target = step.target
    if isinstance(target, Module):
        return target.params, target.buffers
    assert isinstance(target, Op)
    shapes = module.shapes(step)
    return sum(map(numel, target.parameters(*shapes).values())), sum(map(numel, target.buffers(*shapes).values()))


def _folded(module: Module) -> list[list[int]]:
    """The steps that own a module, equal ones in a chain as one group."""
    groups: list[list[int]] = []
    for number, step in enumerate(module.steps):
        if step.name is None:
            continue
        if groups and _repeats(module.steps[groups[-1][-1]], groups[-1][-1], step):
            groups[-1].append(number)
        else:
            groups.append([number])
    return groups


def _repeats(before: Step, number: int, step: Step) -> bool:
    same = isinstance(step.target, Module) and isinstance(before.target, Module) and step.target.is_like(before.target)
    together = str(before.name).rpartition(".")[0] == str(step.name).rpartition(".")[0]
    return same and together and step.inputs == (Ref(number),) and step.train_only == before.train_only


def _runs(module: Module) -> tuple[Counter[int], Counter[int]]:
    """How often each step's module runs, in training and in evaluation."""
    runs: Counter[int] = Counter()
    evaluated: Counter[int] = Counter()
    for number, step in enumerate(module.steps):
        owner = number
        while isinstance(called := module.steps[owner].target, int):
            owner = called
        runs[owner] += 1
        evaluated[owner] += not step.train_only
    return runs, evaluated


def _runs_by_op(root: Module) -> list[tuple[type[Op], int]]:
    """How often each kind of op runs in evaluation, most frequent first. Each module is visited once."""
    found: dict[int, Counter[type[Op]]] = {}
    for module in root.modules:
        counts: Counter[type[Op]] = Counter()
        for step in module.steps:
            target = module.runs(step)
            if step.train_only:
                continue
            if isinstance(target, Module):
                counts.update(found[id(target)])
            else:
                counts[type(target)] += 1
        found[id(module)] = counts
    return sorted(found[id(root)].items(), key=lambda item: (-item[1], item[0].kind))
