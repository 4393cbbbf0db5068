"""Classes of declared fields, validated by pydantic-core: what ops, families and the core language are made of.

Pydantic has two halves. pydantic-core validates; the other half turns annotated classes into its schemas, and takes
longer to import than all the rest of an `archspec summary`. Here is as much of that other half as specs need, under
Pydantic's own names: validation, its errors and the JSON Schema (`schema.py`) are Pydantic's.
"""

from __future__ import annotations

from abc import ABC
from collections.abc import Callable, Iterator, Mapping
from copy import copy
from dataclasses import FrozenInstanceError, dataclass, field
from functools import cache
from inspect import get_annotations
from types import NoneType, UnionType
from typing import (
    TYPE_CHECKING,
    Annotated,
    Any,
    ClassVar,
    Final,
    Literal,
    TypeVar,
    Union,
    get_args,
    get_origin,
    get_type_hints,
)

from pydantic_core import SchemaValidator, core_schema

if TYPE_CHECKING:
    from pydantic_core import CoreSchema
    from typing_extensions import Self

F = TypeVar("F", bound=Callable[..., Any])


@dataclass(frozen=True, eq=False)
class FieldInfo:
    """What is known of a field beside its type; `default` is `...` where it must be given."""

    default: Any = ...
    alias: str | None = None
    """The key it is written under, where that is no Python identifier."""
    description: str = ""
    constraints: Mapping[str, Any] = field(default_factory=dict)

    def is_required(self) -> bool:
        """Whether it must be given."""
        return self.default is ...

    def around(self, schema: Any) -> Any:
        """A schema with the constraints put on the innermost value, behind `| None` and validators."""
        inner = schema
        while inner["type"] in ("nullable", "function-before"):
            inner = inner["schema"]
        inner.update(self.constraints)
        return schema


def Field(default: Any = ..., *, alias: str | None = None, description: str = "", **constraints: Any) -> Any:
    """A field's default, meaning and constraints: `gt`, `ge`, `lt`, `le`, `min_length`, `max_length`, `pattern`.

    >>> class Pool(Model):
    ...     size: int = Field(2, ge=1, description="extent of the window")
    >>> Pool.model_validate({"size": 3})
    Pool(size=3)
    """
    return FieldInfo(default, alias, description, constraints)


@dataclass(frozen=True)
class BeforeValidator:
    """Checks, or changes, a value before its type is looked at; a `ValueError` is a mistake of the user's."""

    function: Callable[[Any], Any]

    def around(self, schema: Any) -> Any:
        """A schema with the function before it."""
        return core_schema.no_info_before_validator_function(self.function, schema)


@dataclass(frozen=True)
class PlainValidator:
    """Checks a value on its own; `written` is the type that editors are told of."""

    function: Callable[[Any], Any]
    written: Any

    def around(self, schema: Any) -> Any:
        """The function in place of the schema of the annotated type."""
        written = {"written": _schema(self.written, {})}
        return core_schema.no_info_plain_validator_function(self.function, metadata=written)


def model_validator(mode: Literal["before", "after"]) -> Callable[[F], F]:
    """Marks a method that checks a whole model: a classmethod of the data before, a method of the model after.

    What runs before is not asked of data that is a model already.
    """

    def mark(function: F) -> F:
        method: Any = getattr(function, "__func__", function)
        method.validates = mode
        return function

    return mark


class Model(ABC):  # noqa: B024 – families have abstract methods
    """A class whose annotations are its fields. Validation is strict, other keys are forbidden, instances frozen."""

    __slots__ = ("__dict__", "__pydantic_extra__", "__pydantic_fields_set__", "__pydantic_private__")

    model_fields: ClassVar[dict[str, FieldInfo]] = {}
    model_config: ClassVar[dict[str, Any]] = {"extra": "forbid"}
    """What Pydantic's JSON Schema asks of a model."""

    def __init_subclass__(cls) -> None:
        own = _declared(cls)
        inherited = (vars(base).get("model_fields", {}) for base in reversed(cls.__mro__[1:]))
        cls.model_fields = {name: info for fields in (*inherited, own) for name, info in fields.items()}

    @classmethod
    def model_validate(cls, data: Any) -> Self:
        """The model that data describes; raises pydantic-core's `ValidationError` with every mistake in it."""
        made: Self = _validator(cls).validate_python(data)
        return made

    @classmethod
    def model_construct(cls, **values: Any) -> Self:
        """A model of values that are known to be valid, by the names they are written under."""
        made = cls.__new__(cls)
        for name, info in cls.model_fields.items():
            key = info.alias or name
            if key in values or info.default is not ...:
                made.__dict__[name] = values[key] if key in values else copy(info.default)
        return made

    def model_copy(self, update: Mapping[str, Any]) -> Self:
        """The model with other values, which are not validated, for some of its fields."""
        made = type(self).__new__(type(self))
        made.__dict__.update(self.__getstate__() | dict(update))
        return made

    def __setattr__(self, name: str, value: Any) -> None:
        raise FrozenInstanceError(f"cannot assign to '{name}': a {type(self).__name__} is frozen")

    def __getstate__(self) -> dict[str, Any]:
        # Beside the fields, __dict__ holds what cached properties have found.
        return {name: value for name, value in self.__dict__.items() if name in self.model_fields}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Model) and type(other) is type(self) and self.__getstate__() == other.__getstate__()

    def __hash__(self) -> int:
        return hash((type(self), *self.__getstate__().values()))

    def __repr__(self) -> str:
        values = (f"{name}={value!r}" for name, value in self.__getstate__().items())
        return f"{type(self).__name__}({', '.join(values)})"


