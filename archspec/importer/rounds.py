"""Bodies of blocks that differ only in how often something is repeated, as one body with parameters."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from archspec.importer.unification import unified

Numbers = tuple[int, ...]


def has_list(data: Any) -> bool:
    """Whether a body appends to a list."""
    if isinstance(data, dict):
        return "append" in data or any(map(has_list, data.values()))
    return isinstance(data, list) and any(map(has_list, data))


def with_counts(bodies: Sequence[Any], parameter: Callable[[Numbers], str]) -> Any:
    """The one body for several, `None` if more than repeats differ; `parameter` makes one for the counts in each."""

    def count(key: str | None, values: Sequence[Any]) -> str | None:
        is_count = key == "repeat" and all(isinstance(value, int) for value in values)
        return f"={parameter(tuple(values))}" if is_count else None

    return unified(bodies, count)
