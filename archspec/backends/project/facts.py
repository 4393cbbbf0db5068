"""The facts about a network that a project needs, found in the graph."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from archspec.diagnostics.diagnostic import Diagnostic, TargetError
from archspec.ir.graph import Graph
from archspec.ops.shapes import format_shape, is_integer

MODES: Final = {1: "L", 3: "RGB"}
"""Pillow's names for the modes of images, by the number of channels."""

_NORMALISATION: Final = {"L": ([0.5], [0.5]), "RGB": ([0.485, 0.456, 0.406], [0.229, 0.224, 0.225])}
"""Mean and deviation. Those of colour images are ImageNet's, which published weights were trained with; for grey images
there is no such convention."""

_ONE_AUXILIARY: Final = 0.4
"""The weight of a single auxiliary loss, as published for Inception v3."""

_SEVERAL_AUXILIARY: Final = 0.3
"""The weight of each of several auxiliary losses, as published for GoogLeNet."""

_SMALL: Final = 96
"""Images of at most so many pixels a side are not cropped for evaluation: little would be left."""

_CROPPED: Final = 0.875
"""The fraction of a side that the centre crop keeps: 224 of 256 pixels, 299 of 342."""


@dataclass(frozen=True)
class Facts:
    """A classifier of images; sizes are pixels, height first."""

    name: str
    description: str
    mode: str
    size: tuple[int, int]
    num_classes: int
    head: tuple[str, ...]
    """The entries of the state_dict whose shapes depend on the number of classes."""
    logits: str
    """The field of the main output, if training returns a named tuple."""
    auxiliary: dict[str, float]
    """The fields of the auxiliary outputs, and the weights of their losses."""
    first_layer: str
    transform_input: bool | None
    """Whether it converts its input from one normalisation to another; `None` if it has no such option."""

    @property
    def resize(self) -> tuple[int, int]:
        """The size an image is resized to before its centre is taken."""
        if max(self.size) <= _SMALL:
            return self.size
        height, width = (round(side / _CROPPED) for side in self.size)
        return height, width

    @property
    def normalisation(self) -> tuple[list[float], list[float]]:
        """Mean and deviation of each channel."""
        return _NORMALISATION[self.mode]


def facts(graph: Graph, twin: Graph) -> Facts:
    """The facts of a classifier; `twin` is the same network with another number of classes.

    Raises `TargetError` for a network that is not an image classifier.
    """
    logits, auxiliary = _outputs(graph)
    own, other = graph.state_dict_shapes(), twin.state_dict_shapes()
    head = tuple(name for name, shape in own.items() if other.get(name) != shape)
    if own.keys() != other.keys() or not head:
        raise _unfit(graph, "the number of classes changes more than the sizes of its layers" if head else
                     "no layer depends on the number of classes")  # fmt: skip
    channels, height, width = map(int, graph.input_shape)
    return Facts(
        graph.name, graph.description, MODES[channels], (height, width), int(graph.output_shape[0]), head, logits,
        auxiliary, graph.layers[0].name, getattr(getattr(graph.spec, "model", None), "transform_input", None),
    )  # fmt: skip


def require_classifier(graph: Graph) -> int:
    """The number of classes; raises `TargetError` unless a network maps one image to `num_classes` numbers."""
    num_classes = graph.root.arguments.get("num_classes")
    shapes = graph.root.inputs
    if is_integer(shapes[0]):
        raise _unfit(graph, "it takes token ids, not an image")
    if len(shapes) != 1 or len(shapes[0]) != 3:
        raise _unfit(graph, f"its input is {', '.join(map(format_shape, shapes))}, not one image")
    if shapes[0][0] not in MODES:
        raise _unfit(graph, f"images have 1 channel (grey) or 3 (RGB), but it expects {int(shapes[0][0])}")
    if num_classes is None:
        raise _unfit(graph, "it has no parameter 'num_classes'", "write 'params: {num_classes: 10}', and use it")
    if graph.root.output != (num_classes,):
        found = format_shape(graph.root.output)
        raise _unfit(graph, f"its output is {found}, not a vector of num_classes = {num_classes}")
    return int(num_classes)


def _outputs(graph: Graph) -> tuple[str, dict[str, float]]:
    """The fields of the outputs in training: the main one, and the others with the weights of their losses."""
    if graph.outputs is None:
        return "", {}
    fields = graph.outputs.fields
    main = [name for name, ref in fields.items() if ref == graph.root.result]
    others = [name for name, ref in fields.items() if ref != graph.root.result]
    wrong = [name for name in others if graph.root.value(fields[name]) != graph.output_shape]
    if not main or wrong:
        raise _unfit(graph, f"its output {wrong[0]} is not a vector of classes" if wrong else
                     "its training outputs do not include that of evaluation")  # fmt: skip
    return main[0], dict.fromkeys(others, _ONE_AUXILIARY if len(others) == 1 else _SEVERAL_AUXILIARY)


def _unfit(graph: Graph, why: str, help: str = "") -> TargetError:
    return TargetError([Diagnostic("usage", f"{graph.name} is not an image classifier: {why}", help=help)])
