"""A module as a program that runs without archspec, in evaluation and for any batch: `.pt2` and `.onnx`."""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from io import BytesIO
from typing import Any

import torch
from torch import Tensor, nn

from archspec.backends import output_file
from archspec.diagnostics.diagnostic import Diagnostic, TargetError
from archspec.frontend.metadata import Provenance
from archspec.ir.graph import Graph

TOLERANCE = 1e-3
"""How far an output of onnxruntime may be from torch's, relative to the largest: its kernels sum in other orders."""

_PACKAGES = ("onnx", "onnxscript", "onnxruntime")


def write_program(graph: Graph, module: nn.Module, path: str | os.PathLike[str], provenance: Provenance) -> None:
    """Write what `torch.export` makes of a module, with its spec; `torch.export.load(path).module()` runs it.

    Whole or not at all; raises `TargetError` if it cannot be written.
    """
    program, content = _exported(graph, module), BytesIO()
    with _quiet():  # into memory first: on a full disk torch ends the process
        torch.export.save(program, content, extra_files=dict(provenance.to_metadata()))
    output_file.write(path, content.getvalue())


def write_onnx(graph: Graph, module: nn.Module, path: str | os.PathLike[str], provenance: Provenance) -> None:
    """Write a module as ONNX, with its spec, after onnxruntime has run it and its outputs are close to torch's.

    Whole or not at all; raises `TargetError` if a package is missing, the outputs differ, or it cannot be written.
    """
    missing = [name for name in _PACKAGES if find_spec(name) is None]
    if missing:
        help = "pip install 'archspec-compiler[onnx]'"
        raise TargetError([Diagnostic("usage", f"ONNX needs {', '.join(missing)}", file=os.fspath(path), help=help)])
    program = _exported(graph, module)
    with _quiet():
        outputs = [feature.name for feature in graph.features] or ["output"]
        made: Any = torch.onnx.export(
            program, dynamo=True, verbose=False, input_names=["input"], output_names=outputs
        )  # fmt: skip
    made.model.metadata_props.update(provenance.to_metadata())
    content: bytes = made.model_proto.SerializeToString()
    _require_close(graph, module, content, os.fspath(path))
    output_file.write(path, content)


def _exported(graph: Graph, module: nn.Module) -> torch.export.ExportedProgram:
    """The program for any batch, traced with one of two samples."""
    batch = {0: torch.export.Dim.DYNAMIC}
    was_training = module.training
    try:
        with _quiet():
            return torch.export.export(module.eval(), (_sample(graph, 2),), dynamic_shapes=(batch,))
    finally:
        module.train(was_training)


def _sample(graph: Graph, batch: int) -> Tensor:
    return torch.randn(batch, *graph.input_shape, generator=torch.Generator().manual_seed(0), device="cpu")


@contextmanager
def _quiet() -> Iterator[None]:
    """Silence the warnings of torch's exporters about their own code."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


@torch.no_grad()
def _require_close(graph: Graph, module: nn.Module, content: bytes, file: str) -> None:
    import onnxruntime

    session = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])
    was_training = module.training
    for batch in (1, 3):
        x = _sample(graph, batch)
        found = session.run(None, {session.get_inputs()[0].name: x.numpy()})
        expected = _tensors(module.eval()(x))
        module.train(was_training)
        for ours, theirs in zip(expected, found, strict=True):
            error = (ours - torch.from_numpy(theirs)).abs().max() / ours.abs().max().clamp_min(1e-12)
            if not error <= TOLERANCE:
                message = f"onnxruntime's output is off by {float(error):.2g} of the largest, more than {TOLERANCE:g}"
                raise TargetError([Diagnostic("onnx", message, file=file)])


def _tensors(output: Any) -> list[Tensor]:
    """A module's outputs in the order that exporters give them."""
    if isinstance(output, Tensor):
        return [output]
    return list(output.values() if isinstance(output, dict) else output)
