"""Blocks, the reusable parts of a network, and what they share with it: parameters, local names and items."""

from __future__ import annotations

from functools import cached_property
from typing import Any

from pydantic import Field, model_validator

from archspec.diagnostics.validation import StrictModel, field_error, field_errors
from archspec.frontend.model.dependencies import Rates, rates, reads_no_shapes
from archspec.frontend.model.field_types import InputName, Literal, ParameterName
from archspec.frontend.model.init_rule import InitRule
from archspec.frontend.model.item import Item
from archspec.frontend.model.outputs import BlockOutputs, outputs_data
from archspec.frontend.model.plain_data import as_data, given_fields


class Body(StrictModel):
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
    def _disjoint(self) -> Body:
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


class Block(Body, defer_build=False):  # Network, which needs it in any case, uses what is built here
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

    @cached_property
    def required(self) -> frozenset[str]:
        """The parameters without a default."""
        return frozenset(name for name, default in self.params.items() if default is None)

    @cached_property
    def rates(self) -> Rates:
        """The parameters that set nothing but rates of its ops."""
        return rates(self)

    @cached_property
    def reads_no_shapes(self) -> bool:
        """Whether nothing but the shapes of its values follows from those of its inputs."""
        return reads_no_shapes(self)

    @cached_property
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
        data = given_fields(self, "description")
        if self.inputs != ["input"]:
            data["inputs"] = list(self.inputs)
        if self.outputs is not None:
            data["outputs"] = outputs_data(self.outputs)
        return {**data, **({"cut": True} if self.cut else {}), **self._body_data()}
