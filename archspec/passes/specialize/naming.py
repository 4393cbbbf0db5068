"""What elaboration and code generation both call things, and what they ask of an item."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from archspec.expressions.parse import is_expression, parse
from archspec.frontend.model import Item
from archspec.ops import OPS, module_attributes
from archspec.ops.base import ChannelsLast, Value


def symbolic_axis(shape: Value) -> int:
    """Which size of an input has a name in generated code: the channels of a map, else the features."""
    return len(shape) - 1 if len(shape) == 2 or isinstance(shape, ChannelsLast) else 0


def named_size(shape: Value) -> Any:
    """The size of an input that has a name in generated code; inside the block it is a `Dim` of that name."""
    return shape[symbolic_axis(shape)] if shape else None


def input_symbol(name: str, shape: Value, taken: Collection[str]) -> str:
    """What generated code calls the channels of a block's input; `taken` are the block's parameters and local names."""
    base = "in_channels" if len(shape) == 3 else "in_features"
    symbol = base if name == "input" else f"{name}_{base.removeprefix('in_')}"
    return f"{symbol}_" if symbol in taken else symbol


def list_names(items: list[Item]) -> set[str]:
    """The lists that a body's items append to; they are empty at first."""
    own = {item.append for item in items if item.append is not None}
    return own.union(*(list_names(item.layers) for item in items if item.layers is not None))


def is_raw(item: Item) -> bool:
    """Whether an item is a parameter: it takes no value, and the next item does not take its."""
    return item.op in OPS and OPS[item.op].raw


def of_module(given: Any) -> bool:
    """Whether an initialiser's argument is an expression over attributes of the module it fills."""
    return is_expression(given) and bool(parse(given).names & module_attributes())
