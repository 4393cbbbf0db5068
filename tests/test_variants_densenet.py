"""DenseNets of randomly drawn arguments against torchvision's class with the same arguments."""

from __future__ import annotations

import random

import pytest
from exhaustive import first
from oracle import models
from variants import assert_exact


@pytest.mark.parametrize("seed", first(range(16), 8))
def test_densenet(seed: int) -> None:
    draw = random.Random(seed)
    blocks = [draw.randint(1, 5) for _ in range(draw.randint(1, 4))]
    given = {
        "growth_rate": draw.choice([1, 3, 8, 13]),
        "block_config": blocks,
        "num_init_features": draw.choice([2, 8, 15]),
        "bn_size": draw.randint(1, 4),
        "drop_rate": draw.choice([0.0, 0.0, 0.3]),
        "num_classes": draw.randint(1, 12),
    }
    least = 4 * 2 ** (len(blocks) - 1)
    size = [3, draw.randint(least, least + 24), draw.randint(least, least + 24)]
    assert_exact({"family": "densenet", "input": size, **given}, lambda: models.DenseNet(**given))
