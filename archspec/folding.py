"""Spec → spec: the inference form of a network. Batch norms are folded into the convolutions before them, dropout and
what runs in training only is gone.

The spec itself is rewritten, so that every target has the same inference form: a folded convolution has a bias, its
batch norm is no item any more. Whether an item can go is decided on the graph, over all uses of its block.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from archspec import document
from archspec.driver import Spec, compile, expanded, load
from archspec.graph import Graph, Module, Step
from archspec.ops import OPS
from archspec.ops.base import Op
from archspec.ops.convolution import Conv2d
from archspec.ops.normalisation import BatchNorm2d

Slot = tuple[int, ...]
Data = dict[str, Any]

_NOTE = "Batch norm folded into the convolutions, dropout gone: for inference."


@dataclass(frozen=True)
class Source:
    """Where a layer of the folded network has its tensors from: a layer, and the batch norm folded into it, if any."""

    layer: str
    tensors: tuple[str, ...]
    norm: str | None = None
    affine: bool = True
    eps: float = 0.0


@dataclass(frozen=True)
class Folded:
    """A spec's inference form, and where each of its layers (by name) has its tensors from."""

    spec: Spec
    graph: Graph
    sources: Mapping[str, Source]


def fold(spec: Spec) -> Folded:
    """The inference form of a spec's network. What cannot be folded stays, and means the same.

    >>> fold(load("vgg11_bn")).graph.buffers
    0
    """
    graph = compile(spec)
    bodies = _judged(graph)
    data = expanded(spec).to_data()
    for name, block in data.get("blocks", {}).items():
        if name in bodies:
            _rewrite(block, bodies[name])
    _rewrite(data, bodies[graph.root.definition])
    data["description"] = " ".join(filter(None, [data.get("description"), _NOTE]))[:2000]
    data["class_name"] = graph.root.definition
    folded = load(document.dump(data))
    result = compile(folded)
    return Folded(
        folded, result, dict(_sources(graph.root, result.root, bodies, bodies[graph.root.definition], "", ""))
    )


# -- what can go --------------------------------------------------------------------------------------------------


@dataclass
class _Body:
    """What is decided about the items of a block, by their slots."""

    folded: dict[Slot, Slot] = field(default_factory=dict)
    """A batch norm's slot with that of its convolution."""
    removed: set[Slot] = field(default_factory=set)
    """The items that go, batch norms included."""
    names: dict[Slot, set[str]] = field(default_factory=dict)
    """What modules of an item are registered under; an item that is repeated has several."""

    def gone(self) -> set[str]:
        """The names under which nothing is registered any more."""
        kept = set().union(*(names for slot, names in self.names.items() if slot not in self.removed))
        return set().union(*self.names.values()) - kept


def _judged(graph: Graph) -> dict[str, _Body]:
    """What can go from each block, so that it is right for every use of it."""
    uses: dict[str, list[Module]] = {}
    for module in graph.root.modules:
        if not module.is_seq:
            uses.setdefault(module.definition, []).append(module)
    return {
        name: _judge([_Part(part) for module in modules for part in _parts(module)], modules)
        for name, modules in uses.items()
    }


def _parts(module: Module) -> Iterator[Module]:
    """A block's own line of steps, and those of the seqs inside it."""
    yield module
    for step in module.steps:
        if isinstance(step.target, Module) and step.target.is_seq:
            yield from _parts(step.target)


class _Part:
    """A line of steps, with who reads and who runs what."""

    def __init__(self, module: Module) -> None:
        self.steps = module.steps
        self.readers = Counter(ref.step for step in module.steps for ref in step.inputs)
        self.readers[module.result.step] += 1
        self.again = {step.target for step in module.steps if isinstance(step.target, int)}

    def norms(self) -> Iterator[tuple[Slot, Slot]]:
        """The slots of batch norms that can be folded, with those of their convolutions."""
        for number, step in enumerate(self.steps):
            before = step.inputs[0].step if step.inputs else -1
            if isinstance(step.target, BatchNorm2d) and before >= 0 and not {number, before} & self.again:
                conv = self.steps[before]
                alone = isinstance(conv.target, Conv2d) and self.readers[before] == 1
                if alone and step.target.track_running_stats and _adjacent(conv.slot, step.slot):
                    yield step.slot, conv.slot


