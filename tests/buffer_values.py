"""The values of buffers as the interpreter calculates them: as specs/README.md defines them, position by position."""

from __future__ import annotations

import math
from collections.abc import Callable
from itertools import product
from typing import Any, Final, NamedTuple

import torch
from torch import Tensor

Data = dict[str, Any]


class Fixed(NamedTuple):
    """A tensor of a body that is not trained, and whether it is saved."""

    tensor: Tensor
    persistent: bool


def _pair(given: Any) -> tuple[int, int]:
    return (given, given) if isinstance(given, int) else tuple(given)


def _places(size: Any) -> list[tuple[int, int]]:
    """The positions of a window or a map, row by row."""
    rows, columns = _pair(size)
    return [(row, column) for row in range(rows) for column in range(columns)]


def _steps(given: Data) -> Tensor:
    """For each pair of positions of a window, the number of the offset between them among all offsets in order."""
    rows, columns = _pair(given["window_size"])
    every = {step: n for n, step in enumerate(product(range(1 - rows, rows), range(1 - columns, columns)))}
    places = _places(given["window_size"])
    return torch.tensor([[every[a - c, b - d] for c, d in places] for a, b in places])


def _steps_with_class_token(given: Data) -> Tensor:
    """The same with a first position whose steps have the last three numbers: to others, from others, to itself."""
    last = int(_steps(given).max())
    own = torch.cat([torch.tensor([last + 3]), torch.tensor([last + 1]).repeat(len(_steps(given)))])[None]
    return torch.cat([own, torch.nn.functional.pad(_steps(given), (1, 0), value=last + 2)])


def _apart_by(given: Data) -> Tensor:
    """The numbers of distances, from the positions that are every so many rows and columns to all."""
    rows, columns = _pair(given["window_size"])
    stride = given.get("stride", 1)
    every = {step: n for n, step in enumerate(product(range(rows), range(columns)))}
    queries = [(a, b) for a, b in _places((rows, columns)) if a % stride == b % stride == 0]
    return torch.tensor([[every[abs(a - c), abs(b - d)] for c, d in _places((rows, columns))] for a, b in queries])


def _distances(given: Data) -> Tensor:
    """The offsets between two positions of a window, on a logarithmic scale."""
    rows, columns = _pair(given["window_size"])
    farthest = [size - 1 for size in _pair(given.get("pretrained_window_size", (rows, columns)))]
    table = torch.empty(1, 2 * rows - 1, 2 * columns - 1, 2)
    table[..., 0] = (torch.arange(1.0 - rows, rows) / farthest[0])[:, None]
    table[..., 1] = torch.arange(1.0 - columns, columns) / farthest[1]
    return torch.sign(table) * torch.log2((table * 8).abs() + 1) / 3


def _apart(given: Data) -> Tensor:
    """-100 for two positions of a window that come from opposite sides of a shifted map."""
    (height, width), (rows, columns), (down, right) = (_pair(given[n]) for n in ("size", "window_size", "shift_size"))
    far = {(a, b): (a >= height - down, b >= width - right) for a, b in _places(given["size"])}
    windows = [[far[top + a, left + b] for a, b in _places(given["window_size"])]
               for top in range(0, height, rows) for left in range(0, width, columns)]  # fmt: skip
    return torch.tensor([[[[0.0 if a == b else -100.0 for b in window] for a in window]] for window in windows])


def _behind(given: Data) -> Tensor:
    """-inf for a key behind the query."""
    rows, columns = _pair(given["size"])
    return torch.tensor([[-math.inf if key > query else 0.0 for key in range(columns)] for query in range(rows)])


def _type(given: Data) -> torch.dtype | None:
    return {"int64": torch.int64, "float32": torch.float32}.get(str(given.get("dtype")))


def _range(given: Data) -> list[Any]:
    return [given.get("start", 0) + given.get("step", 1) * n for n in range(math.prod(given["shape"]))]


def _shaped(make: Callable[[Data], Tensor]) -> Callable[[Data], Tensor]:
    return lambda given: make(given).reshape(given["shape"]) if "shape" in given else make(given)


BUFFERS: Final[dict[str, Callable[[Data], Tensor]]] = {
    "zeros": lambda given: torch.zeros(given["shape"], dtype=_type(given)),
    "ones": lambda given: torch.ones(given["shape"], dtype=_type(given)),
    "arange": lambda given: torch.tensor(_range(given), dtype=_type(given)).reshape(given["shape"]),
    "eye": lambda given: torch.tensor(
        [[float(a == b) for b in range(given["shape"][1])] for a in range(given["shape"][0])]
    ),
    "relative_position_index": lambda given: _shaped(_steps_with_class_token if given.get("class_token") else _steps)(
        given
    ),
    "distance_index": _shaped(_apart_by),
    "relative_coords_table": _shaped(_distances),
    "shift_mask": _shaped(_apart),
    "causal_mask": _shaped(_behind),
}


def buffer(given: Data) -> Tensor:
    """The tensor of a buffer."""
    if not isinstance(given["values"], list):
        return BUFFERS[given["values"]](given)
    numbers = torch.tensor(given["values"], dtype=_type(given) or torch.float32)
    return numbers.reshape(given.get("shape", [-1]))
