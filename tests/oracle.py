"""The independent oracle: torchvision's models, made importable on a CPU-only torch."""

from __future__ import annotations

import torch

_LIBRARY = torch.library.Library("torchvision", "DEF")
for _name in ("nms", "qnms"):
    # torchvision registers meta kernels for these at import, and CPU-only torch does not define them
    _LIBRARY.define(f"{_name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")

from torchvision import models  # noqa: E402

__all__ = ["models", "randomise"]


@torch.no_grad()
def randomise(module: torch.nn.Module, seed: int = 0) -> None:
    """Random parameters and batch-norm statistics: default ones hide errors (a bias of zeros, a variance of ones)."""
    generator = torch.Generator().manual_seed(seed)
    for name, tensor in module.state_dict().items():
        if name.endswith("num_batches_tracked"):
            continue
        low, high = (0.5, 1.5) if "running_var" in name or tensor.ndim == 1 else (-0.1, 0.1)
        scale = max(1.0, (tensor.numel() / tensor.shape[0] / 3) ** 0.5) if tensor.ndim > 1 else 1.0
        width = 3.0**0.5 / (tensor.numel() / tensor.shape[0]) ** 0.5 if tensor.ndim > 1 else 1.0
        del scale
        if tensor.ndim > 1:
            low, high = -width, width
        tensor.copy_(torch.rand(tensor.shape, generator=generator) * (high - low) + low)
