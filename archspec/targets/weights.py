"""The numbers in a built module: how they are seeded, and how they are saved."""

from __future__ import annotations

import os

import torch
from torch import nn

from archspec import files


def seed(number: int) -> None:
    """Seed torch's generators, so that the initial weights are the same each time."""
    torch.manual_seed(number)


def save(module: nn.Module, path: str | os.PathLike[str]) -> None:
    """Write a module's state_dict, whole or not at all; raises `TargetError` if it cannot be written."""
    with files.replacing(path) as draft:
        torch.save(module.state_dict(), draft)
