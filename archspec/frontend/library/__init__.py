"""Reusable blocks, each written in the core language in the YAML file of its name beside this one."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from archspec.diagnostics.validation import validate
from archspec.frontend.model.block import Block
from archspec.frontend.yaml.reader import parse

_FOLDER = Path(__file__).parent


@cache
def names() -> tuple[str, ...]:
    """The names of all blocks."""
    return tuple(sorted(path.stem for path in _FOLDER.glob("*.yaml")))


def block(name: str) -> Block | None:
    """The library's block of that name, or `None`."""
    return _block(name) if name in _known() else None


@cache
def _known() -> frozenset[str]:
    return frozenset(names())


@cache
def _block(name: str) -> Block:
    path = _FOLDER / f"{name}.yaml"
    return validate(Block, parse(path.read_text(encoding="utf-8"), str(path)).data)
