"""A module as a program of `torch.export`, and as a `.pt2` file."""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO

import torch
from torch import Tensor, nn
from torch.export import ExportedProgram

from archspec.backends import output_file
from archspec.backends.export.failure import failure
from archspec.diagnostics.diagnostic import TargetError
from archspec.frontend.metadata import Provenance
from archspec.ir.graph import Graph
from archspec.ops.shapes import is_integer


def write_program(graph: Graph, module: nn.Module, path: str | os.PathLike[str], provenance: Provenance) -> None:
    """Export a module with `torch.export` and its spec to a file, which `torch.export.load(path).module()` runs.

    The file is written completely or not at all. Raises `TargetError` if torch cannot export the module or the file
    cannot be written.
    """
    program, content = exported(graph, module, path), BytesIO()
    with quiet():  # into memory first: on a full disk torch ends the process
        torch.export.save(program, content, extra_files=dict(provenance.to_metadata()))
    output_file.write(path, content.getvalue())


def exported(graph: Graph, module: nn.Module, path: str | os.PathLike[str]) -> ExportedProgram:
    """The program for any batch size, traced with a batch of two; raises `TargetError` if torch cannot trace it."""
    batch = {0: torch.export.Dim.DYNAMIC}
    was_training = module.training
    try:
        with quiet():
            return torch.export.export(module.eval(), (sample(graph, 2),), dynamic_shapes=(batch,))
    except TargetError:
        raise
    except Exception as error:  # whatever the tracer's passes raise
        raise failure("export", "torch.export cannot trace it", error, path) from None
    finally:
        module.train(was_training)


def sample(graph: Graph, batch: int) -> Tensor:
    """A batch of random inputs, the same each time."""
    shape, generator = graph.input_shape, torch.Generator().manual_seed(0)
    if is_integer(shape):  # token ids
        return torch.randint(shape.below, (batch, *shape), generator=generator, device="cpu")  # type: ignore[attr-defined]
    return torch.randn(batch, *shape, generator=generator, device="cpu")


@contextmanager
def quiet() -> Iterator[None]:
    """Silence the warnings of torch's exporters about their own code."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield
