"""The network up to the layer that fails, so that an image can show it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from archspec.frontend.model import Network, class_name
from archspec.ir.graph import Graph
from archspec.ir.module import Module, Ref, Step
from archspec.ops.base import Op

if TYPE_CHECKING:
    from archspec.passes.specialize.values import Values


def network_up_to(lines: Sequence[Values], network: Network, message: str) -> Graph | None:
    """The steps made so far in each of the open lines of items, when an error is found in the innermost.

    The last step of each is the one that fails: its `failure` is the message, and its output is unknown. `None` if the
    error is not in an item.
    """
    items = [values.current[0] for values in lines if values.current is not None]
    if not lines or len(items) < len(lines) or lines[-1].target is None:
        return None
    blocks = [network.class_name or class_name(network.name), *(item.block or "" for item in items[:-1])]
    target: Op | Module | int = lines[-1].target
    for values, block in zip(reversed(lines), reversed(blocks), strict=True):
        steps = (*values.steps, _failing_step(values, target, message))
        inputs: tuple[Any, ...] = tuple(values.inputs.values())
        target = Module(block, inputs, steps, Ref(len(steps) - 1))
    assert isinstance(target, Module)
    return Graph(network.name, target.definition, target, network.description or "", network.reference or "")


def _failing_step(values: Values, target: Op | Module | int, message: str) -> Step:
    assert values.current is not None
    item, name, operands = values.current
    registered = None if isinstance(target, int) else name
    return Step(target, tuple(ref for ref, _ in operands), (), registered, name or item.label, failure=message)
