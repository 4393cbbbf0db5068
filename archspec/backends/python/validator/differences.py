"""Comparisons of file and graph, and the error if they differ."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NoReturn

from archspec.backends.python.validator.errors import Errors
from archspec.ir.module import Ref
from archspec.ops.base import Op


def differ(errors: Errors, line: int, where: str, file_says: object, graph_says: object) -> NoReturn:
    """Raise the error that the two differ."""
    raise errors.at_line(line, f"the file says {file_says}, the network {graph_says}", where)


def check_in_place(errors: Errors, found: bool, wanted: bool, op: Op, line: int, where: str) -> None:
    """Refuse an overwrite that the graph does not have, and a copy in its place if that changes numbers."""
    if found != wanted and (found or not op.exact_in_place):
        words = ("not in place", "in place")
        differ(errors, line, where, f"{op.kind} {words[found]}", words[wanted])


def same(left: Any, right: Any) -> bool:
    """Whether two arguments are the same; a list may equal a tuple."""
    if isinstance(left, list | tuple) and isinstance(right, list | tuple):
        if isinstance(left, Ref) or isinstance(right, Ref):
            return type(left) is type(right) and left == right
        return len(left) == len(right) and all(map(same, left, right))
    return bool(left == right) and isinstance(left, bool) == isinstance(right, bool)


def first_difference(found: Sequence[str], wanted: Sequence[str]) -> tuple[object, object]:
    """The first difference between two lists of names."""
    for place, (left, right) in enumerate(zip(found, wanted, strict=False)):
        if left != right:
            return f"'{left}' at place {place}", f"'{right}'"
    return f"{len(found)} names {list(found[len(wanted) :])}", f"{len(wanted)} {list(wanted[len(found) :])}"
