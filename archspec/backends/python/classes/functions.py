"""The functions that `forward` calls: their arguments, and the attributes that hold those that vary."""

from __future__ import annotations

import ast
import re
from collections.abc import Sequence
from typing import Any

from archspec.backends.python.classes.calls import as_tuple, in_place
from archspec.backends.python.classes.class_source import Assignment, ClassSource
from archspec.backends.python.formatter import Bracketed, Code, KeywordArgument
from archspec.backends.python.instances.anti_unification import AntiUnifier, NoCommonForm, plain_value
from archspec.backends.python.instances.sites import Irregular, Occurrence, Site
from archspec.expressions.printer import spelling
from archspec.expressions.rewrite import names_in
from archspec.expressions.sizes import tree_of
from archspec.frontend.field_types import MODULE_NAMES
from archspec.ops.base import TRAINING, Op
from archspec.ops.base import Call as FunctionCall


class Functions:
    """Adds to the text of a class what its `forward` calls, and the attributes that this needs."""

    def __init__(self, unifier: AntiUnifier, text: ClassSource) -> None:
        self.unifier = unifier
        self.text = text

    def add(self, number: int, site: Site) -> None:
        """Add the function of site `number`, with placeholders for its inputs.

        An argument that varies is an attribute of the module: the constructor's argument, or what follows from it.
        """
        calls = _calls(site)
        first = calls[0][1]
        if any(
            (c.target, c.args, c.kwargs.keys()) != (first.target, first.args, first.kwargs.keys()) for _, c in calls
        ):
            raise Irregular("a function whose arguments vary")
        arguments = [
            arg if not isinstance(arg, int | float | tuple | list) else tree_of(_plain(arg)) for arg in first.args
        ]
        named = [KeywordArgument(key, self._argument(key, site, calls)) for key in first.kwargs]
        self.text.functions[number] = Bracketed(first.target, (*arguments, *named))

    def _argument(self, key: str, site: Site, calls: Sequence[tuple[Occurrence, FunctionCall]]) -> Code:
        """An argument that is given by its name."""
        if calls[0][1].kwargs[key] == TRAINING:
            return TRAINING
        values = [(occurrence, plain_value(call.kwargs[key])) for occurrence, call in calls]
        seen = [(o, value, o.step.trees.get(key, tree_of(value))) for o, value in values]
        try:
            tree = as_tuple(self.unifier.value(seen, f"{_identifier(site.label)}_{key}", strict=False))
        except NoCommonForm:
            raise Irregular("a function whose arguments vary") from None
        if not names_in(tree):
            return tree
        name = tree.id if isinstance(tree, ast.Name) else f"{_identifier(site.label)}_{key}"
        return self._attribute(name, tree)

    def add_flags(self) -> None:
        """Add an attribute for each condition on functions only: no module could be `None` instead."""
        sites = self.text.sites
        for guard in dict.fromkeys(site.guard for site in sites if site.guard is not None):
            if any(site.name is not None for site in sites if site.guard is guard):
                continue
            condition = self.unifier.condition(guard.condition)
            assert condition is not None
            name = condition.id if isinstance(condition, ast.Name) else f"use_{_identifier(guard.label)}"
            self.text.flags[id(guard)] = self._attribute(name, condition)

    def _attribute(self, name: str, tree: ast.expr) -> str:
        """An attribute that holds a value; equal values share one."""
        taken = {site.name for site in self.text.sites} | MODULE_NAMES
        known = {a.name: a.code for a in self.text.assignments if isinstance(a.code, ast.expr)}
        while name in taken or (name in known and spelling(known[name]) != spelling(tree)):
            name = f"{name}_"
        if name not in known:
            self.text.assignments.append(Assignment(name, tree))
        return f"self.{name}"


def _calls(site: Site) -> list[tuple[Occurrence, FunctionCall]]:
    """The call of a site's function in each instance."""
    overwrites = in_place(site.occurrences)
    calls: list[tuple[Occurrence, FunctionCall]] = []
    for occurrence in site.occurrences:
        op = occurrence.step.target
        assert isinstance(op, Op)
        call = op.function(*occurrence.host.module.shapes(occurrence.step))
        assert call is not None
        calls.append((occurrence, call.in_place() if overwrites else call))
    return calls


def _plain(value: Any) -> Any:
    """A value without expressions; a function that takes a list gets one."""
    return list(plain_value(value)) if isinstance(value, list) else plain_value(value)


def _identifier(label: str) -> str:
    return re.sub(r"\W", "_", label)
