"""Restores what a comparison changes: random numbers, gradient mode, default device, and a user's module."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import nn


@contextmanager
def undisturbed() -> Iterator[None]:
    """Enable gradients, with the CPU as default device; afterwards restore torch's random number generators."""
    devices = range(torch.cuda.device_count()) if torch.cuda.is_initialized() else ()  # type: ignore[no-untyped-call]
    with torch.random.fork_rng(devices), torch.inference_mode(False), torch.enable_grad(), torch.device("cpu"):
        yield


@contextmanager
def as_found(module: nn.Module) -> Iterator[None]:
    """Restore a module's values, buffers, modes and `requires_grad` afterwards."""
    modes = [(part, part.training, dict(part._buffers)) for part in module.modules()]
    tensors = [(tensor, tensor.detach().clone(), tensor.requires_grad)
               for tensor in (*module.parameters(), *module.buffers())]  # fmt: skip
    try:
        yield
    finally:
        for part, training, buffers in modes:
            part.training = training
            part._buffers.update(buffers)
        with torch.no_grad():
            for tensor, value, trained in tensors:
                tensor.copy_(value)
                tensor.requires_grad_(trained)
