"""The outputs of blocks and networks that do not simply return their last value: names, and the values they name."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from functools import partial
from typing import Annotated, Any, Final, Literal

from pydantic import AfterValidator, Field, ValidationInfo, field_validator

from archspec.diagnostics.checked import Prepared
from archspec.diagnostics.diagnostic import Diagnostic
from archspec.diagnostics.validation import StrictModel, field_error, field_errors
from archspec.frontend.model.field_types import FieldName, field_name

CONTAINERS: Final = ("tuple", "list", "dict")
"""Python's types for a network's outputs; any other type is the name of a named tuple's class."""

_KEY: Final = re.compile(r"[A-Za-z0-9_.-]{1,60}")


def _as_mapping(given: Any) -> Any:
    """Outputs as a mapping of names to values; in a list, the names are those of the values."""
    if not isinstance(given, list) or not all(isinstance(name, str) for name in given):
        return given
    twice = [name for number, name in enumerate(given) if name in given[:number]]
    if twice:
        raise ValueError(f"'{twice[0]}' is listed twice")
    return dict(zip(given, given, strict=True))


_Written = Annotated[list[str], Field(min_length=1)]
_WrittenByName = Annotated[dict[str, str], Field(min_length=1)]
_ByName = Prepared(_as_mapping, _Written | _WrittenByName)

BlockOutputs = Annotated[dict[FieldName, str], Field(min_length=1), _ByName]
"""The outputs of a block: a list of its values, or a mapping of names to its values."""


def _features(given: Any) -> Any:
    """Features by their names; one alone has none."""
    return {"": given} if isinstance(given, str) else _as_mapping(given)


def _named(features: dict[str, str], info: ValidationInfo) -> dict[str, str]:
    several = {name: value for name, value in features.items() if name}
    if errors := [*_wrong_names(several, partial(field_name, info=info))]:
        raise field_errors(*errors)
    return features


Features = Annotated[
    dict[str, str],
    Field(min_length=1),
    AfterValidator(_named),
    Prepared(_features, str | _Written | _WrittenByName),
]
"""The values of a spec that an item yields, in place of its own: one, or several by their names."""


def outputs_data(outputs: dict[str, str]) -> Any:
    """Outputs as they would be written in YAML."""
    if "" in outputs:
        return outputs[""]
    return list(outputs) if all(name == value for name, value in outputs.items()) else dict(outputs)


class OutputSpec(StrictModel):
    """What a network returns: a named tuple, tuple, list or dict of values, in training only or always. If in training
    only, evaluation returns the first value alone."""

    type: str = Field(
        pattern=r"^[A-Za-z][A-Za-z0-9_]{0,59}$", description="tuple, list, dict, or the name of a named tuple's class"
    )
    when: Literal["training", "always"] = Field("training", description="in training only, or in evaluation as well")
    fields: Annotated[dict[str, str], Field(min_length=1), _ByName] = Field(
        description="names and their values; or a list of values, which keep their names"
    )

    @field_validator("fields")
    @classmethod
    def _usable_names(cls, fields: dict[str, str], info: ValidationInfo) -> dict[str, str]:
        check = _check_key if info.data.get("type") == "dict" else partial(field_name, info=info)
        if errors := [*_wrong_names(fields, check)]:
            raise field_errors(*errors)
        return fields

    @property
    def always(self) -> bool:
        """Whether they are returned in evaluation as well."""
        return self.when == "always"

    def to_data(self) -> Any:
        """Plain data, as it would be written in YAML."""
        fields = outputs_data(self.fields)
        if self.type == "tuple" and self.always and isinstance(fields, list):
            return fields
        return {"type": self.type, **({"when": self.when} if self.always else {}), "fields": fields}


def _written_as_list(data: Any) -> Any:
    return {"type": "tuple", "when": "always", "fields": data} if isinstance(data, list) else data


NetworkOutputs = Annotated[
    OutputSpec, Prepared(_written_as_list, _Written | OutputSpec)
]  # fmt: skip
"""The outputs of a network; a list of values is a tuple that is always returned."""


def _wrong_names(fields: dict[str, str], check: Callable[[str], object]) -> Iterator[Diagnostic]:
    for name in fields:
        try:
            check(name)
        except ValueError as error:
            yield field_error((name,), str(error), about_key=True)


def _check_key(name: str) -> None:
    if not _KEY.fullmatch(name):
        raise ValueError(f"'{name}' cannot be a key of the outputs: use letters, digits, '_', '-' and '.'")
