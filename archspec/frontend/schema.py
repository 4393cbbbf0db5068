"""JSON Schema (2020-12) of specs, so that editors complete, describe and check them while they are written.

Pydantic makes it from the models that the compiler reads specs with. What those check in validators (an item's name is
the one key of a mapping; an op's fields depend on the op) is added here.
"""

from __future__ import annotations

from typing import Any, Final

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from archspec.frontend import library
from archspec.frontend.families import FAMILIES, FamilySpec, family
from archspec.frontend.loader import shipped
from archspec.frontend.model.field_types import ITEM_KINDS, KEYWORDS, SPEC_KEYS
from archspec.frontend.model.network import Network
from archspec.ops import OPS, Ops
from archspec.ops.base import Op
from archspec.ops.initialisers import INITIALISERS, Initialiser

Form = dict[str, Any]
"""A part of a JSON Schema."""

_EXPRESSION: Final[Form] = {"$ref": "#/$defs/Expression"}
_VALUE: Final[Form] = {"$ref": "#/$defs/Value"}


def schema(ops: Ops = OPS) -> dict[str, Any]:
    """The JSON Schema of specs, of every family and of the core language with these ops, as plain data.

    >>> schema()["$schema"]
    'https://json-schema.org/draft/2020-12/schema'
    """
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "archspec",
        "description": "A network: a spec of a family, or layers in the core language.",
        "type": "object",
        "if": {"required": ["family"]},
        "then": _family_chosen(),
        "else": {"$ref": "#/$defs/Network"},
        "$defs": dict(sorted(_definitions(ops).items())),
    }


def _family_chosen() -> Form:
    """The value of `family` decides which other fields there are."""
    about = {name: (family(name).__doc__ or "").strip() for name in FAMILIES}
    return {
        "properties": {"family": _one_of(about)},
        "allOf": [_case("family", name, f"#/$defs/{model}") for name, model in FAMILIES.items()],
    }


def _definitions(ops: Ops) -> dict[str, Form]:
    found = described(Network, *map(family, FAMILIES))
    fields = found["Item"]["properties"]
    for name in FAMILIES.values():
        found[name]["properties"]["family"]["description"] = FamilySpec.model_fields["family"].description
    return {
        **found,
        "Block": {**found["Block"], "anyOf": [{"required": ["layers"]}, {"required": ["seq"]}]},
        **{
            _field_name(key): {**_kept(fields[key]), **_written(key, fields[key], ops)}
            for key in (*KEYWORDS, *SPEC_KEYS)
        },
        **{f"op.{kind}": _op_item(kind, op) for kind, op in ops.items()},
        "Item": _item(found["Item"].get("description", "")),
        "ItemBody": _item_body(ops),
        "InitRule": _init_rule(found["InitRule"], ops),
        "initialiser": _initialiser(),
    }


def described(*models: type[BaseModel]) -> dict[str, Form]:
    """The JSON Schemas of models and of the models in their fields, by name."""
    _, made = models_json_schema([(model, "validation") for model in models])
    return {name: _tidied(form) for name, form in made["$defs"].items()}


def _tidied(form: Any) -> Any:
    """Pydantic's form without titles, which repeat the names, and without null defaults."""
    if isinstance(form, list):
        return [_tidied(part) for part in form]
    if not isinstance(form, dict):
        return form
    kept = {key: value for key, value in form.items() if not _is_noise(key, value)}
    return {key: _properties(value) if key == "properties" else _tidied(value) for key, value in kept.items()}


def _is_noise(key: str, value: Any) -> bool:
    return (key == "title" and isinstance(value, str)) or (key == "default" and value is None)


def _properties(fields: dict[str, Form]) -> dict[str, Form]:
    return {name: _tidied(form) for name, form in fields.items()}


def _kept(form: Form) -> Form:
    return {key: form[key] for key in ("description", "default") if key in form}


def _written(key: str, form: Form, ops: Ops) -> Form:
    """How a field of an item is written. A missing field is left out, not written as null."""
    if key == "op":
        kinds = {kind: _about(op) for kind, op in ops.items()}
        return {"anyOf": [*_one_of(kinds)["anyOf"], _EXPRESSION]}
    if key == "spec":
        return {"anyOf": [{"enum": list(shipped())}, {"type": "string"}]}
    if key == "block":
        return {"anyOf": [*_one_of(_library())["anyOf"], {"type": "string"}]}
    bare = {name: value for name, value in form.items() if name not in ("description", "default")}
    parts = [part for part in bare.get("anyOf", [bare]) if part != {"type": "null"}]
    return parts[0] if len(parts) == 1 else {"anyOf": parts}


def _library() -> dict[str, str]:
    blocks = {name: library.block(name) for name in library.names()}
    return {name: (block.description or "") if block else "" for name, block in blocks.items()}


def _about(op: type[Op]) -> str:
    return " ".join((op.__doc__ or "").split())


def _one_of(about: dict[str, str]) -> Form:
    """One of several words, each with a description, which editors show in completion lists."""
    return {"anyOf": [{"const": word, "description": text} for word, text in about.items()]}


