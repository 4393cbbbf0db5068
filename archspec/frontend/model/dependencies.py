"""What expressions read: where all of that is the same, an item runs the same; and the rates of blocks."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, NamedTuple

from archspec.expressions.errors import ExpressionError
from archspec.expressions.evaluate import value_key
from archspec.expressions.parse import has_expression, is_expression, parse
from archspec.ops import OPS

if TYPE_CHECKING:
    from archspec.frontend.model.block import Block
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
        parsed = parse(given)
        yield from _of_tree(parsed.tree) if parsed.reads_shapes else parsed.names


def _of_tree(tree: ast.expr) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute):
            if not isinstance(node.value, ast.Name):
                raise _DependsOnMore
            yield value_key(node.value.id)
        elif isinstance(node, ast.Name):
            yield node.id


class Rates(NamedTuple):
    """Parameters of a block that set nothing but rates of its own ops (`Op.varying`), and the items that run these ops,
    by their numbers."""

    params: frozenset[str] = frozenset()
    items: frozenset[int] = frozenset()


def rates(block: Block) -> Rates:
    """The rates of a block: parameters with no other reader."""
    readers = {number: read for number, item in enumerate(block.items) if (read := _rates_read(item))}
    known = {*block.params, *block.let, *map(value_key, block.inputs)}
    if not readers or any(not read <= known for read in readers.values()):
        return Rates()
    calculated = {name for name, default in block.params.items() if has_expression(default)}
    elsewhere = {word for text in _texts(_without_rates(block)) for word in _WORD.findall(text)}
    return Rates(frozenset(block.params.keys() - calculated - elsewhere), frozenset(readers))


def reads_no_shapes(block: Block) -> bool:
    """Whether a block runs ops alone, and no expression of it reads the shape of a value: nothing but the shapes of its
    values follows from those of its inputs."""
    if any(item.op is None for item in block.items) or block.rest is not None or block.cut:
        return False
    return not any(_ATTRIBUTE.search(text) for text in _texts(_content(block)) if is_expression(text) or "{" in text)


_WORD = re.compile(r"[^\W\d]\w*")
_ATTRIBUTE = re.compile(r"[\w\])]\s*[.\[]")
"""An attribute or an index of something; a float with a dot looks the same, which does no harm."""


def _rates_read(item: Item) -> frozenset[str]:
    """The names that the rates of an item's op are calculated from."""
    varying = OPS[item.op].varying if item.op is not None and item.op in OPS else ()
    try:
        return frozenset(name for field in varying for name in _of_value(item.arguments.get(field)))
    except _DependsOnMore:
        return frozenset()


def _content(block: Block) -> dict[str, Any]:
    """A block as plain data, without its description."""
    return {key: value for key, value in block.to_data().items() if key != "description"}


def _without_rates(block: Block) -> dict[str, Any]:
    """A block as plain data, without its rates."""
    data = _content(block)
    for item, given in zip(block.items, [*data.get("seq", ()), *data.get("layers", ())], strict=True):
        inner = given if item.name is None else given[item.name]
        if _rates_read(item):
            for field in OPS[str(item.op)].varying:
                inner.pop(field, None)
    return data


def _texts(data: Any) -> Iterator[str]:
    """The texts in plain data; of keys only the names of items that hold expressions."""
    if isinstance(data, dict):
        yield from (key for key in data if "{" in key)
        yield from _texts([*data.values()])
    elif isinstance(data, list):
        for part in data:
            yield from _texts(part)
    elif isinstance(data, str):
        yield data
