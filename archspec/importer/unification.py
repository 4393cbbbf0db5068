"""Documents of one form as one document, in which something else stands for what differs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

Differing = Callable[[str | None, Sequence[Any]], Any]
"""What stands for different values under a key (`None`: in a list); `None` if nothing does."""


def unified(trees: Sequence[Any], differing: Differing, key: str | None = None) -> Any:
    """The one tree for several; `None` if they have not the same keys in the same order, or nothing stands for values
    that differ.

    >>> unified([{"op": "relu", "repeat": 2}, {"op": "relu", "repeat": 3}], lambda key, values: f"={key}")
    {'op': 'relu', 'repeat': '=repeat'}
    """
    first = trees[0]
    if all(tree == first for tree in trees):
        return first
    if all(isinstance(tree, dict) and list(tree) == list(first) for tree in trees):
        entries = [unified([tree[name] for tree in trees], differing, name) for name in first]
        return None if None in entries else dict(zip(first, entries, strict=True))
    if all(isinstance(tree, list) and len(tree) == len(first) for tree in trees):
        parts = [unified(entries, differing) for entries in zip(*trees, strict=True)]
        return None if None in parts else parts
    return differing(key, trees)
