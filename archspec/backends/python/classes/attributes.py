"""Attributes of a module that hold what its functions take, where that differs from instance to instance."""

from __future__ import annotations

import ast
import re
from collections.abc import Sequence
from typing import Any, Final

from archspec.backends.python.classes.calls import as_tuple
from archspec.backends.python.classes.class_source import Assignment, ClassSource
from archspec.backends.python.formatter import Code
from archspec.backends.python.instances.anti_unification import (
    AntiUnifier,
    NoCommonForm,
    Seen,
    plain_value,
    same_value,
)
from archspec.backends.python.instances.sites import NotMergeable, Occurrence, Site
from archspec.expressions.rewrite import names_in, spelling
from archspec.expressions.simplify import value_of
from archspec.expressions.sizes import tree_of
from archspec.frontend.reserved_names import MODULE_NAMES

VARY: Final = "a function whose arguments vary"
"""Why instances cannot share a class."""


class Attributes:
    """Adds such attributes to the text of a class: an argument of its constructor, or a value computed from some."""

    def __init__(self, unifier: AntiUnifier, text: ClassSource) -> None:
        self.unifier = unifier
        self.text = text

    def common(self, key: str, site: Site, seen: Sequence[Seen]) -> Code:
        """One expression for a value in all instances; if it is not a constant, an attribute holds it."""
        hint = hint_of(site, key)
        return self.held(as_tuple(self.unified(hint, seen)), hint)

    def unified(self, hint: str, seen: Sequence[Seen]) -> ast.expr:
        """One expression for a value in all instances, possibly a new argument."""
        try:
            return self.unifier.value(seen, hint, strict=False)
        except NoCommonForm:
            raise NotMergeable(VARY) from None

    def held(self, tree: ast.expr, hint: str) -> Code:
        """An expression as `forward` reads it: a constant itself, anything else from an attribute."""
        if not names_in(tree):
            return tree
        if isinstance(tree, ast.Tuple):
            return ast.Tuple([parsed(self.held(part, hint)) for part in tree.elts], ast.Load())
        if isinstance(tree, ast.UnaryOp) and isinstance(tree.operand, ast.Name):
            return ast.UnaryOp(tree.op, parsed(self.held(tree.operand, hint)))
        return self.attribute(tree.id if isinstance(tree, ast.Name) else hint, tree)

    def add_flags(self) -> None:
        """Add an attribute for each condition on functions only: no module could be `None` instead."""
        sites = self.text.sites
        for guard in dict.fromkeys(site.guard for site in sites if site.guard is not None):
            if any(site.name is not None for site in sites if site.guard is guard):
                continue
            condition = self.unifier.condition(guard.condition)
            assert condition is not None
            name = condition.id if isinstance(condition, ast.Name) else f"use_{_identifier(guard.label)}"
            self.text.flags[id(guard)] = self.attribute(name, condition)

    def attribute(self, name: str, tree: ast.expr) -> str:
        """An attribute that holds a value; equal values share one."""
        taken = {site.name for site in self.text.sites} | MODULE_NAMES
        known = {a.name: a.code for a in self.text.assignments if isinstance(a.code, ast.expr)}
        while name in taken or (name in known and spelling(known[name]) != spelling(tree)):
            name = f"{name}_"
        if name not in known:
            self.text.assignments.append(Assignment(name, tree))
        return f"self.{name}"


def seen_in(occurrence: Occurrence, value: Any, key: str) -> Seen:
    """A value that is a field of the op, with its expression in the spec if it has one."""
    tree = occurrence.step.trees.get(key)
    is_field = tree is not None and same_value(plain_value(value_of(tree, occurrence.names)), value)
    return occurrence, value, tree if tree is not None and is_field else tree_of(value)


def parsed(code: Code) -> ast.expr:
    """Code as a tree."""
    return ast.parse(code, mode="eval").body if isinstance(code, str) else code  # type: ignore[return-value]


def hint_of(site: Site, key: str) -> str:
    """The name of an attribute that holds an argument of a site's function."""
    return f"{_identifier(site.label)}_{key}"


def _identifier(label: str) -> str:
    return re.sub(r"\W", "_", label)
