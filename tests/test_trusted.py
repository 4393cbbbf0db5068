"""What archspec takes on trust at run time is validated here: the library's blocks and the families' networks."""

from __future__ import annotations

from pathlib import Path

import pytest

from archspec import document, library
from archspec.driver import load, shipped
from archspec.language import Block, Network
from archspec.mistakes import validate

FAMILY_SPECS = [name for name in sorted(shipped()) if not isinstance(load(name).model, Network)]


@pytest.mark.parametrize("name", library.names())
def test_library_blocks_are_valid(name: str) -> None:
    path = Path(library.__file__).parent / f"{name}.yaml"
    data = document.parse(path.read_text(encoding="utf-8")).data
    assert validate(Block, data) == library.block(name)


@pytest.mark.parametrize("name", FAMILY_SPECS)
def test_families_desugar_to_valid_networks(name: str) -> None:
    network = load(name).network
    assert validate(Network, network.to_data()) == network
