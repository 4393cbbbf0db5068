"""Models as the plain data that they were read from, which `expand` and `import` print."""

from __future__ import annotations

from typing import Any

from archspec.diagnostics.validation import StrictModel
from archspec.ops.chosen import ChosenOp


def as_data(value: Any) -> Any:
    """A value, and what is in it, as it would be written in YAML."""
    if isinstance(value, dict):
        return {name: as_data(part) for name, part in value.items()}
    if isinstance(value, list):
        return list(map(as_data, value))
    return value.to_data() if isinstance(value, ChosenOp) else value


def given_fields(model: StrictModel, *names: str) -> dict[str, Any]:
    """Some fields of a model, without those that are `None`."""
    return {name: value for name in names if (value := getattr(model, name)) is not None}
