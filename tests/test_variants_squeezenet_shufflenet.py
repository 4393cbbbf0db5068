"""SqueezeNets and ShuffleNets of randomly drawn arguments against torchvision's classes with the same arguments."""

from __future__ import annotations

import random
from typing import Any

import pytest
from exhaustive import first
from oracle import models
from variants import assert_exact

from archspec.frontend.loader import shipped
from archspec.frontend.yaml.reader import parse


@pytest.mark.parametrize("seed", first(range(12), 6))
def test_shufflenet_v2(seed: int) -> None:
    draw = random.Random(seed)
    given = {
        "stages_repeats": [draw.randint(1, 4) for _ in range(3)],
        "stages_out_channels": [draw.randint(1, 20), *(2 * draw.randint(1, 30) for _ in range(3)), draw.randint(1, 70)],
        "num_classes": draw.randint(1, 12),
    }
    size = [3, draw.randint(1, 70), draw.randint(33, 70)]
    assert_exact({"family": "shufflenet_v2", "input": size, **given}, lambda: models.ShuffleNetV2(**given))


@pytest.mark.parametrize("version", ["1_0", "1_1"])
@pytest.mark.parametrize("seed", range(3))
def test_squeezenet(version: str, seed: int) -> None:
    draw = random.Random(seed)
    given = {"num_classes": draw.randint(2, 12), "dropout": draw.choice([0.0, 0.2, 0.75])}
    spec: dict[str, Any] = parse(shipped()[f"squeezenet{version}"].read_text(encoding="utf-8")).data
    spec |= {"input": [3, draw.randint(33, 90), draw.randint(33, 90)], "params": given}
    assert_exact(spec, lambda: models.SqueezeNet(version, **given))
