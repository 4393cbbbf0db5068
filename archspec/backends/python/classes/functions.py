"""The functions that `forward` calls: their arguments, and the attributes that hold those that vary."""

from __future__ import annotations

import ast
import re
from collections.abc import Sequence
from typing import Any, Final

from archspec.backends.python.classes.calls import as_tuple, in_place
from archspec.backends.python.classes.class_source import Assignment, ClassSource
from archspec.backends.python.formatter import Bracketed, Code, KeywordArgument
from archspec.backends.python.instances.anti_unification import AntiUnifier, NoCommonForm, Seen, plain_value
from archspec.backends.python.instances.sites import NotMergeable, Occurrence, Site
from archspec.expressions.rewrite import names_in, spelling
from archspec.expressions.sizes import tree_of
from archspec.frontend.reserved_names import MODULE_NAMES
from archspec.ops.base import Op
from archspec.ops.call import TRAINING, Input, InTraining
from archspec.ops.call import Call as FunctionCall
from archspec.ops.shapes import is_parts

Made = tuple[Occurrence, FunctionCall]
"""A call in one instance."""

_WORDS: Final = {
    "Tensor.reshape": "shape", "Tensor.expand": "sizes", "Tensor.permute": "dims",
    "torch.unflatten": "sizes",
    "F.pad": "padding", "torch.tile": "repeats",
}  # fmt: skip
"""The names of attributes that hold an argument of a function."""


class Functions:
    """Adds the functions that `forward` calls to the text of a class, and the attributes that they need."""

    def __init__(self, unifier: AntiUnifier, text: ClassSource) -> None:
        self.unifier = unifier
        self.text = text

    def add(self, number: int, site: Site) -> None:
        """Add the function of site `number`, with placeholders for its inputs.

        An argument that varies is an attribute of the module: the constructor's argument, or a value computed from it.
        """
        self.text.functions[number] = self._call(site, _calls(site))

    def add_module_call(self, number: int, site: Site) -> None:
        """Add the call of the module of site `number`, if it is not called just on its inputs."""
        calls = [(occurrence, _module_call(occurrence)) for occurrence in site.occurrences]
        found = [(occurrence, call) for occurrence, call in calls if call is not None]
        if len({call is None for _, call in calls}) > 1:
            raise NotMergeable("a module that is not called alike")
        if found:
            self.text.functions[number] = self._call(site, found)

    def _call(self, site: Site, calls: Sequence[Made]) -> Bracketed:
        """A call, whose arguments may be calls, too."""
        first = calls[0][1]
        if any((c.target, len(c.args), c.kwargs.keys()) != (first.target, len(first.args), first.kwargs.keys())
               for _, c in calls) or len({_part_count(o) for o, _ in calls}) > 1:  # fmt: skip
            raise NotMergeable("a function whose arguments vary")
        arguments = [self._positional(place, site, calls) for place in range(len(first.args))]
        named = [KeywordArgument(key, self._argument(key, site, calls)) for key in first.kwargs]
        suffix = "" if first.part is None else f"[{first.part}]"
        return Bracketed(first.target, (*arguments, *named), suffix=suffix)

    def _positional(self, place: int, site: Site, calls: Sequence[Made]) -> Code:
        """An argument that is passed by position."""
        given = [(occurrence, call.args[place]) for occurrence, call in calls]
        first = given[0][1]
        if isinstance(first, FunctionCall) and all(isinstance(arg, FunctionCall) for _, arg in given):
            return self._call(site, given)
        if isinstance(first, int | float | tuple) and not isinstance(first, Input) and not _is_index(first):
            return self._value(_WORDS.get(calls[0][1].target) or _field_of(given[0][0], first), site, given)
        if any(arg != first for _, arg in given):
            raise NotMergeable("a function whose arguments vary")
        if _is_index(first):
            return ", ".join(map(_index_text, first))
        return tree_of(_plain(first)) if isinstance(first, list | str) else first

    def _value(self, key: str, site: Site, given: Sequence[tuple[Occurrence, Any]]) -> Code:
        """A number or several: the value itself, or an attribute that holds it."""
        seen = [(o, plain_value(value), o.step.trees.get(key, tree_of(value))) for o, value in given]
        return self._common(key, site, seen)

    def _argument(self, key: str, site: Site, calls: Sequence[Made]) -> Code:
        """An argument that is passed by name."""
        first = calls[0][1].kwargs[key]
        if first == TRAINING:
            return TRAINING
        if isinstance(first, InTraining):
            return self._in_training(key, site, calls)
        if isinstance(first, Input):
            return first
        if isinstance(first, FunctionCall):
            return self._call(site, [(occurrence, call.kwargs[key]) for occurrence, call in calls])
        values = [(occurrence, plain_value(call.kwargs[key])) for occurrence, call in calls]
        return self._common(key, site, [(o, value, o.step.trees.get(key, tree_of(value))) for o, value in values])

    def _in_training(self, key: str, site: Site, calls: Sequence[Made]) -> Code:
        """A number in training, and 0 in evaluation."""
        given = [(occurrence, call.kwargs[key].value) for occurrence, call in calls]
        number = _parsed(self._value("dropout", site, given))
        return ast.IfExp(_parsed(TRAINING), number, ast.Constant(0.0))

    def _common(self, key: str, site: Site, seen: Sequence[Seen]) -> Code:
        """One expression for a value in all instances; if it is not a constant, an attribute holds it."""
        try:
            tree = as_tuple(self.unifier.value(seen, f"{_identifier(site.label)}_{key}", strict=False))
        except NoCommonForm:
            raise NotMergeable("a function whose arguments vary") from None
        return self._held(tree, f"{_identifier(site.label)}_{key}")

    def _held(self, tree: ast.expr, hint: str) -> Code:
        """An expression as `forward` reads it: a constant itself, anything else from an attribute."""
        if not names_in(tree):
            return tree
        if isinstance(tree, ast.Tuple):
            return ast.Tuple([_parsed(self._held(part, hint)) for part in tree.elts], ast.Load())
        if isinstance(tree, ast.UnaryOp) and isinstance(tree.operand, ast.Name):
            return ast.UnaryOp(tree.op, _parsed(self._held(tree.operand, hint)))
        return self._attribute(tree.id if isinstance(tree, ast.Name) else hint, tree)

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


