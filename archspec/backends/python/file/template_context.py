"""The context of the template of a generated file: everything is decided here, the template loops and prints."""

from __future__ import annotations

from typing import Any

from archspec.backends.python.classes.class_source import ClassSource
from archspec.backends.python.file.constructor import write_constructor
from archspec.backends.python.file.docstrings import class_docstring, module_docstring
from archspec.backends.python.file.helpers import helpers_of
from archspec.backends.python.file.imports import imports_of
from archspec.backends.python.file.signature import constructor_signature, factory_signature
from archspec.backends.python.formatter import Bracketed, lay_out
from archspec.backends.python.forward.variables import input_variables
from archspec.backends.python.instances.variants import Variant
from archspec.ir.graph import Graph, Outputs
from archspec.ops.shapes import is_integer, is_parts

Context = dict[str, Any]


def context(graph: Graph, texts: list[tuple[ClassSource, list[str]]]) -> Context:
    """The parts of a file: `texts` are its classes in order, each with the statements of its `forward`."""
    classes = [_class(graph, text, forward) for text, forward in texts]
    helpers = helpers_of(graph, [line for c in classes for line in [*c["signature"], *c["constructor"], *c["forward"]]])
    text = "\n".join([*helpers, *(line for c in classes for line in [*c["constructor"], *c["forward"]])])
    signatures = "".join(line for c in classes for line in c["signature"])
    return {
        "docstring": module_docstring(graph),
        "imports": imports_of(text, signatures, has_record=graph.outputs is not None and bool(graph.outputs.record)),
        "helpers": helpers,
        "outputs": _output_class(graph),
        "classes": classes,
        "factory": _factory(graph, texts[-1][0].variant),
    }


def _class(graph: Graph, text: ClassSource, forward: list[str]) -> Context:
    variant = text.variant
    return {
        "name": variant.class_name,
        "base": "nn.Sequential" if text.is_sequential else "nn.Module",
        "docstring": class_docstring(graph, variant),
        "signature": [line.removeprefix("    ") for line in constructor_signature(variant)],
        "constructor": write_constructor(text),
        "inputs": input_variables(variant.body),
        "returns": _returns(graph, variant),
        "input_shape": _input_shape(graph) if variant.is_root else "",
        "forward": forward,
    }


def _input_shape(graph: Graph) -> str:
    sizes = " × ".join(map(str, graph.input_shape))
    return f"{sizes} token ids" if is_integer(graph.input_shape) else sizes


def _returns(graph: Graph, variant: Variant) -> str:
    """The return type of a class's `forward`."""
    if variant.is_root and graph.outputs is not None:
        return f"{'' if graph.outputs.always else 'Tensor | '}{_container(graph, graph.outputs)}"
    return "tuple[Tensor, ...]" if is_parts(variant.instances[0].output) else "Tensor"


def _container(graph: Graph, outputs: Outputs) -> str:
    """The type of a network's outputs."""
    if outputs.record:
        return outputs.record
    tensor = "Tensor | None" if _optional(graph, outputs) else "Tensor"
    inside = {"dict": f"str, {tensor}", "list": tensor, "tuple": f"{tensor}, ..."}[outputs.type]
    return f"{outputs.type}[{inside}]"


def _optional(graph: Graph, outputs: Outputs) -> set[str]:
    """The outputs that exist in training only."""
    steps = graph.root.steps
    return {field for field, ref in outputs.fields.items() if ref.step >= 0 and steps[ref.step].train_only}


def _factory(graph: Graph, root: Variant) -> Context | None:
    """The function that makes the network; `None` if the class itself has the network's name."""
    if graph.name == root.class_name:
        return None
    given = tuple(f"{parameter.name}={parameter.name}" for parameter in root.parameters)
    return {
        "signature": factory_signature(graph.name, root),
        "article": "an" if root.class_name[0] in "AEIO" else "a",
        "class": root.class_name,
        "call": lay_out(Bracketed(root.class_name, given), 4, "return "),
    }


def _output_class(graph: Graph) -> Context | None:
    """The named tuple that a network returns, if it returns one."""
    if graph.outputs is None or not graph.outputs.record:
        return None
    optional = _optional(graph, graph.outputs)
    fields = [(field, _field_type(field, field in optional)) for field in graph.outputs.fields]
    when = "" if graph.outputs.always else " in training"
    return {"name": graph.outputs.record, "fields": fields, "when": when}


def _field_type(name: str, optional: bool) -> str:
    kind = "Tensor | None" if optional else "Tensor"
    return f"{kind}  # type: ignore[assignment]" if name == "count" else kind  # methods of tuples
