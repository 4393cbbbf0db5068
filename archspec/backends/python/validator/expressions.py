"""Expressions of a generated file, evaluated over numbers, modules and symbolic tensors. Nothing is executed.

What is not known here is an error: a construct must never pass for want of an opinion on it.
"""

from __future__ import annotations

import ast
import operator
from abc import abstractmethod
from collections.abc import Callable, Iterator, Mapping
from fnmatch import fnmatchcase
from typing import Any, Final

from archspec.backends.python.validator.values import (
    Application,
    Bound,
    Container,
    Leaf,
    Made,
    Name,
    Special,
    Trace,
    Value,
)
from archspec.diagnostics.diagnostic import ValidationError
from archspec.ops.base import TRAINING

OPERATORS: Final[dict[type[ast.operator], str]] = {
    ast.Add: "add", ast.Sub: "sub", ast.Mult: "mul", ast.Div: "truediv", ast.FloorDiv: "floordiv", ast.Mod: "mod",
    ast.Pow: "pow",
}  # fmt: skip
"""Python's operators by their names in `operator`."""

_COMPARE: Final[dict[type[ast.cmpop], Callable[[Any, Any], Any]]] = {
    ast.Eq: operator.eq, ast.NotEq: operator.ne, ast.Lt: operator.lt, ast.LtE: operator.le, ast.Gt: operator.gt,
    ast.GtE: operator.ge, ast.In: lambda a, b: a in b, ast.NotIn: lambda a, b: a not in b,
    ast.Is: operator.is_, ast.IsNot: operator.is_not,
}  # fmt: skip

_PLAIN: Final = (bool, int, float, str, tuple, list, dict, range, type(None))
"""What conditions and operators may be about."""

MODE: Final = Special(TRAINING)
"""The value of `self.training`."""

BUILTINS: Final[dict[str, Any]] = {
    **{function.__name__: function for function in (
        range, len, int, float, round, max, min, sum, abs, enumerate, zip, list, tuple, str, bool, reversed,
    )},
    **{name: Special(name) for name in ("isinstance", "super", "getattr")},
}  # fmt: skip

_TEXT_METHODS: Final = ("endswith", "startswith")

_OF_LISTS: Final = ("append", "extend")


class Scope:
    """The names that a function sees, and what it is about.

    `owner` is what `self` stands for; `trace` and `mode` are set in a `forward`, `made` in a constructor, `filled`
    in statements that initialise parameters.
    """

    __slots__ = ("assigned", "filled", "made", "mode", "names", "owner", "ready", "returned", "trace")

    def __init__(self, names: dict[str, Any], assigned: frozenset[str] = frozenset(), owner: Any = None) -> None:
        self.names = names
        self.assigned = assigned
        """The names that the function assigns anywhere, which make them local everywhere."""
        self.owner = owner
        self.ready = False
        """Whether `super().__init__` has been called."""
        self.trace: Trace | None = None
        self.mode = False
        self.made: list[Made] | None = None
        self.filled: list[tuple[str, tuple[Any, ...], dict[str, Any]]] | None = None
        self.returned: Any = None

    def inner(self) -> Scope:
        """The scope of a comprehension."""
        found = Scope(dict(self.names), self.assigned, self.owner)
        for name in ("ready", "trace", "mode", "made", "filled"):
            setattr(found, name, getattr(self, name))
        return found


