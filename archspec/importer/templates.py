"""Runs of modules of one class that one block can describe: the same steps in the same order, some of them absent."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple

from archspec.diagnostics.budget import spend
from archspec.importer.trace import Call, Scope, Step, Value

Key = tuple[Any, ...]
"""The properties of two steps that must be equal for one item to describe both."""


class Member(NamedTuple):
    """A run of a module that a template describes: its step for each of the template's, or `None`."""

    scope: Scope
    steps: list[Step | None]


class Row(NamedTuple):
    """A step, those in an `nn.Sequential` included, or the end of one."""

    step: Step
    key: Key
    fields: dict[str, Any]
    """What else is given to it: the more of this is equal, the likelier two steps are the same."""
    is_end: bool = False


class Reader(NamedTuple):
    """How steps are compared."""

    key: Callable[[Step, str], Key]
    fields: Callable[[Step], dict[str, Any]]
    is_inline: Callable[[Scope], bool]
    """Whether a scope is an `nn.Sequential` that is written in place, as a `seq`."""

    def rows(self, scope: Scope) -> Iterator[Row]:
        """The steps of a run, in order; what is in an `nn.Sequential` follows it, up to its end."""
        for step in scope.steps:
            yield Row(step, self.key(step, scope.path), self.fields(step))
            if isinstance(step, Scope) and self.is_inline(step):
                yield from self.rows(step)
                yield Row(step, ("end",), {}, is_end=True)


class Template:
    """The longest of some runs, and which of its steps the others have."""

    def __init__(
        self, scope: Scope, rows: Callable[[Scope], Iterator[Row]], raw: Callable[[Scope], Mapping[Value, str]]
    ) -> None:
        self.scope = scope
        self._raw = raw
        self.rows = list(rows(scope))
        self.members = [Member(scope, [row.step for row in self.rows])]
        self.skipped: dict[int, int] = {}
        """Of each step that some lack, which of its inputs takes the place of its value."""
        self._rows = rows

    def add(self, scope: Scope, is_same: bool = False) -> bool:
        """Add a run if this template can describe it, too; returns whether it can. With `is_same` it has all steps."""
        if len(scope.inputs) != len(self.scope.inputs) or scope.arguments != self.scope.arguments:
            return False
        rows = list(self._rows(scope))
        if is_same and len(rows) != len(self.rows):
            return False
        places = _aligned(self.rows, rows)
        if places is None:
            return False
        absent = [n for n in range(len(self.rows)) if n not in places and not self.rows[n].is_end]
        for skipped in self._choices(absent):
            if self._is_wired(scope, rows, places, skipped):
                self.skipped |= skipped
                steps: list[Step | None] = [None] * len(self.rows)
                for place, row in zip(places, rows, strict=True):
                    steps[place] = row.step
                self.members.append(Member(scope, steps))
                return True
        return False

    def _choices(self, absent: Sequence[int]) -> Iterator[dict[int, int]]:
        """Which inputs may take the place of the values of absent steps: the first, or the last of all."""
        steps = [self.rows[number].step for number in absent]
        if any(len(step.outputs) != 1 or (isinstance(step, Call) and step.has_parts) for step in steps):
            return
        known = {number: self.skipped[number] for number in absent if number in self.skipped}
        yield {**dict.fromkeys(absent, 0), **known}
        if any(len(step.inputs) > 1 for step in steps):
            last = {number: max(0, len(step.inputs) - 1) for number, step in zip(absent, steps, strict=True)}
            yield {**last, **known}

    def _is_wired(self, scope: Scope, rows: Sequence[Row], places: Sequence[int], skipped: dict[int, int]) -> bool:
        """Whether steps take the same values, once those of absent steps are replaced."""
        theirs = _numbered(scope, rows, places, self._raw(scope))
        ours = _numbered(self.scope, self.rows, range(len(self.rows)), self._raw(self.scope))
        for number, which in sorted(skipped.items()):
            step = self.rows[number].step
            if not step.inputs:
                continue
            if isinstance(step, Call) or len(step.steps) == 0 or not self.is_opened(number):
                ours[step.outputs[0]] = ours[step.inputs[which]]
        pairs = [(self.rows[place].step, row.step) for place, row in zip(places, rows, strict=True)]
        alike = all([ours[v] for v in a.read] == [theirs[v] for v in b.read] for a, b in pairs)
        return alike and [ours[v] for v in self.scope.outputs] == [theirs[v] for v in scope.outputs]

    def is_opened(self, number: int) -> bool:
        """Whether the steps inside of a row follow it."""
        step = self.rows[number].step
        return any(row.is_end and row.step is step for row in self.rows)