def _adjacent(first: Slot, second: Slot) -> bool:
    return first[:-1] == second[:-1] and first[-1] + 1 == second[-1]


def _judge(parts: list[_Part], modules: list[Module]) -> _Body:
    body = _Body()
    for step in (step for module in modules for step in module.steps if step.name is not None):
        body.names.setdefault(step.slot, set()).add(str(step.name))
    uses = Counter(step.slot for part in parts for step in part.steps)
    for (norm, conv), count in Counter(pair for part in parts for pair in part.norms()).items():
        if count == uses[norm] == uses[conv]:
            body.folded[norm] = conv
    for part in parts:
        idle = {step.slot for number, step in enumerate(part.steps) if _is_idle(step) and number not in part.again}
        body.removed |= idle
    busy = {
        step.slot
        for part in parts
        for number, step in enumerate(part.steps)
        if not _is_idle(step) or number in part.again
    }
    body.removed = (body.removed - busy) | body.folded.keys()
    return body


def _is_idle(step: Step) -> bool:
    """Whether a step does nothing in evaluation."""
    return step.train_only or (isinstance(step.target, Op) and step.target.idle)


# -- the spec without it ------------------------------------------------------------------------------------------


def _rewrite(data: Data, body: _Body) -> None:
    """Take items out of a block's or network's data, in place; items that cannot be spared are struck off `body`."""
    key = "seq" if "seq" in data else "layers"
    own = {key: value for key, value in data.items() if key != "blocks"}  # names mean something else there
    fields = data.get("outputs", {}).get("fields", {})
    renaming = _Renaming({*_references(own), *fields.values()}, data.get("inputs", ["input"])[0])
    data[key] = own[key] = _items(data[key], (), body, renaming)
    _rename(own, renaming)
    data.update(own)
    if "register" in data:
        gone = body.gone()
        data["register"] = [name for name in data["register"] if name not in gone]
    data.pop("outputs", None)
    if fields and "output" not in data:  # what it returns in training: the first of them is what it returns otherwise
        data["output"] = renaming.of(next(iter(fields.values())))


@dataclass
class _Renaming:
    """What the values of items that went are called from now on; only names that are `used` matter."""

    used: set[str]
    first: str
    """The value before the first item."""
    names: dict[str, str] = field(default_factory=dict)

    def may_read(self, label: str) -> bool:
        """Whether someone may read the value of one of the rounds that `conv{i}` stands for."""
        start = label.partition("{")[0]
        return any(name.startswith((start, "{")) for name in self.used)

    def of(self, name: str) -> str:
        """The name of a value; a batch norm and the dropout after it may both be gone."""
        while self.names.get(name, name) != name:
            name = self.names[name]
        return name


def _references(data: Any) -> Iterator[str]:
    """The names that items refer to, also in expressions."""
    pairs = data.items() if isinstance(data, dict) else enumerate(data)
    for key, value in pairs:
        if isinstance(value, dict | list) and key != "from":
            yield from _references(value)
        elif key in ("from", "else", "output"):
            yield from [value] if isinstance(value, str) else value
        elif isinstance(value, str) and value.startswith("="):
            yield from re.findall(r"\b([A-Za-z_]\w*)\.", value)


def _items(items: list[Data], prefix: Slot, body: _Body, renaming: _Renaming, grouped: bool = False) -> list[Data]:
    """What stays of a list of items; a group of which nothing stays goes itself."""
    kept: list[Data] = []
    for number, item in enumerate(items):
        slot, own = (*prefix, number), _own(item)
        last = number + 1 == len(items)
        if slot in body.removed and (grouped or kept or not last) and _can_go(item, kept, renaming, grouped):
            _forget(item, kept, renaming)
            continue
        if slot in body.removed:
            body.removed.discard(slot)
            body.folded.pop(slot, None)
        if slot in body.folded.values() and _can_go(items[number + 1], [item], renaming, grouped):
            own.pop("bias", None)  # there is one unless it is said that there is none
        for key in ("seq", "layers"):
            if key in own:
                own[key] = _items(own[key], slot, body, renaming, key == "layers")
        if own.get("layers") != []:
            kept.append(item)
    return kept


