"""Inception v3 and GoogLeNet with other arguments, against torchvision's classes with the same arguments."""

from __future__ import annotations

import random
from typing import Any

import pytest
from oracle import models
from variants import assert_exact

from archspec.frontend.loader import shipped
from archspec.frontend.yaml.reader import parse


def arguments(draw: random.Random) -> dict[str, Any]:
    return {
        "num_classes": draw.randint(2, 12),
        "dropout": draw.choice([0.0, 0.25]),
        "transform_input": draw.random() < 0.5,
        "aux_logits": False,
    }


def spec(name: str, **given: Any) -> dict[str, Any]:
    data: dict[str, Any] = parse(shipped()[name].read_text(encoding="utf-8")).data
    return {**data, **given}


@pytest.mark.parametrize("seed", range(2))
def test_inception_v3(seed: int) -> None:
    draw = random.Random(seed)
    given = arguments(draw)
    size = [3, draw.randint(75, 110), draw.randint(75, 110)]
    assert_exact(spec("inception_v3", input=size, **given), lambda: models.Inception3(init_weights=True, **given))


@pytest.mark.parametrize("seed", range(2))
def test_googlenet(seed: int) -> None:
    draw = random.Random(seed)
    given = arguments(draw)
    size = [3, draw.randint(33, 80), draw.randint(33, 80)]
    assert_exact(spec("googlenet", input=size, **given), lambda: models.GoogLeNet(init_weights=True, **given))


def test_auxiliary_heads_with_other_arguments() -> None:
    given: dict[str, Any] = {"num_classes": 3, "dropout": 0.25}
    size = [3, 299, 305]
    assert_exact(spec("inception_v3", input=size, **given), lambda: models.Inception3(init_weights=True, **given))
