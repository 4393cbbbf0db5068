"""The network up to the layer that fails, to be drawn."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from archspec.frontend.model.network import Network
from archspec.frontend.reserved_names import class_name
from archspec.ir.graph import Graph
from archspec.ir.module import Module, Ref, Step
from archspec.ops.base import Op

if TYPE_CHECKING:
    from archspec.passes.specialize.value_table import ValueTable


def network_up_to(bodies: Sequence[ValueTable], network: Network, message: str) -> Graph | None:
    """The steps made so far in each of the unfinished bodies, when an error is found in the innermost.

    The last step of each is the one that fails: its `failure` is the message, and its output is unknown. `None` if the
    error is not in an item.
    """
    items = [values.current[0] for values in bodies if values.current is not None]
    if not bodies or len(items) < len(bodies) or bodies[-1].target is None:
        return None
    blocks = [network.class_name or class_name(network.name), *(item.block or "" for item in items[:-1])]
    target: Op | Module | int = bodies[-1].target
    for values, block in zip(reversed(bodies), reversed(blocks), strict=True):
        steps = (*values.steps, _failing_step(values, target, message))
        inputs: tuple[Any, ...] = tuple(values.inputs.values())
        target = Module(block, inputs, steps, Ref(len(steps) - 1))
    assert isinstance(target, Module)
    return Graph(network.name, target.definition, target, network.description or "", network.reference or "")


def _failing_step(values: ValueTable, target: Op | Module | int, message: str) -> Step:
    assert values.current is not None
    item, name, operands = values.current
    registered = None if isinstance(target, int) else name
    return Step(target, tuple(ref for ref, _ in operands), (), registered, name or item.label, failure=message)
