"""Names of sizes, and questions about items, that specialisation and code generation share."""

from __future__ import annotations

import ast
from collections.abc import Collection, Mapping
from typing import Any

from archspec.expressions.parse import is_expression, parse
from archspec.expressions.sizes import Dim
from archspec.frontend.model.item import Item
from archspec.ops import Ops
from archspec.ops.shapes import ChannelsFirst, ChannelsLast, Value


def symbolic_axis(shape: Value) -> int:
    """The dimension of an input whose size has a name in generated code: channels of a feature map, or features."""
    if isinstance(shape, ChannelsFirst):
        return 0
    return len(shape) - 1 if len(shape) not in (1, 3) or isinstance(shape, ChannelsLast) else 0


def has_channels(shape: Value) -> bool:
    """Whether a value has channels and spatial axes: then the name of that size is different."""
    return len(shape) == 3 or isinstance(shape, ChannelsFirst)


def named_size(shape: Value) -> Any:
    """The size of an input that has a name in generated code; inside the block it is a `Dim` of that name."""
    return shape[symbolic_axis(shape)] if shape else None


def input_symbol(name: str, shape: Value, taken: Collection[str]) -> str:
    """The name for the channels of a block's input in generated code, unlike the parameters and local names `taken`."""
    base = "in_channels" if has_channels(shape) else "in_features"
    symbol = base if name == "input" else f"{name.replace('.', '_')}_{base.removeprefix('in_')}"
    return f"{symbol}_" if symbol in taken else symbol


def named_inputs(inputs: Mapping[str, Value], taken: Collection[str]) -> dict[str, Value]:
    """The inputs of a block, with the name that generated code gives their channels as the expression of that size."""
    return {name: _named(name, value, taken) for name, value in inputs.items()}


def _named(name: str, value: Value, taken: Collection[str]) -> Value:
    if not value or isinstance(value[0], tuple):
        return value
    axis, plain = symbolic_axis(value), [*map(int, value)]
    named = Dim(plain[axis], ast.Name(input_symbol(name, value, taken), ast.Load()))
    return type(value)((*plain[:axis], named, *plain[axis + 1 :]))


def list_names(items: list[Item]) -> set[str]:
    """The lists that a body's items append to; they are empty at first."""
    own = {item.append for item in items if item.append is not None}
    return own.union(*(list_names(item.layers) for item in items if item.layers is not None))


def is_raw(item: Item, ops: Ops) -> bool:
    """Whether an item is a parameter: it has no input, and is not the input of the next item."""
    return item.op is not None and item.op in ops and ops[item.op].raw


def of_module(given: Any, ops: Ops) -> bool:
    """Whether an initialiser's argument is an expression over attributes of the module that it initialises."""
    return is_expression(given) and bool(parse(given).names & ops.module_attributes)
