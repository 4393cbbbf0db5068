"""The base class of Pydantic models, and Pydantic's validation errors as diagnostics.

A validator raises `ValueError` for an error in its own value. One that checks several fields raises
`field_errors(...)`, which names those that are wrong.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Any, Final, TypeVar, get_args

from pydantic import BaseModel, ConfigDict, ValidationError
from pydantic_core import PydanticCustomError

from archspec.diagnostics.diagnostic import Diagnostic, Path, SchemaError
from archspec.diagnostics.suggestions import meant, nearest


class StrictModel(BaseModel):
    """Base class of ops, families and the core language: no conversion of types, no unknown keys, immutable instances.

    Pydantic builds the schema of a class when it is first used, so that a command pays for the ops of its spec only.
    """

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True, allow_inf_nan=False, defer_build=True)


def field_error(path: Path, reason: str, help: str = "", about_key: bool = False) -> Diagnostic:
    """An error that a validator found in one of several fields; `path` leads there from the model."""
    return Diagnostic("schema", reason, path, help=help, about_key=about_key)


def field_errors(*errors: Diagnostic) -> PydanticCustomError:
    """The exception for a validator to raise; each error is reported at its own place."""
    return PydanticCustomError("field_errors", "{count} errors", {"count": len(errors), "found": errors})


M = TypeVar("M", bound=BaseModel)


def validate(model: type[M], data: Any, prefix: Path = (), context: Any = None) -> M:
    """`data` as a `model`; raises `SchemaError` with a diagnostic for each error. Validators get the `context`.

    >>> from archspec.frontend.model.item import Item
    >>> validate(Item, {"conv1": {"op": "conv2d", "out_channels": 8, "kernel_size": 3}}).name
    'conv1'
    """
    try:
        return model.model_validate(data, context=context)
    except ValidationError as error:
        raise SchemaError(diagnostics_of(error, prefix, model, data)) from None


def diagnostics_of(
    error: ValidationError, prefix: Path = (), model: type[BaseModel] | None = None, data: Any = None
) -> list[Diagnostic]:
    """One diagnostic for each error that Pydantic found."""
    found: dict[Path, list[dict[str, Any]]] = {}
    for detail in error.errors():
        path = _yaml_path(detail["loc"], data, detail["type"] in _ABOUT_A_KEY)
        found.setdefault(path, []).append(dict(detail))  # the alternatives of a union are one error
    made = [
        d.at(prefix) for path, details in found.items() if not _is_alternative(details, path, found)
        for d in _diagnostics(details, path, model)
    ]  # fmt: skip
    return [d for d in made if not _is_misspelt(d, made)]


def _is_alternative(details: list[dict[str, Any]], path: Path, found: Iterable[Path]) -> bool:
    """Whether these only say that other alternatives of a union have another type, while one alternative matched it."""
    of_type = all(detail["type"].endswith("_type") for detail in details)
    return of_type and any(other[: len(path)] == path and len(other) > len(path) for other in found)


_EXPECTED: Final[dict[str, str]] = {
    "int_type": "an integer",
    "float_type": "a number",
    "finite_number": "a finite number",
    "string_type": "text",
    "bool_type": "true or false",
    "list_type": "a list",
    "dict_type": "a mapping",
    "model_type": "a mapping",
    "literal_error": "{expected}",
    "greater_than": "more than {gt}",
    "greater_than_equal": "at least {ge}",
    "less_than": "less than {lt}",
    "less_than_equal": "at most {le}",
    "multiple_of": "a multiple of {multiple_of}",
    "too_short": "at least {min_length} {entries}",
    "too_long": "at most {max_length} {entries}",
    "string_too_long": "at most {max_length} characters",
    "string_pattern_mismatch": "at most 60 letters, digits and '_', beginning with a letter",
}
_BOUNDS: Final = ("greater_than", "greater_than_equal", "less_than", "less_than_equal", "multiple_of")
_ABOUT_A_LIST: Final = ("too_short", "too_long", "list_type", "dict_type")
_ABOUT_A_KEY: Final = ("missing", "extra_forbidden", "field_errors")


def _diagnostics(details: list[dict[str, Any]], path: Path, model: type[BaseModel] | None) -> list[Diagnostic]:
    for detail in details:
        if detail["type"] == "field_errors":
            return [found.at(path) for found in detail["ctx"]["found"]]
    return [_diagnostic(details, path, model)]


def _diagnostic(details: list[dict[str, Any]], path: Path, model: type[BaseModel] | None) -> Diagnostic:
    detail = details[0]
    context = detail.get("ctx", {})
    if detail["type"] == "extra_forbidden":
        known = _fields(_innermost(model, detail["loc"][:-1])) if model else []
        help = nearest(str(path[-1]), known)
        if {"params", "layers"} <= {*known} and not meant(str(path[-1]), known):
            help = f"a parameter goes under params: {{{path[-1]}: …}}; {help}"
        return Diagnostic("schema", f"unknown key '{path[-1]}'", path, help=help, about_key=True)
    if detail["type"] == "missing":
        within = path[:-1] or (("family",) if model and "family" in model.model_fields else ())
        return Diagnostic("schema", f"'{path[-1]}' is required", within, help=_about(model, detail["loc"]))
    if detail["type"] == "expression":
        return Diagnostic("expression", context["reason"], path, help=context["help"], word=context["word"])
    if detail["type"] not in _EXPECTED:
        about_key = "[key]" in detail["loc"]
        return Diagnostic("schema", detail["msg"].removeprefix("Value error, "), path, about_key=about_key)
    has_type = any(d["type"] in _BOUNDS for d in details)  # the value has the type of one of the alternatives
    reasons = [d for d in details if d["type"] in _EXPECTED and not (has_type and d["type"].endswith("_type"))]
    wanted = dict.fromkeys(map(_wanted, reasons))
    words = ["an =expression" if word == "text" and len(wanted) > 1 else word for word in wanted]
    help = _meant(details) or (_about(model, detail["loc"]) if detail["type"] in _ABOUT_A_LIST else "")
    return Diagnostic("schema", f"expected {' or '.join(words)}{_given(detail)}", path, help=help)


def _about(model: type[BaseModel] | None, loc: tuple[str | int, ...]) -> str:
    """The description of a field."""
    fields = _innermost(model, loc[:-1]).model_fields if model else {}
    about = next((field.description for name, field in fields.items() if loc[-1] in (name, field.alias)), None)
    return f"{loc[-1]}: {about}" if about else ""


def _wanted(detail: dict[str, Any]) -> str:
    bounds = detail.get("ctx", {}).items()
    plain = {key: int(v) if isinstance(v, float) and v.is_integer() else v for key, v in bounds}
    entries = "entry" if 1 in (plain.get("min_length"), plain.get("max_length")) else "entries"
    return _EXPECTED[detail["type"]].format(**plain, entries=entries)


def _fields(model: type[BaseModel]) -> list[str]:
    return [field.alias or name for name, field in model.model_fields.items()]


def _innermost(model: type[BaseModel], loc: tuple[str | int, ...]) -> type[BaseModel]:
    """The model at a location within another; keys and indices are passed over, fields may lead to another model."""
    for part in loc:
        field = next((name for name, f in model.model_fields.items() if part in (name, f.alias)), None)
        model = model if field is None else next(_models(model.model_fields[field].annotation), model)
    return model


def _models(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and not get_args(annotation) and issubclass(annotation, BaseModel):
        yield annotation
    for part in get_args(annotation):
        yield from _models(part)


def _given(detail: dict[str, Any]) -> str:
    value, context = detail["input"], detail.get("ctx", {})
    if isinstance(value, dict | list):
        return f", got {context.get('actual_length', 'a mapping' if isinstance(value, dict) else 'a list')}"
    words = {True: "true", False: "false", None: "nothing"}
    if value is None or isinstance(value, bool):
        return f", got {words[value]}"
    return f", got '{value[:60]}'" if isinstance(value, str) else f", got {value!r}"


def _meant(details: list[dict[str, Any]]) -> str:
    """The nearest valid value, as help."""
    kinds, given = {d["type"] for d in details}, details[0]["input"]
    if "int_type" in kinds and isinstance(given, float):
        return f"write {int(given)}; in an expression, // divides to an integer" if given.is_integer() else ""
    if "string_pattern_mismatch" in kinds:
        word = re.sub(r"[^A-Za-z0-9]+", "_", given).strip("_")
        return f"write {word[:60]}" if word[:1].isalpha() else ""
    choices = " ".join(d["ctx"]["expected"] for d in details if d["type"] == "literal_error")
    return meant(given, re.findall(r"'(.*?)'", choices)) if isinstance(given, str) else ""


def _is_misspelt(diagnostic: Diagnostic, others: list[Diagnostic]) -> bool:
    """Whether a missing key is present under a misspelt name that another diagnostic corrects."""
    name = diagnostic.message.removesuffix(" is required")
    return name != diagnostic.message and any(other.help == f"did you mean {name}?" for other in others)


def _yaml_path(loc: tuple[str | int, ...], data: Any, about_a_key: bool) -> Path:
    """Pydantic's location without the parts that are not in the YAML: tags of unions, `arguments`, `[key]`, …"""
    path: list[str | int] = []
    for number, part in enumerate(loc):
        data = _unwrapped(data, part, path)
        if isinstance(data, dict) and (part in data or (about_a_key and number == len(loc) - 1)):
            path.append(part)
            data = data.get(part)
        elif isinstance(data, list) and isinstance(part, int) and part < len(data):
            path.append(part)
            data = data[part]
    _unwrapped(data, None, path)
    return tuple(path)


def _unwrapped(data: Any, part: Any, path: list[str | int]) -> Any:
    """The data below an item's name; in a list of items the name becomes part of the path, also if it is `seq`."""
    if not isinstance(data, dict) or len(data) != 1:
        return data
    ((name, inner),) = data.items()
    listed = len(path) > 1 and isinstance(path[-1], int) and path[-2] in ("layers", "seq")
    if not isinstance(inner, dict) or not (listed or (part is not None and part not in data)):
        return data
    path += [name] if listed else []
    return inner
