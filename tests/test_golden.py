"""What is made of the kept networks, word for word: their layers and their source.

`fixtures/networks/NAME.yaml` is a spec, `fixtures/golden/NAME.txt` its summary as CSV and its generated file. That both
are right is for other tests to say; here every change shows, to be read as part of a review. After an intended one:

    ARCHSPEC_REFRESH=1 pytest tests/test_golden.py
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from seams import FIXTURES, FOLDER, expected

import archspec

REFRESH = "ARCHSPEC_REFRESH=1 pytest tests/test_golden.py"
GOLDEN = FOLDER / "golden"
NETWORKS = [path for path in FIXTURES if expected(path.read_text(encoding="utf-8")).words is None]


@pytest.mark.parametrize("path", NETWORKS, ids=lambda path: path.stem)
def test_the_network_is_as_recorded(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    found = f"{archspec.summary(text, format='csv')}\n\n{archspec.codegen(text)}"
    recorded = GOLDEN / f"{path.stem}.txt"
    if os.environ.get("ARCHSPEC_REFRESH"):
        recorded.write_text(found, encoding="utf-8")
    assert found == recorded.read_text(encoding="utf-8"), f"if this is as it should be: {REFRESH}"


def test_each_record_has_its_network() -> None:
    assert {path.stem for path in GOLDEN.glob("*.txt")} == {path.stem for path in NETWORKS}
