"""The initialisation rules of networks and blocks."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from pydantic import Field, ValidationInfo, model_validator

from archspec.diagnostics.diagnostic import Diagnostic
from archspec.diagnostics.suggestions import nearest
from archspec.diagnostics.validation import StrictModel, field_error, field_errors
from archspec.frontend.model.field_types import Condition, Names, ops_of
from archspec.frontend.model.plain_data import given_fields
from archspec.frontend.model.unknown_names import op_help
from archspec.ops import Ops
from archspec.ops.initialisers import OF_MATRICES, PARAMETERS, VECTORS, InitialiserError, parse_initialiser


class InitRule(StrictModel, defer_build=False):  # Network, which needs it in any case, uses what is built here
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
                yield field_error(below, f"unknown op '{op}'", op_help(op, known))

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
        own = given_fields(self, "op", "path", "when")
        if self.op is not None and len(self.op) == 1:
            own["op"] = self.op[0]
        return {**own, **self.parameters}
