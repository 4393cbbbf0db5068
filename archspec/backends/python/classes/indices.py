"""What is in the brackets of `x[:, 1:7]`."""

from __future__ import annotations

import ast
from collections.abc import Sequence
from typing import Any, Final

from archspec.backends.python.classes.attributes import VARY, Attributes, hint_of, seen_in
from archspec.backends.python.formatter import Code, flat
from archspec.backends.python.instances.sites import NotMergeable, Occurrence, Site
from archspec.expressions.sizes import tree_of

_ENDS: Final = ("start", "stop", "step")
"""The parts of a slice, which are fields of the op."""


def index(attributes: Attributes, site: Site, given: Sequence[tuple[Occurrence, Any]]) -> str:
    """What is in the brackets of `x[:, 1:7]`; an end that varies is an attribute."""
    columns = [[(o, parts[place]) for o, parts in given if place < len(parts)] for place in range(len(given[0][1]))]
    if any(len(parts) != len(columns) for _, parts in given):
        raise NotMergeable(VARY)
    return ", ".join(_part(attributes, site, column) for column in columns)


def _part(attributes: Attributes, site: Site, column: Sequence[tuple[Occurrence, Any]]) -> str:
    """The index of one dimension: a number, or `start:stop:step`."""
    if len({isinstance(part, slice) for _, part in column}) > 1:
        raise NotMergeable(VARY)
    if not isinstance(column[0][1], slice):
        return flat(_end(attributes, "position", site, column) or "")
    ends = [_end(attributes, key, site, [(o, getattr(part, key)) for o, part in column]) for key in _ENDS]
    texts = ["" if end is None else flat(end) for end in ends]
    if any(end is not None and not isinstance(end, ast.Constant | ast.UnaryOp) for end in ends):
        return " : ".join(texts[: 3 if texts[2] else 2]).strip()  # as ruff separates what is not a number
    return ":".join(texts[: 3 if texts[2] else 2])


def _end(attributes: Attributes, key: str, site: Site, column: Sequence[tuple[Occurrence, Any]]) -> Code | None:
    """A number in the brackets; an attribute if it varies, `None` if there is none."""
    values = [(occurrence, None if value is None else int(value)) for occurrence, value in column]
    found = {value for _, value in values}
    if len(found) == 1:
        return None if found == {None} else tree_of(values[0][1])
    if None in found:
        raise NotMergeable(VARY)
    hint = hint_of(site, key)
    return attributes.held(attributes.unified(hint, [seen_in(o, value, key) for o, value in values]), hint)


def is_index(value: Any) -> bool:
    """Whether an argument of `operator.getitem` is the index in the brackets."""
    return isinstance(value, tuple) and any(isinstance(part, slice) for part in value)
