"""Python expressions on lines of limited width, laid out as ruff's formatter would."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Union

from archspec.expressions.printer import text_of
from archspec.ops.call import Input

WIDTH = 120

Code = Union[str, ast.expr, Input, "Bracketed", "KeywordArgument"]
"""An expression to print: finished text, a tree, a call whose arguments may go on lines of their own, or a placeholder
for an input, which `forward` fills in."""


@dataclass(frozen=True)
class KeywordArgument:
    """An argument given by name."""

    name: str
    value: Code


@dataclass(frozen=True)
class Bracketed:
    """A bracketed list after a head: `nn.Conv2d(…)`, `[…]`. With `explode` each argument has its own line."""

    head: str
    arguments: tuple[Code, ...]
    explode: bool = False
    brackets: str = "()"
    comments: tuple[str, ...] = ()
    """A comment after each argument, if arguments have lines of their own."""
    index: str = ""
    """For a comprehension: the index of its loop, …"""
    bounds: tuple[ast.expr, ...] = ()
    """… and the arguments of its `range`."""
    suffix: str = ""
    """The text after the closing bracket: `[0]`."""
    on: Code | None = None
    """The value whose method `head` is."""

    @property
    def start(self) -> str:
        """The text before the opening bracket."""
        return self.head if self.on is None else f"{flat(self.on)}.{self.head}"

    @property
    def tail(self) -> str:
        """The text after the element inside the brackets: ` for _ in range(3)`."""
        return f" for {self.index} in range({', '.join(map(text_of, self.bounds))})" if self.bounds else ""


def flat(code: Code) -> str:
    """A piece of code on one line."""
    if isinstance(code, str):
        return code
    if isinstance(code, ast.expr):
        return text_of(code)
    if isinstance(code, KeywordArgument):
        return f"{code.name}={flat(code.value)}"
    assert isinstance(code, Bracketed), "an input that was not filled in"
    opening, closing = code.brackets[0], code.brackets[1]
    return f"{code.start}{opening}{', '.join(map(flat, code.arguments))}{code.tail}{closing}{code.suffix}"


def lay_out(code: Code, indent: int, prefix: str = "", suffix: str = "", comment: str = "") -> list[str]:
    """The lines of `prefix` + code + `suffix`, indented by `indent` spaces; a comment goes on the last line."""
    margin = " " * indent
    note = f"  # {comment}" if comment else ""
    line = f"{margin}{prefix}{flat(code)}{suffix}"
    if not _must_break(code) and (len(line + note) <= WIDTH or not _can_break(code)):
        return [line + note]
    call, name = (code.value, f"{code.name}=") if isinstance(code, KeywordArgument) else (code, "")
    if isinstance(call, ast.Tuple | ast.List):
        brackets = "()" if isinstance(call, ast.Tuple) else "[]"
        call = Bracketed("", tuple(call.elts), explode=True, brackets=brackets)
    if isinstance(call, ast.expr):
        return _broken(call, indent, prefix + name, suffix + note)
    if not isinstance(call, Bracketed):
        return [line + note]
    links = _links(flat(call))
    if len(links) > 2:
        return _chained(links, indent, prefix + name, suffix + note)
    if len(links) == 2 and len(f"{margin}{prefix}{name}{call.start}(") > WIDTH:
        return _first_broken(links, indent, prefix + name, suffix + note)
    opening, closing = call.brackets[0], call.brackets[1]
    first, last = f"{margin}{prefix}{name}{call.start}{opening}", f"{margin}{closing}{call.suffix}{suffix}{note}"
    return [first, *_body(call, indent + 4), last]


def _links(text: str) -> list[str]:
    """The calls of a chain of methods: `x.a()`, `.b()`, `.c()`."""
    depth, starts = 0, [0]
    for place, character in enumerate(text):
        depth += (character in "([") - (character in ")]")
        if depth == 0 and character in ")]" and text[place + 1 : place + 2] == ".":
            starts.append(place + 1)
    return [text[start:end] for start, end in zip(starts, [*starts[1:], len(text)], strict=True)]


def _chained(links: list[str], indent: int, prefix: str, suffix: str) -> list[str]:
    """A long chain of methods: on one line, or with a line for each method, in brackets."""
    margin = " " * indent
    is_statement = bool(prefix)
    inner = indent + 4 * is_statement
    whole = "".join(links)
    fits = is_statement and inner + len(whole) <= WIDTH
    lines = [f"{' ' * inner}{link}" for link in ([whole] if fits else links)]
    if is_statement:
        return [f"{margin}{prefix}(", *lines, f"{margin}){suffix}"]
    return [*lines[:-1], lines[-1] + suffix]


def _first_broken(links: list[str], indent: int, prefix: str, suffix: str) -> list[str]:
    """A chain that begins with a long call, whose arguments go on lines of their own."""
    margin, first = " " * indent, links[0]
    opening = _opening(first)
    whole = f"{margin}    {first[opening + 1 : -1]}"
    arguments = (
        [whole] if len(whole) <= WIDTH else [f"{margin}    {part}," for part in _arguments(first[opening + 1 : -1])]
    )
    return [f"{margin}{prefix}{first[: opening + 1]}", *arguments, f"{margin}{first[-1]}{links[1]}{suffix}"]


def _opening(text: str) -> int:
    """The position of the bracket that the last character of a text closes."""
    depth = 0
    for place in range(len(text) - 1, -1, -1):
        depth += (text[place] in ")]") - (text[place] in "([")
        if depth == 0:
            return place
    raise ValueError(f"'{text}' does not end with a bracket")


def _arguments(text: str) -> list[str]:
    """The arguments in a text, split at commas that are not in brackets."""
    depth, parts = 0, [""]
    for character in text:
        depth += (character in "([") - (character in ")]")
        if character == "," and depth == 0:
            parts.append("")
        else:
            parts[-1] += character
    return [part.strip() for part in parts]


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
    """The lines of a broken expression: its operands, each after its operator."""
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
    """The precedence of an operator; operators of equal precedence are broken together."""
    return 0 if isinstance(tree.op, ast.Add | ast.Sub) else 2 if isinstance(tree.op, ast.Pow) else 1


def _body(call: Bracketed, indent: int) -> list[str]:
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


def _must_break(code: Code) -> bool:
    if isinstance(code, KeywordArgument):
        return _must_break(code.value)
    return isinstance(code, Bracketed) and (code.explode or any(map(_must_break, code.arguments)))


def _can_break(code: Code) -> bool:
    held = code.value if isinstance(code, KeywordArgument) else code
    return isinstance(held, Bracketed | ast.BinOp | ast.IfExp) or (
        isinstance(held, ast.Tuple | ast.List) and bool(held.elts)
    )


def trees(code: Code) -> Iterable[ast.expr]:
    """The trees inside a piece of code."""
    if isinstance(code, ast.expr):
        yield code
    elif isinstance(code, KeywordArgument):
        yield from trees(code.value)
    elif isinstance(code, Bracketed):
        yield from code.bounds
        yield from () if code.on is None else trees(code.on)
        for argument in code.arguments:
            yield from trees(argument)


def map_trees(code: Code, change: Callable[[ast.expr], ast.expr]) -> Code:
    """The code with every tree inside it changed."""
    if isinstance(code, ast.expr):
        return change(code)
    if isinstance(code, KeywordArgument):
        return KeywordArgument(code.name, map_trees(code.value, change))
    if isinstance(code, Bracketed):
        arguments = tuple(map_trees(argument, change) for argument in code.arguments)
        on = None if code.on is None else map_trees(code.on, change)
        return replace(code, arguments=arguments, bounds=tuple(map(change, code.bounds)), on=on)
    return code


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
