"""The same random numbers in both modules: parameters, and the running statistics of normalisation.

Initial values hide errors: a bias of zeros, a variance of ones, a layer scale of 10⁻⁶.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

import torch
from torch import Tensor, nn

RUNNING = ("running_mean", "running_var", "num_batches_tracked")
"""The buffers that training changes. Others (an index, a table) are constants, which are compared but never set."""

GAIN: Final = 6.0**0.5
"""Uniform weights within GAIN / √fan_in keep the variance of activations through a layer and a ReLU."""

LEAST_GAIN: Final = GAIN / 16
"""The least that is tried where activations grow nevertheless: in products of activations, in sums without a norm."""


def set_equal(ours: nn.Module, theirs: nn.Module, pairs: Iterable[tuple[str, str]], seed: int, gain: float = GAIN
) -> list[tuple[str, str]]:  # fmt: skip
    """Fill `ours` with random numbers, and copy them to `theirs`; returns the pairs of keys that still differ.

    They differ if one module shares a tensor under several keys and the other does not. Values are chosen so that
    activations stay of the order of one in most networks; a smaller `gain` makes weights smaller.
    """
    left, right = ours.state_dict(keep_vars=True), theirs.state_dict(keep_vars=True)
    generator = torch.Generator().manual_seed(seed)
    pairs = [(a, b) for a, b in pairs if is_set(a, left[a])]
    with torch.no_grad():
        for key, _ in pairs:
            left[key].copy_(_values(key, left[key], generator, gain))
        for a, b in pairs:
            right[b].copy_(left[a])
        return [(a, b) for a, b in pairs if not torch.equal(left[a], right[b].to(left[a].device))]


def is_set(key: str, tensor: Tensor) -> bool:
    """Whether an entry of a state_dict gets a random value."""
    return isinstance(tensor, nn.Parameter) or key.rpartition(".")[2] in RUNNING


def _values(key: str, tensor: Tensor, generator: torch.Generator, gain: float) -> Tensor:
    if not tensor.is_floating_point():
        return torch.randint(1, 10, tensor.shape, generator=generator)
    low, high = _bounds(key.rpartition(".")[2], tensor, gain)
    return torch.rand(tensor.shape, generator=generator, dtype=tensor.dtype) * (high - low) + low


def _bounds(name: str, tensor: Tensor, gain: float) -> tuple[float, float]:
    if tensor.ndim > 1:
        width = gain * (tensor.shape[0] / max(1, tensor.numel())) ** 0.5
        return -width, width
    return (0.5, 1.5) if name in ("weight", "running_var") else (-0.2, 0.2)
