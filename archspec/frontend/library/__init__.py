"""Reusable blocks, each written in the core language in the YAML file of its name beside this one."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from archspec.diagnostics.validation import validate
from archspec.frontend import yaml_document
from archspec.frontend.model import Block

_FOLDER = Path(__file__).parent


@cache
def names() -> tuple[str, ...]:
    """The names of all blocks."""
    return tuple(sorted(path.stem for path in _FOLDER.glob("*.yaml")))


@cache
def block(name: str) -> Block | None:
    """The library's block of that name, or `None`."""
    path = _FOLDER / f"{name}.yaml"
    if not name.isidentifier() or not path.is_file():
        return None
    return validate(Block, yaml_document.parse(path.read_text(encoding="utf-8"), str(path)).data)
