"""Functions that compute the same from the same values, wherever they stand, which alignment in order cannot tell."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from archspec.changes.alignment import Pairs
from archspec.changes.digest import Part, edges
from archspec.diagnostics.budget import spend
from archspec.ir.module import Module, Step


def with_moved(modules: tuple[Module, Module], parts: tuple[Sequence[Part], Sequence[Part]], pairs: Pairs) -> Pairs:
    """The pairs, with those of functions of equal content whose inputs are pairs; those before others first.

    Functions that alignment has paired stay a pair if they read other values, unless one of them has such a partner.
    """
    left, right = (module.steps for module in modules)
    found = dict(pairs)
    loose = {one: other for one, other in pairs if _is_function(parts[0][one]) and _is_function(parts[1][other])
             and not _reads_same(left[one], right[other], found)}  # fmt: skip
    found = {one: other for one, other in pairs if one not in loose}
    reached = {*found.values()}
    free: dict[str, list[int]] = {}
    for number, part in enumerate(parts[1]):
        if number not in reached and _is_function(part):
            free.setdefault(part.content, []).append(number)
    for number, part in enumerate(parts[0]):
        places = free.get(part.content, []) if number not in found and _is_function(part) else []
        spend(1 + len(places))
        place = next((place for place in places if _reads_same(left[number], right[place], found)), None)
        if place is not None:
            places.remove(place)
            found[number] = place
    reached = {*found.values()}
    kept = {one: other for one, other in loose.items() if one not in found and other not in reached}
    return sorted({**found, **kept}.items())


def _is_function(part: Part) -> bool:
    return part.form == "op" and not part.is_registered


def _reads_same(one: Step, other: Step, pairs: Mapping[int, int]) -> bool:
    lefts, rights = edges(one), edges(other)
    return len(lefts) == len(rights) and all(
        pairs.get(a.step, a.step if a.step < 0 else None) == b.step and a.part == b.part
        for a, b in zip(lefts, rights, strict=True)
    )
