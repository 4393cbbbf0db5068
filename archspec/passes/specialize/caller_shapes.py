"""A block's output shape in the names of the block around it, for code generation."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from archspec.expressions.rewrite import is_long, names_in, substitute
from archspec.expressions.sizes import Dim, int_of, tree_of
from archspec.frontend.model.block import Block
from archspec.ir.module import Module
from archspec.ops.shapes import Value
from archspec.passes.specialize.bindings import TooLong
from archspec.passes.specialize.naming import by_size_name, named_size


def output_for_caller(
    module: Module, block: Block, arguments: dict[str, Any], trees: dict[str, ast.expr], inputs: Sequence[Value]
) -> Value:
    """The output shape of an instance of a block, with sizes as expressions in the names of the block that uses it.

    `trees` are the expressions of the `arguments` that have one, and `inputs` the shapes of the operands, all in the
    names of the block around.
    """
    read = _names_read(module, block, trees)
    sizes = by_size_name(module.inputs, (named_size(outer) for outer in inputs))
    names = {name: tree_of(size) for name, size in sizes.items()}
    for name in (name for name in block.params if name in read):
        if name in trees:
            names[name] = trees[name]
        elif name in module.defaults:
            names[name] = substitute(module.defaults[name], names)
        else:
            names[name] = tree_of(int_of(arguments.get(name, module.arguments[name])))
    for name in (name for name in module.let_trees if name in read):
        names[name] = substitute(module.let_trees[name], names)
    numbers = {name for name, tree in names.items() if not names_in(tree)}
    return _map_dims(module.output, lambda dim: _outer(dim, names, numbers))


def _names_read(module: Module, block: Block, trees: dict[str, ast.expr]) -> set[str]:
    """The parameters and local names that the sizes of an output are calculated from, mostly few of all."""
    read = {name for dim in _dims(module.output) for name in names_in(dim.tree)}
    for name, tree in reversed([*module.let_trees.items()]):
        if name in read:
            read |= names_in(tree)
    for name in reversed([*block.params]):
        if name in read and name not in trees and name in module.defaults:
            read |= names_in(module.defaults[name])
    return read


def _outer(dim: Dim, names: dict[str, ast.expr], numbers: set[str]) -> Dim:
    """A size in the names of the block around; a number if it depends on `numbers` only."""
    is_number = names_in(dim.tree) <= numbers
    return Dim(int(dim), ast.Constant(int(dim)) if is_number else substitute(dim.tree, names))


def _dims(value: Value) -> Iterator[Dim]:
    """The sizes of a value that have an expression."""
    for part in value:
        if isinstance(part, tuple):
            yield from _dims(part)
        elif isinstance(part, Dim):
            yield part


def _map_dims(value: Value, change: Callable[[Dim], int]) -> Value:
    parts = (
        _map_dims(part, change) if isinstance(part, tuple) else change(part) if isinstance(part, Dim) else part
        for part in value
    )
    return type(value)(parts)  # type: ignore[arg-type]


def require_short(value: Value) -> None:
    """Raise `TooLong` if the expression of a size is too long for source code."""
    for size in value:
        if isinstance(size, tuple):
            require_short(size)
        elif isinstance(size, Dim) and is_long(size.tree):
            raise TooLong
