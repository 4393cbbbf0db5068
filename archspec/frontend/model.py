"""The core language: networks, blocks, items and initialisation rules, as Pydantic models.

These models hold a spec as it was written; its expressions are evaluated later, by `passes.specialize`. `to_data`
turns a model back into the data it was read from, which is how `archspec expand` prints a network.
"""

from __future__ import annotations

import keyword
from collections.abc import Iterator
from dataclasses import replace
from functools import cached_property
from typing import Annotated, Any, ClassVar, Final

from pydantic import Field, ValidationInfo, model_validator

from archspec.diagnostics.diagnostic import Diagnostic
from archspec.diagnostics.suggestions import alike, meant, nearest
from archspec.diagnostics.validation import StrictModel, field_error, field_errors
from archspec.expressions.parse import is_expression
from archspec.frontend.dependencies import names_read
from archspec.frontend.field_types import (
    ITEM_KINDS,
    KEYWORDS,
    SPEC_KEYS,
    VARIABLES,
    Argument,
    Condition,
    Count,
    IndexName,
    InputName,
    ItemName,
    Literal,
    Name,
    Names,
    ParameterName,
    Tokens,
    is_source_name,
    ops_of,
)
from archspec.frontend.outputs import CONTAINERS, BlockOutputs, Features, NetworkOutputs, OutputSpec, outputs_data
from archspec.ops import OPS, Ops
from archspec.ops.chosen import ChosenOp
from archspec.ops.initialisers import OF_MATRICES, PARAMETERS, VECTORS, InitialiserError, parse_initialiser
from archspec.ops.shapes import ChannelsFirst, Shape

_CALLED: Final = {"seq": "seq", "call": "call", "layers": "group of layers"}
_TAKES: Final = {
    "seq": "a seq takes from, when, else, repeat, index, train_only, as and append; fields belong to its items",
    "call": "a call takes from, when, else, repeat, index, train_only, as and append; the module keeps its fields",
    "layers": "a group takes repeat, index and when; give it to an item of the group",
}
"""Help for unknown keys of items that are neither an op nor a block."""


def as_data(value: Any) -> Any:
    """A value, and what is in it, as it would be written in YAML."""
    if isinstance(value, dict):
        return {name: as_data(part) for name, part in value.items()}
    if isinstance(value, list):
        return list(map(as_data, value))
    return value.to_data() if isinstance(value, ChosenOp) else value


def _given(model: StrictModel, *names: str) -> dict[str, Any]:
    """Some fields of a model, without those that are `None`."""
    return {name: value for name in names if (value := getattr(model, name)) is not None}


class InitRule(StrictModel):
    """How the parameters of matching modules are initialised. The first rule that matches a module applies."""

    op: Names | None = Field(None, description="the kinds of op it is for")
    path: str | None = Field(None, max_length=200, description="pattern for the module's name, * for anything")
    when: Condition | None = Field(None, description="a condition; if it is false, the rule is left out")
    parameters: dict[str, Any] = Field(description="an initialiser for each parameter: weight, bias, …")

    @model_validator(mode="before")
    @classmethod
    def _gather(cls, data: Any) -> Any:
        if not isinstance(data, dict):
            return data
        own = {key: value for key, value in data.items() if key in ("op", "path", "when")}
        return {**own, "parameters": {key: value for key, value in data.items() if key not in own}}

    @model_validator(mode="after")
    def _known(self, info: ValidationInfo) -> InitRule:
        if errors := [*self._wrong_ops(ops_of(info)), *self._wrong_parameters(ops_of(info))]:
            raise field_errors(*errors)
        return self

    def _wrong_ops(self, known: Ops) -> Iterator[Diagnostic]:
        ops = self.op or []
        for number, op in enumerate(ops):
            if op not in known:
                below = ("op", number) if len(ops) > 1 else ("op",)
                yield field_error(below, f"unknown op '{op}'", _op_help(op, known))

    def _wrong_parameters(self, known: Ops) -> Iterator[Diagnostic]:
        for name, given in self.parameters.items():
            if name not in PARAMETERS:
                yield field_error(
                    (name,), f"no module has a parameter '{name}'", nearest(name, PARAMETERS), about_key=True
                )
            try:
                way, _ = parse_initialiser(given)
            except InitialiserError as error:
                yield replace(error.diagnostic.at((name,)), kind="schema")
                continue
            if way not in OF_MATRICES:
                continue
            vectors = [op for op in self.op or () if op in known and "weight" in known[op].vectors]
            if name in VECTORS or (name == "weight" and vectors):
                what = f"the weight of {vectors[0]}" if name == "weight" else "a bias"
                yield field_error(
                    (name,), f"{way} needs at least two dimensions, but {what} has one", "use normal, for example"
                )

    def to_data(self) -> dict[str, Any]:
        """Plain data, as it would be written in YAML."""
        own = _given(self, "op", "path", "when")
        if self.op is not None and len(self.op) == 1:
            own["op"] = self.op[0]
        return {**own, **self.parameters}


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
    keys = {*KEYWORDS, *SPEC_KEYS} if "spec" in data else {*KEYWORDS}
    own = {key: value for key, value in data.items() if key in keys}
    return name, own, {key: value for key, value in data.items() if key not in keys}


