"""What one site of a `forward` computes, as an expression: the call of a module, a function, or an operator."""

from __future__ import annotations

import ast
from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from archspec.backends.python.classes.class_source import ClassSource
from archspec.backends.python.classes.containers import access, read_attribute
from archspec.backends.python.formatter import Bracketed, Code, KeywordArgument, flat
from archspec.backends.python.forward.liveness import Liveness
from archspec.backends.python.instances.sites import NotMergeable, Site
from archspec.ops.call import ALL_INPUTS, Input

OPERATORS: Final = {
    "operator.add": "+", "operator.sub": "-", "operator.mul": "*", "operator.truediv": "/", "operator.iadd": "+",
    "operator.isub": "-",
}  # fmt: skip
IN_PLACE: Final = ("operator.iadd", "operator.isub")
_METHODS_OF: Final = "Tensor."
_INDEXING: Final = "operator.getitem"
_SIZES: Final = "Tensor.shape"
_SPREAD: Final = ("Tensor.reshape", "Tensor.permute")
"""Methods whose sizes or dimensions are written as separate arguments."""


class SiteExpressions:
    """The expressions of a class's sites, given those of their inputs."""

    def __init__(self, text: ClassSource, liveness: Liveness) -> None:
        self.functions = text.functions
        self.liveness = liveness
        self.containers = text.containers
        self.rest: tuple[str, ...] = ()
        """The source text of the further inputs of a block with any number of inputs."""
        self.rounds: dict[str, str] = {}
        """The variables that hold the entries of containers in a round of the loop that is being written."""
        names = [str(site.name) for site in text.entries if site.name is not None]
        self.numbers = {name: number for number, name in enumerate(names)}
        """The numbers of an `nn.Sequential`'s entries, by their names: a type checker knows no others."""

    def of(self, number: int, site: Site, inputs: Sequence[Code], listed: str = "") -> Code:
        """The expression of site `number`; `listed` is the variable of the list that it reads in place of inputs."""
        if site.is_raw:
            return read_attribute(str(site.name))
        if site.name is not None or site.calls is not None:
            return self._call(number, site, inputs)
        code = self.functions[number]
        assert isinstance(code, Bracketed)
        return _written(code, inputs, listed or self._gathered(inputs))

    def _gathered(self, inputs: Sequence[Code]) -> Code:
        """A list of values, with `*rest` if it contains all further inputs of the block in their order."""
        given, found = [flat(value) for value in inputs], list(inputs)
        if not self.rest or self.rest[0] not in given:
            return ""
        for first in range(len(given) - len(self.rest), -1, -1):
            if tuple(given[first : first + len(self.rest)]) == self.rest:
                found[first : first + len(self.rest)] = [f"*{self.rest[0].partition('[')[0]}"]
        return Bracketed("", tuple(found), brackets="[]")

    def attribute(self, site: Site) -> str:
        """The module that a site runs."""
        name = self._name(site)
        return f"self[{self.numbers[name]}]" if name in self.numbers else access(name, self.containers)

    def _name(self, site: Site) -> str:
        """The name of the module that a site runs; a call may name one round of a loop."""
        host, step = site.occurrences[0]
        return str(host.module.owner(step).name)

    def presence_test(self, site: Site) -> str:
        """The test that a module, or the container that it is in, is not `None`."""
        return f"{read_attribute(self._name(site).partition('.')[0])} is not None"

    def _call(self, number: int, site: Site, inputs: Sequence[Code]) -> Code:
        if site.lists:
            raise NotMergeable("a module that takes a list")
        is_round = site.loop is not None and site.calls is None
        module = self.rounds.get(site.container, "layer") if is_round else self.attribute(site)
        code = self.functions.get(number)
        if isinstance(code, Bracketed):
            return _written(replace(code, head=module), inputs, "")
        return Bracketed(module, tuple(inputs))


def _written(code: Bracketed, inputs: Sequence[Code], listed: Code) -> Code:
    """A call with its inputs filled in, also in nested calls."""
    if code.head == "sum":
        return Bracketed("sum", (f"{flat(listed)}[1:]", f"{flat(listed)}[0]"))
    arguments = tuple(_argument(argument, inputs, listed) for argument in code.arguments)
    if code.head in OPERATORS:
        return _operation(OPERATORS[code.head], arguments)
    if code.head == _INDEXING:
        return Bracketed(_owner(arguments[0]), arguments[1:], brackets="[]")
    if code.head == _SIZES:
        return f"{_owner(arguments[0])}.shape[{flat(arguments[1])}:]"
    if not code.head.startswith(_METHODS_OF):
        return Bracketed(code.head, arguments, suffix=code.suffix)
    if code.head in _SPREAD and isinstance(arguments[1], ast.Tuple):
        arguments = (arguments[0], *arguments[1].elts)
    return Bracketed(f"{_owner(arguments[0])}.{code.head.removeprefix(_METHODS_OF)}", arguments[1:])


def _argument(argument: Code, inputs: Sequence[Code], listed: Code) -> Code:
    if argument is ALL_INPUTS:
        return listed or Bracketed("", tuple(inputs), brackets="[]")
    if isinstance(argument, Bracketed):
        return _written(argument, inputs, listed)
    if isinstance(argument, KeywordArgument):
        return replace(argument, value=_argument(argument.value, inputs, listed))
    return inputs[argument.index] if isinstance(argument, Input) else argument


def _owner(code: Code) -> str:
    """The text before a method or an index."""
    return f"({flat(code)})" if _is_operation(code) else flat(code)


def _operation(operator: str, inputs: Sequence[Code]) -> Code:
    """`left + right`; the arguments of a call on the right may go on lines of their own."""
    right, left = inputs[1], f"{_operand(operator, inputs, 0)} {operator} "
    if isinstance(right, Bracketed) and right.brackets == "()" and not _is_operation(right):
        return replace(right, head=left + right.head)
    return left + _operand(operator, inputs, 1)


def _operand(operator: str, inputs: Sequence[Code], index: int) -> str:
    """An operand of `+`, `-`, `*` or `/`, in parentheses if precedence requires them."""
    text = flat(inputs[index])
    tree = ast.parse(text, mode="eval").body
    if not isinstance(tree, ast.BinOp):
        return text
    inner, outer = isinstance(tree.op, ast.Mult | ast.Div), operator in "*/"
    return f"({text})" if inner < outer or (index == 1 and inner == outer) else text


def _is_operation(code: Code) -> bool:
    """Whether an expression is a sum or product, which binds less than a call or an attribute."""
    return isinstance(ast.parse(flat(code), mode="eval").body, ast.BinOp)
