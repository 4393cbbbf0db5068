"""Names of sizes, and questions about items, that specialisation and code generation share."""

from __future__ import annotations

import ast
from collections.abc import Collection, Iterable, Mapping
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
    """The inputs of a block, with the name that generated code gives their channels as the expression of that size.

    Those that `*rest` covers share a name, if all have channels or all have features: `rest_channels[0]`.
    """
    kinds = {_has_size(value) and has_channels(value) + 1 for name, value in inputs.items() if "." in name}
    shared = len(kinds) == 1 and 0 not in kinds
    return {name: _named(name, value, taken, shared) for name, value in inputs.items()}


def _has_size(value: Value) -> bool:
    return bool(value) and not isinstance(value[0], tuple)


def _named(name: str, value: Value, taken: Collection[str], shared: bool) -> Value:
    if not _has_size(value):
        return value
    axis, plain = symbolic_axis(value), [*map(int, value)]  # type: ignore[arg-type]
    base, _, number = name.partition(".") if shared else (name, "", "")
    tree: ast.expr = ast.Name(input_symbol(base, value, taken), ast.Load())
    tree = ast.Subscript(tree, ast.Constant(int(number)), ast.Load()) if number else tree
    return type(value)((*plain[:axis], Dim(plain[axis], tree), *plain[axis + 1 :]))  # type: ignore[arg-type]


def by_size_name(inputs: Iterable[Value], given: Iterable[Any]) -> dict[str, Any]:
    """What is given for each of a block's inputs, by the name of the input's size; a tuple for those that share one."""
    found: dict[str, Any] = {}
    shared: dict[str, list[Any]] = {}
    for shape, value in zip(inputs, given, strict=True):
        size = named_size(shape)
        match size.tree if isinstance(size, Dim) else None:
            case ast.Name(id=name):
                found[name] = value
            case ast.Subscript(value=ast.Name(id=name)):
                shared.setdefault(name, []).append(value)
    return {**found, **{name: tuple(values) for name, values in shared.items()}}


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
