"""Operations that torch has no single function for. The module target calls them; the source target copies
those a network needs into its file, so each stands on its own and imports nothing but torch."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor


def channel_affine(x: Tensor, scale: Sequence[float], shift: Sequence[float]) -> Tensor:
    """Scale and shift each channel by a number of its own."""
    channels = [x[:, i : i + 1] * a + b for i, (a, b) in enumerate(zip(scale, shift, strict=True))]
    return torch.cat(channels, 1)
