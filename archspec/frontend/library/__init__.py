"""Reusable blocks, each written in the core language in the YAML file of its name beside this one."""

from __future__ import annotations

from collections.abc import Collection
from functools import cache
from pathlib import Path

from archspec.diagnostics.validation import validate
from archspec.frontend.content import yaml_files
from archspec.frontend.model.block import Block
from archspec.frontend.yaml.reader import parse

_FOLDER = Path(__file__).parent


def names() -> Collection[str]:
    """The names of all blocks."""
    return _files().keys()


def block(name: str) -> Block | None:
    """The library's block of that name, or `None`."""
    return _block(name) if name in _files() else None


@cache
def _files() -> dict[str, Path]:
    return yaml_files(_FOLDER)


@cache
def _block(name: str) -> Block:
    path = _files()[name]
    return validate(Block, parse(path.read_text(encoding="utf-8"), str(path)).data)
