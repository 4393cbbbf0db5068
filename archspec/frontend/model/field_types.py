"""The types of the language's fields: names, conditions, counts, values."""

from __future__ import annotations

import keyword
import re
from collections.abc import Container, Iterator
from typing import Annotated, Any, Final

from pydantic import Field, ValidationInfo, WithJsonSchema
from pydantic_core import PydanticCustomError
from typing_extensions import TypeAliasType

from archspec.diagnostics.checked import Checked, Prepared
from archspec.diagnostics.diagnostic import Diagnostic, SchemaError
from archspec.diagnostics.suggestions import meant
from archspec.diagnostics.validation import field_error, field_errors, validate
from archspec.expressions.errors import ExpressionError
from archspec.expressions.functions import FUNCTIONS
from archspec.expressions.grammar import MAX_LIST
from archspec.expressions.parse import Expression as Parsed
from archspec.expressions.parse import is_expression, parse
from archspec.frontend.reserved_names import is_source_name, why_unusable
from archspec.ops import OPS, Ops
from archspec.ops.chosen import ChosenOp
from archspec.ops.shapes import MAX_SIZE

ITEM_KINDS: Final = ("op", "block", "spec", "seq", "call", "layers")
"""The keys that determine what an item is; every item has exactly one of them."""

KEYWORDS: Final = (*ITEM_KINDS, "from", "like", "when", "else", "repeat", "index", "train_only", "as", "append")
"""The keys of items. No parameter of a block may have one of these names."""

SPEC_KEYS: Final = ("features", "submodule")
"""The keys that only items with `spec` have."""

IDENTIFIER = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_IN_BRACES = re.compile(r"\{([^{}]*)\}")
_OUTER_DOT = re.compile(r"\.(?![^{]*\})")
_TEMPLATE = re.compile(r"([A-Za-z0-9_-]|\{[^{}]{1,100}\})+")


def ops_of(info: ValidationInfo) -> Ops:
    """The ops that a spec may use, from the context of its validation; archspec's if there is none."""
    return OPS if info.context is None else info.context


def _is_taken(name: str, ops: Ops) -> bool:
    """Whether generated code uses a name, so that no parameter may have it."""
    return name == "self" or is_source_name(name, ops)


def check_name(name: str, what: str = "name") -> str:
    """`name` if it can be a module's attribute, and thus part of a state_dict key; raises `ValueError` otherwise."""
    if "{" in name:
        raise ValueError(f"'{name}' cannot be a {what}: only the names of items may hold expressions")
    reason = why_unusable(name)
    if reason:
        raise ValueError(f"'{name}' cannot be a {what}: {reason}")
    return name


def _input_name(name: Any, info: ValidationInfo) -> Any:
    """The name of a block's input, which is an argument of `forward`; one with a star stands for any number of them."""
    if isinstance(name, str) and name.startswith("*") and name != "*input":
        return f"*{_input_name(name.removeprefix('*'), info)}"
    if isinstance(name, str) and name != "input" and (not IDENTIFIER.fullmatch(name) or _is_taken(name, ops_of(info))):
        raise ValueError(f"'{name}' cannot be the name of an input: use a Python identifier that has no other meaning")
    return name if name == "input" or not isinstance(name, str) else check_name(name, "name of an input")


_MEANINGS: Final[dict[str, Container[str]]] = {
    "it is a keyword of items": KEYWORDS, "it is a function of expressions": FUNCTIONS,
    "it stands for the input of the network or block": ("input",),
}  # fmt: skip
"""Why a word cannot be a parameter: each reason, with the words that it applies to."""


def _parameter_name(name: Any, info: ValidationInfo, what: str = "a parameter") -> Any:
    if not isinstance(name, str):
        return name
    if not IDENTIFIER.fullmatch(name) or name.startswith("__") or len(name) > 60:
        raise ValueError(f"'{name}' cannot be {what}: use a Python identifier")
    if keyword.iskeyword(name):
        raise ValueError(f"'{name}' cannot be {what}: it is a Python keyword")
    for meaning, names in _MEANINGS.items():
        if name in names:
            raise ValueError(f"'{name}' cannot be {what}: {meaning}")
    if _is_taken(name, ops_of(info)):
        raise ValueError(f"'{name}' cannot be {what}: generated code uses it")
    return name


def field_name(name: Any, info: ValidationInfo) -> Any:
    """`name` if it can be the name of one of several outputs; raises `ValueError` otherwise."""
    return _parameter_name(name, info, "a field of the outputs")


def _item_name(name: str) -> str:
    """The name of an item; with dots, it is the path of an entry of a container."""
    for part in parts_of(name):
        if "{" not in part:
            check_name(part)
        elif len(name) > 200 or not _TEMPLATE.fullmatch(part):
            raise ValueError(f"'{name}' cannot be a name: use letters, digits, '_', '-' and {{expression}}")
    for part in _IN_BRACES.findall(name):
        _parsed(part)
    return name


def parts_of(name: str) -> list[str]:
    """The parts of a name between its dots; dots within braces do not separate parts.

    >>> parts_of("stages.{x.channels}.conv")
    ['stages', '{x.channels}', 'conv']
    """
    return _OUTER_DOT.split(name) if "{" in name else name.split(".")


