"""In which order a constructor makes, registers and removes modules."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import replace
from typing import Final

from archspec.backends.python.classes.class_source import Assignment, ClassSource
from archspec.backends.python.formatter import WIDTH
from archspec.backends.python.instances.anti_unification import AntiUnifier
from archspec.backends.python.instances.sites import NotMergeable
from archspec.frontend.reserved_names import VARIABLES, source_names
from archspec.ops import Ops

_INDENT: Final = 8

_WHY: Final = "# Not needed; constructed all the same, so that the initial weights are those of the whole network."


def in_order(text: ClassSource, unifier: AntiUnifier) -> None:
    """Put the assignments in the order of registration, and have the modules made in the order of construction."""
    _register(text)
    if any(instance.construction is not None for instance in text.variant.instances):
        text.assignments = [*_constructed(text, {*unifier.hosts[0].names, *unifier.extra, *unifier.variant.body.lets})]


def _register(text: ClassSource) -> None:
    """Put the assignments in the order of registration."""
    last = text.variant.body.registered_last
    if not last and not text.containers:
        return
    alone = (site for site in text.sites if site.loop is not None and not site.container)
    if any(step.name in last for site in alone for _, step in site.occurrences):
        raise NotMergeable("a round of a loop that is registered last")
    order = {name: number for number, name in enumerate(_registered(text))}
    places = [place for place, assignment in enumerate(text.assignments) if assignment.name in order]
    moved = sorted((text.assignments[place] for place in places), key=lambda assignment: order[assignment.name])
    for place, assignment in zip(places, moved, strict=True):
        text.assignments[place] = assignment


def _registered(text: ClassSource) -> list[str]:
    """What is registered in any of the instances, in its order."""
    found: list[str] = []
    for instance in text.variant.instances:
        place = 0
        for name in instance.tree:
            if name not in found:
                found.insert(place, name)
            place = found.index(name) + 1
    return found


def _constructed(text: ClassSource, taken: set[str]) -> Iterator[Assignment]:
    """The assignments, with what is made before its turn to be registered in a local variable until then."""
    orders = {instance.names_constructed for instance in text.variant.instances}
    if len(orders) > 1 or any(a.loop is not None or a.condition is not None for a in text.assignments):
        raise NotMergeable("an order of construction that differs")
    order, waiting = [*orders.pop()], dict[str, str]()
    made = {assignment.name: assignment for assignment in text.assignments if assignment.name in order}
    for assignment in text.assignments:
        while assignment.name in order and order[0] != assignment.name:
            early = made[order.pop(0)]
            waiting[early.name] = variable = _variable(early.name, {*taken, *waiting.values()}, text.variant.ops)
            yield replace(early, name=variable, annotation="", is_local=True)
        if assignment.name in waiting:
            made_before = ast.Name(waiting[assignment.name], ast.Load())
            yield Assignment(assignment.name, made_before, is_raw=assignment.is_raw)
        else:
            order = order[1:] if assignment.name in order else order
            yield assignment


def _variable(name: str, taken: set[str], ops: Ops) -> str:
    """A variable for a module that is called so; `size` is what sizes are called that are computed once."""
    variable = re.sub(r"\W", "_", name)
    variable = variable if variable[:1].isalpha() and not variable.startswith("size") else f"module_{variable}"
    while variable in taken or variable in VARIABLES or variable in source_names(ops):
        variable += "_"
    return variable


def removals(text: ClassSource) -> list[str]:
    """The statements that remove what is dropped."""
    first = _first_removed(text)
    parts = [] if first is None else [f"self[{first}:]"]
    others = [site for site in text.sites if site.dropped and site.name is not None]
    others = others if first is None else [site for site in others if site.is_raw]  # the slice has all modules
    names = dict.fromkeys(str(site.name).partition(".")[0] for site in others)
    parts += [f"self.{name}" for name in names if name.isidentifier()]
    called = [f'delattr(self, "{name}")' for name in names if not name.isidentifier()]
    line = f"del {', '.join(parts)}"
    lines = [line] if len(line) + _INDENT <= WIDTH else [f"del {part}" for part in parts]
    return [_WHY, *(lines if parts else []), *called] if parts or called else []


def _first_removed(text: ClassSource) -> int | None:
    """The first entry of an `nn.Sequential` that is dropped, if `del self[first:]` can remove it and all behind it:
    torch numbers the remaining entries anew, and so must not change the names of any."""
    names = [site.name for site in text.entries if not site.dropped]
    can_be_numbered = names == [str(number) for number in range(len(names))]
    return len(names) if can_be_numbered and len(names) < len(text.entries) else None