def _field_of(occurrence: Occurrence, value: Any) -> str:
    """The name of the op's field whose value is passed to the function by position."""
    names = [name for name, own in vars(occurrence.step.target).items() if own is value]
    return names[0] if len(names) == 1 else "value"


def _parsed(code: Code) -> ast.expr:
    return ast.parse(code, mode="eval").body if isinstance(code, str) else code  # type: ignore[return-value]


def _calls(site: Site) -> list[Made]:
    """The call of a site's function in each instance."""
    overwrites = in_place(site.occurrences)
    calls: list[Made] = []
    for occurrence in site.occurrences:
        op = occurrence.step.target
        assert isinstance(op, Op)
        call = op.function(*occurrence.host.module.shapes(occurrence.step))
        assert call is not None
        calls.append((occurrence, call.in_place() if overwrites else call))
    return calls


def _module_call(occurrence: Occurrence) -> FunctionCall | None:
    module, step = occurrence.host.module, occurrence.step
    target = module.runs(step)
    return target.module_call(*module.shapes(step)) if isinstance(target, Op) else None


def _part_count(occurrence: Occurrence) -> int:
    """How many values a function returns; 0 for a single tensor."""
    output = occurrence.step.output
    return len(output) if is_parts(output) else 0


def _is_index(value: Any) -> bool:
    """Whether an argument of `operator.getitem` is the index in the brackets."""
    return isinstance(value, tuple) and any(isinstance(part, slice) for part in value)


def _index_text(part: Any) -> str:
    """A number, or `start:stop:step`."""
    if not isinstance(part, slice):
        return str(int(part))
    text = ":".join("" if end is None else str(int(end)) for end in (part.start, part.stop, part.step))
    return text.removesuffix(":") if part.step is None else text


def _plain(value: Any) -> Any:
    """A value without expressions; tuples as lists, which some functions require."""
    return list(plain_value(value)) if isinstance(value, list) else plain_value(value)


def _identifier(label: str) -> str:
    return re.sub(r"\W", "_", label)
