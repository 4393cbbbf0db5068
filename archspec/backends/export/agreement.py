"""Whether onnxruntime computes what the module computes, up to rounding."""

from __future__ import annotations

import copy
import os
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from archspec.backends.export.failure import Place, failure
from archspec.backends.export.program import sample
from archspec.diagnostics.diagnostic import Diagnostic, TargetError
from archspec.ir.graph import Graph
from archspec.ops.shapes import format_shape

TOLERANCE = 1e-3
"""How far an output of onnxruntime may be from torch's, relative to the largest: its kernels sum in another order."""

SMALLEST = 1e-7
"""The difference that is always allowed: onnxruntime's exponentials round relative to one, not to their result."""

ROUNDING = 2.0**-23
"""What each layer may be off by, relative to its largest number: norms in onnxruntime subtract squares of that size."""


@torch.no_grad()
def require_agreement(
    graph: Graph, module: nn.Module, content: bytes, path: str | os.PathLike[str], places: Mapping[str, Place]
) -> None:
    """Run an ONNX file on batches of one and three that the module accepts, and compare its outputs with the module's.

    Raises `TargetError` if onnxruntime cannot run it, or if an output has another shape or differs too much.
    """
    was_training = module.training
    try:
        for batch in (1, 3):
            x = sample(graph, batch)
            try:
                expected = _tensors(module.eval()(x))
            except ValueError:  # batch norm without running statistics rejects a single vector
                continue
            found = _run(content, x, path, places)
            for number, (ours, theirs) in enumerate(zip(expected, found, strict=True)):
                said = _difference(module, x, number, ours, theirs)
                if said:
                    raise TargetError([Diagnostic("onnx", said, file=os.fspath(path))])
    finally:
        module.train(was_training)


def _run(content: bytes, x: Tensor, path: str | os.PathLike[str], places: Mapping[str, Place]) -> list[Tensor]:
    import onnxruntime

    options, running = onnxruntime.SessionOptions(), onnxruntime.RunOptions()
    options.log_severity_level = running.log_severity_level = 4  # errors that it logs are also raised
    try:
        session = onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
        given = {session.get_inputs()[0].name: x.numpy()}
        return [torch.from_numpy(value) for value in session.run(None, given, running)]
    except Exception as error:  # its classes have no common base
        raise failure("onnx", "onnxruntime cannot run it", error, path, places) from None


def _difference(module: nn.Module, x: Tensor, number: int, ours: Tensor, theirs: Tensor) -> str:
    """What is wrong with an output of onnxruntime; empty if nothing is."""
    if ours.shape != theirs.shape:
        return f"onnxruntime's output is {format_shape(tuple(theirs.shape))}, torch's {format_shape(tuple(ours.shape))}"
    error, largest = _apart(ours, theirs), float(ours.abs().max())
    allowed = TOLERANCE * largest + SMALLEST
    if error <= allowed or error <= allowed + _amplified(module, x, number):
        return ""
    apart = f"{error / largest:.2g} of the largest, more than {TOLERANCE:g}" if largest else f"{error:.2g} from zeros"
    return f"onnxruntime's output is off by {apart}"


def _amplified(module: nn.Module, x: Tensor, number: int) -> float:
    """How far an output moves if each layer is off by a rounding, in a network that amplifies it: one that normalises
    what is nearly constant, for example."""
    exact, x = copy.deepcopy(module).double(), x.double() if x.is_floating_point() else x
    expected, generator = _tensors(exact(x))[number], torch.Generator().manual_seed(0)

    def disturb(layer: nn.Module, given: Any, output: Any) -> Any:
        if not isinstance(output, Tensor) or not output.is_floating_point():
            return None
        noise = torch.randn(output.shape, generator=generator, dtype=output.dtype)
        return output + ROUNDING * output.abs().max() * noise

    for layer in exact.modules():
        if not list(layer.children()):
            layer.register_forward_hook(disturb)
    return _apart(_tensors(exact(x))[number], expected)


def _apart(one: Tensor, other: Tensor) -> float:
    """The largest difference of two elements; equal infinities, and two NaNs, do not differ."""
    alike = (one == other) | (one.isnan() & other.isnan())
    apart = torch.where(alike, 0.0, (one - other).abs())
    return float(apart.nan_to_num(nan=torch.inf, posinf=torch.inf).max())


def _tensors(output: Any) -> list[Tensor]:
    """A module's outputs in the order that exporters give them."""
    if isinstance(output, Tensor):
        return [output]
    return list(output.values() if isinstance(output, dict) else output)
