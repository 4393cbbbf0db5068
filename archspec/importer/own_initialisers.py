"""Initialisers of parameters that a module itself has, as their initial numbers show."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Final

import torch
from torch import Tensor

from archspec.importer.initial_weights import MOST, OF_TORCH, Initialiser, scaled_ways, seen_of, spread_of

FEWEST: Final = 16
"""The least number of elements whose distribution is estimated."""

USUAL: Final = (1.0, 0.02, 0.01, 0.1)
"""Standard deviations that networks are written with."""


def initialiser_of(tensors: Sequence[Tensor]) -> Initialiser | None:
    """The initialiser of parameters of the same name in all modules of a class; `None` if their numbers are too few, or
    not random."""
    numbers = torch.cat([tensor.detach().flatten()[:MOST].float() for tensor in tensors])
    seen = seen_of(numbers)
    if seen.size < FEWEST or not seen.is_drawn or not 0 < seen.std < math.inf:
        return None
    return next(_ways(numbers, [tuple(tensor.shape) for tensor in tensors]))


def _ways(numbers: Tensor, shapes: Sequence[tuple[int, ...]]) -> Iterator[Initialiser]:
    """What may have filled the parameters, the likeliest first."""
    count, low, high = len(numbers), float(numbers.min()), float(numbers.max())
    mean, std = float(numbers.mean()), float(numbers.std())
    error = 3 / math.sqrt(2 * count)  # of a standard deviation, three times its own
    is_uniform = abs((high - low) / math.sqrt(12) / std - 1) <= 2 / math.sqrt(count)
    is_centred = abs(mean) <= 4 * std / math.sqrt(count)
    if not is_uniform and is_centred:
        for usual in USUAL:
            if abs(std / usual - 1) <= error:
                yield "normal" if usual == 1 else {"normal": {"std": usual}}
    if is_centred and len({*shapes}) == 1 and len(shapes[0]) > 1:
        known = [OF_TORCH] * is_uniform + scaled_ways(is_uniform)
        largest = max(-low, high) * (count + 1) / count
        spread = largest / math.sqrt(3) if is_uniform else std  # the limits of uniform numbers say more
        apart = [abs(spread / spread_of(way, shapes[0]) - 1) for way in known]
        nearest = sorted(range(len(known)), key=apart.__getitem__)
        yield from (known[number] for number in nearest if apart[number] <= error)
    if not is_uniform:
        yield {"normal": {**({} if is_centred else {"mean": _short(mean)}), "std": _short(std)}}
    elif 0 <= low < high <= 1 and high - low > 1 - 8 / count:
        yield "uniform"
    else:
        half = _short((high - low) / 2)
        yield {"uniform": {"a": -half, "b": half} if is_centred else {"a": _short(low), "b": _short(high)}}


def _short(number: float) -> float:
    return float(f"{number:.2g}")
