"""The body of a constructor, line by line."""

from __future__ import annotations

import ast
from dataclasses import replace
from itertools import groupby
from typing import Final

from archspec.backends.python.classes.class_source import Assignment, ClassSource
from archspec.backends.python.classes.initialisation import rule_lines
from archspec.backends.python.formatter import Bracketed, Code, lay_out
from archspec.expressions.printer import text_of

_LAYERS: Final = "layers: list[nn.Module] = "
"""Begins a list of entries; the annotation is written once per constructor."""


def write_constructor(text: ClassSource) -> list[str]:
    """The statements of a class's constructor, without their indentation."""
    lines = [] if text.is_sequential else ["        super().__init__()"]
    lines += [line for name, tree in text.lets for line in lay_out(tree, 8, f"{name} = ")]
    for assignment in text.assignments:
        first, *more = _assignment(assignment)
        is_annotated = any(line.lstrip().startswith(_LAYERS) for line in lines)
        lines += [first.replace(_LAYERS, "layers = ") if is_annotated else first, *more]
    lines += [*rule_lines(text.variant, text.rules), *(f"        {line}" for line in text.removed)]
    return [line.removeprefix("        ") for line in lines]


def _assignment(assignment: Assignment) -> list[str]:
    """The lines of one assignment."""
    if assignment.prepare:
        return _prepared(assignment)
    if assignment.loop is not None:
        index, count = assignment.loop
        added = lay_out(Bracketed("self.add_module", (assignment.name, assignment.code)), 12)
        return [f"        for {index} in range({text_of(count)}):", *added]
    if assignment.name == "super().__init__":
        return lay_out(assignment.code, 8)
    if assignment.is_local:
        return lay_out(assignment.code, 8, f"{assignment.name} = ")
    if not assignment.name.isidentifier():
        return _named_by_text(assignment)
    if assignment.condition is None:
        return lay_out(assignment.code, 8, f"self.{assignment.name} = ")
    if assignment.annotation == "nn.Buffer":  # a buffer cannot be registered if the attribute exists
        return [
            f"        if {text_of(assignment.condition)}:",
            *lay_out(assignment.code, 12, f"self.{assignment.name}: nn.Buffer | None = "),
            "        else:",
            f"            self.{assignment.name} = None",
        ]
    return [
        f"        self.{assignment.name}: {assignment.annotation} | None = None",
        f"        if {text_of(assignment.condition)}:",
        *lay_out(assignment.code, 12, f"self.{assignment.name} = "),
    ]


def _named_by_text(assignment: Assignment) -> list[str]:
    """The lines of an assignment whose name is no identifier."""
    name = f'"{assignment.name}"'
    call = "setattr" if assignment.is_raw else "self.add_module"
    first = ("self", name) if assignment.is_raw else (name,)
    if assignment.condition is None:
        return lay_out(Bracketed(call, (*first, assignment.code)), 8)
    return [
        f"        if {text_of(assignment.condition)}:",
        *lay_out(Bracketed(call, (*first, assignment.code)), 12),
        "        else:",
        f"            setattr(self, {name}, None)",
    ]


def _prepared(assignment: Assignment) -> list[str]:
    """A seq with conditional entries: a list is filled, then unpacked."""
    lines: list[str] = []
    before: ast.expr | None = None
    for _, entries in groupby(assignment.prepare, lambda entry: entry[0] and text_of(entry[0])):
        group = list(entries)
        condition, codes = group[0][0], tuple(code for _, code in group)
        if condition is None and not lines:
            lines = _begun(codes)
            continue
        lines = lines or [f"        {_LAYERS}[]"]
        if condition is not None:
            lines.append("        else:" if _opposite(before, condition) else f"        if {text_of(condition)}:")
        before = condition
        lines += _added(codes, 8 if condition is None else 12)
    name = f"{'' if assignment.is_local else 'self.'}{assignment.name} = "
    return [*lines, *lay_out(assignment.code, 8, "" if assignment.name == "super().__init__" else name)]


def _begun(codes: tuple[Code, ...]) -> list[str]:
    """The statement that makes the list, with its first entries."""
    if len(codes) == 1 and (loop := _loop(codes[0])):
        return lay_out(replace(loop, head=_LAYERS), 8)
    return lay_out(Bracketed(_LAYERS, codes, explode=len(codes) > 1, brackets="[]"), 8)


def _loop(code: Code) -> Bracketed | None:
    """An entry that stands for several: `*[… for … in …]`."""
    return code if isinstance(code, Bracketed) and code.head == "*" else None


def _added(codes: tuple[Code, ...], indent: int) -> list[str]:
    """The statement that adds entries to the list."""
    loop = _loop(codes[0])
    if len(codes) > 1:
        return lay_out(Bracketed("layers += ", codes, explode=True, brackets="[]"), indent)
    return lay_out(Bracketed("layers.append", codes) if loop is None else replace(loop, head="layers += "), indent)


def _opposite(left: ast.expr | None, right: ast.expr) -> bool:
    """Whether two conditions are obviously each other's negation: `a != b` and `a == b`, `c` and `not c`."""
    if isinstance(left, ast.Compare) and isinstance(right, ast.Compare) and len(left.ops) == len(right.ops) == 1:
        signs = {type(left.ops[0]), type(right.ops[0])}
        negated = ast.Compare(right.left, left.ops, right.comparators)
        return signs == {ast.Eq, ast.NotEq} and ast.unparse(negated) == ast.unparse(left)
    return left is not None and ast.unparse(right) == f"not {ast.unparse(left)}"
