"""Nodes and wires in one column, or in as many columns side by side as a maximum length requires."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Final, NamedTuple

from archspec.backends.diagram.layout.parts import Block, Line, NetKey, Node, Point, Wire
from archspec.backends.diagram.layout.ranks import ranks_of
from archspec.backends.diagram.layout.strip import strip

GUTTER: Final = 16
"""Pixels between a column and the wire to the next column, and between that wire and the next column."""

RUN: Final = 9
"""Pixels between columns and the wires that run along their ends."""

Ranks = Mapping[str, int]


class Column(NamedTuple):
    """A column, the value that enters from the previous column, and the value that leaves to the next."""

    block: Block
    comes: NetKey | None
    goes: NetKey | None


def columns(nodes: Sequence[Node], wires: Sequence[Wire], limit: float) -> Block:
    """Lay out nodes and wires."""
    ranks = ranks_of(nodes, wires)
    single = strip(nodes, wires, ranks)
    if single.length <= limit:
        return single
    starts = {area.key: area.main for area in single.boxes}
    pieces = _pieces(nodes, ranks, _cuts(nodes, wires, ranks))
    begins = [min(starts[node.key] for node in piece if node.key in starts) for piece in pieces]
    lengths = [end - start for start, end in zip(begins, [*begins[1:], single.length], strict=True)]
    groups = _balanced(lengths, limit)
    if len(groups) < 2:
        return single
    parts = [[node for piece in pieces[start:end] for node in piece] for start, end in groups]
    return _side_by_side([_column(number, parts, wires, ranks) for number in range(len(parts))])


def _cuts(nodes: Sequence[Node], wires: Sequence[Wire], ranks: Ranks) -> list[int]:
    """The layers after which a column can end: a single value continues, and no box is left alone."""
    crossing = Counter(
        rank for wire in wires for rank in range(ranks[wire.tail], max(ranks[head] for head in wire.heads))
    )
    placed = [ranks[node.key] for node in nodes if node.kind != "port"]
    return [rank for rank in range(min(placed) + 1, max(placed) - 1) if crossing[rank] == 1]


def _pieces(nodes: Sequence[Node], ranks: Ranks, cuts: Sequence[int]) -> list[list[Node]]:
    """The nodes between the cuts."""
    pieces: list[list[Node]] = [[] for _ in range(len(cuts) + 1)]
    number, place = 0, dict[int, int]()
    for rank in range(max(ranks.values()) + 1):
        place[rank] = number
        number += number < len(cuts) and cuts[number] == rank
    for node in nodes:
        pieces[place[ranks[node.key]]].append(node)
    return pieces


def _balanced(lengths: Sequence[float], limit: float) -> list[tuple[int, int]]:
    """As few groups as the limit allows, as equal in length as possible."""
    low, high = max(*lengths, 1.0), max(limit, *lengths)
    wanted = len(_groups(lengths, high))
    for _ in range(12):
        middle = (low + high) / 2
        low, high = (low, middle) if len(_groups(lengths, middle)) <= wanted else (middle, high)
    return _groups(lengths, high)


def _groups(lengths: Sequence[float], limit: float) -> list[tuple[int, int]]:
    groups, start, total = [], 0, 0.0
    for number, length in enumerate(lengths):
        if number > start and total + length > limit:
            groups.append((start, number))
            start, total = number, 0.0
        total += length
    return [*groups, (start, len(lengths))]


def _column(number: int, parts: Sequence[Sequence[Node]], wires: Sequence[Wire], ranks: Ranks) -> Column:
    """One of the parts as a column, with a port for the value from an earlier column, and one for the next."""
    part_of = {node.key: place for place, part in enumerate(parts) for node in part}
    own = [ranks[node.key] for node in parts[number]]
    before, behind = Node("comes", kind="port"), Node("goes", kind="port")
    found: list[Wire] = []
    comes = goes = None
    for wire in wires:
        heads = {head: dashed for head, dashed in wire.heads.items() if part_of[head] == number}
        later = any(part_of[head] > number for head in wire.heads)
        if part_of[wire.tail] > number or not (heads or later):
            continue
        goes = wire.key if later else goes
        heads |= {behind.key: False} if later else {}
        if part_of[wire.tail] < number:
            comes = wire.key
            found.append(Wire(wire.key, before.key, heads))
        else:
            found.append(Wire(wire.key, wire.tail, heads, wire.label))
    nodes = [*([before] if comes else []), *parts[number], *([behind] if goes else [])]
    places = {node.key: ranks[node.key] for node in parts[number]}
    return Column(strip(nodes, found, places | {before.key: min(own) - 1, behind.key: max(own) + 1}), comes, goes)


def _side_by_side(found: Sequence[Column]) -> Block:
    """Columns beside each other, joined by wires that run from the end of one to the start of the next."""
    whole = Block()
    axes = list(_axes(found))
    width = axes[-1] + found[-1].block.after
    enters = [(key, axes[0] + cross) for key, cross in found[0].block.entries.items() if key != found[0].comes]
    leaves = [(key, axes[-1] + cross) for key, cross in found[-1].block.exits.items() if key != found[-1].goes]
    top = 3.0 * RUN if len(enters) == 1 else 2.0 * RUN
    ends = [top + column.block.length for column in found]
    bottom = max([*(end + RUN for end in ends[:-1]), ends[-1]])
    whole.length = bottom + (2 * RUN if len(leaves) == 1 else 0)
    for column, axis in zip(found, axes, strict=True):
        whole.add(column.block, top, axis)
    for number in range(len(found) - 1):
        whole.lines.append(_joint(found, axes, number, top))
    middle = width // 2
    for key, cross in enters:
        way = (Point(0, middle), Point(RUN, middle), Point(RUN, cross), Point(top, cross))
        whole.lines.append(Line(key, way if len(enters) == 1 else (Point(0, cross), Point(top, cross))))
        whole.entries[key] = middle if len(enters) == 1 else cross
    for key, cross in leaves:
        turn = bottom + RUN
        way = (Point(ends[-1], cross), Point(turn, cross), Point(turn, middle), Point(whole.length, middle))
        whole.lines.append(Line(key, way if len(leaves) == 1 else (Point(ends[-1], cross), Point(whole.length, cross))))
        whole.exits[key] = middle if len(leaves) == 1 else cross
    whole.before, whole.after = 0, width
    return whole


def _axes(found: Sequence[Column]) -> Iterator[float]:
    """The positions of the columns' axes, measured from the side of the first column."""
    edge = 0.0
    for column in found:
        yield edge + column.block.before
        edge += column.block.before + column.block.after + 2 * GUTTER


def _joint(found: Sequence[Column], axes: Sequence[float], number: int, top: float) -> Line:
    """The wire from the end of a column to the start of the next."""
    column, after = found[number], found[number + 1]
    assert column.goes is not None
    start, stop = axes[number] + column.block.exits[column.goes], axes[number + 1] + after.block.entries[column.goes]
    end, beside = top + column.block.length, axes[number] + column.block.after + GUTTER
    turn = top - RUN
    return Line(column.goes, (Point(end, start), Point(end + RUN, start), Point(end + RUN, beside), Point(turn, beside),
                              Point(turn, stop), Point(top, stop)))  # fmt: skip
