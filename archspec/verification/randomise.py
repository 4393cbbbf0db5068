"""The same random numbers in both modules: parameters, and the running statistics of normalisation.

Initial values hide errors: a bias of zeros, a variance of ones, a layer scale of 10⁻⁶.
"""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor, nn

RUNNING = ("running_mean", "running_var", "num_batches_tracked")
"""The buffers that training changes. Others (an index, a table) are constants, which are compared but never set."""

GAIN = 6.0**0.5
"""Uniform weights within GAIN / √fan_in keep the variance of activations through a layer and a ReLU."""


def set_equal(ours: nn.Module, theirs: nn.Module, pairs: Iterable[tuple[str, str]], seed: int) -> list[tuple[str, str]]:
    """Fill `ours` with random numbers, and copy them to `theirs`; returns the pairs of keys that still differ.

    They differ if one module shares a tensor under several keys and the other does not. Values are chosen so that
    activations stay of the order of one.
    """
    left, right = ours.state_dict(keep_vars=True), theirs.state_dict(keep_vars=True)
    generator = torch.Generator().manual_seed(seed)
    pairs = [(a, b) for a, b in pairs if is_set(a, left[a])]
    with torch.no_grad():
        for key, _ in pairs:
            left[key].copy_(_values(key, left[key], generator))
        for a, b in pairs:
            right[b].copy_(left[a])
        return [(a, b) for a, b in pairs if not torch.equal(left[a], right[b].to(left[a].device))]


def is_set(key: str, tensor: Tensor) -> bool:
    """Whether an entry of a state_dict gets a random value."""
    return isinstance(tensor, nn.Parameter) or key.rpartition(".")[2] in RUNNING


def _values(key: str, tensor: Tensor, generator: torch.Generator) -> Tensor:
    if not tensor.is_floating_point():
        return torch.randint(1, 10, tensor.shape, generator=generator)
    low, high = _bounds(key.rpartition(".")[2], tensor)
    return torch.rand(tensor.shape, generator=generator, dtype=tensor.dtype) * (high - low) + low


def _bounds(name: str, tensor: Tensor) -> tuple[float, float]:
    if tensor.ndim > 1:
        width = GAIN * (tensor.shape[0] / max(1, tensor.numel())) ** 0.5
        return -width, width
    return (0.5, 1.5) if name in ("weight", "running_var") else (-0.2, 0.2)