class Expressions:
    """Evaluates expressions; what calls of modules and classes come to is said by a subclass."""

    def __init__(self, file: str) -> None:
        self.file = file
        self.globals: dict[str, Any] = {}

    def error(self, node: ast.AST, message: str) -> ValidationError:
        """The error that something in the text cannot be so, or is not known."""
        return ValidationError(self.file, getattr(node, "lineno", 0), "", message)

    def value(self, node: ast.expr, scope: Scope) -> Any:
        """The value of an expression."""
        evaluate = _EVALUATE.get(type(node))
        if evaluate is None:
            raise self.error(node, f"'{ast.unparse(node)}' is not understood")
        return evaluate(self, node, scope)

    def truth(self, node: ast.expr, scope: Scope) -> bool:
        """Whether a condition holds; one on `self.training` holds in training."""
        return self.is_true(self.value(node, scope), node, scope)

    def is_true(self, value: Any, node: ast.AST, scope: Scope) -> bool:
        """Whether a value counts as true."""
        if value is MODE and scope.trace is not None:
            scope.trace.depends_on_mode = True
            return scope.mode
        if not isinstance(value, _PLAIN):
            raise self.error(node, "a condition that is no number, text or list")
        return bool(value)

    def lookup(self, node: ast.Name, scope: Scope) -> Any:
        """What a name stands for; a name that a function assigns later is not there yet."""
        name = node.id
        if name in scope.names:
            return scope.names[name]
        if name == "self" and scope.owner is not None:
            return scope.owner
        if name not in scope.assigned:
            if name in self.globals:
                return self.globals[name]
            if name in BUILTINS:
                return BUILTINS[name]
        raise self.error(node, f"there is no '{name}' here")

    def attribute(self, node: ast.Attribute, scope: Scope) -> Any:
        """An attribute of torch, of `self`, of a list or a text."""
        owner, name = self.value(node.value, scope), node.attr
        if isinstance(owner, Name):
            return Name(f"{owner.path}.{name}")
        if isinstance(owner, Container | Leaf):
            return self.of_module(owner, name, node, scope)
        methods = _OF_LISTS if isinstance(owner, list) else _TEXT_METHODS if isinstance(owner, str) else ()
        if isinstance(owner, Value) or name in methods or owner == Special("super()"):
            return Bound(owner, name)
        return self.of_other(owner, name, node)

    def call(self, node: ast.Call, scope: Scope) -> Any:
        """What a call comes to; arguments are evaluated in the order they are written."""
        callee = self.value(node.func, scope)
        arguments: list[Any] = []
        for argument in node.args:
            if isinstance(argument, ast.Starred):
                arguments += self.items(argument.value, scope)
            else:
                arguments.append(self.value(argument, scope))
        keywords: dict[str, Any] = {}
        for keyword in node.keywords:
            if keyword.arg is None or keyword.arg in keywords:
                raise self.error(node, "arguments that are given twice, or unpacked from a mapping")
            keywords[keyword.arg] = self.value(keyword.value, scope)
        return self.apply(callee, arguments, keywords, node, scope)

    def items(self, node: ast.expr, scope: Scope) -> list[Any]:
        """What a loop or a star goes over."""
        value = self.value(node, scope)
        if isinstance(value, list | tuple | range | enumerate | zip | reversed):
            return list(value)
        raise self.error(node, f"a loop over '{ast.unparse(node)}'")

    def assign(self, target: ast.expr, value: Any, scope: Scope) -> None:
        """Bind a name, several names, or an attribute of `self`."""
        if isinstance(target, ast.Name):
            scope.names[target.id] = value
        elif isinstance(target, ast.Tuple | ast.List):
            for one, part in zip(target.elts, self.parts(value, len(target.elts), target, scope), strict=True):
                self.assign(one, part, scope)
        else:
            self.set_attribute(target, value, scope)

    def parts(self, value: Any, count: int, node: ast.AST, scope: Scope) -> list[Any]:
        """The values that are unpacked into so many names."""
        if isinstance(value, Value) and isinstance(value.source, int) and value.source >= 0 and value.part is None:
            assert scope.trace is not None
            scope.trace.applications[value.source].parts = count
            return [Value(value.source, part) for part in range(count)]
        if not isinstance(value, list | tuple) or isinstance(value, Value) or len(value) != count:
            raise self.error(node, f"cannot be unpacked into {count} names")
        return list(value)

    def applied(
        self, node: ast.AST, scope: Scope, target: str, arguments: list[Any], keywords: Mapping[str, Any], inplace: bool
    ) -> Value:
        """Note that a function runs on values, and yield its value."""
        assert scope.trace is not None
        given = {name: TRAINING if value is MODE else value for name, value in keywords.items()}
        inplace = bool(given.pop("inplace", inplace))
        frozen = tuple(tuple(a) if isinstance(a, list) else a for a in arguments)
        done = Application(getattr(node, "lineno", 0), None, target, frozen, given, inplace)
        scope.trace.applications.append(done)
        return Value(len(scope.trace.applications) - 1)

    def calculated(self, op: ast.operator, left: Any, right: Any, node: ast.AST, scope: Scope, inplace: bool) -> Any:
        """What an operator yields on numbers, lists, classes or tensors."""
        name = OPERATORS.get(type(op))
        if scope.trace is not None and (isinstance(left, Value) or isinstance(right, Value)) and name is not None:
            return self.applied(node, scope, f"operator.{name}", [left, right], {}, inplace)
        if isinstance(op, ast.BitOr):
            return (*(left if type(left) is tuple else (left,)), *(right if type(right) is tuple else (right,)))
        if name is None or not isinstance(left, _PLAIN) or not isinstance(right, _PLAIN):
            raise self.error(node, "an operator on what is no number or list")
        try:
            return getattr(operator, name)(left, right)
        except (TypeError, ArithmeticError) as error:
            raise self.error(node, str(error)) from None

    @abstractmethod
    def apply(self, callee: Any, args: list[Any], keywords: dict[str, Any], node: ast.Call, scope: Scope) -> Any:
        """What a call yields."""

    @abstractmethod
    def of_module(self, owner: Any, name: str, node: ast.AST, scope: Scope) -> Any:
        """An attribute of a module."""

    @abstractmethod
    def of_entry(self, owner: Container, index: Any, node: ast.AST, scope: Scope) -> Any:
        """An entry of an `nn.Sequential`, by its number."""

    @abstractmethod
    def of_other(self, owner: Any, name: str, node: ast.AST) -> Any:
        """An attribute of anything else."""

    @abstractmethod
    def set_attribute(self, target: ast.expr, value: Any, scope: Scope) -> None:
        """Assign an attribute of `self`."""


