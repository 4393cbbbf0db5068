"""The layout of the whole image, with as many columns as make it about as high as wide."""

from __future__ import annotations

from typing import Final

from archspec.backends.diagram.drawing import Drawing
from archspec.backends.diagram.layout.level import Level
from archspec.backends.diagram.layout.nets import nets_of
from archspec.backends.diagram.layout.parts import Block, Measures

LONG: Final = {"TB": 1000, "BT": 1000, "LR": 1500, "RL": 1500}
"""An image up to this length, in pixels, is not wrapped."""

SHAPE: Final = {"TB": 1.0, "BT": 1.0, "LR": 1.5, "RL": 1.5}
"""The length of a wrapped image, relative to its width."""


SLACK: Final = 0.4
"""How much longer than their share of the whole columns may be, more for few columns than for many: nodes between two
cuts stay together."""


def plan(drawn: Drawing, measures: Measures, direction: str) -> Block:
    """The layout of a drawing: along the main axis from 0, across from -before to after."""
    nets = nets_of(drawn)
    free = Level(measures, nets, float("inf"))
    block = free.block(drawn.items)
    if block.length <= max(LONG[direction], SHAPE[direction] * (block.before + block.after)):
        return block
    count = max(2, round((block.length / (SHAPE[direction] * (block.before + block.after))) ** 0.5))
    lengths = [(1 + SLACK / number) * block.length / number for number in (count - 1, count, count + 1) if number > 1]
    limits = [max(length, LONG[direction] / 2) for length in lengths]
    tried = [block, *(Level(measures, nets, limit, free.frames).block(drawn.items) for limit in dict.fromkeys(limits))]
    return min(tried, key=lambda found: _lopsided(found, SHAPE[direction]))


def _lopsided(block: Block, shape: float) -> float:
    """How far an image is from the desired shape: the ratio of its longer side to the shorter, 1 at best."""
    ratio = block.length / max(block.before + block.after, 1) / shape
    return max(ratio, 1 / ratio)
