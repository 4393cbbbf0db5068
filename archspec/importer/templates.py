"""Runs of modules of one class that one block can say: the same steps in the same order, some of them absent."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

from archspec.importer.trace import Call, Scope, Step, Value

Key = tuple[Any, ...]
"""What must be equal of two steps for one item to say both."""


class Member(NamedTuple):
    """A run of a module that a template describes: its step for each of the template's, or `None`."""

    scope: Scope
    steps: list[Step | None]


class Template:
    """The longest of some runs, and which of its steps the others have."""

    def __init__(self, scope: Scope, key: Callable[[Step, str], Key]) -> None:
        self.scope = scope
        self.keys = [key(step, scope.path) for step in scope.steps]
        self.members = [Member(scope, list(scope.steps))]
        self.skipped: dict[int, int] = {}
        """Of each step that some lack, which of its inputs takes the place of its value."""
        self._key = key

    def add(self, scope: Scope) -> bool:
        """Add a run if this template can describe it, too; returns whether it can."""
        if len(scope.inputs) != len(self.scope.inputs) or scope.arguments != self.scope.arguments:
            return False
        keys = [self._key(step, scope.path) for step in scope.steps]
        places = _aligned(self.keys, keys)
        if places is None:
            return False
        absent = [number for number in range(len(self.keys)) if number not in places]
        for skipped in self._choices(absent):
            if self._is_wired(scope, places, skipped):
                self.skipped |= skipped
                steps: list[Step | None] = [None] * len(self.keys)
                for place, step in zip(places, scope.steps, strict=True):
                    steps[place] = step
                self.members.append(Member(scope, steps))
                return True
        return False

    def _choices(self, absent: Sequence[int]) -> Iterator[dict[int, int]]:
        """Which inputs may take the place of the values of absent steps: the first, or the last of all."""
        steps = [self.scope.steps[number] for number in absent]
        if any(
            len(step.outputs) != 1 or not step.inputs or (isinstance(step, Call) and step.has_parts) for step in steps
        ):
            return
        known = {number: self.skipped[number] for number in absent if number in self.skipped}
        yield {**dict.fromkeys(absent, 0), **known}
        if any(len(step.inputs) > 1 for step in steps):
            last = {number: len(step.inputs) - 1 for number, step in zip(absent, steps, strict=True)}
            yield {**last, **known}

    def _is_wired(self, scope: Scope, places: Sequence[int], skipped: dict[int, int]) -> bool:
        """Whether steps take the same values, once those of absent steps are replaced."""
        theirs = _numbered(scope, places)
        ours = _numbered(self.scope, range(len(self.keys)))
        for number, which in skipped.items():
            step = self.scope.steps[number]
            ours[step.outputs[0]] = ours[step.inputs[which]]
        pairs = [(self.scope.steps[place], step) for place, step in zip(places, scope.steps, strict=True)]
        alike = all([ours[v] for v in _taken(a)] == [theirs[v] for v in _taken(b)] for a, b in pairs)
        return alike and [ours[v] for v in self.scope.outputs] == [theirs[v] for v in scope.outputs]


def _has_stand_in(step: Step) -> bool:
    """Whether one of the values that a step takes can take the place of its own."""
    return len(step.outputs) == 1 and bool(step.inputs) and not (isinstance(step, Call) and step.has_parts)


def _taken(step: Step) -> list[Value]:
    like = step.like if isinstance(step, Call) else None
    return [*step.inputs, *([] if like is None else [like])]


class _Numbers(dict[Value, Any]):
    """What each value is; those that are not made here stand for themselves by their names."""

    def __missing__(self, value: Value) -> Any:
        return ("raw", value.sizes)


def _numbered(scope: Scope, places: Sequence[int]) -> _Numbers:
    found = _Numbers({value: ("input", number) for number, value in enumerate(scope.inputs)})
    for place, step in zip(places, scope.steps, strict=True):
        found.update({value: (place, number) for number, value in enumerate(step.outputs)})
    return found


def _aligned(longer: Sequence[Key], shorter: Sequence[Key]) -> list[int] | None:
    """Where the entries of the shorter sequence are in the longer, in order; `None` if they are not all there."""
    if len(shorter) > len(longer):
        return None
    found: list[int] = []
    place = 0
    for key in shorter:
        while place < len(longer) and longer[place] != key:
            place += 1
        if place == len(longer):
            return None
        found.append(place)
        place += 1
    return found
