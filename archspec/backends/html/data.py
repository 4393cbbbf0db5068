"""Graph → the page's data: JavaScript shows nothing about a network that is not in it."""

from __future__ import annotations

from typing import Any, NamedTuple

from archspec.backends.html.instances import initialisers, receptive_fields
from archspec.backends.html.steps import LinesOf, describe, exact
from archspec.ir.graph import Graph
from archspec.ops.shapes import format_shape


class Text(NamedTuple):
    """One of the texts beside the picture: `lines` names the fields of `Lines` that refer to it."""

    title: str
    text: str
    lines: tuple[str, ...]


def data(graph: Graph, texts: tuple[Text, ...], lines: LinesOf) -> dict[str, Any]:
    """The network: its modules, inner ones first and the root last; what differs in each use of them; the texts."""
    modules = graph.root.modules
    numbers = {id(module): number for number, module in enumerate(modules)}
    return {
        "name": graph.name, "type": graph.class_name, "description": graph.description,
        "reference": graph.reference, "input": [format_shape(shape) for shape in graph.root.inputs],
        "output": format_shape(graph.root.output), "outputs": _outputs(graph),
        "params": exact(graph.params), "buffers": exact(graph.buffers), "macs": exact(graph.macs),
        "activations": exact(sum(layer.activations for layer in graph.layers if not layer.train_only)),
        "modules": [describe(module, numbers, lines) for module in modules],
        "layers": [layer.name for layer in graph.layers],
        "receptive_fields": receptive_fields(graph), "init": initialisers(graph),
        "texts": [text._asdict() for text in texts],
    }  # fmt: skip


def _outputs(graph: Graph) -> list[dict[str, Any]]:
    """The values that leave the network, by name: its result, and further values that it returns."""
    fields = {} if graph.outputs is None else graph.outputs.fields
    named = [{"name": name, "of": ref.step} for name, ref in fields.items()]
    if graph.outputs is not None and graph.outputs.always:
        return named
    others = [output for output in named if output["of"] != graph.root.result.step]
    return [{"name": "output", "of": graph.root.result.step}, *others]
