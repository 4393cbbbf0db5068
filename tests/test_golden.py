"""The recorded output for the kept networks, word for word: their layers and their source.

`fixtures/networks/NAME.yaml` is a spec, `fixtures/golden/NAME.txt` its summary as CSV and its generated file; in
`fixtures/features` are files of shipped networks that are cut to features. That all are right is for other tests to
say; here every change shows, to be read as part of a review. After an intended one:

    ARCHSPEC_REFRESH=1 pytest tests/test_golden.py
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from network_fixtures import FIXTURES, FOLDER, expected

import archspec

REFRESH = "ARCHSPEC_REFRESH=1 pytest tests/test_golden.py"
GOLDEN = FOLDER / "golden"
NETWORKS = [path for path in FIXTURES if expected(path.read_text(encoding="utf-8")).words is None]

CUT = FOLDER / "features"
FEATURES = {
    "resnet18": ["layer1.0.relu", "layer4"],
    "densenet121": ["features.denseblock1.denselayer2.norm1", "features.transition1.conv", "features.norm5"],
    "googlenet": ["conv1.conv", "inception3a.branch2.0", "inception4a"],
    "mobilenet_v3_small": ["features.4.block.2.avgpool", "features.4.block.1", "features.10"],
    "regnet_y_400mf": ["trunk_output.block3.block3-0.f.a.1", "trunk_output.block3"],
    "shufflenet_v2_x0_5": ["stage2.0", "stage3.1.branch2.4"],
    "convnext_tiny": ["features.7.2.block.3", "features.1"],
}
"""Values inside seqs and blocks, whose classes must return them with the usual one."""


@pytest.mark.parametrize("path", NETWORKS, ids=lambda path: path.stem)
def test_the_network_is_as_recorded(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    check(GOLDEN / f"{path.stem}.txt", f"{archspec.summary(text, format='csv')}\n\n{archspec.codegen(text)}")


@pytest.mark.parametrize("name", FEATURES)
def test_the_network_cut_to_features_is_as_recorded(name: str) -> None:
    check(CUT / f"{name}.txt", archspec.codegen(name, features=FEATURES[name]))


def check(recorded: Path, found: str) -> None:
    if os.environ.get("ARCHSPEC_REFRESH"):
        recorded.write_text(found, encoding="utf-8")
    assert found == recorded.read_text(encoding="utf-8"), f"if this is as it should be: {REFRESH}"


def test_each_record_has_its_network() -> None:
    assert {path.stem for path in GOLDEN.glob("*.txt")} == {path.stem for path in NETWORKS}
    assert {path.stem for path in CUT.glob("*.txt")} == {*FEATURES}
