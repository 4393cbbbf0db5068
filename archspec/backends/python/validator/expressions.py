"""Expressions of a generated file, evaluated over numbers, modules and symbolic values. Nothing is executed.

Anything unknown is an error: nothing is accepted without being evaluated.
"""

from __future__ import annotations

import ast
import operator
from collections.abc import Callable, Iterator
from fnmatch import fnmatchcase
from typing import Any, Final, Protocol

from archspec.backends.python.validator.environment import Environment
from archspec.backends.python.validator.errors import Errors
from archspec.backends.python.validator.values import MODE, Bound, Container, Name, Special, SymbolicValue
from archspec.diagnostics.budget import spend

EXPRESSION: Final = 5
"""Steps of the budget that evaluating a part of an expression costs."""

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
"""The types of operands in conditions and operators."""

BUILTINS: Final[dict[str, Any]] = {
    **{function.__name__: function for function in (
        range, len, int, float, round, max, min, sum, abs, enumerate, zip, list, tuple, str, bool, reversed,
    )},
    **{name: Special(name) for name in ("isinstance", "super", "getattr", "setattr", "delattr")},
}  # fmt: skip


class Objects(Protocol):
    """Evaluates attributes and calls of modules, classes and torch."""

    def call(self, callee: Any, args: list[Any], keywords: dict[str, Any], node: ast.Call, env: Environment) -> Any:
        """The value of a call."""

    def attribute(self, owner: Any, name: str, node: ast.AST, env: Environment) -> Any:
        """An attribute of anything but a name of torch."""

    def entry(self, owner: Container, index: Any, node: ast.AST, env: Environment) -> Any:
        """An entry of an `nn.Sequential`, by its number."""

    def set_attribute(self, name: str, value: Any, node: ast.expr, env: Environment) -> None:
        """Assign an attribute of `self`."""

    def remove(self, target: ast.expr, env: Environment) -> None:
        """Remove an attribute of `self`, or entries of an `nn.Sequential`."""


class Expressions:
    """Evaluates expressions, and binds their values."""

    def __init__(self, errors: Errors, objects: Objects) -> None:
        self.errors = errors
        self.objects = objects
        self.globals: dict[str, Any] = {}

    def value(self, node: ast.expr, env: Environment) -> Any:
        """The value of an expression."""
        spend(EXPRESSION)
        evaluate = _EVALUATE.get(type(node))
        if evaluate is None:
            raise self.errors.at(node, f"'{ast.unparse(node)}' is not understood")
        return evaluate(self, node, env)

    def truth(self, node: ast.expr, env: Environment) -> bool:
        """Whether a condition is true; `self.training` is true in training."""
        return self.is_true(self.value(node, env), node, env)

    def is_true(self, value: Any, node: ast.AST, env: Environment) -> bool:
        """Whether a value counts as true."""
        if value is MODE and env.trace is not None:
            env.trace.depends_on_mode = True
            return env.mode
        if not isinstance(value, _PLAIN):
            raise self.errors.at(node, "a condition that is not a number, string or list")
        return bool(value)

    def items(self, node: ast.expr, env: Environment) -> list[Any]:
        """The elements that a loop or a star iterates over."""
        value = self.value(node, env)
        if isinstance(value, list | tuple | range | enumerate | zip | reversed):
            return list(value)
        raise self.errors.at(node, f"a loop over '{ast.unparse(node)}'")

    def assign(self, target: ast.expr, value: Any, env: Environment) -> None:
        """Bind a name, several names, or an attribute of `self`."""
        if isinstance(target, ast.Name):
            env.names[target.id] = value
        elif isinstance(target, ast.Tuple | ast.List):
            for one, part in zip(target.elts, self.parts(value, len(target.elts), target, env), strict=True):
                self.assign(one, part, env)
        else:
            self._set_attribute(target, value, env)

    def _set_attribute(self, target: ast.expr, value: Any, env: Environment) -> None:
        if not isinstance(target, ast.Attribute) or env.made is None or self.value(target.value, env) is not env.owner:
            raise self.errors.at(target, f"'{ast.unparse(target)}' cannot be assigned here")
        self.objects.set_attribute(target.attr, value, target, env)

    def parts(self, value: Any, count: int, node: ast.AST, env: Environment) -> list[Any]:
        """The values that are unpacked into `count` names."""
        return unpacked(self.errors, value, count, node, env)

    def calculated(
        self, op: ast.operator, left: Any, right: Any, node: ast.AST, env: Environment, inplace: bool
    ) -> Any:
        """The result of an operator on numbers, lists, classes or tensors."""
        name, line = OPERATORS.get(type(op)), getattr(node, "lineno", 0)
        if (
            env.trace is not None
            and (isinstance(left, SymbolicValue) or isinstance(right, SymbolicValue))
            and name is not None
        ):
            return env.trace.run_function(line, f"operator.{name}", [left, right], inplace=inplace)
        if isinstance(op, ast.BitOr):
            return (*(left if type(left) is tuple else (left,)), *(right if type(right) is tuple else (right,)))
        if name is None or not isinstance(left, _PLAIN) or not isinstance(right, _PLAIN):
            raise self.errors.at(node, "an operator on something other than numbers or lists")
        try:
            return getattr(operator, name)(left, right)
        except (TypeError, ArithmeticError) as error:
            raise self.errors.at(node, str(error)) from None


