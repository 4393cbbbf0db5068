"""Block or network → definition: the part that is the same for all instances."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator
from typing import Any

from archspec.expressions.errors import ExpressionError
from archspec.expressions.parse import has_expression, is_expression, parse
from archspec.frontend.model.block import Block
from archspec.frontend.model.field_types import parts_of
from archspec.frontend.model.init_rule import InitRule
from archspec.frontend.model.item import Item, UnreadItem
from archspec.frontend.model.network import Network
from archspec.ir.definition import Definition, Initialisation, ResolvedItem
from archspec.ops import Ops
from archspec.ops.base import Op


def define(body: Block | Network, name: str, ops: Ops) -> Definition:
    """The definition of a block or network."""
    is_block = isinstance(body, Block)
    local = () if is_block else tuple(name for name, given in body.params.items() if has_expression(given))
    return Definition(
        name,
        body.description or "",
        tuple(body.outputs or ()) if isinstance(body, Block) else (),
        tuple(body.inputs) if isinstance(body, Block) else ("input",),
        {name: default for name, default in body.params.items() if name not in local},
        (*local, *body.let),
        _nodes(body.items if isinstance(body, Block) else body.layers, 0, ""),
        tuple(Initialisation(ops_of(rule, ops), rule.path, rule.parameters) for rule in body.init),
        tuple(body.register_ or ()),
        not is_block,
        isinstance(body, Block) and body.seq is not None,
        _entries(body),
    )


def _entries(body: Block | Network) -> int | None:
    """How many items are entries of the `nn.Sequential` that a block is, where it does more than to run them."""
    if not isinstance(body, Block) or body.seq is None:
        return None
    return len(body.seq) if body.layers or body.output is not None or body.outputs is not None else None


def ops_of(rule: InitRule, ops: Ops) -> tuple[type[Op], ...] | None:
    """The ops that a rule is for; `None` for all."""
    return None if rule.op is None else tuple(ops[kind] for kind in rule.op)


def _nodes(items: Iterable[Item], repeats: int, within: str) -> tuple[ResolvedItem, ...]:
    return tuple(_node(item, repeats, within) for item in items)


def _node(item: Item, repeats: int, within: str) -> ResolvedItem:
    """An item; `within` is the name of the container around it and a dot, which precedes its own name."""
    if isinstance(item, UnreadItem):
        return ResolvedItem("op", item.label)
    index = "" if item.repeat is None else item.index_within(repeats)
    name = None if item.name is None else f"{within}{item.name}"
    below = f"{name}." if item.layers is not None and name is not None else within if item.layers is not None else ""
    return ResolvedItem(
        _kind(item), item.label, name, item.as_, _tree(item.when), _tree(item.repeat), index, _tree(item.op),
        item.else_ is not None, item.train_only, item.append, tuple(_computed(item)),
        _nodes(item.seq or item.layers or (), repeats + (item.repeat is not None), below),
        within.removesuffix(".") if name is None else ".".join(parts_of(name)[:-1]),
    )  # fmt: skip


def _kind(item: Item) -> str:
    if item.layers is not None:
        return "group"
    return next(kind for kind in ("op", "block", "seq", "call") if getattr(item, kind) is not None)


def _tree(given: Any) -> ast.expr | None:
    """The expression of a value, a constant if it is a number; `None` for a plain name or nothing."""
    if is_expression(given):
        return _parsed(given)
    return None if given is None or isinstance(given, str) else ast.Constant(given)


def _parsed(text: str) -> ast.expr | None:
    """An expression; `None` if it cannot be parsed, which is possible only if no instance evaluated it."""
    try:
        return parse(text).tree
    except ExpressionError:
        return None


def _computed(item: Item) -> Iterator[ast.expr]:
    for text in (item.name, item.as_, item.call, item.else_, item.like, *(item.from_ or ())):
        if text is not None and "{" in text:
            yield from filter(None, map(_parsed, re.findall(r"\{([^{}]*)\}", text)))