def _parsed(text: str) -> Parsed:
    try:
        return parse(text)
    except ExpressionError as error:
        context = {"reason": str(error), "word": error.word, "help": error.help}
        raise PydanticCustomError("expression", "{reason}", context) from None


def _checked(value: Any, info: ValidationInfo) -> Any:
    """`value`, after a check that every expression in it can be parsed, and that no list is too long. A mapping with an
    `op` becomes an op with arguments."""
    if is_expression(value):
        _parsed(value)
    elif isinstance(value, list):
        if len(value) > MAX_LIST:  # the limit of expressions, too
            raise field_errors(Diagnostic("limit", f"the list has more than {MAX_LIST:,} values, got {len(value):,}"))
        return [_checked(element, info) for element in value]
    elif isinstance(value, dict):
        if not isinstance(value.get("op"), str):
            raise ValueError("expected a value, a list, an =expression, or an op with arguments: {op: leaky_relu, …}")
        if errors := [*_wrong_choice(value, ops_of(info))]:
            raise field_errors(*errors)
        return ChosenOp.of(value)
    return value


def _wrong_choice(data: dict[str, Any], ops: Ops) -> Iterator[Diagnostic]:
    """The errors in an op with arguments. Fields that are missing may be given where it is used."""
    kind, fields = data["op"], {name: value for name, value in data.items() if name != "op"}
    if kind not in ops or ops[kind].raw:
        message = f"unknown op '{kind}'" if kind not in ops else f"'{kind}' is not a module or function"
        yield field_error(("op",), message, meant(kind, ops))
        return
    expressions = [name for name, value in fields.items() if is_expression(value)]
    for name in expressions:
        yield field_error((name,), "expected a value, got an expression", f"give {name} to the item that uses the op")
    try:
        validate(ops[kind], {name: value for name, value in fields.items() if name not in expressions})
    except SchemaError as error:
        yield from (found for found in error.diagnostics if not found.message.endswith("is required"))


def _parsed_text(value: str) -> str:
    _parsed(value)
    return value


def _condition(value: Any) -> Any:
    if not isinstance(value, bool) and not is_expression(value):
        raise field_errors(field_error((), "expected true, false or an =expression", _without_sign(value)))
    return value if isinstance(value, bool) else _parsed_text(value)


def _count(value: Any) -> Any:
    if isinstance(value, bool) or not (isinstance(value, int) or is_expression(value)):
        raise field_errors(field_error((), "expected an integer or an =expression", _without_sign(value)))
    return _parsed_text(value) if isinstance(value, str) else value


def _tokens(value: Any) -> Any:
    value = _count(value)
    if isinstance(value, int) and not 1 <= value < MAX_SIZE:
        raise ValueError(f"expected an integer from 1 to {MAX_SIZE - 1:,}, got {value}")
    return value


def _without_sign(value: Any) -> str:
    return f"an expression begins with '=': ={value}" if isinstance(value, str) else ""


def _as_list(value: Any) -> Any:
    if not isinstance(value, str | list) or value == []:
        raise ValueError(f"expected a name or a list of names{', got an empty list' if value == [] else ''}")
    return [value] if isinstance(value, str) else value


def _is_initialiser(value: Any) -> bool:
    return isinstance(value, dict) and "op" not in value


Expression = TypeAliasType(
    "Expression", Annotated[str, Field(pattern="^=", description="an expression: =planes * 4")]
)  # fmt: skip
_VALUE: Final = {
    "type": ["null", "boolean", "number", "string", "array", "object"],
    "required": ["op"],
    "description": "a number, a word, true, false, a list, an =expression, or an op with arguments: {op: …}",
}
Value = TypeAliasType("Value", Annotated[Any, WithJsonSchema(_VALUE)])
"""Expressions and values in the JSON Schema. The validators below check them, with their own messages."""

_WrittenCount = Annotated[int, Field(ge=0)] | Expression
_WrittenTokens = Annotated[int, Field(ge=1, lt=MAX_SIZE)] | Expression
_WrittenNames = str | Annotated[list[str], Field(min_length=1)]

Name = Annotated[str, Prepared(lambda v: check_name(v) if isinstance(v, str) else v)]
InputName = Annotated[str, Prepared(_input_name, in_context=True)]
ItemName = Annotated[str, Prepared(lambda v: _item_name(v) if isinstance(v, str) else v)]
ParameterName = Annotated[str, Prepared(_parameter_name, in_context=True)]
IndexName = Annotated[str, Prepared(lambda v, info: _parameter_name(v, info, "an index"), in_context=True)]
FieldName = Annotated[str, Prepared(field_name, in_context=True)]
Argument = Annotated[
    Any, Checked(lambda v, info: v if _is_initialiser(v) else _checked(v, info), Value, in_context=True)
]
"""The argument of an item. The item checks whether a mapping without an op is an initialiser."""
Literal = Annotated[Any, Checked(_checked, Value, in_context=True)]
Condition = Annotated[bool | str, Checked(_condition, bool | Expression)]
Count = Annotated[int | str, Checked(_count, _WrittenCount)]
Tokens = Annotated[int | str, Checked(_tokens, _WrittenTokens)]
Names = Annotated[list[str], Prepared(_as_list, _WrittenNames)]
