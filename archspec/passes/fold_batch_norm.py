"""Graph → graph: the inference form of a network. Batch norms are folded into the layers before them; dropout and
training-only items are removed.

    y = γ (W x + b − μ) / √(σ² + ε) + β

is again a convolution or linear layer. The two layers may be anywhere in the network, as long as only the norm reads
the output of the first. So the decision what can be folded is made on the flat sequence of layers that run, and every
instance of a block is then rewritten accordingly.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final, NamedTuple

from archspec.ir.definition import Definition
from archspec.ir.graph import Graph, Outputs
from archspec.ir.module import Module, Ref, Step
from archspec.ops.base import Op
from archspec.ops.batch_norm import BatchNorm
from archspec.ops.collect import Collect
from archspec.ops.shapes import Value
from archspec.passes.inplace import with_inplace

_FOLDS: Final = {
    "batch_norm1d": {"linear": "linear layer", "conv1d": "convolution"},
    "batch_norm2d": {"conv2d": "convolution"},
    "batch_norm3d": {"conv3d": "convolution"},
}
"""The norms, and for each the layers that it can be folded into, with their names in messages."""

_NOTE = "Batch norm folded into the convolutions, dropout gone: for inference."

Key = tuple[int, ...]
"""A step of the network as it runs, identified by the numbers of the steps from the root down to it."""


@dataclass(frozen=True)
class LayerSource:
    """The tensors that a layer of the folded network is computed from: the layer's own, and those of its folded
    norm."""

    layer: str
    tensors: tuple[str, ...]
    norm: str | None = None
    affine: bool = True
    eps: float = 0.0


class Remaining(NamedTuple):
    """A batch norm that was not folded, and why."""

    layer: str
    reason: str

    def __str__(self) -> str:
        return f"{self.layer} is not folded: {self.reason}"


@dataclass(frozen=True)
class Folded:
    """The inference form of a network, the sources of its layers by their names, and the norms that remain."""

    graph: Graph
    sources: Mapping[str, LayerSource]
    remaining: tuple[Remaining, ...]


def fold(graph: Graph) -> Folded:
    """The inference form of a network. Batch norms that cannot be folded remain unchanged.

    >>> import archspec
    >>> fold(archspec.compile("vgg11_bn")).graph.buffers
    0
    """
    run = _Run(graph.root)
    folded, remaining = run.decisions()
    rewriter = _Rewriter()
    root = rewriter.rewritten(graph.root, _as_tree(folded), graph.root.block)
    description = " ".join(filter(None, [graph.description, _NOTE]))
    result = replace(graph, root=root, outputs=_outputs(graph, root), init=root.init, description=description)
    norms = {conv: run.leaves[norm] for norm, conv in folded.items()}
    return Folded(result, dict(rewriter.sources(graph.root, root, norms, (), "")), tuple(remaining))


def _outputs(graph: Graph, root: Module) -> Outputs | None:
    """The outputs of the inference form: those that are not returned in training only."""
    if graph.outputs is None or not graph.outputs.always:
        return None
    return replace(graph.outputs, fields=dict(zip(graph.outputs.fields, root.steps[-1].inputs, strict=True)))


# -- the network as it runs -----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Leaf:
    """A layer or function in the network as it runs."""

    name: str
    op: Op
    inputs: tuple[Any, ...]
    again: bool
    """Whether its module runs several times."""
    shape: Value
    """The shape of its output."""


Origin = tuple[Key, int | None]
"""A value: the leaf that returns it, and which of its outputs it is; the inputs of the network have no leaf."""

Origins = Origin | list[Origin]
"""A value, or several that a block returns together."""


class _Run:
    """Every leaf of a network, through all blocks, and how often each value is read."""

    def __init__(self, root: Module) -> None:
        self.leaves: dict[Key, _Leaf] = {}
        self.readers: Counter[Origin] = Counter()
        starts: list[Origins] = [((-1 - number,), None) for number in range(len(root.inputs))]
        result = self.walk(root, starts, (), "", False)
        self.readers.update(result if isinstance(result, list) else [result])

    def walk(self, module: Module, inputs: Sequence[Origins], key: Key, prefix: str, again: bool) -> Origins:
        """The origin of a module's result. Steps that run only in training are left out."""
        values: dict[int, Origins] = {}
        again_here = (step for step in module.steps if isinstance(step.target, int) and not step.train_only)
        repeated = {id(module.owner(step)) for step in again_here}
        for number, step in enumerate(module.steps):
            if step.train_only:
                continue
            owner = module.owner(step)
            arrived = [_value(inputs, values, ref) for ref in step.inputs]
            name, often = f"{prefix}{owner.name}", again or id(owner) in repeated
            if isinstance(owner.target, Module):
                values[number] = self.walk(owner.target, arrived, (*key, number), f"{name}.", often)
                continue
            assert isinstance(owner.target, Op)
            single = [origin for origin in arrived if not isinstance(origin, list)]
            if isinstance(owner.target, Collect):
                values[number] = single
                continue
            if _is_idle(owner.target):
                values[number] = single[0]
                continue
            here = (*key, number)
            self.leaves[here] = _Leaf(name, owner.target, tuple(single), often, step.output)
            self.readers.update(single)
            values[number] = (here, None)
        return _value(inputs, values, module.result)

    def decisions(self) -> tuple[dict[Key, Key], list[Remaining]]:
        """The norms that are folded, each with the layer it is folded into, and those that are not."""
        folded: dict[Key, Key] = {}
        remaining: list[Remaining] = []
        for key, leaf in self.leaves.items():
            if leaf.op.kind in _FOLDS:
                reason = self.obstacle(leaf, _FOLDS[leaf.op.kind])
                if reason:
                    remaining.append(Remaining(leaf.name, reason))
                else:
                    folded[key] = leaf.inputs[0][0]
        return folded, remaining

    def obstacle(self, norm: _Leaf, into: Mapping[str, str]) -> str:
        """Why a norm cannot be folded; empty if it can."""
        (origin,) = norm.inputs
        before = self.leaves.get(origin[0])
        if before is None or before.op.kind not in into or origin[1] is not None:
            return f"no {' or '.join(into.values())} is directly before it"
        if getattr(before.op, "transposed", False):
            return f"the weight of {before.name} is transposed"
        if getattr(before.op, "zero_bias", None) is not None:
            return f"{before.name} has no bias for some features (zero_bias)"
        if not norm.op.track_running_stats:  # type: ignore[attr-defined]
            return "it has no running statistics"
        if norm.again or before.again:
            return f"{norm.name if norm.again else before.name} runs several times"
        if self.readers[origin] > 1:
            return f"the value of {before.name} is also read elsewhere"
        if before.op.kind == "linear" and len(norm.shape) > 1:
            return f"it normalises positions, not the features of {before.name}"
        return ""