def _own(item: Data) -> Data:
    """What an item is, behind its name."""
    (first, *rest) = item.values()
    return first if isinstance(first, dict) and not rest else item


def _label(item: Data) -> str | None:
    """What others call an item's value."""
    own = _own(item)
    label = own.get("as") or (next(iter(item)) if own is not item else None)
    return None if label is None else str(label)


def _can_go(item: Data, before: list[Data], renaming: _Renaming, grouped: bool) -> bool:
    """Whether an item can be taken out with its readers taking what it takes."""
    own, label = _own(item), _label(item)
    if own.get("train_only"):
        return True
    if own.keys() & {"append", "repeat", "else"}:
        return False
    if "from" in own and (not before or own["from"] != _label(before[-1])):
        return False
    if label is None:
        return True
    if "{" in label:
        return not renaming.may_read(label)
    return label not in renaming.used or (_has_a_name(before[-1]) if before else not grouped)


def _has_a_name(item: Data) -> bool:
    """Whether what an item yields to the next can be called by a name: its own or, if it has none, a new one."""
    own, label = _own(item), _label(item)
    if "layers" in own or (own.get("op") in OPS and OPS[own["op"]].raw):
        return False
    return label is None or "{" not in label


def _forget(item: Data, before: list[Data], renaming: _Renaming) -> None:
    """Note what the value of an item that goes is called from now on."""
    label = _label(item)
    if label not in renaming.used or _own(item).get("train_only"):
        return
    assert label is not None
    last = before[-1] if before else None
    if last is not None and _label(last) is None:
        _own(last)["as"] = label
        return
    renaming.names[label] = renaming.first if last is None else str(_label(last))


def _rename(data: Any, renaming: _Renaming) -> None:
    """Change references to values, in items and in expressions, in place."""
    pairs = data.items() if isinstance(data, dict) else enumerate(data)
    for key, value in list(pairs):
        if key in ("from", "else", "output"):
            data[key] = renaming.of(value) if isinstance(value, str) else [renaming.of(name) for name in value]
        elif isinstance(value, dict | list):
            _rename(value, renaming)
        elif isinstance(value, str) and value.startswith("="):
            data[key] = re.sub(r"\b([A-Za-z_]\w*)\.", lambda found: f"{renaming.of(found[1])}.", value)


# -- the weights --------------------------------------------------------------------------------------------------


def _sources(
    old: Module, new: Module, bodies: Mapping[str, _Body], body: _Body, before: str, after: str
) -> Iterator[tuple[str, Source]]:
    """The layers of the folded network with their sources. Both are walked in step; what went is passed over."""
    stayed = [(number, step) for number, step in enumerate(old.steps) if step.slot not in body.removed]
    norms = {step.inputs[0].step: step for step in old.steps if step.slot in body.folded}
    for (number, step), made in zip(stayed, new.steps, strict=True):
        if step.name is None:
            continue
        names = f"{before}{step.name}", f"{after}{made.name}"
        if isinstance(step.target, Module) and isinstance(made.target, Module):
            inner = body if step.target.is_seq else bodies[step.target.definition]
            yield from _sources(step.target, made.target, bodies, inner, f"{names[0]}.", f"{names[1]}.")
        elif isinstance(step.target, Op) and isinstance(made.target, Op):
            shapes = new.shapes(made)
            tensors = (*made.target.parameters(*shapes), *made.target.buffers(*shapes))
            norm = norms.get(number)
            yield names[1], _source(names[0], before, tensors, norm)


def _source(layer: str, before: str, tensors: tuple[str, ...], norm: Step | None) -> Source:
    if norm is None:
        return Source(layer, tensors)
    assert isinstance(norm.target, BatchNorm2d)
    return Source(layer, tensors, f"{before}{norm.name}", norm.target.affine, norm.target.eps)
