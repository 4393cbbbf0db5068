"""A difference → rows of text, independent of the layout: layers, totals and weights."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from archspec.backends.summary.table import format_field
from archspec.changes.layer import Layer
from archspec.changes.tree import Node
from archspec.diagnostics.budget import CHARACTERS, spend
from archspec.diagnostics.formatting import printable
from archspec.diagnostics.json_text import json_text
from archspec.frontend.loader import Spec
from archspec.ir.graph import Graph
from archspec.ops.shapes import format_input, format_shape
from archspec.weights.mismatch import groups

if TYPE_CHECKING:
    from archspec.changes.diff import Diff

MARKS: Final = {"added": "+", "removed": "-", "changed": "~"}

MAX_VALUE: Final = 120
"""The most characters of a value that are shown."""

MAX_KEYS: Final = 3
"""The most keys of a group that are shown; the others are counted."""

LABELS: Final = {
    "from": "from", "calls": "calls", "returns": "returns", "output_shape": "output", "input_shapes": "input",
    "train_only": "training only", "is_module": "module", "inplace": "in place", "init": "initialisation",
    "order": "order", "key_order": "order of keys", "outputs": "outputs", "features": "features", "params": "params",
    "buffers": "buffers", "macs": "MACs",
}  # fmt: skip
"""The titles of facts, in the order in which they are shown. Names and types have columns of their own."""


REST: Final = "the others keep their initial values with"
"""The text before the options that load what fits."""


class Row(NamedTuple):
    """A change, or several equal changes of consecutive layers; every number is that of one layer."""

    mark: str
    name: str
    type: str
    details: tuple[str, ...]
    a: str = ""
    """The full name of the layer in `a`, or of the first of several; empty if it is not there."""
    b: str = ""


class Total(NamedTuple):
    """A number of the whole network, for both networks."""

    name: str
    a: str
    b: str
    change: str


class Group(NamedTuple):
    """Keys in one part of the network that do not fit for the same reason."""

    prefix: str
    tensors: int
    reason: str
    keys: tuple[str, ...]

    def __str__(self) -> str:
        where = f"{self.tensors:,} tensor{'s' * (self.tensors > 1)} in {self.prefix}"
        return f"{where} {self.reason}: {', '.join(self.keys)}"


# -- layers -------------------------------------------------------------------------------------------------------


def rows(diff: Diff) -> Iterator[Row]:
    """The changes. A block whose only differences follow from its input is one row; other blocks have a row for each
    part that differs. Functions that differ only in shapes are left out, unless their costs differ, too."""
    own = {name: values for name, values in diff.root.facts.items() if name in ("init", "order", "key_order")}
    own.update({name: diff.root.facts[name] for name in ("returns", "outputs", "features") if name in diff.root.facts})
    if own:
        yield Row(MARKS["changed"], "the network", "", tuple(_details(Node(None, None, own))))
    yield from _rows(diff.root.inside, "", "", 1)


def _rows(nodes: Sequence[Node], a: str, b: str, repeats: int) -> Iterator[Row]:
    for group in _grouped(nodes):
        first, count = group[0], repeats * len(group)
        one, other = _joined(a, [node.a for node in group]), _joined(b, [node.b for node in group])
        spend(10 + (len(one) + len(other)) // CHARACTERS)
        has_row = first.b is not None and (first.b.is_module or "macs" in first.facts)
        if first.has_news or (first.is_derived and has_row):
            yield _row(first, one, other, count)
        if not first.is_derived:
            yield from _rows(first.inside, f"{one}.", f"{other}.", count)


def _joined(prefix: str, layers: Sequence[Layer | None]) -> str:
    first, last = layers[0], layers[-1]
    if first is None or last is None:
        return ""
    name = first.name if first is last else f"{first.name}–{_NUMBERED.fullmatch(last.name)[2]}"  # type: ignore[index]
    return prefix + name


_RANGE: Final = re.compile(r"–\d+")
"""The end of a range of names, as `_joined` writes it."""

_NUMBERED: Final = re.compile(r"(.*?)(\d{1,9})")


def _grouped(nodes: Sequence[Node]) -> Iterator[list[Node]]:
    """Group consecutively numbered neighbours that have the same differences."""
    group: list[Node] = []
    for node in nodes:
        if group and not (_follows(group[-1].a, node.a) and _follows(group[-1].b, node.b) and _alike(group[-1], node)):
            yield group
            group = []
        group.append(node)
    if group:
        yield group


def _follows(before: Layer | None, layer: Layer | None) -> bool:
    """Whether a layer has the next number in a series, and is otherwise equal."""
    if before is None or layer is None:
        return before is layer
    one, other = _NUMBERED.fullmatch(before.name), _NUMBERED.fullmatch(layer.name)
    if one is None or other is None or one[1] != other[1] or int(one[2]) + 1 != int(other[2]):
        return False
    return before._replace(name="") == layer._replace(name="")


def _alike(one: Node, other: Node) -> bool:
    if "name" in one.facts or "from" in one.facts:
        return False
    return one.facts == other.facts and one.fields == other.fields and one.inside == other.inside


def _row(node: Node, a: str, b: str, count: int) -> Row:
    if node.a is not None and node.b is not None:
        kind, details = "changed", (*_details(node),)
        name = b if node.a.name == node.b.name else f"{a} → {b}"
        type_ = node.b.type if node.a.type == node.b.type else f"{node.a.type} → {node.b.type}"
    else:
        layer = node.b or node.a
        assert layer is not None
        kind, details = ("removed" if node.b is None else "added"), (*_described(layer),)
        name, type_ = a or b, layer.type
    if count > 1:
        type_, details = f"{type_} ×{count:,}", (f"each {details[0]}", *details[1:]) if details else ()
    firsts = (_RANGE.sub("", a), _RANGE.sub("", b))
    return Row(MARKS[kind], printable(name), printable(type_), tuple(map(printable, details)), *firsts)


def _described(layer: Layer) -> Iterator[str]:
    yield f"output {format_shape(layer.output_shape)}"
    if layer.train_only:
        yield "training only"
    yield from (f"{label} {number:,}" for label, number in (("params", layer.params), ("MACs", layer.macs)) if number)


def _details(node: Node) -> Iterator[str]:
    for name, (one, other) in node.fields.items():
        yield f"{name} {_value(one)} → {_value(other)}"
    for name, label in LABELS.items():
        if name in node.facts and not (name == "input_shapes" and "output_shape" in node.facts):
            one, other = (_fact(name, value) for value in node.facts[name])
            if one != other:
                yield f"{label} {one} → {other}"


def _fact(name: str, value: Any) -> str:
    if name in ("params", "buffers", "macs"):
        return f"{value:,}"
    if name == "output_shape":
        return format_shape(value)
    if name == "input_shapes":
        return ", ".join(format_input(shape, with_range=True) for shape in value) or "none"
    if isinstance(value, list) and all(isinstance(part, str) for part in value):
        return _short(", ".join(value) or "none")
    return _value(value)


def _value(value: Any) -> str:
    return _short(json_text(value))


def _short(text: str) -> str:
    return text if len(text) <= MAX_VALUE else f"{text[: MAX_VALUE - 1]}…"


# -- totals -------------------------------------------------------------------------------------------------------

_NUMBERS: Final = {
    "layers": "Layers", "params": "Params", "train_only_params": "of them training only", "buffers": "Buffers",
    "macs": "MACs", "activations": "Activations",
}  # fmt: skip


def totals(diff: Diff) -> Iterator[Total]:
    """The numbers of both networks, with their differences."""
    pairs = diff.totals
    for name, label in (("input_shape", "Input"), ("output_shape", "Output")):
        one, other = (format_input(shape, with_range=True) for shape in pairs[name])
        yield Total(label, one, other, "")
    for name, label in _NUMBERS.items():
        before, after = pairs[name]
        if before or after or name != "train_only_params":
            yield Total(label, f"{before:,}", f"{after:,}", _change(before, after))
    first, second = map(format_field, pairs["field"])
    yield Total("Receptive field", first[0], second[0], "")
    yield Total("Stride", first[1], second[1], "")


def _change(one: int, other: int) -> str:
    """The difference of two numbers, as text.

    >>> _change(200, 300), _change(3, 3), _change(0, 7), _change(300, 200)
    ('+100 (+50.0 %)', '', '+7', '−100 (−33.3 %)')
    """
    if one == other:
        return ""
    share = f" ({100 * (other - one) / one:+,.1f} %)" if one else ""
    return f"{other - one:+,}{share}".replace("-", "−")


# -- weights ------------------------------------------------------------------------------------------------------


def headline(diff: Diff) -> str:
    """A sentence that says how many of the weights fit."""
    fit = diff.weights
    ours, theirs = len(fit.b), len(fit.a)
    if not fit.a and not fit.b:
        return "neither network has weights"
    if fit.complete and len(fit.loaded) == ours == theirs:
        return f"all {ours:,} tensors of {diff.a.name} load into {diff.b.name}"
    used = f"{len(fit.loaded):,} of {theirs:,} tensors of {diff.a.name} load into {diff.b.name}"
    return f"{used}, which has {ours:,}"


def mismatches(diff: Diff) -> Iterator[Group]:
    """The keys that do not fit, by the parts of the network that they are in."""
    fit = diff.weights
    reasons = ((f"missing from {diff.a.name}", fit.mismatch.missing), ("of other shapes", fit.mismatch.differing),
               (f"not in {diff.b.name}", fit.mismatch.unexpected))  # fmt: skip
    for reason, keys in reasons:
        for prefix, members in groups(keys):
            shown = tuple(_key(diff, key) for key in members[:MAX_KEYS])
            more = len(members) - MAX_KEYS
            yield Group(prefix, len(members), reason, (*shown, f"… and {more:,} more") if more > 0 else shown)


def _key(diff: Diff, key: str) -> str:
    one, other = (fit.get(key) for fit in (diff.weights.a, diff.weights.b))
    shapes = [format_shape(shape) for shape in (one, other) if shape is not None]
    return f"{key} {' → '.join(shapes)}"


def advice(diff: Diff) -> str:
    """The options that load what fits; empty if everything fits, or nothing."""
    fit = diff.weights
    if fit.complete or not fit.loaded:
        return ""
    return " ".join(f"--allow-mismatch {layer}" for layer in fit.allow)


def title(diff: Diff) -> str:
    """The names of the networks; if they are equal, with the overrides."""
    names = [graph.name for graph in (diff.a, diff.b)]
    if names[0] == names[1]:
        names = [name + _overrides(graph) for name, graph in zip(names, (diff.a, diff.b), strict=True)]
    return f"{' → '.join(names)}{': equal' if diff.equal else ''}"


def _overrides(graph: Graph) -> str:
    given = graph.spec.overrides if isinstance(graph.spec, Spec) else {}
    listed = ", ".join(f"{name}={_value(value)}" for name, value in given.items())
    return f" with {listed}" if listed else ""