def unpacked(errors: Errors, value: Any, count: int, node: ast.AST, env: Environment) -> list[Any]:
    """The values that are unpacked into `count` names."""
    if isinstance(value, SymbolicValue) and isinstance(value.source, int) and value.source >= 0 and value.part is None:
        assert env.trace is not None
        env.trace.applications[value.source].parts = count
        return [SymbolicValue(value.source, part) for part in range(count)]
    if not isinstance(value, list | tuple) or isinstance(value, SymbolicValue) or len(value) != count:
        raise errors.at(node, f"cannot be unpacked into {count} names")
    return list(value)


def _lookup(expressions: Expressions, node: ast.Name, env: Environment) -> Any:
    """The value of a name; a local name that is assigned later is an error."""
    name = node.id
    if name in env.names:
        return env.names[name]
    if name == "self" and env.owner is not None:
        return env.owner
    if name not in env.assigned:
        if name in expressions.globals:
            return expressions.globals[name]
        if name in BUILTINS:
            return BUILTINS[name]
    raise expressions.errors.at(node, f"unknown name '{name}'")


def _attribute(expressions: Expressions, node: ast.Attribute, env: Environment) -> Any:
    """An attribute of torch, of `self`, of a list or a text."""
    owner = expressions.value(node.value, env)
    if isinstance(owner, Name):
        return Name(f"{owner.path}.{node.attr}")
    return expressions.objects.attribute(owner, node.attr, node, env)


def _call(expressions: Expressions, node: ast.Call, env: Environment) -> Any:
    """The value of a call; arguments are evaluated in the order they are written."""
    callee = expressions.value(node.func, env)
    arguments: list[Any] = []
    for argument in node.args:
        if isinstance(argument, ast.Starred):
            arguments += expressions.items(argument.value, env)
        else:
            arguments.append(expressions.value(argument, env))
    keywords: dict[str, Any] = {}
    for keyword in node.keywords:
        if keyword.arg is None or keyword.arg in keywords:
            raise expressions.errors.at(node, "arguments that are given twice, or unpacked from a mapping")
        keywords[keyword.arg] = expressions.value(keyword.value, env)
    return expressions.objects.call(callee, arguments, keywords, node, env)


def _tuple(expressions: Expressions, node: ast.Tuple, env: Environment) -> Any:
    return tuple(_elements(expressions, node.elts, env))


def _elements(expressions: Expressions, nodes: list[ast.expr], env: Environment) -> list[Any]:
    found: list[Any] = []
    for node in nodes:
        if isinstance(node, ast.Starred):
            found += expressions.items(node.value, env)
        else:
            found.append(expressions.value(node, env))
    return found


def _binary(expressions: Expressions, node: ast.BinOp, env: Environment) -> Any:
    return expressions.calculated(
        node.op, expressions.value(node.left, env), expressions.value(node.right, env), node, env, False
    )


def _unary(expressions: Expressions, node: ast.UnaryOp, env: Environment) -> Any:
    if isinstance(node.op, ast.Not):
        return not expressions.truth(node.operand, env)
    value = expressions.value(node.operand, env)
    if not isinstance(value, int | float) or not isinstance(node.op, ast.USub | ast.UAdd):
        raise expressions.errors.at(node, f"'{ast.unparse(node)}' is not understood")
    return -value if isinstance(node.op, ast.USub) else +value  # +True is 1


def _boolean(expressions: Expressions, node: ast.BoolOp, env: Environment) -> Any:
    stop = isinstance(node.op, ast.Or)
    value: Any = None
    for operand in node.values:
        value = expressions.value(operand, env)
        if expressions.is_true(value, operand, env) is stop:
            break
    return value if value is not MODE else env.mode


def _compare(expressions: Expressions, node: ast.Compare, env: Environment) -> bool:
    left = expressions.value(node.left, env)
    for op, operand in zip(node.ops, node.comparators, strict=True):
        right = expressions.value(operand, env)
        if isinstance(op, ast.Is | ast.IsNot):
            if right is not None:
                raise expressions.errors.at(node, "'is' with anything but None")
        elif not isinstance(left, _PLAIN) or not isinstance(right, _PLAIN):
            raise expressions.errors.at(node, "a comparison of something other than numbers, strings or lists")
        if not _COMPARE[type(op)](left, right):
            return False
        left = right
    return True


def _choice(expressions: Expressions, node: ast.IfExp, env: Environment) -> Any:
    return expressions.value(node.body if expressions.truth(node.test, env) else node.orelse, env)


