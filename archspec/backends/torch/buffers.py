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


def with_class_token(index: Tensor) -> Tensor:
    """The numbers of steps with a class token before the positions: the steps from it to a position, from a position to
    it, and from it to itself have the numbers that follow those between positions."""
    positions, steps = len(index), int(index.max()) + 1
    whole = torch.full((positions + 1, positions + 1), steps)
    whole[1:, 1:] = index
    whole[1:, 0] = steps + 1
    whole[0, 0] = steps + 2
    return whole


def distance_index(window_size: tuple[int, int], stride: int = 1) -> Tensor:
    """For each query and key in a window, the number of their distance: rows × columns of distances, with no direction.

    With a stride, queries are the first of so many rows and columns.
    """
    rows, columns = window_size
    row = torch.arange(rows).repeat_interleave(columns)
    column = torch.arange(columns).repeat(rows)
    query_row = torch.arange(0, rows, stride).repeat_interleave(len(range(0, columns, stride)))
    query_column = torch.arange(0, columns, stride).repeat(len(range(0, rows, stride)))
    return (query_row[:, None] - row).abs() * columns + (query_column[:, None] - column).abs()


def relative_coords_table(
    window_size: tuple[int, int], pretrained_window_size: tuple[int, int] | None = None
) -> Tensor:
    """The steps between two positions of a window, rows and columns, on a logarithmic scale: from −8 to 8 in windows of
    the size that weights were trained with."""
    steps = [
        torch.arange(1 - size, size, dtype=torch.get_default_dtype()) / (trained - 1)
        for size, trained in zip(window_size, pretrained_window_size or window_size, strict=True)
    ]
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
