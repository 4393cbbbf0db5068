"""The fields of `buffer` that calculate given numbers."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from itertools import product
from math import isfinite
from typing import Any, Final

import torch
from torch import Tensor

from archspec.backends.torch import buffers
from archspec.backends.torch.build import computed
from archspec.diagnostics.budget import spend
from archspec.ops import OPS

Fields = dict[str, Any]

TYPES: Final = (torch.float32, torch.int64)
"""The types that buffers have."""


def fields_like(tensor: Tensor, any_shape: bool = False) -> Fields | None:
    """The fields that calculate these numbers; `None` if no kind of values does. With `any_shape`, sizes of 1 that
    precede the others need not be kept."""
    with torch.device("cpu"):
        return next(_found(tensor, any_shape), None)


def listed(tensor: Tensor, most: int) -> Fields | None:
    """The fields that list the numbers; `None` if they are more than `most`, or none that can be listed."""
    if not 0 < tensor.numel() <= most or tensor.dtype not in TYPES:
        return None
    numbers = [shortest(number) for number in tensor.flatten().tolist()]
    if not all(map(isfinite, numbers)) or (tensor.dtype == torch.int64 and min(numbers) < 0):
        return None
    kind = {"dtype": "int64"} if tensor.dtype == torch.int64 else {}
    shape = {} if tensor.ndim == 1 else {"shape": list(tensor.shape)}
    return {"values": numbers, **shape, **kind}


def shortest(value: float) -> float:
    """The shortest decimal that is the same number in float32; integers are as they are."""
    if not isfinite(value) or isinstance(value, int):
        return value
    for digits in range(1, 10):
        short = float(f"{value:.{digits}g}")
        if struct.pack("f", short) == struct.pack("f", value):
            return short
    return value


def _found(tensor: Tensor, any_shape: bool) -> Iterator[Fields]:
    for fields, made in _candidates(tensor):
        spend(1 + tensor.numel() // 1000)
        if made.dtype != tensor.dtype or not torch.equal(made.flatten(), tensor.flatten()):
            continue
        shapes = (_short(made.shape), _short(tensor.shape)) if any_shape else (tuple(made.shape), tuple(tensor.shape))
        flat = {"shape": [-1] if tensor.ndim == 1 else list(tensor.shape)}
        yield fields if shapes[0] == shapes[1] else {**fields, **flat}


def _short(shape: torch.Size) -> tuple[int, ...]:
    """A shape without leading ones."""
    first = next((place for place, size in enumerate(shape) if size != 1), len(shape))
    return tuple(shape[first:])


def _candidates(tensor: Tensor) -> Iterator[tuple[Fields, Tensor]]:
    """Candidates of this size: tensors, each with the fields of `buffer` that describe it."""
    shape = list(tensor.shape)
    if not shape or not tensor.numel() or tensor.dtype not in TYPES:
        return
    kind = {"dtype": "int64"} if tensor.dtype == torch.int64 else {}
    yield {"values": "zeros", "shape": shape, **kind}, torch.zeros(shape, dtype=tensor.dtype)
    yield {"values": "ones", "shape": shape, **kind}, torch.ones(shape, dtype=tensor.dtype)
    yield {"values": "arange", "shape": shape}, torch.arange(tensor.numel()).reshape(shape)
    yield from _ranges(tensor)
    if len(shape) == 2 and tensor.is_floating_point():
        yield {"values": "eye", "shape": shape}, torch.eye(*shape)
    yield from _relative(tensor)
    if len(shape) >= 2:
        yield from _masks(tensor)


def _ranges(tensor: Tensor) -> Iterator[tuple[Fields, Tensor]]:
    """Numbers from the first one on, in steps."""
    numbers = tensor.flatten()
    if len(numbers) < 2 or not bool(torch.isfinite(numbers[:2]).all()):
        return
    start, step = (_number(number) for number in (float(numbers[0]), float(numbers[1] - numbers[0])))
    if step <= 0 or (tensor.dtype == torch.int64 and start < 0):
        return
    kind = {} if tensor.dtype == torch.int64 else {"dtype": "float32"}
    given = {"start": start, "step": step, "shape": list(tensor.shape), **kind}
    fields = {"values": "arange", **{name: value for name, value in given.items() if (name, value) not in _PLAIN}}
    yield fields, computed(OPS["buffer"](**fields).tensor(), OPS["buffer"](**fields))


_PLAIN: Final = [("start", 0), ("step", 1)]


def _number(value: float) -> float | int:
    """A number as a person writes it."""
    return int(value) if value == int(value) else shortest(value)


def _relative(tensor: Tensor) -> Iterator[tuple[Fields, Tensor]]:
    positions = round(tensor.numel() ** 0.5)
    if positions**2 == tensor.numel() and tensor.dtype == torch.int64:
        for window in _factors(positions):
            yield ({"values": "relative_position_index", "window_size": _plain(window)},
                   buffers.relative_position_index(window))  # fmt: skip
        for window in _factors(positions - 1):
            yield ({"values": "relative_position_index", "window_size": _plain(window), "class_token": True},
                   buffers.with_class_token(buffers.relative_position_index(window)))  # fmt: skip
    if tensor.ndim == 2 and tensor.dtype == torch.int64:
        yield from _distances(*tensor.shape)
    if tensor.shape[-1] == 2 and tensor.is_floating_point():
        for rows, columns in _factors(tensor.numel() // 2):
            if rows % 2 and columns % 2 and min(rows, columns) > 1:
                window = (rows + 1) // 2, (columns + 1) // 2
                yield ({"values": "relative_coords_table", "window_size": _plain(window)},
                       buffers.relative_coords_table(window))  # fmt: skip
                yield from _of_other_windows(tensor, window)


def _of_other_windows(tensor: Tensor, window: tuple[int, int]) -> Iterator[tuple[Fields, Tensor]]:
    """Steps on a scale for other windows, whose size follows from the last step."""
    scaled = [2 ** (3 * abs(float(last))) - 1 for last in tensor.reshape(-1, 2)[-1]]
    if all(isfinite(last) and last > 0 for last in scaled):
        trained = tuple(1 + round(8 * (size - 1) / last) for size, last in zip(window, scaled, strict=True))
        if min(trained) > 1:
            rows, columns = trained
            fields = {"window_size": _plain(window), "pretrained_window_size": _plain((rows, columns))}
            yield ({"values": "relative_coords_table", **fields},
                   buffers.relative_coords_table(window, (rows, columns)))  # fmt: skip


def _distances(queries: int, keys: int) -> Iterator[tuple[Fields, Tensor]]:
    """Numbers of distances for as many queries and keys."""
    for rows, columns in _factors(keys):
        for stride in range(1, max(rows, columns) + 1):
            if -(-rows // stride) * -(-columns // stride) == queries:
                more = {"stride": stride} if stride > 1 else {}
                yield ({"values": "distance_index", "window_size": _plain((rows, columns)), **more},
                       buffers.distance_index((rows, columns), stride))  # fmt: skip


def _masks(tensor: Tensor) -> Iterator[tuple[Fields, Tensor]]:
    *leading, rows, columns = tensor.shape
    low = float(tensor.min())
    if low == -float("inf") and leading == [1] * len(leading):
        yield {"values": "causal_mask", "size": _plain((rows, columns))}, buffers.causal_mask((rows, columns))
    if low != -100 or rows != columns:
        return
    windows = tensor.numel() // rows**2
    for window, grid in product(_factors(rows), _factors(windows)):
        size = grid[0] * window[0], grid[1] * window[1]
        for shift in _shifts(window):
            fields = {"size": _plain(size), "window_size": _plain(window), "shift_size": _plain(shift)}
            yield {"values": "shift_mask", **fields}, buffers.shift_mask(size, window, shift)


def _shifts(window: tuple[int, int]) -> list[tuple[int, int]]:
    """The shifts of a window, half of it first, and along both axes before along one."""
    half = window[0] // 2, window[1] // 2
    every = [*product(range(window[0]), range(window[1]))]
    return sorted(every[1:], key=lambda shift: (shift != half, 0 in shift))


def _factors(number: int) -> list[tuple[int, int]]:
    """The pairs whose product is a number, those nearest to each other first."""
    pairs = [(first, number // first) for first in range(1, number + 1) if number % first == 0]
    return sorted(pairs, key=lambda pair: (abs(pair[0] - pair[1]), pair))


def _plain(pair: tuple[int, int]) -> Any:
    return pair[0] if pair[0] == pair[1] else list(pair)