def _comprehension(expressions: Expressions, node: ast.ListComp | ast.GeneratorExp, env: Environment) -> list[Any]:
    inner = env.inner()
    return [expressions.value(node.elt, inner) for _ in _rounds(expressions, node.generators, inner)]


def _rounds(expressions: Expressions, generators: list[ast.comprehension], env: Environment) -> Iterator[None]:
    if not generators:
        yield
        return
    first, *others = generators
    for item in expressions.items(first.iter, env):
        expressions.assign(first.target, item, env)
        if all(expressions.truth(test, env) for test in first.ifs):
            yield from _rounds(expressions, others, env)


def _text(expressions: Expressions, node: ast.JoinedStr, env: Environment) -> str:
    parts: list[str] = []
    for part in node.values:
        if isinstance(part, ast.FormattedValue):
            value = expressions.value(part.value, env)
            if part.format_spec is not None or part.conversion != -1 or not isinstance(value, int | str):
                raise expressions.errors.at(node, f"'{ast.unparse(node)}' is not understood")
            parts.append(str(value))
        else:
            parts.append(str(expressions.value(part, env)))
    return "".join(parts)


def _item(expressions: Expressions, node: ast.Subscript, env: Environment) -> Any:
    owner = expressions.value(node.value, env)
    index = _index(expressions, node.slice, env)
    if isinstance(owner, Container):
        return expressions.objects.entry(owner, index, node, env)
    if _is_shape(owner) and env.trace is not None and _is_rest(index):
        return env.trace.run_function(node.lineno, "Tensor.shape", [owner.owner, index.start])
    if isinstance(owner, SymbolicValue):
        if env.trace is not None and _is_of_dimensions(index):
            parts = index if isinstance(index, tuple) else (index,)
            return env.trace.run_function(node.lineno, "operator.getitem", [owner, parts])
        if env.trace is not None and isinstance(index, SymbolicValue):
            return env.trace.run_function(node.lineno, "operator.getitem", [owner, index])
        if not isinstance(index, int) or index < 0 or owner.part is not None:
            raise expressions.errors.at(node, f"'{ast.unparse(node)}' is not understood")
        return SymbolicValue(owner.source, index)
    try:
        return owner[index]
    except (TypeError, IndexError, KeyError) as error:
        raise expressions.errors.at(node, f"'{ast.unparse(node)}': {error}") from None


def _is_shape(owner: Any) -> bool:
    return isinstance(owner, Bound) and isinstance(owner.owner, SymbolicValue) and owner.name == "shape"


def _is_rest(index: Any) -> bool:
    """Whether an index is that of a dimension and all after it: `x.shape[-2:]`."""
    return isinstance(index, slice) and type(index.start) is int and index.stop is None is index.step


def _is_of_dimensions(index: Any) -> bool:
    """Whether an index is of dimensions, `x[:, 1:]`, and not the number of a part, `x[1]`."""
    parts = index if isinstance(index, tuple) else (index,)
    return all(isinstance(part, slice) or type(part) is int for part in parts) and any(
        isinstance(part, slice) for part in parts
    )


def _index(expressions: Expressions, node: ast.expr, env: Environment) -> Any:
    if isinstance(node, ast.Tuple):
        return tuple(_index(expressions, part, env) for part in node.elts)
    if not isinstance(node, ast.Slice):
        return expressions.value(node, env)
    ends = (node.lower, node.upper, node.step)
    return slice(*(None if end is None else expressions.value(end, env) for end in ends))


def _dict(expressions: Expressions, node: ast.Dict, env: Environment) -> dict[Any, Any]:
    if None in node.keys or not all(isinstance(key, ast.Constant) for key in node.keys):
        raise expressions.errors.at(node, "a mapping whose keys are not constants")
    return {key.value: expressions.value(value, env)  # type: ignore[union-attr]
            for key, value in zip(node.keys, node.values, strict=True)}  # fmt: skip


_EVALUATE: Final[dict[type[ast.expr], Callable[[Expressions, Any, Environment], Any]]] = {
    ast.Constant: lambda expressions, node, env: node.value,
    ast.Name: _lookup,
    ast.Attribute: _attribute,
    ast.Call: _call,
    ast.Tuple: _tuple,
    ast.List: lambda expressions, node, env: _elements(expressions, node.elts, env),
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
    ("functools", "partial"): Special("partial"), ("__future__", "annotations"): None,
}  # fmt: skip
"""The names that a generated file may import, by module, with their values."""


def whole(errors: Errors, parts: Any, node: ast.AST, env: Environment) -> SymbolicValue | None:
    """The value that a tuple of parts makes up, if it has all parts in order; otherwise `None`."""
    if not isinstance(parts, tuple) or not parts or not all(isinstance(part, SymbolicValue) for part in parts):
        return None
    if len({part.source for part in parts}) > 1 or [part.part for part in parts] != list(range(len(parts))):
        return None
    value = SymbolicValue(parts[0].source)
    unpacked(errors, value, len(parts), node, env)
    return value