def _value(inputs: Sequence[Origins], values: Mapping[int, Origins], ref: Ref) -> Origins:
    found = inputs[-1 - ref.step] if ref.step < 0 else values.get(ref.step, ((ref.step,), None))
    if isinstance(found, list):
        return found if ref.part is None else found[ref.part]
    return found[0], found[1] if ref.part is None else ref.part


def _is_idle(target: Op | Module) -> bool:
    """Whether an op does nothing in evaluation."""
    return isinstance(target, Op) and target.idle


# -- rewriting ------------------------------------------------------------------------------------------------------


_Tree = tuple[tuple[int, Any], ...]
"""The decisions about a module's steps, by their numbers: `norm`, `layer`, or the decisions inside a module."""


def _as_tree(folded: Mapping[Key, Key]) -> _Tree:
    """The decisions as a tree. Modules that are rewritten in the same way have equal trees."""
    found: dict[Key, str] = {**dict.fromkeys(folded, "norm"), **dict.fromkeys(folded.values(), "layer")}
    return _nested(sorted(found.items()))


def _nested(found: Sequence[tuple[Key, str]]) -> _Tree:
    below: dict[int, list[tuple[Key, str]]] = {}
    for key, decision in found:
        below.setdefault(key[0], []).append((key[1:], decision))
    return tuple((number, inner[0][1] if not inner[0][0] else _nested(inner)) for number, inner in below.items())


@dataclass
class _Rewriter:
    """Rewrites modules. One that occurs several times, with equal decisions, stays one object."""

    made: dict[tuple[int, _Tree], Module] = field(default_factory=dict)
    numbers: dict[int, tuple[int, ...]] = field(default_factory=dict)
    """The numbers that a rewritten module's steps had before, by its identity."""

    def rewritten(self, module: Module, tree: _Tree, block: Definition | None) -> Module:
        """A module without its folded norms and removed layers; `block` is the definition that its steps come from."""
        key = (id(module), tree)
        if key not in self.made:
            made, numbers = _Rewriting(self, module, dict(tree), block).result()
            self.made[key], self.numbers[id(made)] = made, numbers
        return self.made[key]

    def sources(
        self, old: Module, new: Module, norms: Mapping[Key, _Leaf], key: Key, before: str, after: str = ""
    ) -> Iterator[tuple[str, LayerSource]]:
        """The layers of the folded network with their sources."""
        for number, step in zip(self.numbers[id(new)], new.steps, strict=True):
            if step.name is None:
                continue
            there = old.owner(old.steps[number])
            names = f"{before}{there.name}", f"{after}{step.name}"
            if isinstance(step.target, Module) and isinstance(there.target, Module):
                prefixes = (f"{name}." for name in names)
                yield from self.sources(there.target, step.target, norms, (*key, number), *prefixes)
            elif isinstance(step.target, Op):
                tensors = tuple(step.target.saved(*new.shapes(step)))
                yield names[1], _source(names[0], tensors, norms.get((*key, number)))


