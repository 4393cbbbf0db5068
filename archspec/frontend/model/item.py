"""The items of `layers` and `seq` lists."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import cached_property
from typing import Any, ClassVar, Final

from pydantic import Field, ValidationInfo, model_validator

from archspec.diagnostics.diagnostic import Diagnostic
from archspec.diagnostics.suggestions import alike, meant, nearest
from archspec.diagnostics.validation import StrictModel, field_error, field_errors
from archspec.expressions.parse import has_expression, is_expression
from archspec.frontend.model.dependencies import names_read
from archspec.frontend.model.field_types import (
    ITEM_KINDS,
    KEYWORDS,
    SPEC_KEYS,
    Argument,
    Condition,
    Count,
    IndexName,
    ItemName,
    Name,
    Names,
    ops_of,
)
from archspec.frontend.model.outputs import Features, outputs_data
from archspec.frontend.model.plain_data import as_data
from archspec.frontend.model.unknown_names import field_help, op_help
from archspec.ops import OPS, Ops
from archspec.ops.chosen import ChosenOp
from archspec.ops.initialisers import InitialiserError, parse_initialiser

_CALLED: Final = {"seq": "seq", "call": "call", "layers": "group of layers"}
_TAKES: Final = {
    "seq": "a seq takes from, when, else, repeat, index, train_only, as and append; fields belong to its items",
    "call": "a call takes from, when, else, repeat, index, train_only, as and append; the module keeps its fields",
    "layers": "a group takes repeat, index and when; give it to an item of the group",
}
"""Help for unknown keys of items that are neither an op nor a block."""


def split_item(data: dict[str, Any], ops: Ops = OPS) -> tuple[str | None, dict[str, Any], dict[str, Any]]:
    """An item as written: its name, its own keys, and the arguments of what it runs.

    >>> split_item({"conv1": {"op": "conv2d", "out_channels": 8}})
    ('conv1', {'op': 'conv2d'}, {'out_channels': 8})
    """
    name = None
    if len(data) > 1 and not data.keys() & set(ITEM_KINDS) and all(isinstance(v, dict) for v in data.values()):
        first, second, *_ = data
        raise field_errors(field_error((second,), f"an item has one name, got '{first}' and '{second}'",
                               "begin each item with '- '", about_key=True))  # fmt: skip
    if len(data) == 1 and (not data.keys() & set(KEYWORDS) or isinstance(next(iter(data.values())), dict)):
        ((name, data),) = data.items()  # `block: {seq: …}` is an item named block
        if not isinstance(data, dict):
            help = f"write {name}: {{op: {data}}}" if isinstance(data, str) and data in ops else ""
            raise field_errors(
                field_error(
                    (name,), "expected a mapping with the kind of item: {op: …}, {block: …} or {seq: […]}", help
                )
            )
    keys = {*KEYWORDS, *SPEC_KEYS} - {"block"} if "spec" in data else {*KEYWORDS}  # block is a field of a family
    own = {key: value for key, value in data.items() if key in keys}
    return name, own, {key: value for key, value in data.items() if key not in keys}


class Item(StrictModel, defer_build=False):  # Network, which needs it in any case, uses what is built here
    """One entry of a `layers` or `seq` list: what runs, on which values, under which name."""

    name: ItemName | None = Field(None, description="attribute under which the module is registered")
    op: str | None = Field(None, description="an op by its name")
    block: str | None = Field(None, description="a block of this spec or of the library")
    spec: str | None = Field(None, description="a shipped spec, whose network is the block")
    seq: list[Item] | None = Field(None, description="items that run one after the other, an nn.Sequential")
    call: str | None = Field(None, description="an item declared before, whose module runs again")
    layers: list[Item] | None = Field(None, description="a group of items, to repeat or leave out together")
    from_: Names | None = Field(None, alias="from", description="the values it takes; the one before it if not given")
    like: str | None = Field(None, description="one more value, whose size or batch it takes")
    when: Condition | None = Field(None, description="a condition; if it is false, the item is left out")
    else_: str | None = Field(None, alias="else", description="the value used in its place if it is left out")
    repeat: Count | None = Field(None, description="how many times the item is repeated")
    index: IndexName | None = Field(None, description="name of the loop index, counted from 0")
    train_only: bool = Field(False, description="runs in training only")
    as_: Name | None = Field(None, alias="as", description="name of its value, if not the item's own name")
    append: Name | None = Field(None, description="a list that its value is added to; `from` may name the list")
    features: Features | None = Field(
        None, description="values that a spec yields in place of its own: one, or several"
    )
    submodule: Name | None = Field(None, description="the seq at the beginning of a spec that is the block")
    arguments: dict[str, Argument] = Field({}, description="fields of the op, or the block's parameters")

    @model_validator(mode="before")
    @classmethod
    def _reshape(cls, data: Any, info: ValidationInfo) -> Any:
        """From the written form (`conv1: {op: conv2d, …}` or `{op: relu}`) to this model's fields."""
        if isinstance(data, UnreadItem):
            return data
        if not isinstance(data, dict):
            help = f"write {{op: {data}}}" if isinstance(data, str) and data in ops_of(info) else ""
            raise field_errors(field_error((), "expected an item: 'name: {op: …}' or '{op: …}'", help))
        name, own, arguments = split_item(data, ops_of(info))
        return {**own, "name": name, "arguments": arguments}

    @model_validator(mode="after")
    def _consistent(self, info: ValidationInfo) -> Item:
        if isinstance(self, UnreadItem):
            return self
        kinds, ops = [kind for kind in ITEM_KINDS if getattr(self, kind) is not None], ops_of(info)
        errors = self._wrong_keys(kinds[0], ops) if len(kinds) == 1 else [self._wrong_kind(kinds, ops)]
        if found := list(errors):
            raise field_errors(*found)
        return self

    def _wrong_kind(self, kinds: list[str], ops: Ops) -> Diagnostic:
        """The error of an item with several of the keys that determine what it is, or none."""
        stray = next((key for key in self.arguments if alike(key, ITEM_KINDS)), None)
        if kinds:
            reason = f"an item has one of {', '.join(ITEM_KINDS)}, got both '{kinds[0]}' and '{kinds[1]}'"
            help = "a spec keeps its layers; features: […] ends it earlier" if kinds == ["spec", "layers"] else ""
            return field_error((kinds[1],), reason, help or "split it into two items", about_key=True)
        if stray is not None:
            return field_error((stray,), f"unknown kind of item '{stray}'", nearest(stray, ITEM_KINDS), True)
        help = (
            f"write {self.name}: {{op: {self.name}, …}}"
            if self.name in ops
            else "add one of them, for example op: conv2d"
        )
        return field_error((), f"an item has one of {', '.join(ITEM_KINDS)}, got none of them", help)

    def _wrong_keys(self, kind: str, ops: Ops) -> Iterator[Diagnostic]:
        if kind in ("seq", "call", "layers"):
            for stray in self.arguments:
                help = meant(stray, KEYWORDS) or _TAKES[kind]
                yield field_error((stray,), f"a {_CALLED[kind]} takes no '{stray}'", help, True)
        if self.call is not None and self.name is not None:
            help = f"write '- {{call: {self.call}, as: {self.name}}}' to name its value"
            yield field_error((), "a call takes no name: its module already has one", help)
        if self.layers is not None:
            for key in ("from", "as", "else", "append", "train_only"):
                if getattr(self, self._fields.get(key, key)):
                    yield field_error((key,), f"a group of layers takes no '{key}'", _TAKES["layers"], True)
        if self.like is not None and kind != "op":
            yield field_error(("like",), f"a {_CALLED.get(kind, kind)} takes no 'like'",
                              "list all values it takes in from", about_key=True)  # fmt: skip
        if self.append is not None and self.train_only:
            yield field_error(
                ("append",), "a train_only item cannot append: it has no value in evaluation mode", "", True
            )
        if self.index is not None and self.repeat is None:
            yield field_error(("index",), "'index' requires 'repeat'", "add repeat: 3, for example", about_key=True)
        yield from self._wrong_mappings(ops)
        if self.op is not None and not is_expression(self.op):
            yield from self._wrong_fields(self.op, ops)

    def _wrong_mappings(self, ops: Ops) -> Iterator[Diagnostic]:
        """The arguments that are mappings but not valid initialisers."""
        for name, given in self.arguments.items():
            if isinstance(given, ChosenOp) and self.block is None:
                message = "only a parameter of a block can be an op with arguments"
                yield field_error((name,), message, f"write {name}: …")
            if not isinstance(given, dict) or self.spec is not None:  # the spec's family checks its fields
                continue
            if self.op is None or self.op not in ops or name not in ops[self.op].initialised_by:
                yield field_error((name,), "expected a value, a list or an =expression")
                continue
            try:
                parse_initialiser(given)
            except InitialiserError as error:
                yield replace(error.diagnostic.at((name,)), kind="schema")

    _fields: ClassVar[dict[str, str]] = {"from": "from_", "as": "as_", "else": "else_", "append": "append"}

    def _wrong_fields(self, kind: str, ops: Ops) -> Iterator[Diagnostic]:
        if kind not in ops:
            yield field_error(("op",), f"unknown op '{kind}'", op_help(kind, ops))
            return
        op = ops[kind]
        for key, given in (("from", self.from_), ("like", self.like)):
            if op.raw and given is not None:
                yield field_error((key,), f"{kind} takes no input", "remove it", about_key=True)
        if self.like is not None and op.arity[1] == 1:
            yield field_error(("like",), f"{kind} takes no 'like': it has one input", "remove it", about_key=True)
        fields = op.model_fields
        for stray in self.arguments:
            if stray not in fields and not op.open_fields:
                help = field_help(kind, stray, list(fields))
                yield field_error((stray,), f"{kind} has no field '{stray}'", help, about_key=True)

    @property
    def label(self) -> str:
        """The item's name in messages."""
        return self.as_ or self.name or self.op or self.block or self.spec or self.call or "seq"

    def index_within(self, repeats: int) -> str:
        """The name of the loop index within `repeats` other loops; a default depends on the level."""
        return self.index or ("_" if repeats == 0 else f"__{repeats}")

    @cached_property
    def names_read(self) -> frozenset[str] | None:
        """The names that decide, with its operands, what the item runs; `None` if it depends on more."""
        return names_read(self)

    @cached_property
    def computed(self) -> dict[str, Argument]:
        """The arguments that are no literals: expressions, lists of them, and initialisers, which may hold some."""
        given = self.arguments.items()
        return {name: value for name, value in given if isinstance(value, dict) or has_expression(value)}

    def to_data(self) -> dict[str, Any]:
        """Plain data, as it would be written in YAML."""
        body: dict[str, Any] = {}
        for key in ("op", "block", "spec", "call", "repeat", "index", "from_", "like", "when", "else_", "as_", "append",
                    "submodule"):  # fmt: skip
            value = getattr(self, key)
            if value is not None:
                body[key.rstrip("_")] = value[0] if key == "from_" and len(value) == 1 else value
        if self.train_only:
            body["train_only"] = True
        if self.features is not None:
            body["features"] = outputs_data(self.features)
        body.update(as_data(self.arguments))
        for key in ("seq", "layers"):
            items = getattr(self, key)
            if items is not None:
                body[key] = [item.to_data() for item in items]
        return body if self.name is None else {self.name: body}


class UnreadItem(Item, defer_build=True):
    """Stands for an item with an error in its form, so that the others can still be checked. Its value is unknown."""

    may_name: bool = False
    """Whether it may define a name that could not be read."""

    @classmethod
    def of(cls, data: Any, ops: Ops) -> UnreadItem:
        """An item with the names that could be read from `data`."""
        name = None
        if isinstance(data, dict) and len(data) == 1 and not data.keys() & set(KEYWORDS):
            ((name, data),) = data.items()
        given = data if isinstance(data, dict) else {}
        names = {key: given[key] for key in ("as", "append") if isinstance(given.get(key), str)}
        op = ops.get(str(given.get("op")))
        strays = given.keys() - set(KEYWORDS) - (op.model_fields.keys() if op else set())
        label = names.get("as", name)
        return cls.model_construct(name=name, may_name="{" in label if label else bool(strays or not given), **names)
