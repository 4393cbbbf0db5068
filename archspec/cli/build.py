"""The five lines that `archspec build` prints about a module; the last is a check by running it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from archspec.backends.torch.build import check_shapes
from archspec.diagnostics.byte_sizes import format_bytes
from archspec.diagnostics.diagnostic import Diagnostic, TargetError
from archspec.ir.graph import Graph
from archspec.ops.shapes import format_input, format_shape

if TYPE_CHECKING:
    from torch import nn


def check(graph: Graph, module: nn.Module) -> str:
    """Run a module on a random batch, and report that every observed shape is the inferred one.

    Raises `TargetError` with the shapes that differ.
    """
    mismatches = check_shapes(graph, module)
    if mismatches:
        raise TargetError(Diagnostic("shape", str(mismatch)) for mismatch in mismatches)
    ran = sum(not layer.train_only for layer in graph.layers)
    left = len(graph.layers) - ran
    aside = f" ({left} that run in training only were left out)" if left else ""
    return f"✓ {ran:,} {'layer' if ran == 1 else 'layers'}: every observed shape equals the inferred one{aside}"


def facts(graph: Graph) -> Iterator[str]:
    """Four lines that describe what was built."""
    trained = (
        f", {graph.train_only_params:,} of them in layers that run in training only" if graph.train_only_params else ""
    )
    yield f"{graph.name}: {graph.class_name}"
    yield f"input → output  {format_input(graph.input_shape)} → {format_shape(graph.output_shape)}"
    yield f"parameters      {graph.params:,} ({format_bytes(4 * graph.params)} of float32){trained}"
    yield f"MACs            {graph.macs:,} for one sample"
