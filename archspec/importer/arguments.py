"""An argument of what makes a model, as a parameter of the network: two models differ in nothing but its value."""

from __future__ import annotations

from typing import Any


def with_parameter(document: dict[str, Any], other: dict[str, Any], name: str, value: int) -> dict[str, Any] | None:
    """The document with a parameter for each number that is `value` and one more in the `other` document, that of a
    model made with one more; `None` if anything else differs, or a block's number does."""
    fixed = {key: part for key, part in document.items() if key not in ("layers", "outputs")}
    if fixed != {key: part for key, part in other.items() if key not in ("layers", "outputs")}:
        return None
    if name in _names(document) or document.get("outputs") != other.get("outputs") or document == other:
        return None
    layers = _joined(document["layers"], other["layers"], name, value)
    if layers is None:
        return None
    found = {key: part for key, part in document.items() if key != "layers"}
    before = [key for key in document if key in ("name", "input", "tokens", "blocks")]
    params = {**document.get("params", {}), name: value}
    rest = {key: part for key, part in found.items() if key not in before and key != "params"}
    return {**{key: found[key] for key in before}, "params": params, "layers": layers, **rest}


def _joined(one: Any, other: Any, name: str, value: int) -> Any:
    """Two parts as one; `None` if they differ in anything but the value."""
    if one == other:
        return one
    if isinstance(one, dict) and isinstance(other, dict) and list(one) == list(other):
        made = {key: _joined(one[key], other[key], name, value) for key in one}
        return None if None in made.values() else made
    if isinstance(one, list) and isinstance(other, list) and len(one) == len(other):
        parts = [_joined(first, second, name, value) for first, second in zip(one, other, strict=True)]
        return None if None in parts else parts
    return f"={name}" if type(one) is type(other) is int and one == value and other == value + 1 else None


def _names(data: Any) -> set[str]:
    """All keys and texts, which may be names."""
    if isinstance(data, dict):
        return {*data, *(name for part in data.values() for name in _names(part))}
    if isinstance(data, list):
        return {name for part in data for name in _names(part)}
    return {data} if isinstance(data, str) else set()
