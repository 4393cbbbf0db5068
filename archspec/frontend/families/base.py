"""The base class of families: the header, the number of classes, and the translation to the core language."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any, ClassVar

from pydantic import Field, model_validator

from archspec.diagnostics.checked import Prepared
from archspec.diagnostics.diagnostic import Path
from archspec.diagnostics.validation import field_error, field_errors, validate
from archspec.frontend.model.field_types import Literal, ParameterName
from archspec.frontend.model.init_rule import InitRule
from archspec.frontend.model.network import Header, Network
from archspec.ops import OPS, Ops
from archspec.ops.fields import Size

Item = dict[str, Any]
"""An item of the core language, as plain data."""


class FamilySpec(Header):
    """A spec of a family, which `desugar` translates to a core-language network."""

    family: str = Field(description="the family of networks; it decides which other fields there are")
    num_classes: Size = Field(1000, description="number of classes: features of the last layer")
    params: dict[ParameterName, Literal] = Field({}, description="further constructor arguments")
    init: list[InitRule] | None = Field(None, description="initialisation rules; the family's own if not given")

    sizes: ClassVar[str] = "channels, height and width"
    """What the numbers of `input` are, in words."""

    @model_validator(mode="after")
    def _takes_its_input(self) -> FamilySpec:
        if len(self.input) != len(self.sizes.replace(" and", ",").split(",")):
            numbers = "1 number" if len(self.input) == 1 else f"{len(self.input)} numbers"
            raise field_errors(field_error(("input",), f"expected {self.sizes}, got {numbers}"))
        return self

    @abstractmethod
    def layers(self) -> list[Item]:
        """The items of the network."""

    def arguments(self) -> dict[str, Any]:
        """The fields that are also arguments of the network's constructor."""
        return {"num_classes": self.num_classes}

    def init_rules(self) -> list[Any]:
        """The initialisation rules that the family was published with."""
        return []

    def extras(self) -> dict[str, Any]:
        """Further parts of the network: `outputs`, `register`."""
        return {}

    def absent_heads(self) -> tuple[str, ...]:
        """Names of training-only modules that this spec switches off, but a checkpoint may contain."""
        return ()

    def origins(self) -> dict[str, Path]:
        """Where in the family spec an item of the network comes from, by the item's name."""
        return {}

    def desugar(self, ops: Ops = OPS) -> Network:
        """The network in the core language; its initialisation rules may name any of the `ops`."""
        given = self.init_rules() if self.init is None else [rule.to_data() for rule in self.init]
        heads = self.absent_heads()  # rules for these would name no item
        rules = [rule for rule in given if str(rule.get("path", "")).partition(".")[0] not in heads]
        params = {**self.arguments(), **self.params}
        data = {**self.header_data(), "params": params, "layers": self.layers(), "init": rules, **self.extras()}
        return validate(Network, data, context=ops)


def columns(*names: str) -> Prepared:
    """A check of the length of a table's row; the error names the columns."""

    def check(given: Any) -> Any:
        if isinstance(given, list | tuple) and len(given) == len(names):
            return given
        what = "a mapping" if isinstance(given, dict) else "a single value"
        got = len(given) if isinstance(given, list | tuple) else what
        raise ValueError(f"expected a row of {len(names)} ({', '.join(names)}), got {got}")

    return Prepared(check)


def item(name: str, **body: Any) -> Item:
    """A named item; `None` values are left out."""
    return {name: {key.rstrip("_"): value for key, value in body.items() if value is not None}}