_OTHER_WORDS: Final = {
    "fc": "linear", "dense": "linear", "conv": "conv2d", "bn": "batch_norm2d", "concat": "cat", "swish": "silu",
    "avgpool": "avg_pool2d", "maxpool": "max_pool2d", "gap": "adaptive_avg_pool2d",
}  # fmt: skip
"""Names of ops in other libraries, and what they are called here."""


_OWN: Final = "ops of your own are passed with --ops, in Python with ops=[…]"


def _op_help(op: str, ops: Ops) -> str:
    """Help for an unknown op."""
    known = _OTHER_WORDS.get(op.lower())
    return f"did you mean '{known}'?" if known else meant(op, ops) or _OWN


_DECIDED: Final = {
    **dict.fromkeys(("in_channels", "in_features", "num_features", "num_channels", "normalized_shape"),
                    "remove it: it follows from the input"),
    "inplace": "remove it: the compiler decides",
}  # fmt: skip
"""Arguments of torch's modules that are not fields."""


def _field_help(op: str, stray: str, fields: list[str]) -> str:
    if stray in _DECIDED:
        return _DECIDED[stray]
    known = f"known: {', '.join(fields)}" if fields else f"{op} has no fields"
    return meant(stray, [*fields, *KEYWORDS]) or known


class Item(StrictModel):
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
            return field_error((kinds[1],), reason, "split it into two items", about_key=True)
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
            if not isinstance(given, dict):
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
            yield field_error(("op",), f"unknown op '{kind}'", _op_help(kind, ops))
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
                help = _field_help(kind, stray, list(fields))
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


class UnreadItem(Item):
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


class _Body(StrictModel):
    """What networks and blocks share: parameters, local names and items."""

    params: dict[ParameterName, Literal] = Field({}, description="parameters and their defaults")
    let: dict[ParameterName, Literal] = Field({}, description="local names for expressions")
    layers: list[Item] = Field([], description="the items, in the order they are registered and run")
    output: str | None = Field(None, description="the value it returns; the last one if not given")
    register_: list[str] | None = Field(None, alias="register", description="modules to register after all others")
    construct_: list[str] | None = Field(
        None, alias="construct", description="modules to construct after all others, where registration does not say it"
    )
    init: list[InitRule] = Field([], description="initialisation rules; the first that matches applies")

    @model_validator(mode="after")
    def _disjoint(self) -> _Body:
        both = [name for name in self.let if name in self.params]
        if both:
            raise field_errors(*(
                field_error(("let", name), f"'{name}' is already a parameter", "rename one of the two", True)
                for name in both
            ))  # fmt: skip
        return self

    def _body_data(self) -> dict[str, Any]:
        data: dict[str, Any] = {}
        if self.params:
            data["params"] = as_data(self.params)
        if self.let:
            data["let"] = as_data(self.let)
        if isinstance(self, Block) and self.seq is not None:
            data["seq"] = [item.to_data() for item in self.seq]
        if self.layers:
            data["layers"] = [item.to_data() for item in self.layers]
        if self.output is not None:
            data["output"] = self.output
        if self.register_ is not None:
            data["register"] = list(self.register_)
        if self.construct_ is not None:
            data["construct"] = list(self.construct_)
        if self.init:
            data["init"] = [rule.to_data() for rule in self.init]
        return data


