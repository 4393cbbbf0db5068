"""The functions that `forward` calls, and their arguments."""

from __future__ import annotations

import ast
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Final

from archspec.backends.python.classes.attributes import VARY, Attributes, hint_of, parsed, seen_in
from archspec.backends.python.classes.calls import in_place
from archspec.backends.python.classes.class_source import ClassSource
from archspec.backends.python.classes.indices import index, is_index
from archspec.backends.python.formatter import Bracketed, Code, KeywordArgument
from archspec.backends.python.instances.anti_unification import plain_value
from archspec.backends.python.instances.sites import NotMergeable, Occurrence, Site
from archspec.expressions.sizes import tree_of
from archspec.ops.base import Op, fields_of
from archspec.ops.call import ALL_INPUTS, MODULE, TRAINING, Input, InTraining
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
    """Adds the functions that `forward` calls to the text of a class."""

    def __init__(self, attributes: Attributes, text: ClassSource) -> None:
        self.attributes = attributes
        self.text = text

    def add(self, number: int, site: Site) -> None:
        """Add the function of site `number`, with placeholders for its inputs.

        An argument that varies is an attribute of the module: the constructor's argument, or a value computed from it.
        """
        listed = site.lists and all(_is_sum(call, len(o.step.inputs)) for o, call in _plain_calls(site))
        self.text.functions[number] = Bracketed("sum", (ALL_INPUTS,)) if listed else self._call(site, _calls(site))

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
        calls = _with_defaults(calls)
        first = calls[0][1]
        if any((c.target, len(c.args), c.kwargs.keys()) != (first.target, len(first.args), first.kwargs.keys())
               for _, c in calls) or len({_part_count(o) for o, _ in calls}) > 1:  # fmt: skip
            raise NotMergeable(VARY)
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
        if isinstance(first, int | float | tuple) and not isinstance(first, Input) and not is_index(first):
            return self._value(_WORDS.get(calls[0][1].target) or _field_of(given[0][0], first), site, given)
        if is_index(first):
            return index(self.attributes, site, given)
        if isinstance(first, list):
            return self._list(site, given)
        if any(arg != first for _, arg in given):
            raise NotMergeable(VARY)
        return tree_of(first) if isinstance(first, str) else first

    def _list(self, site: Site, given: Sequence[tuple[Occurrence, Any]]) -> Code:
        """A list of numbers, which some functions require: as it is, or an attribute that holds it."""
        values = [(occurrence, plain_value(value)) for occurrence, value in given]
        if len({value for _, value in values}) == 1:
            return tree_of([*values[0][1]])
        key = _field_of(*given[0])
        hint = hint_of(site, key)
        tree = self.attributes.unified(hint, [seen_in(o, value, key) for o, value in values])
        held = tree if isinstance(tree, ast.List) else ast.Call(ast.Name("list", ast.Load()), [tree], [])
        return self.attributes.attribute(hint, held)

    def _value(self, key: str, site: Site, given: Sequence[tuple[Occurrence, Any]]) -> Code:
        """A number or several: the value itself, or an attribute that holds it."""
        seen = [(o, plain_value(value), o.step.trees.get(key, tree_of(value))) for o, value in given]
        return self.attributes.common(key, site, seen)

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
        return self.attributes.common(key, site, [seen_in(o, plain_value(call.kwargs[key]), key) for o, call in calls])

    def _in_training(self, key: str, site: Site, calls: Sequence[Made]) -> Code:
        """A number in training, and 0 in evaluation."""
        given = [(occurrence, call.kwargs[key].value) for occurrence, call in calls]
        number = parsed(self._value("dropout", site, given))
        return ast.IfExp(parsed(TRAINING), number, ast.Constant(0.0))


def _with_defaults(calls: Sequence[Made]) -> list[Made]:
    """The calls of a function with the same named arguments: those that some leave out have torch's default there."""
    known = {key: None for _, call in calls for key in call.kwargs}
    if calls[0][1].target == MODULE or all(call.kwargs.keys() == known.keys() for _, call in calls):
        return [*calls]
    op = calls[0][0].host.module.runs(calls[0][0].step)
    assert isinstance(op, Op)
    defaults = {key: op.left_out(key) for key in sorted(known, key=[*fields_of(type(op)), *known].index)}
    if any(value is ... and key not in call.kwargs for key, value in defaults.items() for _, call in calls):
        raise NotMergeable(VARY)
    return [(o, replace(call, kwargs={**defaults, **call.kwargs})) for o, call in calls]


def _field_of(occurrence: Occurrence, value: Any) -> str:
    """The name of the op's field whose value is passed to the function by position."""
    names = [name for name, own in vars(occurrence.step.target).items() if own is value]
    return names[0] if len(names) == 1 else "value"


def _calls(site: Site) -> list[Made]:
    """The call of a site's function in each instance."""
    overwrites = in_place(site.occurrences)
    return [(occurrence, call.in_place() if overwrites else call) for occurrence, call in _plain_calls(site)]


def _plain_calls(site: Site) -> list[Made]:
    """The same, none of them in place."""
    calls: list[Made] = []
    for occurrence in site.occurrences:
        op = occurrence.step.target
        assert isinstance(op, Op)
        call = op.function(*occurrence.host.module.shapes(occurrence.step))
        assert call is not None
        calls.append((occurrence, call))
    return calls


def _is_sum(call: Any, count: int) -> bool:
    """Whether a call adds so many inputs in their order: `(x + y) + z`."""
    for last in range(count - 1, 0, -1):
        if not isinstance(call, FunctionCall) or (call.target, call.args[1:]) != ("operator.add", (Input(last),)):
            return False
        call = call.args[0]
    return bool(call == Input(0))


def _module_call(occurrence: Occurrence) -> FunctionCall | None:
    module, step = occurrence.host.module, occurrence.step
    target = module.runs(step)
    return target.module_call(*module.shapes(step)) if isinstance(target, Op) else None


def _part_count(occurrence: Occurrence) -> int:
    """How many values a function returns; 0 for a single tensor."""
    output = occurrence.step.output
    return len(output) if is_parts(output) else 0
