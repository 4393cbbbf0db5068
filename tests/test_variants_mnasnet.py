"""MnasNets of randomly drawn arguments against torchvision's class with the same arguments."""

from __future__ import annotations

import random

import pytest
from exhaustive import first
from oracle import models
from variants import assert_exact


@pytest.mark.parametrize("seed", first(range(8), 4))
def test_mnasnet(seed: int) -> None:
    draw = random.Random(seed)
    given = {
        "alpha": round(draw.uniform(0.1, 1.0), 3),
        "num_classes": draw.randint(1, 12),
        "dropout": draw.choice([0.0, 0.2, 0.75]),
    }
    size = [3, draw.randint(9, 48), draw.randint(9, 48)]
    assert_exact({"family": "mnasnet", "input": size, **given}, lambda: models.MNASNet(**given))
