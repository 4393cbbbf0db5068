"""What an item's expressions read: where all of that is the same, the item runs the same."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from archspec.expressions.errors import ExpressionError
from archspec.expressions.evaluate import value_key
from archspec.expressions.parse import is_expression, parse

if TYPE_CHECKING:
    from archspec.frontend.model.item import Item


def names_read(item: Item) -> frozenset[str] | None:
    """The names that the expressions of an op, block or seq read, as keys of a scope.

    `None` if it depends on more than these and its operands: on the module that it calls, or on a value whose name is
    computed.
    """
    try:
        return frozenset(_of_body(item))
    except (_DependsOnMore, ExpressionError):
        return None


class _DependsOnMore(Exception):
    """What the item runs does not follow from names and operands."""


def _of_body(item: Item) -> Iterator[str]:
    """The names that decide what an item runs, whether or not it is there."""
    if item.op is None and item.block is None and item.seq is None:
        raise _DependsOnMore
    yield from _of_value(item.op)
    for given in item.arguments.values():
        yield from _of_value(given)
    for inner in item.seq or ():
        yield from _of_entry(inner)


def _of_entry(item: Item) -> Iterator[str]:
    """The names that an entry of a seq reads."""
    if item.layers is not None:
        raise _DependsOnMore
    yield from _of_body(item)
    yield from _of_value(item.when)
    yield from _of_value(item.repeat)
    for name in (item.name, item.as_):
        for part in re.findall(r"\{([^{}]*)\}", name or ""):
            yield from _of_tree(parse(part).tree)


def _of_value(given: Any) -> Iterator[str]:
    """The names in a value of the spec."""
    if isinstance(given, list | dict):
        for element in given.values() if isinstance(given, dict) else given:
            yield from _of_value(element)
    elif is_expression(given):
        yield from _of_tree(parse(given).tree)


def _of_tree(tree: ast.expr) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute):
            if not isinstance(node.value, ast.Name):
                raise _DependsOnMore
            yield value_key(node.value.id)
        elif isinstance(node, ast.Name):
            yield node.id
