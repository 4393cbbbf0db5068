"""The leaf layers and totals → JSON and CSV, for programs."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from typing import Any, Final

from archspec.backends.summary.rows import DTYPES, Totals
from archspec.diagnostics.json_text import json_text
from archspec.ir.graph import Graph
from archspec.ir.layer import Layer
from archspec.ops.shapes import is_integer

_COLUMNS: Final = (
    "name", "type", "input_shape", "output_shape", "params", "buffers", "macs", "flops", "activations",
    "receptive_field", "output_stride", "train_only", "calls", "parts_per_sample",
)  # fmt: skip


def to_json(graph: Graph, totals: Totals) -> str:
    """The summary as JSON: one line per total and per layer; shapes are without the batch."""
    head = [f"  {json_text(key)}: {json_text(value)}" for key, value in _head(graph, totals)]
    layers = ",\n".join(f"    {json_text(_layer(layer))}" for layer in graph.layers)
    return "{\n" + ",\n".join([*head, f'  "layers": [\n{layers}\n  ]']) + "\n}"


def to_csv(graph: Graph) -> str:
    """The layers as CSV, sizes as 64x56x56; `macs` and `flops` are empty where nothing is counted."""
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(_COLUMNS)
    for layer in graph.layers:
        data = _layer(layer)
        if not layer.macs:
            data.update(macs="", flops="")
        writer.writerow([_cell(data[column]) for column in _COLUMNS])
    return buffer.getvalue().rstrip("\n")


def _head(graph: Graph, totals: Totals) -> list[tuple[str, Any]]:
    memory = {dtype: dict(zip(("params", "activations"), totals.memory(dtype), strict=True)) for dtype in DTYPES}
    tokens = [("tokens", graph.input_shape.below)] if is_integer(graph.input_shape) else []  # type: ignore[attr-defined]
    return [
        ("name", graph.name), ("description", graph.description), ("reference", graph.reference),
        ("input_shape", graph.input_shape), *tokens, ("output_shape", graph.output_shape), ("params", totals.params),
        ("train_only_params", totals.train_only_params), ("buffers", totals.buffers), ("macs", totals.macs),
        ("flops", totals.flops), ("counted", totals.counted), ("not_counted", totals.uncounted),
        ("activations", totals.activations), ("memory_bytes", memory),
        ("receptive_field", square(totals.field and totals.field.pixels)),
        ("output_stride", square(totals.field and totals.field.stride)),
    ]  # fmt: skip


def _layer(layer: Layer) -> dict[str, Any]:
    return {
        "name": layer.name, "type": layer.type, "input_shape": layer.input_shape, "output_shape": layer.output_shape,
        "params": layer.params, "macs": layer.macs, "receptive_field": square(layer.receptive_field),
        "output_stride": square(layer.output_stride), "flops": layer.flops, "buffers": layer.buffers,
        "activations": layer.activations, "train_only": layer.train_only, "calls": layer.calls,
        "parts_per_sample": layer.parts_per_sample,
    }  # fmt: skip


def square(pair: Sequence[float] | None) -> Any:
    """A pair (height, width) as one number if both are equal; integers as integers.

    >>> square((2.0, 2.0)), square((0.5, 2))
    (2, [0.5, 2])
    """
    if pair is None:
        return None
    height, width = (int(size) if size == int(size) else size for size in pair)
    return height if height == width else [height, width]


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, tuple | list):
        return "x".join(map(str, value))
    text = str(value).lower() if isinstance(value, bool) else str(value)
    # A cell that begins with one of these is a formula to a spreadsheet, and names come from specs.
    return f"'{text}" if text.startswith(("=", "+", "-", "@", "\t", "\r")) else text
