"""Random valid networks, which must pass all of `checks.py`.

`ARCHSPEC_NETWORKS=5000` tries more of those whose shapes change, `ARCHSPEC_FREE_NETWORKS=5000` more of those in which
anything may read anything, `ARCHSPEC_TENSOR_NETWORKS=5000` of those of sequences, and `ARCHSPEC_FIRST_NETWORK=7000`
others. A network that was once got wrong stays as a file in `fixtures/networks`, with small specs of constructs that
interact (`network_fixtures.py`); `-k NAME` tries one.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from checks import Case, failure
from exhaustive import first, marked
from free_networks import free_network
from long_run import checks_of
from network_fixtures import FIXTURES, RUFF, check_fixture, is_refused, lint
from random_networks import network
from tensor_networks import tensor_network

import archspec
from archspec.frontend.yaml.writer import dump

FIRST = int(os.environ.get("ARCHSPEC_FIRST_NETWORK", "0"))
CHANGING = range(FIRST, FIRST + int(os.environ.get("ARCHSPEC_NETWORKS", "200")))
FREE = range(FIRST, FIRST + int(os.environ.get("ARCHSPEC_FREE_NETWORKS", "450")))
TENSORS = range(FIRST, FIRST + int(os.environ.get("ARCHSPEC_TENSOR_NETWORKS", "420")))
"""The networks of this run: those whose shapes change, and those in which anything may read anything."""


def sources() -> list[str]:
    """The networks of this run as YAML: those whose shapes change, and the kept ones."""
    kept = [path.read_text(encoding="utf-8") for path in FIXTURES]
    changing = [dump(network(seed)) for seed in CHANGING]
    changing += [dump(tensor_network(seed)) for seed in TENSORS[:60]]
    return [*changing, *(text for text in kept if not is_refused(text))]


@pytest.mark.parametrize("seed", first(CHANGING, 30, 110))
def test_random_network(seed: int) -> None:
    assert failure(dump(network(seed)), checks_of(seed)) is None


@pytest.mark.parametrize("seed", first(FREE, 32, 190))
def test_free_network(seed: int) -> None:
    assert failure(dump(free_network(seed)), checks_of(seed)) is None


@pytest.mark.parametrize("seed", first(TENSORS, 25, 190))
def test_tensor_network(seed: int) -> None:
    assert failure(dump(tensor_network(seed)), checks_of(seed)) is None


@pytest.mark.parametrize("path", FIXTURES, ids=lambda path: path.stem)
def test_network_that_was_got_wrong(path: Path) -> None:
    check_fixture(path.read_text(encoding="utf-8"))


@pytest.mark.parametrize("name", ["widths_of_an_index", "seqs_in_rounds"])
def test_rounds_that_differ_keep_the_parameters(name: str) -> None:
    """A loop without a common expression is written out; no parameter is fixed because of it."""
    (path,) = (path for path in FIXTURES if path.stem == name)
    assert Case(path.read_text(encoding="utf-8")).arguments == {"width": 24}


# -- all networks at once ---------------------------------------------------------------------------------------


def test_generated_files_are_clean(tmp_path: Path) -> None:
    """ruff finds nothing to complain about or to lay out otherwise, with the settings that generated/ has."""
    texts = {f"net{number}": text for number, text in enumerate(sources())}
    assert lint(texts, tmp_path, RUFF) == []


@pytest.mark.parametrize("part", [*marked([slice(0, 100)], "exhaustive"), *marked([slice(100, None)], "by_hand")])
def test_generated_files_of_free_networks_are_clean(part: slice, tmp_path: Path) -> None:
    """ruff and mypy find nothing to complain about in any file, with the settings that CI gives them for generated/."""
    texts = [dump(free_network(seed)) for seed in FREE[part]]
    texts += [dump(tensor_network(seed)) for seed in TENSORS[part]]
    assert lint({f"net{number}": text for number, text in enumerate([*sources(), *texts])}, tmp_path) == []


_DIGEST = """
import hashlib, sys
import archspec
for text in sys.stdin.read().split("\\0"):
    print(hashlib.sha256((archspec.codegen(text) + archspec.expand(text)).encode()).hexdigest())
    print(hashlib.sha256(archspec.render(text, format="dot")).hexdigest())
"""


def test_texts_do_not_depend_on_the_hash_seed() -> None:
    given = "\0".join(sources()[:40])
    found = [
        subprocess.run([sys.executable, "-c", _DIGEST], input=given, env={**os.environ, "PYTHONHASHSEED": seed},
                       capture_output=True, text=True, check=True).stdout
        for seed in ("1", "2")
    ]  # fmt: skip
    assert found[0] == found[1] != ""


@pytest.mark.parametrize(
    ("name", "words", "times"),
    [
        ("calls_that_are_repeated", "make_divisible(channels", 1),
        ("one_round_of_a_list", "range(", 0),
        ("one_value_in_training", "self.one(x)[0] if self.training else None", 1),
        ("one_value_in_training", "else None\n", 1),
    ],
)
def test_files_say_it_once(name: str, words: str, times: int) -> None:
    (path,) = (path for path in FIXTURES if path.stem == name)
    assert archspec.codegen(path).count(words) == times
