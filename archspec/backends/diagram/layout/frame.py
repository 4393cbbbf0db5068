"""The frame around a level, with space for its title where no wire passes."""

from __future__ import annotations

from typing import Final

from archspec.backends.diagram.layout.parts import Area, Block, Line, Measures, Point

PAD: Final = 12
"""Pixels between a frame and its contents."""

CLEAR: Final = 8
"""Pixels between a title and a wire beside it."""


def framed(inner: Block, key: str, measures: Measures) -> Block:
    """A block in a frame whose axis is where the first value enters."""
    length, width = measures.titles[key]
    start, end = ((length if measures.title_at == side else 0) for side in ("start", "end"))
    room = inner.length
    if measures.title_at == "before":
        inner.before += length
        room = max(room, width)
    else:
        ports = inner.entries if start else inner.exits
        inner.before = max([inner.before, *(width + CLEAR - cross for cross in ports.values())])
        inner.after = max(inner.after, width - inner.before)
    outer = Block(room + start + end + 2 * PAD, inner.before + PAD, inner.after + PAD)
    outer.frames.append(Area(key, 0, -outer.before, outer.length, outer.before + outer.after))
    outer.add(inner, PAD + start, 0)
    for values, begin, stop in (
        (inner.entries, 0.0, PAD + start), (inner.exits, PAD + start + inner.length, outer.length)
    ):  # fmt: skip
        outer.lines += [Line(value, (Point(begin, cross), Point(stop, cross))) for value, cross in values.items()]
    outer.entries, outer.exits = dict(inner.entries), dict(inner.exits)
    return centred(outer, next(iter(outer.entries.values()), (outer.after - outer.before) // 2))


def centred(block: Block, axis: float) -> Block:
    """A block with its axis at another place."""
    moved = Block(block.length, block.before + axis, block.after - axis)
    moved.add(block, 0, -axis)
    moved.entries = {key: cross - axis for key, cross in block.entries.items()}
    moved.exits = {key: cross - axis for key, cross in block.exits.items()}
    return moved
