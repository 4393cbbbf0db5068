"""Annotations of fields that a function checks, for Pydantic.

They do what `PlainValidator` and `BeforeValidator` do with a `json_schema_input_type`, but the JSON Schema, which few
commands need, costs nothing until it is asked for: that is half of what building a model's validator takes.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler, TypeAdapter
from pydantic_core import CoreSchema, core_schema


@dataclass(frozen=True)
class Checked:
    """The value is what `check` returns for what is given; `in_context`, it takes Pydantic's `ValidationInfo`, too.

    `written` is the type of what is given, in the JSON Schema.

    >>> from typing import Annotated
    >>> TypeAdapter(Annotated[int, Checked(abs, int)]).validate_python(-3)
    3
    """

    check: Callable[..., Any]
    written: Any = Any
    in_context: bool = False

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        if self.in_context:
            return core_schema.with_info_plain_validator_function(self.check)
        return core_schema.no_info_plain_validator_function(self.check)

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        return handler(_whole(self.written))


@dataclass(frozen=True)
class Prepared:
    """What `prepare` returns for what is given is checked as the field's type; `in_context` as for `Checked`.

    `written` is the type of what is given, if it differs.
    """

    prepare: Callable[..., Any]
    written: Any = None
    in_context: bool = False

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        if self.in_context:
            return core_schema.with_info_before_validator_function(self.prepare, handler(source))
        return core_schema.no_info_before_validator_function(self.prepare, handler(source))

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        return handler(schema if self.written is None else _whole(self.written))


def _whole(written: Any) -> CoreSchema:
    """The schema of a type as the only part of another: a handler ignores what annotations add to the outermost one."""
    return core_schema.definitions_schema(TypeAdapter(written).core_schema, [])
