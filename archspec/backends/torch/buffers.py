"""Functions that calculate buffers. As with `helpers`, the source target copies those that a network needs."""

from __future__ import annotations

import torch
from torch import Tensor


def relative_position_index(window_size: tuple[int, int]) -> Tensor:
    """For each pair of positions in a window, the number of the step from the second to the first.

    There are (2 × rows − 1) × (2 × columns − 1) such steps, and as many rows in a table of biases.
    """
    rows, columns = window_size
    row = torch.arange(rows).repeat_interleave(columns)
    column = torch.arange(columns).repeat(rows)
    down = row[:, None] - row + rows - 1
    right = column[:, None] - column + columns - 1
    return down * (2 * columns - 1) + right


def relative_coords_table(window_size: tuple[int, int]) -> Tensor:
    """The steps between two positions of a window, rows and columns, on a logarithmic scale from −8 to 8."""
    steps = [torch.arange(1 - size, size, dtype=torch.get_default_dtype()) / (size - 1) for size in window_size]
    table = torch.stack(torch.meshgrid(*steps, indexing="ij"), dim=-1) * 8
    return (table.sign() * torch.log2(table.abs() + 1.0) / 3.0)[None]


def shift_mask(size: tuple[int, int], window_size: tuple[int, int], shift_size: tuple[int, int]) -> Tensor:
    """What is added to the attention in the windows of a shifted map: −100 between positions that were not neighbours.

    The shape is windows × 1 × positions × positions.
    """
    (height, width), (rows, columns) = size, window_size
    wrapped_down = torch.arange(height) >= height - shift_size[0]
    wrapped_right = torch.arange(width) >= width - shift_size[1]
    region = 2 * wrapped_down[:, None] + wrapped_right[None, :]
    region = region.reshape(height // rows, rows, width // columns, columns).transpose(1, 2)
    region = region.reshape(-1, 1, rows * columns)
    return torch.where(region[:, :, :, None] == region[:, :, None, :], 0.0, -100.0)


def causal_mask(size: tuple[int, int]) -> Tensor:
    """What is added to attention so that no position sees those behind it: −∞ above the diagonal, and zeros."""
    return torch.full(size, -torch.inf).triu(1)
