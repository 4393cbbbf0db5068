"""Random inputs of a network: numbers, or token ids."""

from __future__ import annotations

import torch
from torch import Generator, Tensor

from archspec.ops.shapes import Shape, is_integer


def random_input(shape: Shape, batch: int, generator: Generator | None = None) -> Tensor:
    """A batch of random samples of a network's input shape: normally distributed, or ids that it has.

    >>> import archspec
    >>> random_input(archspec.compile("lenet").input_shape, 2).shape
    torch.Size([2, 3, 32, 32])
    """
    device = None if generator is None else generator.device
    if is_integer(shape):
        return torch.randint(shape.below, (batch, *shape), generator=generator, device=device)  # type: ignore[attr-defined]
    return torch.randn(batch, *shape, generator=generator, device=device)
