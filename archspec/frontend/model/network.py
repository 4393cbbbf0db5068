"""A whole network in the core language, and the fields that every spec has."""

from __future__ import annotations

import keyword
from typing import Annotated, Any

from pydantic import Field, ValidationInfo, model_validator

from archspec.diagnostics.validation import StrictModel, field_error, field_errors
from archspec.frontend.model.block import Block, Body
from archspec.frontend.model.field_types import Tokens, ops_of
from archspec.frontend.model.item import Item
from archspec.frontend.model.outputs import CONTAINERS, NetworkOutputs, OutputSpec
from archspec.frontend.model.plain_data import given_fields
from archspec.frontend.reserved_names import VARIABLES, class_name, is_source_name
from archspec.ops import Ops
from archspec.ops.shapes import ChannelsFirst, Shape

Text = Annotated[str, Field(max_length=2000)]
InputShape = Annotated[
    list[Annotated[int, Field(ge=1, le=1 << 20)]],
    Field(min_length=1, max_length=4),
]


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
        return given_fields(self, *Header.model_fields)


class Network(Header, Body, defer_build=False):  # every spec becomes one: its schema is needed in any case
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
        head = {**self.header_data(), **given_fields(self, "tokens")}
        data = {**head, **({"blocks": blocks} if blocks else {}), **self._body_data()}
        if self.outputs is not None:
            data["outputs"] = self.outputs.to_data()
        return data