# -- one kind of expression each -----------------------------------------------------------------------------------


def _tuple(file: Expressions, node: ast.Tuple, scope: Scope) -> Any:
    return tuple(_elements(file, node.elts, scope))


def _elements(file: Expressions, nodes: list[ast.expr], scope: Scope) -> list[Any]:
    found: list[Any] = []
    for node in nodes:
        if isinstance(node, ast.Starred):
            found += file.items(node.value, scope)
        else:
            found.append(file.value(node, scope))
    return found


def _binary(file: Expressions, node: ast.BinOp, scope: Scope) -> Any:
    return file.calculated(node.op, file.value(node.left, scope), file.value(node.right, scope), node, scope, False)


def _unary(file: Expressions, node: ast.UnaryOp, scope: Scope) -> Any:
    if isinstance(node.op, ast.Not):
        return not file.truth(node.operand, scope)
    value = file.value(node.operand, scope)
    if not isinstance(value, int | float) or not isinstance(node.op, ast.USub | ast.UAdd):
        raise file.error(node, f"'{ast.unparse(node)}' is not understood")
    return -value if isinstance(node.op, ast.USub) else value


def _boolean(file: Expressions, node: ast.BoolOp, scope: Scope) -> Any:
    stop = isinstance(node.op, ast.Or)
    value: Any = None
    for operand in node.values:
        value = file.value(operand, scope)
        if file.is_true(value, operand, scope) is stop:
            break
    return value if value is not MODE else scope.mode


def _compare(file: Expressions, node: ast.Compare, scope: Scope) -> bool:
    left = file.value(node.left, scope)
    for op, operand in zip(node.ops, node.comparators, strict=True):
        right = file.value(operand, scope)
        if isinstance(op, ast.Is | ast.IsNot):
            if right is not None:
                raise file.error(node, "'is' with anything but None")
        elif not isinstance(left, _PLAIN) or not isinstance(right, _PLAIN):
            raise file.error(node, "a comparison of what is no number, text or list")
        if not _COMPARE[type(op)](left, right):
            return False
        left = right
    return True


