"""Import of random assignments to parts of tensors: what is proven exact is what torch itself does."""

from __future__ import annotations

import random
from typing import Any

import pytest
import torch
from exhaustive import first
from torch import Tensor, nn

import archspec

SIZES = (9, 7)
"""Of a sample."""


class Assigning(nn.Module):
    """Assigns values of its own to random parts of a tensor, and changes others in place."""

    def __init__(self, seed: int) -> None:
        super().__init__()
        self.fc = nn.Linear(SIZES[-1], SIZES[-1])
        self.row = nn.Parameter(torch.zeros(SIZES[-1]))
        chance = random.Random(seed)
        self.starts_with = chance.choice(("value", "value", "zeros", "ones", "empty"))
        self.changes = [(*_index(chance), chance.randrange(7)) for _ in range(chance.randint(1, 4))]
        if self.starts_with == "empty":  # has numbers everywhere after this one
            self.changes.insert(0, ((slice(None),), (), 1))

    def forward(self, x: Tensor) -> Tensor:
        x = self.fc(x)
        y = {"value": x + 1, "zeros": torch.zeros_like(x), "empty": x.new_empty(x.shape),
             "ones": torch.ones(x.shape[0], *SIZES)}[self.starts_with]  # fmt: skip
        for index, inner, way in self.changes:
            self._change(x, y, index, inner, way)
        return (y * self.row).tanh() + x

    def _change(self, x: Tensor, y: Tensor, index: Any, inner: Any, way: int) -> None:
        if way == 0:
            y[index] = 0.5
        elif way == 1:
            y[index] = x[index].relu()
        elif way == 2:
            y[index] = self.row[-1:]
        elif way == 3:
            y[index] *= x[index]
        elif way == 4:
            y[index].add_(1)
        elif way == 5:
            part = y[index]
            part[inner] = part[inner].sigmoid()
        else:
            y[index] = y[index].flip(-1)


def _index(chance: random.Random) -> tuple[tuple[Any, ...], tuple[Any, ...]]:
    """The index of a part of a tensor whose first dimension is the batch; and one of a part of the part."""
    parts: list[Any] = [slice(None)]
    inner: list[Any] = [slice(None)]
    for size in SIZES[: chance.choice((1, 1, 2))]:
        kind = chance.randrange(4)
        if kind == 1 and len(inner) < len(parts):
            kind = 0  # a single number of each sample cannot be rearranged
        start = chance.randrange(size - 1)
        stop = chance.randint(start + 2, size)
        parts.append((slice(None), start - size, slice(start, stop), slice(start - size, None))[kind])
        if kind != 1:
            inner.append(chance.choice((slice(None), slice(1, None), slice(None, -1), slice(1, 2))))
    if chance.random() < 0.3:
        return (Ellipsis, slice(1, chance.randint(3, 5))), (Ellipsis, slice(1, 2))
    return tuple(parts), tuple(inner)


REASONS = ("it changes a part of a constant", "it changes all of a tensor to a number")
"""Of refusals that are right: a spec has no values for these."""


def imported(seed: int) -> str:
    """The spec, or why there is none. Gradients may be added up in another order where parts overlap."""
    torch.manual_seed(seed)
    try:
        spec = archspec.from_module(Assigning(seed), input=SIZES, allow_inexact=True)
    except archspec.SpecError as error:
        return next((reason for reason in REASONS if reason in str(error)), str(error))
    assert spec.report is not None
    wrong = [str(check) for check in spec.report.differences if "gradient" not in check.name]
    assert not wrong, "\n".join(wrong)
    return spec.text


@pytest.mark.parametrize("seeds", first([range(n, n + 10) for n in range(0, 400, 10)], 2))
def test_random_assignments(seeds: range) -> None:
    texts = [imported(seed) for seed in seeds]
    refused = [text for text in texts if "layers:" not in text]
    assert set(refused) <= {*REASONS}, "\n".join(refused)
    assert len(refused) < len(texts) / 2
