"""Python expressions on lines of limited width, laid out as ruff's formatter would."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Union

from archspec.expressions.printer import text_of
from archspec.ops.base import Input

WIDTH = 120

Doc = Union[str, ast.expr, Input, "Call", "Keyword"]
"""An expression to print: finished text, a tree, a call whose arguments may go on lines of their own, or the place of
an input that `forward` fills in."""


@dataclass(frozen=True)
class Keyword:
    """An argument given by name."""

    name: str
    value: Doc


@dataclass(frozen=True)
class Call:
    """A bracketed list after a head: `nn.Conv2d(…)`, `[…]`. With `explode` each argument has its own line."""

    head: str
    arguments: tuple[Doc, ...]
    explode: bool = False
    brackets: str = "()"
    comments: tuple[str, ...] = ()
    """A comment behind each argument, where they have lines of their own."""
    index: str = ""
    """For a comprehension: the index of its loop, …"""
    bounds: tuple[ast.expr, ...] = ()
    """… and the arguments of its `range`."""

    @property
    def tail(self) -> str:
        """What follows inside the brackets: ` for _ in range(3)`."""
        return f" for {self.index} in range({', '.join(map(text_of, self.bounds))})" if self.bounds else ""


def flat(doc: Doc) -> str:
    """A document on one line."""
    if isinstance(doc, str):
        return doc
    if isinstance(doc, ast.expr):
        return text_of(doc)
    if isinstance(doc, Keyword):
        return f"{doc.name}={flat(doc.value)}"
    assert isinstance(doc, Call), "an input that was not filled in"
    opening, closing = doc.brackets[0], doc.brackets[1]
    return f"{doc.head}{opening}{', '.join(map(flat, doc.arguments))}{doc.tail}{closing}"


def lay_out(doc: Doc, indent: int, prefix: str = "", suffix: str = "", comment: str = "") -> list[str]:
    """The lines of `prefix` + document + `suffix`, indented by `indent` spaces; a comment goes on the last line."""
    margin = " " * indent
    note = f"  # {comment}" if comment else ""
    line = f"{margin}{prefix}{flat(doc)}{suffix}"
    if not _must_break(doc) and (len(line + note) <= WIDTH or not _can_break(doc)):
        return [line + note]
    call, name = (doc.value, f"{doc.name}=") if isinstance(doc, Keyword) else (doc, "")
    if isinstance(call, ast.Tuple | ast.List):
        brackets = "()" if isinstance(call, ast.Tuple) else "[]"
        call = Call("", tuple(call.elts), explode=True, brackets=brackets)
    if isinstance(call, ast.expr):
        return _broken(call, indent, prefix + name, suffix + note)
    if not isinstance(call, Call):
        return [line + note]
    opening, closing = call.brackets[0], call.brackets[1]
    first, last = f"{margin}{prefix}{name}{call.head}{opening}", f"{margin}{closing}{suffix}{note}"
    return [first, *_body(call, indent + 4), last]


def _broken(tree: ast.expr, indent: int, prefix: str, suffix: str) -> list[str]:
    """A long expression with an operand on each line; after `name = ` it needs brackets."""
    margin = " " * indent
    parts = _operands(tree)
    if len(parts) == 1:
        return [f"{margin}{prefix}{parts[0]}{suffix}"]
    if prefix.endswith(" = "):
        return [f"{margin}{prefix}(", *(f"{margin}    {part}" for part in parts), f"{margin}){suffix}"]
    first, *rest = parts
    return [f"{margin}{prefix}{first}", *(margin + part for part in rest[:-1]), f"{margin}{rest[-1]}{suffix}"]


def _operands(tree: ast.expr) -> list[str]:
    """The lines of a broken expression: its operands, each behind its operator."""
    if isinstance(tree, ast.IfExp):
        return [text_of(tree.body), f"if {text_of(tree.test)}", f"else {text_of(tree.orelse)}"]
    if not isinstance(tree, ast.BinOp):
        return [text_of(tree)]
    rest: list[str] = []
    here: ast.expr = tree
    while isinstance(here, ast.BinOp) and _rank(here) == _rank(tree):
        rest.insert(0, text_of(ast.BinOp(_HOLE, here.op, here.right)).removeprefix("_ "))
        last, here = here, here.left
    return [text_of(ast.BinOp(here, last.op, _HOLE)).removesuffix("_").rstrip(" +-*/%"), *rest]


_HOLE = ast.Name("_", ast.Load())


def _rank(tree: ast.BinOp) -> int:
    """Operators of one rank are broken together."""
    return 0 if isinstance(tree.op, ast.Add | ast.Sub) else 2 if isinstance(tree.op, ast.Pow) else 1


def _body(call: Call, indent: int) -> list[str]:
    together = " " * indent + ", ".join(map(flat, call.arguments)) + call.tail
    if not call.explode and len(together) <= WIDTH and not any(map(_must_break, call.arguments)):
        return [together]
    if call.tail:  # a comprehension: the element, then its loop
        return [*lay_out(call.arguments[0], indent), " " * indent + call.tail.strip()]
    notes = call.comments or ("",) * len(call.arguments)
    lines: list[str] = []
    for argument, note in zip(call.arguments, notes, strict=True):
        lines += lay_out(argument, indent, suffix=",", comment=note)
    return lines


def _must_break(doc: Doc) -> bool:
    if isinstance(doc, Keyword):
        return _must_break(doc.value)
    return isinstance(doc, Call) and (doc.explode or any(map(_must_break, doc.arguments)))


def _can_break(doc: Doc) -> bool:
    held = doc.value if isinstance(doc, Keyword) else doc
    return isinstance(held, Call | ast.BinOp | ast.IfExp) or (
        isinstance(held, ast.Tuple | ast.List) and bool(held.elts)
    )


def trees(doc: Doc) -> Iterable[ast.expr]:
    """The trees inside a document."""
    if isinstance(doc, ast.expr):
        yield doc
    elif isinstance(doc, Keyword):
        yield from trees(doc.value)
    elif isinstance(doc, Call):
        yield from doc.bounds
        for argument in doc.arguments:
            yield from trees(argument)


def map_trees(doc: Doc, change: Callable[[ast.expr], ast.expr]) -> Doc:
    """The document with every tree inside it changed."""
    if isinstance(doc, ast.expr):
        return change(doc)
    if isinstance(doc, Keyword):
        return Keyword(doc.name, map_trees(doc.value, change))
    if isinstance(doc, Call):
        arguments = tuple(map_trees(argument, change) for argument in doc.arguments)
        return replace(doc, arguments=arguments, bounds=tuple(map(change, doc.bounds)))
    return doc


def if_lines(tests: Sequence[str], indent: int, keyword: str = "if") -> list[str]:
    """The line of an `if` over conditions that must all hold; several lines, as ruff breaks them, if it is too long."""
    margin = " " * indent
    line = f"{margin}{keyword} {' and '.join(tests)}:"
    if len(line) <= WIDTH:
        return [line]
    if len(tests) <= 2 and tests[-1].startswith("isinstance("):
        head, _, arguments = line.rpartition("isinstance(")
        return [f"{head}isinstance(", f"{margin}    {arguments.removesuffix('):')}", f"{margin}):"]
    more = (f"{margin}    and {test}" for test in tests[1:])
    return [f"{margin}{keyword} (", f"{margin}    {tests[0]}", *more, f"{margin}):"]
