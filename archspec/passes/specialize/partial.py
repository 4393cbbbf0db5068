"""The network up to the layer that fails, so that a picture can show how far it comes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from archspec.frontend.model import Network, class_name
from archspec.ir.graph import Graph
from archspec.ir.module import Module, Ref, Step
from archspec.ops.base import Op

if TYPE_CHECKING:
    from archspec.passes.specialize.body import Frame


def network_up_to(frames: Sequence[Frame], network: Network, message: str) -> Graph | None:
    """What was made when a mistake was found in the innermost of the open lines of items.

    In each of them the last step is the one that fails: its `failure` is the message, and its output is unknown.
    `None` where the mistake is in no item.
    """
    items = [frame.placed[0] for frame in frames if frame.placed is not None]
    if not frames or len(items) < len(frames) or frames[-1].runs is None:
        return None
    blocks = [network.class_name or class_name(network.name), *(item.block or "" for item in items[:-1])]
    target: Op | Module | int = frames[-1].runs
    for frame, block in zip(reversed(frames), reversed(blocks), strict=True):
        step = _failing(frame, target, message)
        steps = (*frame.steps, step)
        inputs: tuple[Any, ...] = tuple(frame.inputs.values())
        target = Module(block, inputs, steps, Ref(len(steps) - 1))
    assert isinstance(target, Module)
    return Graph(network.name, target.definition, target, network.description or "", network.reference or "")


def _failing(frame: Frame, target: Op | Module | int, message: str) -> Step:
    assert frame.placed is not None
    item, name, inputs = frame.placed
    registered = None if isinstance(target, int) else name
    return Step(target, tuple(ref for ref, _ in inputs), (), registered, name or item.label, failure=message)