def _numbered(
    scope: Scope, rows: Sequence[Row], places: Sequence[int], raw: Mapping[Value, str]
) -> dict[Value, tuple[Any, ...]]:
    """What each value is: an input, a parameter of the module itself, or the value of a row."""
    found: dict[Value, tuple[Any, ...]] = {value: ("input", number) for number, value in enumerate(scope.inputs)}
    found |= {value: ("raw", name) for value, name in raw.items()}
    inline = {row.step for row in rows if row.is_end}
    for place, row in zip(places, rows, strict=True):
        if row.step not in inline:  # the value of a sequence is that of its last step
            found.update({value: (place, number) for number, value in enumerate(row.step.outputs)})
    return found


MAX_COMPARED: Final = 40_000
"""Pairs of steps that are compared for the best alignment; of more, the first that fits is taken."""


def _aligned(longer: Sequence[Row], shorter: Sequence[Row]) -> list[int] | None:
    """Where the rows of the shorter sequence are in the longer, in order; `None` if they are not all there.

    Of several ways it is the one in which most fields are equal, and the same fields are given.
    """
    spend(len(longer))
    if len(shorter) > len(longer):
        return None
    if len(shorter) == len(longer) or len(shorter) * len(longer) > MAX_COMPARED:
        return _first_aligned(longer, shorter)
    spare = len(longer) - len(shorter)
    spend(len(shorter) * (spare + 1))
    best: list[list[tuple[int, int] | None]] = []  # of each row and shift: the score so far, and the shift before
    for number, row in enumerate(shorter):
        before = best[-1] if best else [(0, 0)] + [None] * spare
        best.append([_score(longer[number + shift], row, before[: shift + 1], not best) for shift in range(spare + 1)])
    ends = [(found[0], shift) for shift, found in enumerate(best[-1]) if found is not None] if best else []
    if not ends:
        return None if shorter else []
    shift = max(ends, key=lambda end: (end[0], -end[1]))[1]
    places: list[int] = []
    for number in range(len(shorter) - 1, -1, -1):
        places.append(number + shift)
        found = best[number][shift]
        assert found is not None
        shift = found[1]
    return places[::-1]


def _score(ours: Row, theirs: Row, before: Sequence[tuple[int, int] | None], is_first: bool) -> tuple[int, int] | None:
    """The best score of an alignment that ends with these two rows, and the shift of the row before."""
    if ours.key != theirs.key:
        return None
    equal = sum(theirs.fields.get(name) == value for name, value in ours.fields.items())
    equal += len(ours.fields.keys() & theirs.fields.keys()) - len(ours.fields.keys() ^ theirs.fields.keys())
    if is_first:
        return equal, 0
    known = [(found[0], -shift) for shift, found in enumerate(before) if found is not None]
    if not known:
        return None
    score, shift = max(known)
    return score + equal, -shift


def _first_aligned(longer: Sequence[Row], shorter: Sequence[Row]) -> list[int] | None:
    found: list[int] = []
    place = 0
    for row in shorter:
        while place < len(longer) and longer[place].key != row.key:
            place += 1
        if place == len(longer):
            return None
        found.append(place)
        place += 1
    return found