def _case(key: str, word: str, reference: str) -> Form:
    return {"if": {"properties": {key: {"const": word}}, "required": [key]}, "then": {"$ref": reference}}


def _field_name(key: str) -> str:
    return f"item.{key}"


def _own_fields(*without: str) -> dict[str, Form]:
    """The fields that items of every kind have."""
    return {key: {"$ref": f"#/$defs/{_field_name(key)}"} for key in KEYWORDS if key not in without}


def _item(description: str) -> Form:
    """`{op: relu}`, or `relu: {op: relu}`: the one key of a mapping within a mapping is a name."""
    named = {"allOf": [{"$ref": "#/$defs/ItemBody"}, {"not": {"required": ["call"]}}]}
    return {
        "description": description,
        "type": "object",
        "minProperties": 1,
        "if": {"maxProperties": 1, "additionalProperties": {"type": "object"}},
        "then": {"additionalProperties": named},
        "else": {"$ref": "#/$defs/ItemBody"},
    }


_BLOCK: Final[Form] = {"required": ["block"], "not": {"required": ["spec"]}}
"""An item that runs a block; beside `spec`, `block` is a field of the spec's family."""

_OVERRIDE: Final[Form] = {"anyOf": [_VALUE, {"type": "object"}]}
"""A field or parameter of the spec that an item runs."""


def _item_body(ops: Ops) -> Form:
    kinds = set(ITEM_KINDS)
    closed = {
        kind: {"properties": _own_fields(*kinds - {kind}), "additionalProperties": False}
        for kind in ITEM_KINDS
        if kind not in ("op", "block", "spec")
    }
    own = {key: {"$ref": f"#/$defs/{_field_name(key)}"} for key in SPEC_KEYS}
    return {
        "description": "The kind of an item, its inputs and its arguments.",
        "type": "object",
        "properties": _own_fields(),
        "oneOf": [_BLOCK if kind == "block" else {"required": [kind]} for kind in ITEM_KINDS],
        "allOf": [
            *(_case("op", kind, f"#/$defs/op.{kind}") for kind in ops),
            *({"if": {"required": [kind]}, "then": form} for kind, form in closed.items()),
            {"if": _BLOCK, "then": {"additionalProperties": _VALUE}},
            {"if": {"required": ["spec"]}, "then": {"properties": own, "additionalProperties": _OVERRIDE}},
        ],
    }


def _op_item(kind: str, op: type[Op]) -> Form:
    made = described(op)[op.__name__]
    fields = {name: _or_expression(form) for name, form in made.get("properties", {}).items()}
    for name in op.initialised_by:
        fields[name] = {**_kept(made["properties"][name]), "$ref": "#/$defs/initialiser"}
    return {
        "description": _about(op),
        "properties": {**_own_fields(*ITEM_KINDS), "op": {"const": kind, "description": _about(op)}, **fields},
        "required": ["op", *made.get("required", [])],
        "additionalProperties": _open(op) if op.open_fields else False,
    }


def _open(op: type[Op]) -> Form:
    """The form of fields whose names the user chooses."""
    return _or_expression({"type": "integer", "minimum": 1, "description": op.open_fields})


def _or_expression(form: Form) -> Form:
    """The form of a field where the value, or any element of it, may be an expression."""
    bare = {key: value for key, value in form.items() if key not in ("description", "default")}
    parts = bare["anyOf"] if bare.keys() == {"anyOf"} else [bare]
    return {**_kept(form), "anyOf": [*(_open_elements(part) for part in parts), _EXPRESSION]}


def _open_elements(form: Form) -> Form:
    return {**form, "items": _or_expression(form["items"])} if "items" in form else form


def _init_rule(form: Form, ops: Ops) -> Form:
    """The form of a rule: all keys other than its own fields are parameters that it initialises."""
    fields = {key: value for key, value in form["properties"].items() if key != "parameters"}
    word = {"enum": list(ops)}
    fields["op"] = {**_kept(fields["op"]), "anyOf": [word, {"type": "array", "items": word, "minItems": 1}]}
    fields["when"] = {**_kept(fields["when"]), **_written("when", fields["when"], ops)}
    about = form.get("description", "")  # a docstring, which `python -OO` leaves out
    return {"description": about, "type": "object", "properties": fields,
            "additionalProperties": {"$ref": "#/$defs/initialiser"}}  # fmt: skip


def _initialiser() -> Form:
    words = {name: known.function for name, known in INITIALISERS.items() if not known.required}
    calls = {name: _call(known) for name, known in INITIALISERS.items()}
    return {
        "description": "how a parameter is filled: a number, an initialiser, or one with its arguments",
        "anyOf": [
            {"type": "number"},
            *_one_of(words)["anyOf"],
            {"type": "object", "properties": calls, "additionalProperties": False, "minProperties": 1,
             "maxProperties": 1},
        ],
    }  # fmt: skip


def _call(known: Initialiser) -> Form:
    names = [*known.required, *known.defaults]
    arguments = {name: {"description": f"{name} of {known.function}", **_VALUE} for name in names}
    return {"description": known.function, "type": "object", "properties": arguments,
            "required": list(known.required), "additionalProperties": False}  # fmt: skip
