"""Operations that torch has no single function for. The module target calls them; the source target copies
those a network needs into its file, so each stands on its own, imports nothing but torch, and is written so that
`torch.jit.script` can read it."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn


def channel_affine(x: Tensor, scale: list[float], shift: list[float]) -> Tensor:
    """Scale and shift each channel by a number of its own."""
    channels = [x[:, i : i + 1] * scale[i] + shift[i] for i in range(len(scale))]
    return torch.cat(channels, 1)


def collect(values: Sequence[Tensor]) -> tuple[Tensor, ...]:
    """Several values as one result."""
    return tuple(values)


class StochasticDepth(nn.Module):
    """Drops its input at random in training, sample by sample ("row") or for the whole batch ("batch")."""

    def __init__(self, p: float, mode: str = "row") -> None:
        super().__init__()
        self.p = p
        self.mode = mode

    def forward(self, x: Tensor) -> Tensor:
        if not self.training or self.p == 0.0:
            return x
        survival = 1.0 - self.p
        count = x.shape[0] if self.mode == "row" else 1
        mask = torch.empty([count] + [1] * (x.ndim - 1), dtype=x.dtype, device=x.device).bernoulli_(survival)
        if survival > 0.0:
            mask.div_(survival)  # what survives is scaled up, so that the expectation stays
        return x * mask

    def extra_repr(self) -> str:
        return f"p={self.p}, mode={self.mode}"


class LayerNorm2d(nn.LayerNorm):
    """Layer normalisation over the channels of an N × C × H × W map."""

    def forward(self, x: Tensor) -> Tensor:
        last = x.permute(0, 2, 3, 1)
        last = F.layer_norm(last, self.normalized_shape, self.weight, self.bias, self.eps)
        return last.permute(0, 3, 1, 2)


class Permute(nn.Module):
    """Puts the dimensions of its input in another order."""

    def __init__(self, dims: tuple[int, ...]) -> None:
        super().__init__()
        self.dims = dims

    def forward(self, x: Tensor) -> Tensor:
        return torch.permute(x, self.dims)

    def extra_repr(self) -> str:
        return f"dims={self.dims}"
