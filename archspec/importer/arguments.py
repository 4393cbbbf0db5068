"""An argument of what makes a model, as a parameter of the network: two models differ in nothing but its value."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from archspec.importer.unification import unified


def with_parameter(document: dict[str, Any], other: dict[str, Any], name: str, value: int) -> dict[str, Any] | None:
    """The document with a parameter for each number that is `value` and one more in the `other` document, that of a
    model made with one more; `None` if anything else differs, or a block's number does."""
    fixed = {key: part for key, part in document.items() if key not in ("layers", "outputs")}
    if fixed != {key: part for key, part in other.items() if key not in ("layers", "outputs")}:
        return None
    if name in _names(document) or document.get("outputs") != other.get("outputs") or document == other:
        return None
    layers = unified([document["layers"], other["layers"]], lambda _, values: _expression(values, name, value))
    if layers is None:
        return None
    found = {key: part for key, part in document.items() if key != "layers"}
    before = [key for key in document if key in ("name", "input", "tokens", "blocks")]
    params = {**document.get("params", {}), name: value}
    rest = {key: part for key, part in found.items() if key not in before and key != "params"}
    return {**{key: found[key] for key in before}, "params": params, "layers": layers, **rest}


def _expression(values: Sequence[Any], name: str, value: int) -> str | None:
    one, other = values
    return f"={name}" if type(one) is type(other) is int and one == value and other == value + 1 else None


def _names(data: Any) -> set[str]:
    """All keys and texts, which may be names."""
    if isinstance(data, dict):
        return {*data, *(name for part in data.values() for name in _names(part))}
    if isinstance(data, list):
        return {name for part in data for name in _names(part)}
    return {data} if isinstance(data, str) else set()