def _source(layer: str, tensors: tuple[str, ...], norm: _Leaf | None) -> LayerSource:
    if norm is None:
        return LayerSource(layer, tensors)
    assert isinstance(norm.op, BatchNorm)
    return LayerSource(layer, tensors, norm.name, norm.op.affine, norm.op.eps)


class _Rewriting:
    """The rewriting of one module."""

    def __init__(self, rewriter: _Rewriter, module: Module, decided: dict[int, Any], block: Definition | None) -> None:
        self.rewriter = rewriter
        self.module = module
        self.decided = decided
        self.block = block
        self.moved: dict[int, Ref] = {}
        """The new reference to the value of each step."""
        self.places: dict[int, int] = {}
        """The numbers of the steps that remain, old → new."""
        self.owners: dict[int, int] = {}
        """The new number of the step that declares each remaining module, by the old one."""
        self.steps: list[Step] = []
        self.numbers: Counter[str] = Counter()
        """How many modules without a name each container has so far."""

    def result(self) -> tuple[Module, tuple[int, ...]]:
        for number, step in enumerate(self.module.steps):
            if not step.train_only:
                self.step(number, step)
        result = self.at(self.module.result)
        steps = with_inplace(self.steps, result)
        conditions = {
            position: condition._replace(otherwise=self.at(condition.otherwise))
            for position, condition in self.module.conditions.items() if self.is_kept(condition.otherwise)
        }  # fmt: skip
        made = replace(
            self.module, steps=steps, dropped=(), result=result, registration=self.order(self.module.registration),
            construction=self.order(self.module.construction), conditions=conditions,
        )  # fmt: skip
        return made, tuple(self.places)

    def step(self, number: int, step: Step) -> None:
        owner = self.module.owner(step)
        declared = self.module.steps.index(owner) if owner is not step else number
        if isinstance(owner.target, Op) and (_is_idle(owner.target) or self.decided.get(number) == "norm"):
            self.moved[number] = self.at(step.inputs[0])
            return
        target: Op | Module | int | None = self.owners.get(declared)
        first = target is None
        if target is None:
            target = self.target(number, owner)
            self.owners[declared] = len(self.steps)
        self.moved[number] = Ref(len(self.steps))
        self.places[number] = len(self.steps)
        trees = {name: tree for name, tree in step.trees.items() if self.decided.get(number) is None or name != "bias"}
        self.steps.append(replace(
            step, target=target, inputs=tuple(map(self.at, step.inputs)), name=self.name(owner) if first else None,
            trees=trees, inplace=False,
        ))  # fmt: skip

    def target(self, number: int, owner: Step) -> Op | Module:
        target = owner.target
        if isinstance(target, Module):
            block = self.block if target.is_seq else target.block
            return self.rewriter.rewritten(target, self.decided.get(number, ()), block)
        assert isinstance(target, Op)
        return target.model_copy(update={"bias": True}) if self.decided.get(number) == "layer" else target

    def name(self, owner: Step) -> str | None:
        """The name a module is registered under: modules without a name of their own are renumbered."""
        item = None if self.block is None else self.block.at(owner.position)
        if owner.name is None or item is None or item.name is not None:
            return owner.name
        if self.module.is_seq or (self.block is not None and self.block.is_sequential):
            return str(len(self.steps))
        if not item.container:
            return owner.name
        container = owner.name.rpartition(".")[0]
        self.numbers[container] += 1
        return f"{container}.{self.numbers[container] - 1}"

    def is_kept(self, ref: Ref) -> bool:
        return ref.step < 0 or ref.step in self.moved

    def at(self, ref: Ref) -> Ref:
        """The new reference to a value."""
        if ref.step < 0:
            return ref
        moved = self.moved[ref.step]
        return moved if ref.part is None else Ref(moved.step, ref.part)

    def order(self, before: Sequence[int] | None) -> tuple[int, ...] | None:
        """The order of registration, or of construction, of the remaining steps."""
        if before is None:
            return None
        order = [self.owners.get(number, self.places.get(number)) for number in before]
        kept = list(dict.fromkeys(number for number in order if number is not None))
        return (*kept, *(number for number in range(len(self.steps)) if number not in kept))