def _choice(file: Expressions, node: ast.IfExp, scope: Scope) -> Any:
    return file.value(node.body if file.truth(node.test, scope) else node.orelse, scope)


def _comprehension(file: Expressions, node: ast.ListComp | ast.GeneratorExp, scope: Scope) -> list[Any]:
    inner = scope.inner()
    return [file.value(node.elt, inner) for _ in _rounds(file, node.generators, inner)]


def _rounds(file: Expressions, generators: list[ast.comprehension], scope: Scope) -> Iterator[None]:
    if not generators:
        yield
        return
    first, *others = generators
    for item in file.items(first.iter, scope):
        file.assign(first.target, item, scope)
        if all(file.truth(test, scope) for test in first.ifs):
            yield from _rounds(file, others, scope)


def _text(file: Expressions, node: ast.JoinedStr, scope: Scope) -> str:
    parts: list[str] = []
    for part in node.values:
        if isinstance(part, ast.FormattedValue):
            value = file.value(part.value, scope)
            if part.format_spec is not None or part.conversion != -1 or not isinstance(value, int | str):
                raise file.error(node, f"'{ast.unparse(node)}' is not understood")
            parts.append(str(value))
        else:
            parts.append(str(file.value(part, scope)))
    return "".join(parts)


def _item(file: Expressions, node: ast.Subscript, scope: Scope) -> Any:
    owner = file.value(node.value, scope)
    index = slice(*(None if end is None else file.value(end, scope) for end in (
        node.slice.lower, node.slice.upper, node.slice.step))) if isinstance(node.slice, ast.Slice) else file.value(
        node.slice, scope)  # fmt: skip
    if isinstance(owner, Container):
        return file.of_entry(owner, index, node, scope)
    if isinstance(owner, Value):
        if not isinstance(index, int) or index < 0 or owner.part is not None:
            raise file.error(node, f"'{ast.unparse(node)}' is not understood")
        return Value(owner.source, index)
    try:
        return owner[index]
    except (TypeError, IndexError, KeyError) as error:
        raise file.error(node, f"'{ast.unparse(node)}': {error}") from None


def _dict(file: Expressions, node: ast.Dict, scope: Scope) -> dict[Any, Any]:
    if None in node.keys or not all(isinstance(key, ast.Constant) for key in node.keys):
        raise file.error(node, "a mapping whose keys are no constants")
    return {key.value: file.value(value, scope)  # type: ignore[union-attr]
            for key, value in zip(node.keys, node.values, strict=True)}  # fmt: skip


_EVALUATE: Final[dict[type[ast.expr], Callable[[Expressions, Any, Scope], Any]]] = {
    ast.Constant: lambda file, node, scope: node.value,
    ast.Name: Expressions.lookup,
    ast.Attribute: Expressions.attribute,
    ast.Call: Expressions.call,
    ast.Tuple: _tuple,
    ast.List: lambda file, node, scope: _elements(file, node.elts, scope),
    ast.Dict: _dict,
    ast.BinOp: _binary,
    ast.UnaryOp: _unary,
    ast.BoolOp: _boolean,
    ast.Compare: _compare,
    ast.IfExp: _choice,
    ast.ListComp: _comprehension,
    ast.GeneratorExp: _comprehension,
    ast.JoinedStr: _text,
    ast.Subscript: _item,
}

IMPORTS: Final[dict[tuple[str, str], Any]] = {
    ("torch", "Tensor"): Name("Tensor"), ("torch", "nn"): Name("nn"), ("", "torch"): Name("torch"),
    ("torch.nn.functional", "F"): Name("F"), ("collections", "OrderedDict"): Special("OrderedDict"),
    ("collections.abc", "Callable"): None, ("collections.abc", "Sequence"): None,
    ("typing", "NamedTuple"): Special("NamedTuple"), ("fnmatch", "fnmatchcase"): fnmatchcase,
    ("__future__", "annotations"): None,
}  # fmt: skip
"""What a generated file may import, from where, and what it stands for."""
