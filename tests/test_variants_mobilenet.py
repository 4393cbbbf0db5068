"""MobileNets of randomly drawn arguments against torchvision's classes with the same arguments."""

from __future__ import annotations

import random
from typing import Any

import pytest
from exhaustive import first
from oracle import models
from torch import nn
from variants import assert_exact

import archspec

mobilenetv3: Any = models.mobilenetv3


def head(draw: random.Random, family: str) -> dict[str, Any]:
    """What every draw has: odd input sizes, few classes, some width."""
    return {
        "family": family,
        "input": [3, draw.randint(9, 40), draw.randint(9, 40)],
        "num_classes": draw.randint(1, 12),
        "width_mult": round(draw.uniform(0.2, 1.6), 3),
        "dropout": draw.choice([0.0, 0.2, 0.75]),
    }


def arguments(spec: dict[str, Any], *names: str) -> dict[str, Any]:
    return {name: spec[name] for name in names}


@pytest.mark.parametrize("seed", first(range(12), 6))
def test_mobilenet_v2(seed: int) -> None:
    draw = random.Random(seed)
    rows = [
        [draw.randint(1, 6), draw.randint(4, 40), draw.randint(1, 3), draw.randint(1, 2)]
        for _ in range(draw.randint(1, 4))
    ]
    spec = head(draw, "mobilenet_v2")
    spec |= {"inverted_residual_setting": rows, "round_nearest": draw.choice([1, 4, 8, 16])}
    names = ("num_classes", "width_mult", "dropout", "inverted_residual_setting", "round_nearest")
    assert_exact(spec, lambda: models.MobileNetV2(**arguments(spec, *names)))


def random_rows(draw: random.Random) -> list[list[Any]]:
    """Tables in which shapes repeat, so that there are shortcuts, and blocks that do not expand."""
    rows: list[list[Any]] = []
    for _ in range(draw.randint(2, 6)):
        before = rows[-1][2] if rows else 16
        expanded, out = draw.choice([before, 3 * before, 50]), draw.choice([before, before, 24, 33])
        rows.append(
            [draw.choice([3, 5]), expanded, out, draw.random() < 0.5, draw.choice(["RE", "HS"]), draw.randint(1, 2)]
        )
    return rows


def reference_v3(spec: dict[str, Any]) -> nn.Module:
    """torchvision's class, whose rows carry their input and, from the last stride on, the dilation."""
    rows, configs = spec["inverted_residual_setting"], []
    tail = max((number for number, row in enumerate(rows) if row[-1] > 1), default=len(rows))
    for number, (before, row) in enumerate(zip([[0, 0, 16], *rows], rows, strict=False)):
        dilation = 2 if spec["dilated"] and number >= tail else 1
        configs.append(mobilenetv3.InvertedResidualConfig(before[2], *row, dilation, spec["width_mult"]))
    last = mobilenetv3.InvertedResidualConfig.adjust_channels(spec["last_channel"], spec["width_mult"])
    model: nn.Module = models.MobileNetV3(configs, last, **arguments(spec, "num_classes", "dropout"))
    return model


@pytest.mark.parametrize("seed", first(range(12), 6))
def test_mobilenet_v3(seed: int) -> None:
    draw = random.Random(seed)
    spec = head(draw, "mobilenet_v3")
    spec |= {"inverted_residual_setting": random_rows(draw), "last_channel": draw.randint(10, 60)}
    spec["dilated"] = draw.random() < 0.5
    assert_exact(spec, lambda: reference_v3(spec))


@pytest.mark.parametrize("reduced_tail", [False, True])
@pytest.mark.parametrize("dilated", [False, True])
@pytest.mark.parametrize("name", ["mobilenet_v3_large", "mobilenet_v3_small"])
def test_mobilenet_v3_for_segmentation(name: str, dilated: bool, reduced_tail: bool) -> None:
    """torchvision's own tables with its options, which only its builders take."""
    shipped = archspec.load(name)
    changed = {"width_mult": 0.35, "dilated": dilated, "reduced_tail": reduced_tail}
    spec = {**shipped.document.data, **changed, "input": [3, 65, 43]}
    del spec["name"]
    assert_exact(spec, lambda: getattr(models, name)(**changed))