class Block(_Body):
    """A reusable part of a network, with parameters; a parameter without a default must be given."""

    description: str | None = Field(None, max_length=1000, description="one line on what the block does")
    seq: list[Item] | None = Field(
        None, description="the block is itself an nn.Sequential of these; layers, if any, run behind them"
    )
    inputs: list[InputName] = Field(
        default=["input"], min_length=1, description="names of the values it takes; `*rest` for any number"
    )
    outputs: BlockOutputs | None = Field(None, description="several values that it returns, by name")
    cut: bool = Field(
        False, description="what is behind its outputs is constructed and initialised with it, then removed"
    )

    @model_validator(mode="after")
    def _layers_or_seq(self) -> Block:
        if self.seq is None and not self.layers:
            raise ValueError("a block has layers or a seq, got neither")
        own = [name.removeprefix("*") for name in self.inputs]
        shown = {"x" if name == "input" else name for name in own}  # `input` is x in generated code
        if stray := next((name for name in self.inputs[:-1] if name.startswith("*")), None):
            message = f"'{stray}' stands for all further inputs: only the last one can"
            raise field_errors(field_error(("inputs",), message, f"put {stray} at the end"))
        if len(set(own)) < len(own):
            raise field_errors(field_error(("inputs",), "the inputs of a block must have different names"))
        if len(shown) < len(self.inputs):
            raise field_errors(field_error(("inputs",), "'input' is called x in generated code", "rename the input x"))
        if self.outputs is not None and self.output is not None:
            help = "name all values that it returns in outputs"
            raise field_errors(field_error(("output",), "a block has either output or outputs, got both", help, True))
        if self.seq is not None and self.inputs != ["input"]:
            reason = "a block with a seq takes no 'inputs': it has one input"
            raise field_errors(field_error(("inputs",), reason, "use layers instead of seq", about_key=True))
        if self.cut and self.output is None and self.outputs is None and (self.seq is None or not self.layers):
            reason = "a block that is cut needs outputs: what is behind them is removed"
            raise field_errors(field_error(("cut",), reason, "name the value that it yields in output", about_key=True))
        if self.construct_ is not None and self.seq is not None:
            reason = "a block with a seq takes no 'construct': its entries are constructed in their order"
            raise field_errors(field_error(("construct",), reason, about_key=True))
        return self

    @property
    def rest(self) -> str | None:
        """The name of the list of further inputs (`*rest`), if the block takes any number of them."""
        return self.inputs[-1].removeprefix("*") if self.inputs[-1].startswith("*") else None

    @property
    def items(self) -> list[Item]:
        """The items of `seq` and of `layers`, in the order in which they run."""
        return [*(self.seq or ()), *self.layers]

    @property
    def returned(self) -> dict[str, str] | None:
        """The values that it returns, by name, if they are several."""
        return self.outputs

    def to_data(self) -> dict[str, Any]:
        """Plain data, as it would be written in YAML."""
        data = _given(self, "description")
        if self.inputs != ["input"]:
            data["inputs"] = list(self.inputs)
        if self.outputs is not None:
            data["outputs"] = outputs_data(self.outputs)
        return {**data, **({"cut": True} if self.cut else {}), **self._body_data()}


Text = Annotated[str, Field(max_length=2000)]
InputShape = Annotated[
    list[Annotated[int, Field(ge=1, le=1 << 20)]],
    Field(min_length=1, max_length=4),
]


