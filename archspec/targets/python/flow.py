"""What is known of a class's nodes before a line of `forward` is written: who reads a value, how long it is needed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator
from typing import Final

from archspec.ops.base import Op
from archspec.targets.python.nodes import Naming, Node, ValueId, step_is_raw

_NESTING_ROLES: Final = frozenset({"norm", "activation", "dropout"})

_END: Final = 1 << 30
"""The turn of the `return`, after every node's."""


class Flow:
    """The values of a body on their way from node to node. Nothing here changes once it is made."""

    def __init__(self, naming: Naming, kept: Collection[ValueId]) -> None:
        self.nodes = naming.nodes
        self.results = (naming.result, *kept)
        """What leaves the body."""
        results = {value.node for value in self.results}
        self.dead = self._dead(results)
        """The nodes that are not written: nobody reads them, and they have no effect."""
        read = [(value, number) for number in self.live() for value in self.read_by(number)]
        self.uses = Counter([*(value for value, _ in read), *results])
        """How often each node's value is read."""
        self.last = {**dict(read), **dict.fromkeys(results, _END)}
        """The last node that reads each node's value."""

    def _dead(self, results: set[int]) -> frozenset[int]:
        needed, dead = set(results), set()
        for number in reversed(range(len(self.nodes))):
            node = self.nodes[number]
            if number in needed or node.append is not None or node.guard is not None or self.has_effect(node):
                needed.update(self.read_by(number))
            else:
                dead.add(number)
        return frozenset(dead)

    def live(self, first: int = 0, end: int | None = None) -> Iterator[int]:
        """The nodes that are written, from `first` on."""
        return (n for n in range(first, len(self.nodes) if end is None else end) if n not in self.dead)

    def read_by(self, number: int) -> list[int]:
        """The values a node reads; the last node under a condition reads what may take its place, too."""
        node = self.nodes[number]
        inputs = [value.node for value in node.inputs]
        guard = node.guard
        if guard is None or (number + 1 < len(self.nodes) and self.nodes[number + 1].guard is guard):
            return inputs
        return [*inputs, guard.otherwise.node]

    def last_use(self, value: int) -> int:
        """The last node that reads a value; -1 where none does."""
        return self.last.get(value, -1)

    def parts_read(self, number: int) -> set[int]:
        """Which of several values that a node yields are read."""
        read = {*self.results, *(value for other in self.live() for value in self.nodes[other].inputs)}
        return {value.part for value in read if value.node == number and value.part is not None}

    # -- what nodes have in common ----------------------------------------------------------------------------

    def region(self, number: int) -> range:
        """The nodes from here on that are under the same condition or in the same loop."""
        node, end = self.nodes[number], number + 1
        if node.guard is None and node.loop is None:
            return range(number, end)
        while end < len(self.nodes) and (self.nodes[end].guard, self.nodes[end].loop) == (node.guard, node.loop):
            end += 1
        return range(number, end)

    def is_statement(self, number: int) -> bool:
        """Whether a node is one statement: without a condition, or `x if self.shortcut is None else …`."""
        node = self.nodes[number]
        if len(self.region(number)) > 1 or node.loop is not None:
            return False
        if node.guard is None:
            return True
        same = list(node.inputs) == [node.guard.otherwise] and node.item.else_ is None
        passes_on = same and self.last_use(node.guard.otherwise.node) <= number  # it may have the variable
        return node.name is not None and not passes_on

    def is_conditional(self, number: int) -> bool:
        """Whether a node is written as `x if … else …`: it alone is under its condition."""
        guard = self.nodes[number].guard
        return (
            guard is not None and self.is_statement(number) and not (number and self.nodes[number - 1].guard is guard)
        )

    def is_refined(self, number: int) -> bool:
        """Whether the next node is one that is nested around this one."""
        following = self.nodes[number + 1]
        return self.is_nested(following) and [value.node for value in following.inputs] == [number]

    def end_of_next(self, number: int) -> int:
        """The last node of the statement after a node's: what it and the nodes nested around it compute."""
        following = number + 1
        if following < len(self.nodes) and len(self.region(following)) > 1:
            return self.region(following)[-1]
        while following + 1 < len(self.nodes) and self.is_nested(self.nodes[following + 1]):
            following += 1
        return following

    # -- what a node is ---------------------------------------------------------------------------------------

    def owner(self, node: Node) -> Node:
        """The node whose module runs."""
        return node if node.calls is None else self.nodes[node.calls]

    def role(self, node: Node) -> str:
        """The role of the op that runs, or `block`."""
        target = self.owner(node).step.target
        return target.role if isinstance(target, Op) else "block"

    def is_nested(self, node: Node) -> bool:
        """Whether a node is of the kinds that are nested around what they follow."""
        return self.role(node) in _NESTING_ROLES

    def has_effect(self, node: Node) -> bool:
        """Whether a node does something though nobody reads its value: statistics change, random numbers are drawn."""
        return node.name is not None or node.calls is not None or self.role(node) == "dropout"

    def is_scaling(self, node: Node) -> bool:
        """Whether a node multiplies a value by a parameter of the block."""
        parameters = [value.node >= 0 and step_is_raw(self.nodes[value.node].step) for value in node.inputs]
        return is_op(node, "mul") and any(parameters)


def is_op(node: Node, kind: str) -> bool:
    """Whether a node is an op of a kind."""
    return isinstance(node.step.target, Op) and node.step.target.kind == kind


def part_count(node: Node) -> int:
    """How many values a node yields, if several; else 0."""
    output = node.step.output
    return len(output) if output and isinstance(output[0], tuple) else 0
