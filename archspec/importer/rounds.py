"""Bodies of blocks that differ only in how often something is repeated, as one body with parameters."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

Numbers = tuple[int, ...]


def has_list(data: Any) -> bool:
    """Whether a body appends to a list."""
    if isinstance(data, dict):
        return "append" in data or any(map(has_list, data.values()))
    return isinstance(data, list) and any(map(has_list, data))


def unified(bodies: Sequence[Any], parameter: Callable[[Numbers], str]) -> Any:
    """The one body for several, `None` if more than repeats differ; `parameter` makes one for the counts in each."""
    first = bodies[0]
    if all(body == first for body in bodies):
        return first
    if all(isinstance(body, dict) for body in bodies):
        if any(list(body) != list(first) for body in bodies):
            return None
        return _joined_dict(bodies, parameter)
    if all(isinstance(body, list) and len(body) == len(first) for body in bodies):
        parts = [unified(entries, parameter) for entries in zip(*bodies, strict=True)]
        return None if None in parts else parts
    return None


def _joined_dict(bodies: Sequence[dict[str, Any]], parameter: Callable[[Numbers], str]) -> dict[str, Any] | None:
    found: dict[str, Any] = {}
    for key in bodies[0]:
        values = [body[key] for body in bodies]
        if key == "repeat" and all(isinstance(value, int) for value in values) and len(set(values)) > 1:
            found[key] = f"={parameter(tuple(values))}"
            continue
        one = unified(values, parameter)
        if one is None:
            return None
        found[key] = one
    return found
