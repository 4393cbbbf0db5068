"""Which parts of two modules correspond: the pairs, in order, that have most in common.

It is the alignment of two sequences (Needleman and Wunsch 1970), where similar parts score more. A name that says what
a layer is for (`conv1`, `fc`) counts more than its fields, and its fields more than its number in a list. Equal parts
at both ends are paired at once. The rest is aligned by a table of scores, if the budget allows it, or otherwise by name
alone, in linear time.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence

from archspec.changes.digest import Part
from archspec.diagnostics.budget import can_afford, spend

Pairs = list[tuple[int, int]]

MAX_CELLS = 250_000
"""The most cells of a table of scores; each costs about a step."""


def align(left: Sequence[Part], right: Sequence[Part]) -> Pairs:
    """The numbers of the parts that correspond, in the order of `left`.

    Parts with names of their own are also paired if their order has changed.
    """
    spend(len(left) + len(right))
    begin = _shared(left, right)
    end = _shared(left[begin:][::-1], right[begin:][::-1])
    first, second = left[begin : len(left) - end], right[begin : len(right) - end]
    inner = [(begin + one, begin + other) for one, other in _inner(first, second)]
    ends = zip(range(len(left) - end, len(left)), range(len(right) - end, len(right)), strict=True)
    pairs = [*((number, number) for number in range(begin)), *inner, *ends]
    return sorted([*pairs, *_crossing(left, right, pairs)])


def score(one: Part, other: Part) -> int:
    """How much two parts have in common; 0 if they cannot correspond."""
    same_name = one.name == other.name
    by_name = same_name and one.has_own_name and other.has_own_name
    if one.form != other.form:
        return 0
    if one.kind != other.kind:
        return 3 if by_name or (same_name and one.form == "module") else 0
    return int(
        4 + 2 * (one.fields == other.fields) + (one.shapes[0] == other.shapes[0]) + (one.shapes[1] == other.shapes[1])
        + 4 * (one.content == other.content) + same_name + 8 * by_name
    )  # fmt: skip


def _shared(left: Sequence[Part], right: Sequence[Part]) -> int:
    """How many parts at the beginning are equal in content and name, so that no other pairs can be better."""
    count = 0
    for one, other in zip(left, right, strict=False):
        if not one.is_same(other):
            break
        count += 1
    return count


def _inner(left: Sequence[Part], right: Sequence[Part]) -> Pairs:
    cells = len(left) * len(right)
    if cells <= MAX_CELLS and can_afford(cells):
        return _best(left, right)
    return _by_name(left, right)


def _best(left: Sequence[Part], right: Sequence[Part]) -> Pairs:
    """The pairs with the highest sum of scores; if there are several such sets, the one that comes first."""
    scores = [[score(one, other) for other in right] for one in left]
    best = _sums(scores, len(left), len(right))
    pairs, one, other = [], 0, 0
    while one < len(left) and other < len(right):
        if scores[one][other] and best[one][other] == best[one + 1][other + 1] + scores[one][other]:
            pairs.append((one, other))
            one, other = one + 1, other + 1
        elif best[one][other] == best[one + 1][other]:
            one += 1
        else:
            other += 1
    return pairs


def _sums(scores: Sequence[Sequence[int]], rows: int, columns: int) -> list[list[int]]:
    """For each place, the highest sum of scores of the parts from there on."""
    best = [[0] * (columns + 1) for _ in range(rows + 1)]
    for one in reversed(range(rows)):
        here, below = best[one], best[one + 1]
        for other in reversed(range(columns)):
            pair = scores[one][other]
            found = max(below[other], here[other + 1])
            here[other] = max(found, below[other + 1] + pair) if pair else found
    return best


def _by_name(left: Sequence[Part], right: Sequence[Part]) -> Pairs:
    """Pair the equal parts at the end, then as many parts with the same name as are in order."""
    end = 0
    while end < min(len(left), len(right)) and left[-1 - end].content == right[-1 - end].content:
        end += 1
    places = {part.name: number for number, part in enumerate(right[: len(right) - end])}
    named = [(number, places[part.name]) for number, part in enumerate(left[: len(left) - end]) if part.name in places]
    fits = [(one, other) for one, other in named if score(left[one], right[other])]
    return [*_in_order(fits), *((len(left) - n, len(right) - n) for n in range(end, 0, -1))]


def _in_order(pairs: Pairs) -> Pairs:
    """The longest subsequence of `pairs` whose second numbers increase."""
    ends: list[int] = []
    chains: list[tuple[int, int]] = []  # for each pair, the length of the chain to it
    for number, (_, other) in enumerate(pairs):
        length = bisect_left(ends, other)
        ends[length : length + 1] = [other]
        chains.append((length, number))
    kept, wanted, limit = [], len(ends) - 1, None
    for length, number in reversed(chains):
        if length == wanted and (limit is None or pairs[number][1] < limit):
            kept.append(pairs[number])
            wanted, limit = wanted - 1, pairs[number][1]
    return kept[::-1]


def _crossing(left: Sequence[Part], right: Sequence[Part], pairs: Pairs) -> Pairs:
    """Pairs of unpaired parts with the same name, if it is a name of their own."""
    firsts, seconds = {one for one, _ in pairs}, {other for _, other in pairs}
    free = {part.name: number for number, part in enumerate(right) if number not in seconds and part.has_own_name}
    alone = [(number, part) for number, part in enumerate(left) if number not in firsts and part.has_own_name]
    return [(number, free[part.name]) for number, part in alone if part.name in free
            and score(part, right[free[part.name]])]  # fmt: skip
