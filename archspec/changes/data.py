"""A difference → JSON, for programs: every pair is the value in `a`, then in `b`; shapes are without the batch."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from archspec.backends.summary.data import square
from archspec.changes.layer import Layer
from archspec.diagnostics.json_text import json_text

if TYPE_CHECKING:
    from archspec.changes.diff import Change, Diff


def to_json(diff: Diff) -> str:
    """A difference as JSON, with one line for each change and each key that does not fit."""
    head = [("a", diff.a.name), ("b", diff.b.name), ("equal", diff.equal), ("totals", _totals(diff))]
    parts = [f"  {json_text(key)}: {json_text(value)}" for key, value in head]
    parts += [f'  "changes": {_lines(map(_change, diff.changes), 4)}', f'  "weights": {_weights(diff)}']
    return "{\n" + ",\n".join(parts) + "\n}"


def _lines(values: Any, indent: int) -> str:
    lines = ",\n".join(" " * indent + json_text(value) for value in values)
    return f"[\n{lines}\n{' ' * (indent - 2)}]" if lines else "[]"


def _totals(diff: Diff) -> dict[str, Any]:
    found = {name: list(pair) for name, pair in diff.totals.items() if name != "field"}
    fields = diff.totals["field"]
    found["receptive_field"] = [square(field and field.pixels) for field in fields]
    found["output_stride"] = [square(field and field.stride) for field in fields]
    return found


def _change(change: Change) -> dict[str, Any]:
    layer = change.after or change.before
    data: dict[str, Any] = {"change": change.kind, "a": change.a or None, "b": change.b or None}
    if change.before is None or change.after is None:
        return {**data, **_layer(layer)}
    return {**data, "type": change.after.type, "facts": dict(change.facts), "fields": dict(change.fields)}


def _layer(layer: Layer | None) -> dict[str, Any]:
    assert layer is not None
    return {key: value for key, value in layer._asdict().items() if key != "name"}


def _weights(diff: Diff) -> str:
    fit = diff.weights
    counts = [("tensors", [len(fit.a), len(fit.b)]), ("complete", fit.complete), ("allow_mismatch", fit.allow),
              ("notes", fit.match.notes)]  # fmt: skip
    parts = [f"    {json_text(key)}: {json_text(value)}" for key, value in counts]
    parts.append(f'    "loaded": {_lines(({"a": theirs, "b": ours} for ours, theirs in fit.match.taken.items()), 6)}')
    for name, keys in fit.mismatch._asdict().items():
        rows = ({"key": key, "a": fit.a.get(key), "b": fit.b.get(key)} for key in keys)
        parts.append(f"    {json_text(name)}: {_lines(rows, 6)}")
    return "{\n" + ",\n".join(parts) + "\n  }"