def _declared(cls: type[Model]) -> dict[str, FieldInfo]:
    """A class's own fields; their defaults are no attributes of it any more."""
    fields = {}
    for name, annotation in get_annotations(cls).items():
        if not str(annotation).startswith(("ClassVar", "typing.ClassVar")):
            default = vars(cls).get(name, ...)
            fields[name] = default if isinstance(default, FieldInfo) else FieldInfo(default)
            if name in vars(cls):
                delattr(cls, name)
    return fields


@cache
def field_types(model: type[Model]) -> dict[str, Any]:
    """The annotations of a model's fields, as types."""
    hints = get_type_hints(model, include_extras=True)
    return {name: hints[name] for name in model.model_fields}


@cache
def _validator(model: type[Model]) -> SchemaValidator:
    return SchemaValidator(schema_of(model))


def schema_of(model: type[Model]) -> CoreSchema:
    """The schema pydantic-core validates a model with, and Pydantic makes JSON Schema of."""
    used: dict[str, Any] = {}
    reference = _schema(model, used)
    return core_schema.definitions_schema(reference, list(used.values()))


_SIMPLE: Final[dict[Any, Callable[[], Any]]] = {
    Any: core_schema.any_schema,
    bool: core_schema.bool_schema,
    float: core_schema.float_schema,
    int: core_schema.int_schema,
    str: core_schema.str_schema,
}


def _schema(annotation: Any, used: dict[str, Any]) -> Any:
    """The schema of an annotation; those of models are gathered in `used`, and referred to."""
    kind, arguments = get_origin(annotation), get_args(annotation)
    if annotation in _SIMPLE:
        return _SIMPLE[annotation]()
    if isinstance(annotation, type) and kind is None and issubclass(annotation, Model):
        return _reference(annotation, used)
    if kind is Annotated:
        schema = _schema(arguments[0], used)
        for mark in arguments[1:]:
            schema = mark.around(schema)
        return schema
    if kind is Literal:
        return core_schema.literal_schema(list(arguments))
    if kind in (Union, UnionType):
        return _union([a for a in arguments if a is not NoneType], NoneType in arguments, used)
    if kind in (list, tuple, dict):
        return _collection(kind, [_schema(argument, used) for argument in arguments])
    raise TypeError(f"a field cannot be annotated with {annotation!r}")


def _union(alternatives: list[Any], nullable: bool, used: dict[str, Any]) -> Any:
    schemas = [_schema(alternative, used) for alternative in alternatives]
    schema = schemas[0] if len(schemas) == 1 else core_schema.union_schema(schemas)
    return core_schema.nullable_schema(schema) if nullable else schema


def _collection(kind: type, parts: list[Any]) -> Any:
    if kind is tuple:
        return core_schema.tuple_schema(parts)
    return core_schema.list_schema(*parts) if kind is list else core_schema.dict_schema(*parts)


def _reference(model: type[Model], used: dict[str, Any]) -> Any:
    name = f"{model.__module__}.{model.__qualname__}"
    if name not in used:
        used[name] = None  # a model may hold itself
        used[name] = {**_model_schema(model, used), "ref": name}
    return core_schema.definition_reference_schema(name)


def _model_schema(model: type[Model], used: dict[str, Any]) -> Any:
    types = field_types(model)
    fields = {name: _field_schema(info, types[name], used) for name, info in model.model_fields.items()}
    config = core_schema.CoreConfig(strict=True, extra_fields_behavior="forbid", allow_inf_nan=False)
    schema: Any = core_schema.model_fields_schema(fields, model_name=model.__name__)
    for function in _validators(model, "before"):
        schema = core_schema.no_info_before_validator_function(function, schema)
    schema = core_schema.model_schema(model, schema, config=config)
    for function in _validators(model, "after"):
        schema = core_schema.no_info_after_validator_function(function, schema)
    return schema


def _field_schema(info: FieldInfo, annotation: Any, used: dict[str, Any]) -> Any:
    schema = info.around(_schema(annotation, used))
    if info.default is not ...:
        schema = core_schema.with_default_schema(schema, default=info.default)
    about = {"description": info.description} if info.description else None
    return core_schema.model_field(schema, validation_alias=info.alias, metadata=about)


def _validators(model: type[Model], mode: str) -> Iterator[Callable[[Any], Any]]:
    """The methods marked with `model_validator`, those of base classes first."""
    names = dict.fromkeys(name for base in reversed(model.__mro__) for name in vars(base))
    for function in (getattr(model, name) for name in names):
        if getattr(function, "validates", "") == mode:
            yield function
