"""Mutants of Python source: the same text with one small thing changed, at every place where it can be."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

Change = Callable[[Any], Iterator[ast.expr]]
"""The nodes that may replace a node."""


class Mutant(NamedTuple):
    """A changed text, and a description of the change and its place."""

    text: str
    change: str


def mutants(text: str) -> Iterator[Mutant]:
    """All mutants of a text, place by place."""
    tree = ast.parse(text)
    for node in _meaningful(tree):
        if isinstance(node, ast.FunctionDef | ast.If | ast.For):
            yield from _of_statements(tree, node)
        for name, value in ast.iter_fields(node):
            if name in _SILENT:
                continue
            for place, child in enumerate(value if isinstance(value, list) else [value]):
                if isinstance(child, ast.expr) and not _is_docstring(node):
                    yield from _of_expression(tree, node, name, place if isinstance(value, list) else None, child)


_SILENT = ("annotation", "returns")
"""Nodes that do not affect what a program does."""


def _meaningful(node: ast.AST) -> Iterator[ast.AST]:
    yield node
    for name, value in ast.iter_fields(node):
        if name not in _SILENT:
            for child in value if isinstance(value, list) else [value]:
                if isinstance(child, ast.AST):
                    yield from _meaningful(child)


def _is_docstring(node: ast.AST) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)


def _of_statements(tree: ast.Module, node: Any) -> Iterator[Mutant]:
    body = node.body
    begin = 1 if _is_docstring(body[0]) else 0
    for place in range(begin, len(body)):
        changed = [*body[:place], *body[place + 1 :]] or [ast.Pass()]
        yield _with(tree, node, "body", changed, f"line {body[place].lineno}: dropped")
        if place + 1 < len(body):
            changed = [*body[:place], body[place + 1], body[place], *body[place + 2 :]]
            yield _with(tree, node, "body", changed, f"line {body[place].lineno}: swapped with the next")
        if isinstance(augmented := _augmented(body[place]), ast.AST):
            changed = [*body[:place], augmented, *body[place + 1 :]]
            yield _with(tree, node, "body", changed, f"line {body[place].lineno}: in place or not")


def _augmented(node: ast.stmt) -> ast.stmt | None:
    """`x = y + z` for `x += z`, and `y += z` with `x = y` for the other."""
    if isinstance(node, ast.AugAssign) and isinstance(node.target, ast.Name):
        left = ast.Name(node.target.id, ast.Load())
        return ast.Assign([node.target], ast.BinOp(left, node.op, node.value), lineno=node.lineno)
    if isinstance(node, ast.Assign) and isinstance(node.value, ast.BinOp) and isinstance(node.value.left, ast.Name):
        target = ast.Name(node.value.left.id, ast.Store())
        begin = ast.AugAssign(target, node.value.op, node.value.right)
        return ast.If(ast.Constant(True), [begin, ast.Assign(node.targets, node.value.left, lineno=node.lineno)], [])
    return None


def _with(tree: ast.Module, node: Any, field: str, value: Any, change: str) -> Mutant:
    before = getattr(node, field)
    setattr(node, field, value)
    try:
        return Mutant(ast.unparse(tree), change)
    finally:
        setattr(node, field, before)


def _of_expression(tree: ast.Module, node: Any, name: str, place: int | None, child: ast.expr) -> Iterator[Mutant]:
    whole = getattr(node, name)
    for other in _others(child):
        value = other if place is None else [*whole[:place], other, *whole[place + 1 :]]
        change = f"line {child.lineno}: {ast.unparse(child)[:60]} → {ast.unparse(other)[:60]}"
        yield _with(tree, node, name, value, change)


def _others(node: Any) -> Iterator[Any]:
    for kind, change in _CHANGES.items():
        if isinstance(node, kind):
            yield from change(node)


def _constants(node: ast.Constant) -> Iterator[ast.expr]:
    value = node.value
    if isinstance(value, bool):
        yield ast.Constant(not value)
    elif isinstance(value, int):
        yield ast.Constant(value + 1)
    elif isinstance(value, float):
        yield ast.Constant(value * 2)
    elif isinstance(value, str):
        yield ast.Constant({"fan_out": "fan_in", "relu": "linear"}.get(value, f"{value}x"))
    elif value is None:
        yield ast.Constant(0)


def _names(node: ast.Name) -> Iterator[ast.expr]:
    if isinstance(node.ctx, ast.Load) and node.id not in ("self", "nn", "F", "torch", "super", "Tensor"):
        yield from (ast.Name(other, ast.Load()) for other in ("x", "out") if other != node.id)


_SWAPPED = {
    "ReLU": "GELU", "GELU": "SiLU", "SiLU": "ReLU", "Hardswish": "ReLU", "BatchNorm2d": "InstanceNorm2d",
    "MaxPool2d": "AvgPool2d", "AvgPool2d": "MaxPool2d", "relu": "gelu", "avg_pool2d": "max_pool2d",
    "conv1": "conv2", "conv2": "conv1", "bn1": "bn2", "out_channels": "in_channels", "kaiming_normal_": "normal_",
    "trunc_normal_": "normal_", "zeros_": "ones_", "ones_": "zeros_", "weight": "bias", "branch1": "branch2",
    "in_channels": "out_channels", "Conv2d": "Linear", "modules": "children", "Dropout": "Identity",
}  # fmt: skip


def _attributes(node: ast.Attribute) -> Iterator[ast.expr]:
    if node.attr in _SWAPPED and isinstance(node.ctx, ast.Load):
        yield ast.Attribute(node.value, _SWAPPED[node.attr], ast.Load())


def _calls(node: ast.Call) -> Iterator[ast.expr]:
    """Without an argument, with two exchanged, with `inplace`, or the first argument in place of the call."""
    for place in range(len(node.keywords)):
        yield ast.Call(node.func, node.args, [*node.keywords[:place], *node.keywords[place + 1 :]])
    if len(node.args) > 1:
        yield ast.Call(node.func, [node.args[1], node.args[0], *node.args[2:]], node.keywords)
    if node.args and not node.keywords and not isinstance(node.args[0], ast.Starred):
        yield node.args[0]
    name = ast.unparse(node.func)
    if (name.startswith("F.") or name in ("nn.ReLU", "nn.SiLU")) and not any(k.arg == "inplace" for k in node.keywords):
        yield ast.Call(node.func, node.args, [*node.keywords, ast.keyword("inplace", ast.Constant(True))])


_OPERATORS: dict[type[ast.AST], type[ast.AST]] = {
    ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.Add, ast.FloorDiv: ast.Mult, ast.Div: ast.Mult,
    ast.Eq: ast.NotEq, ast.NotEq: ast.Eq, ast.Gt: ast.GtE, ast.Lt: ast.Gt, ast.Is: ast.IsNot, ast.IsNot: ast.Is,
    ast.And: ast.Or, ast.Or: ast.And,
}  # fmt: skip


def _binary(node: ast.BinOp) -> Iterator[ast.expr]:
    yield ast.BinOp(node.right, node.op, node.left)
    yield node.left
    if type(node.op) in _OPERATORS:
        yield ast.BinOp(node.left, _OPERATORS[type(node.op)](), node.right)  # type: ignore[arg-type]


def _compare(node: ast.Compare) -> Iterator[ast.expr]:
    if type(node.ops[0]) in _OPERATORS:
        yield ast.Compare(node.left, [_OPERATORS[type(node.ops[0])](), *node.ops[1:]], node.comparators)  # type: ignore[list-item]


def _boolean(node: ast.BoolOp) -> Iterator[ast.expr]:
    yield ast.BoolOp(_OPERATORS[type(node.op)](), node.values)  # type: ignore[arg-type]


def _choice(node: ast.IfExp) -> Iterator[ast.expr]:
    yield ast.IfExp(node.test, node.orelse, node.body)


def _lists(node: Any) -> Iterator[ast.expr]:
    if len(node.elts) > 1 and isinstance(node.ctx, ast.Load):
        yield type(node)([node.elts[1], node.elts[0], *node.elts[2:]], ast.Load())
        yield type(node)(node.elts[:-1], ast.Load())


_CHANGES: dict[Any, Change] = {
    ast.Constant: _constants, ast.Name: _names, ast.Attribute: _attributes, ast.Call: _calls, ast.BinOp: _binary,
    ast.Compare: _compare, ast.BoolOp: _boolean, ast.IfExp: _choice, (ast.List, ast.Tuple): _lists,
}  # fmt: skip
