"""What the ops of test_own_ops.py need beside torch: a file as someone who adds an op would write it."""

from __future__ import annotations

from collections.abc import Sequence
from math import sqrt

import torch
from torch import Tensor, nn

LEAST = 1e-3


def _weights(count: int) -> list[float]:
    return [1.0 / sqrt(count)] * count


def gated(values: Sequence[Tensor]) -> Tensor:
    """The first value, gated by the second."""
    first, second = _weights(2)
    return first * values[0] * torch.sigmoid(second * values[1]).clamp(min=LEAST)


class _Base(nn.Module):
    def extra_repr(self) -> str:
        return "a new op"


class ChannelBias(_Base):
    """Adds a learned number to each channel."""

    def __init__(self, channels: int, start: float = 0.0) -> None:
        super().__init__()
        self.channels = channels
        self.weight = nn.Parameter(torch.full((channels, 1, 1), start))

    def forward(self, x: Tensor) -> Tensor:
        return x + self.weight


class Rolled(nn.Module):
    """Moves the columns of a map by some."""

    def forward(self, x: Tensor, shift: int = 1) -> Tensor:
        return x.roll(shift, -1)


def outlandish(x: Tensor) -> Tensor:
    """Uses what no generated file imports."""
    return x * len(inspect.stack())


import inspect  # noqa: E402