def class_name(name: str) -> str:
    """The default name of the generated class: `resnet_101` → `Resnet101`.

    >>> class_name("my_net")
    'MyNet'
    """
    return "".join(part[0].upper() + part[1:] for part in name.split("_") if part)


class Header(StrictModel):
    """The fields that every spec has."""

    name: str = Field(pattern=r"^[A-Za-z][A-Za-z0-9_]{0,59}$", description="name of the network, a Python identifier")
    description: Text | None = Field(None, description="what the network is, in a sentence")
    reference: Text | None = Field(None, description="the paper it comes from")
    class_name: Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9_]{0,59}$")] | None = Field(
        None, description="name of the generated class; made from the name if not given"
    )
    input: InputShape = Field(description="channels, height and width of one sample; the batch is implicit")

    @model_validator(mode="after")
    def _no_keyword(self, info: ValidationInfo) -> Header:
        for key, name in (("name", self.name), ("class_name", self.class_name or class_name(self.name))):
            if keyword.iskeyword(name) or is_source_name(name, ops_of(info)):
                given = (key,) if getattr(self, key) is not None else ("name",)
                reason = f"'{name}' cannot be the {key}: generated code uses the name"
                raise field_errors(field_error(given, reason, f"choose another name, for example {name}Net"))
        return self

    @property
    def input_shape(self) -> Shape:
        """The shape of one sample; a shape of four sizes begins with the channels."""
        return ChannelsFirst(self.input) if len(self.input) == 4 else tuple(self.input)

    def header_data(self) -> dict[str, Any]:
        """The fields of the header that are given, as plain data."""
        return _given(self, *Header.model_fields)


class Network(Header, _Body, defer_build=False):  # every spec becomes one: its schema is needed in any case
    """A whole network in the core language."""

    tokens: Tokens | None = Field(
        None, description="the input holds token ids: integers from 0 to below this, such as `=vocab_size`"
    )
    layers: list[Item] = Field(min_length=1, description="the items, in the order they are registered and run")
    blocks: dict[Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9_]{0,59}$")], Block] = Field(
        {}, description="reusable blocks, by name"
    )
    outputs: NetworkOutputs | None = Field(None, description="several outputs, in training or always")

    @model_validator(mode="after")
    def _own_names(self, info: ValidationInfo) -> Network:
        own = self.class_name or class_name(self.name)
        if own in self.params:
            reason = f"'{own}' cannot be a parameter: it is the name of the network's class"
            raise field_errors(field_error(("params", own), reason, about_key=True))
        if self.outputs is not None:
            self._check_outputs(self.outputs, own, ops_of(info))
        return self

    def _check_outputs(self, outputs: OutputSpec, own: str, ops: Ops) -> None:
        taken = {self.name, own, *VARIABLES, *keyword.kwlist}
        if outputs.always and self.output is not None:
            reason, help = "the network always returns its outputs", "remove it, or write when: training"
            raise field_errors(field_error(("output",), reason, help, about_key=True))
        if outputs.type in CONTAINERS:
            return
        if outputs.type in taken or is_source_name(outputs.type, ops):
            reason = f"'{outputs.type}' cannot be the type of the outputs: generated code uses the name"
            raise field_errors(field_error(("outputs", "type"), reason))
        for name in outputs.fields:
            if name.startswith("_"):
                reason = f"'{name}' cannot be a field of the outputs: it begins with '_'"
                raise field_errors(field_error(("outputs", "fields", name), reason, about_key=True))

    @property
    def returned(self) -> dict[str, str] | None:
        """The values that it returns in training and evaluation, by name, if they are not its last value."""
        return self.outputs.fields if self.outputs is not None and self.outputs.always else None

    def to_data(self) -> dict[str, Any]:
        """Plain data, as it would be written in YAML."""
        blocks = {name: block.to_data() for name, block in self.blocks.items()}
        head = {**self.header_data(), **_given(self, "tokens")}
        data = {**head, **({"blocks": blocks} if blocks else {}), **self._body_data()}
        if self.outputs is not None:
            data["outputs"] = self.outputs.to_data()
        return data
