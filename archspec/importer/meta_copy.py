"""A copy of a model that takes no memory and is run in its place, so that the model stays as it is."""

from __future__ import annotations

import copy
from contextlib import suppress
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from archspec.diagnostics.diagnostic import Diagnostic
from archspec.diagnostics.user_code import described
from archspec.importer.constants import Constants
from archspec.importer.making import Made
from archspec.importer.problems import NotImportable, Problems
from archspec.importer.record import Recording, watched
from archspec.importer.tensors import Tensors
from archspec.importer.trace import Scope
from archspec.ops import OPS
from archspec.ops.shapes import format_shape
from archspec.verification.restore import as_found

BATCH = 5
"""Samples in the batch that is run: a number that sizes of networks rarely have."""


class Recorded(NamedTuple):
    """One run of a model."""

    root: Scope
    tensors: Tensors
    problems: Problems


def record(made: Made, shape: tuple[int, ...], training: bool, eager: bool) -> Recorded:
    """Run a model once and record it; on the meta device if it can be run there. With `eager` each view is an op.

    A sample of one dimension may be token ids, if the model does not take real numbers.
    """
    kinds = (torch.float32, torch.int64) if len(shape) == 1 else (torch.float32,)
    for kind in kinds:
        with suppress(Exception):  # forward may look at numbers, or the model may not be copied
            subject = on_meta(made.module)
            with torch.device("meta"):
                return _run(subject, made, _batch(shape, kind, "meta"), training, eager)
    with as_found(made.module):
        for kind in kinds[1:]:
            with suppress(Exception):
                return _run(made.module, made, _batch(shape, kind, _device(made.module)), training, eager)
        return _run_itself(made, shape, training, eager)


def _batch(shape: tuple[int, ...], kind: torch.dtype, device: Any) -> Tensor:
    """A batch of random samples; integers are 0 or 1, which all tables have rows for."""
    x = torch.randn((BATCH, *shape), device=device)
    return x if kind.is_floating_point else (x > 0).to(kind)


def _run_itself(made: Made, shape: tuple[int, ...], training: bool, eager: bool) -> Recorded:
    try:
        return _run(made.module, made, _batch(shape, torch.float32, _device(made.module)), training, eager)
    except Exception as error:
        mode = "training" if training else "evaluation"
        message = f"running it in {mode} on {BATCH}×{format_shape(shape)} raised {described(error)}"
        raise NotImportable([Diagnostic("usage", message, where=type(made.module).__name__)]) from None


def _device(model: nn.Module) -> Any:
    return next((tensor.device for tensor in model.parameters()), torch.device("cpu"))


def on_meta(model: nn.Module) -> nn.Module:
    """A copy of a model whose parameters and buffers are on the meta device."""
    memo: dict[int, Any] = {}
    for tensor in (*model.parameters(), *model.buffers()):
        memo[id(tensor)] = _empty(tensor)
    return copy.deepcopy(model, memo)


def _empty(tensor: Tensor) -> Tensor:
    made = torch.empty_like(tensor, device="meta")
    return nn.Parameter(made, tensor.requires_grad) if isinstance(tensor, nn.Parameter) else made


def _run(model: nn.Module, made: Made, x: Tensor, training: bool, eager: bool) -> Recorded:
    """Run a model, or a copy of it."""
    model.train(training)
    constants, problems = Constants(made.constants), Problems()
    copies = []
    for path, name, original in made.odd_buffers:
        copies.append(model.get_submodule(path).get_buffer(name))
        constants.copy(copies[-1], original)
    tensors = Tensors(model, BATCH, copies)
    recording = Recording(model, tensors, constants, problems, eager)
    recording.begin(x)
    with torch.no_grad(), watched(recording):
        result = model(x)
    recording.end(recording.root, result)
    recording.root.drop(lambda call: call.path is None and not OPS[call.op].idle)
    return Recorded(recording.root, tensors, problems)
