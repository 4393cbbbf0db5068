"""A module as an ONNX file."""

from __future__ import annotations

import os
from ast import literal_eval
from importlib.util import find_spec
from typing import Any, Final

import torch
from torch import nn
from torch.export import ExportedProgram

from archspec.backends import output_file
from archspec.backends.export.agreement import require_agreement
from archspec.backends.export.decompositions import FOR_ONNX
from archspec.backends.export.failure import Place, failure, places_in
from archspec.backends.export.program import exported, quiet
from archspec.diagnostics.diagnostic import Diagnostic, TargetError
from archspec.frontend.metadata import Provenance
from archspec.ir.graph import Graph

MAX_BYTES: Final = 2**31 - 1
"""The most bytes of an ONNX file, a limit of protobuf, its encoding."""

_PACKAGES = ("onnx", "onnxscript", "onnxruntime")


def write_onnx(graph: Graph, module: nn.Module, path: str | os.PathLike[str], provenance: Provenance) -> None:
    """Write a module as ONNX, with its spec, after onnxruntime has run it and its outputs are close to torch's.

    The file is written completely or not at all. Raises `TargetError` if a package is missing, the network is too large
    for the format or cannot be expressed in it, the outputs differ, or the file cannot be written.
    """
    _require_packages(path)
    _require_size(graph, path)
    program = exported(graph, module, path)
    made = _converted(graph, program, path)
    made.model.metadata_props.update(provenance.to_metadata())
    content: bytes = made.model_proto.SerializeToString()
    require_agreement(graph, module, content, path, _places(made.model_proto))
    output_file.write(path, content)


def _require_packages(path: str | os.PathLike[str]) -> None:
    missing = [name for name in _PACKAGES if find_spec(name) is None]
    if missing:
        help = "pip install 'archspec-compiler[onnx]'"
        raise TargetError([Diagnostic("usage", f"ONNX needs {', '.join(missing)}", file=os.fspath(path), help=help)])


def _require_size(graph: Graph, path: str | os.PathLike[str]) -> None:
    """Refuse a network whose weights alone exceed what a file can hold."""
    size = 4 * (graph.params + graph.buffers)
    if size > MAX_BYTES:
        message = f"an ONNX file holds at most 2 GiB, but {graph.name} has {size / 2**30:.1f} GiB of weights"
        help = "a .pt2 file has no such limit"
        raise TargetError([Diagnostic("limit", message, file=os.fspath(path), help=help)])


def _converted(graph: Graph, program: ExportedProgram, path: str | os.PathLike[str]) -> Any:
    """The ONNX model that torch's exporter makes; raises `TargetError` with the layer that it cannot translate."""
    outputs = [*graph.outputs.fields] if graph.outputs is not None and graph.outputs.always else ["output"]
    try:
        with quiet():
            return torch.onnx.export(
                program.run_decompositions(FOR_ONNX), dynamo=True, verbose=False, input_names=["input"],
                output_names=outputs,
            )  # fmt: skip
    except Exception as error:  # whatever the exporter's passes raise
        raise failure("onnx", "torch.onnx cannot translate it", error, path, places_in(program)) from None


def _places(model: Any) -> dict[str, Place]:
    """The place of each node of an ONNX model, by the node's name without the exporter's prefix.

    The exporter records the paths of the modules that enclose a node, outermost first, and the node's own name.
    """
    scopes = {
        node.name.removeprefix("node_"): (node.op_type, entry.value)
        for node in model.graph.node for entry in node.metadata_props if entry.key == "pkg.torch.onnx.name_scopes"
    }  # fmt: skip
    return {name: Place(["", *literal_eval(paths)][-2], op) for name, (op, paths) in scopes.items()}
