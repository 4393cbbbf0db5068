"""A checked tree → its value. Trees are walked here; nothing is passed to `eval`.

Names stand for parameters, `let` names and loop indices; an attribute such as `conv1.channels` is a size of an earlier
value.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, Final, NoReturn

from archspec.expressions.errors import ExpressionError, UnknownName, quoted
from archspec.expressions.functions import FUNCTIONS
from archspec.expressions.grammar import BINARY, COMPARE, MAX_EXPONENT, SHAPE_ATTRIBUTES, UNARY, bounded, elements


def evaluate(node: ast.expr, scope: Mapping[str, Any]) -> Any:
    """The value of a checked tree; see `Expression.evaluate`."""
    if isinstance(node, ast.Constant):  # it was bounded when it was parsed
        return node.value
    if isinstance(node, ast.Name) and node.id in scope:  # the result is bounded where it is calculated from this
        return scope[node.id]
    try:
        value = _EVALUATE[type(node)](node, scope)
        is_old_list = type(value) in _LISTS and type(node) not in _MAKES_LISTS
        return value if is_old_list else bounded(value)
    except ExpressionError:
        raise
    except ZeroDivisionError:
        raise ExpressionError(f"division by zero in '{quoted(node)}'") from None
    except (TypeError, ValueError, ArithmeticError, IndexError, AttributeError) as error:
        raise ExpressionError(f"cannot evaluate '{quoted(node)}': {error}") from None


_LISTS: Final = frozenset({list, tuple})

_MAKES_LISTS: Final = frozenset({ast.BinOp, ast.List, ast.Tuple, ast.Call})
"""The nodes that may make a new list; all others give one that was bounded already."""


def value_key(name: str) -> str:
    """The key of a network value in a scope: parameters and values may share a name (`dropout`)."""
    return f"{name}."


def _unknown(node: ast.Name, scope: Mapping[str, Any]) -> NoReturn:
    known = [key for key in scope if not key.endswith(".")]
    is_tensor = value_key(node.id) in scope
    help = f"{node.id} is a tensor: write {node.id}.channels for its channels" if is_tensor else ""
    raise UnknownName(node.id, known, help)


def _attribute(node: ast.Attribute, scope: Mapping[str, Any]) -> Any:
    name, value = _network_value(node.value, scope)
    try:
        return getattr(value, node.attr)
    except ExpressionError as error:
        help = f"{name} has {', '.join(filter(partial(_has, value), SHAPE_ATTRIBUTES))}"
        raise ExpressionError(str(error), f".{node.attr}", help) from None


def _network_value(node: ast.expr, scope: Mapping[str, Any]) -> tuple[str, Any]:
    """The name of a value of the network, as in `from`, and its shape in the scope."""
    name = _dotted(node, scope)
    value = scope.get(value_key(name))
    if value is None:
        owner, _, part = name.rpartition(".")
        several = scope.get(value_key(owner)) if part.isdecimal() else None
        if several is None:
            known = [key[:-1] for key in scope if key.endswith(".")]
            first = name.partition(".")[0]
            is_known = any(f"{other}.".startswith(f"{first}.") for other in known)
            raise UnknownName(name if is_known else first, known)
        value = several.part(int(part))
    return name, value


def _dotted(node: ast.expr, scope: Mapping[str, Any]) -> str:
    """The name of a value: `convs.0` for `convs[i]` in round 0."""
    if isinstance(node, ast.Subscript):
        return f"{_dotted(node.value, scope)}.{evaluate(node.slice, scope)}"
    if isinstance(node, ast.Attribute):
        return f"{_dotted(node.value, scope)}.{node.attr}"
    assert isinstance(node, ast.Name)
    return node.id


def _subscript(node: ast.Subscript, scope: Mapping[str, Any]) -> Any:
    """An element of a list, or a size of a value: `conv1.shape[2]`."""
    if isinstance(node.value, ast.Attribute) and node.value.attr == "shape":
        _, value = _network_value(node.value.value, scope)
        return value.size(evaluate(node.slice, scope))
    return evaluate(node.value, scope)[evaluate(node.slice, scope)]


def _has(value: Any, attribute: str) -> bool:
    try:
        getattr(value, attribute)
    except ExpressionError:
        return False
    return True


def _binary(node: ast.BinOp, scope: Mapping[str, Any]) -> Any:
    left, right = evaluate(node.left, scope), evaluate(node.right, scope)
    if type(left) not in _NUMBERS or type(right) not in _NUMBERS or isinstance(node.op, ast.Pow):
        _check_operands(node, left, right)
    return BINARY[type(node.op)](left, right)


_NUMBERS: Final = frozenset({int, float})
"""The types of operands that any operator but the power takes, without a check."""


def _check_operands(node: ast.BinOp, left: Any, right: Any) -> None:
    if isinstance(left, str) or isinstance(right, str):
        raise ExpressionError(f"arithmetic on a string in '{quoted(node)}'")
    if isinstance(node.op, ast.Mult) and (isinstance(left, list | tuple) or isinstance(right, list | tuple)):
        raise ExpressionError(f"cannot multiply a list in '{quoted(node)}'")
    if isinstance(node.op, ast.Pow) and abs(right) > MAX_EXPONENT:
        raise ExpressionError(f"the exponent is larger than {MAX_EXPONENT}")


def _boolean(node: ast.BoolOp, scope: Mapping[str, Any]) -> Any:
    stop = isinstance(node.op, ast.Or)
    for operand in node.values:
        value = evaluate(operand, scope)
        if bool(value) is stop:
            break
    return value


def _compare(node: ast.Compare, scope: Mapping[str, Any]) -> bool:
    left = evaluate(node.left, scope)
    for op, operand in zip(node.ops, node.comparators, strict=True):
        right = evaluate(operand, scope)
        if isinstance(left, list | tuple) or isinstance(right, list | tuple):
            elements(left), elements(right)  # draws the steps that comparing them may cost
        if not COMPARE[type(op)](left, right):
            return False
        left = right
    return True


def _call(node: ast.Call, scope: Mapping[str, Any]) -> Any:
    assert isinstance(node.func, ast.Name)
    arguments = [evaluate(argument, scope) for argument in node.args]
    for argument in arguments:
        elements(argument)  # draws the steps that reading all of them costs
    return FUNCTIONS[node.func.id](*arguments)


def _if(node: ast.IfExp, scope: Mapping[str, Any]) -> Any:
    return evaluate(node.body if evaluate(node.test, scope) else node.orelse, scope)


_EVALUATE: Final[dict[type[ast.expr], Callable[[Any, Mapping[str, Any]], Any]]] = {
    ast.Name: _unknown,
    ast.Attribute: _attribute,
    ast.BinOp: _binary,
    ast.UnaryOp: lambda node, scope: UNARY[type(node.op)](evaluate(node.operand, scope)),
    ast.BoolOp: _boolean,
    ast.Compare: _compare,
    ast.IfExp: _if,
    ast.List: lambda node, scope: [evaluate(element, scope) for element in node.elts],
    ast.Tuple: lambda node, scope: [evaluate(element, scope) for element in node.elts],
    ast.Subscript: _subscript,
    ast.Call: _call,
}
