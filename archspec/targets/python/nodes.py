"""A block's items as nodes of one class: every instance's steps side by side, references resolved.

A node is what one line of a class is about: the same item in all instances. Where a condition drops the item
in some of them, the node says so, and which value takes its place.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from archspec.elaborate.names import list_names
from archspec.graph import Control, Module, Step
from archspec.language import Block, Item, Network
from archspec.ops import OPS
from archspec.ops.base import Op
from archspec.scope import fill

Indices = tuple[tuple[str, int], ...]
"""The loop indices around an item, from outside in, in one round of each."""


class Irregular(Exception):
    """Instances of a block differ in more than values: they cannot be written as one class."""


@dataclass(frozen=True, eq=False)
class Host:
    """A module being written (an instance, or a seq inside one), and its instance's names with their values."""

    module: Module
    instance: Module
    names: Mapping[str, Any]
    outer: Indices = ()
    """The loop indices around a seq."""

    def inside(self, step: Step) -> Host:
        """The seq that a step of this host runs."""
        assert isinstance(step.target, Module)
        return Host(step.target, self.instance, self.names, tuple(step.indices.items()))

    def itself(self) -> Occurrence:
        """What is said of the host and of none of its items: it may have none."""
        return Occurrence(self, _NO_STEP)


_NO_STEP: Final = Step(0, (), (), None, "")


class Occurrence(NamedTuple):
    """An item in one instance: the step it became."""

    host: Host
    step: Step

    @property
    def names(self) -> dict[str, Any]:
        """Names and their values where the item stands, loop indices included."""
        return {**self.host.names, **self.step.indices}


Steps = dict[tuple[tuple[int, ...], Indices], list[Occurrence]]
"""The steps of an item's rounds: by its slot, and by the indices around it."""


class ValueId(NamedTuple):
    """A value of a class: the output of node `node`, or input number `-1 - node`; `part` of several."""

    node: int
    part: int | None = None


@dataclass(eq=False)
class Guard:
    """A condition that not all instances meet, on one item or a group of them.

    Where it does not hold, `otherwise` takes the place of what the last of the items yields.
    """

    label: str
    condition: list[tuple[Host, ast.expr, bool]]
    otherwise: ValueId


@dataclass(eq=False)
class Loop:
    """A repeated group with one module, which each instance may run another number of times."""

    index: str
    counts: list[tuple[Host, ast.expr, int]]
    name: str
    """The module's name, with the index still in braces."""


@dataclass(eq=False)
class Node:
    """One item of a class."""

    item: Item
    occurrences: list[Occurrence]
    inputs: tuple[ValueId, ...]
    label: str
    calls: int | None = None
    """The node whose module runs again."""
    guard: Guard | None = None
    """Where the item is not always there."""
    loop: Loop | None = None
    """Where the item is in the body of a loop."""
    append: str | None = None
    """The list its value is added to."""
    lists: tuple[str, ...] = ()
    """The lists among its inputs, in a loop: they follow the inputs."""

    @property
    def step(self) -> Step:
        return self.occurrences[0].step

    @property
    def name(self) -> str | None:
        return self.step.name


class Naming:
    """Reads a block's items as elaboration does, for all instances at once."""

    def __init__(self, body: Block | Network, hosts: Sequence[Host], unroll: bool) -> None:
        self.hosts = hosts
        self.unroll = unroll
        self.body = body
        self.inputs_of_body = inputs = body.inputs if isinstance(body, Block) else ["input"]
        self.values = {name: ValueId(-1 - number) for number, name in enumerate(inputs)}
        self.previous = ValueId(-1)
        self.nodes: list[Node] = []
        self.modules: dict[str, int] = {}
        self.lists: dict[str, list[ValueId]] = {}
        self.guard: Guard | None = None
        self.loop: Loop | None = None
        self.steps = index_steps(hosts)
        items = body.items if isinstance(body, Block) else body.layers
        self.list_names = list_names(items)
        self.growing: set[str] = set()
        """The lists that a loop appends to: they are lists in the generated code, too."""
        self.items(items, (), ())
        output = body.output
        if output is None and isinstance(body, Network) and body.outputs is not None:
            output = next(iter(body.outputs.fields.values()))
        self.result = self.previous if output is None else self.reference(output)

    def items(self, items: Sequence[Item], slot: tuple[int, ...], indices: Indices) -> None:
        for number, item in enumerate(items):
            place = (*slot, number)
            loop = self.as_loop(item, place, indices)
            if loop is not None:
                self.loop = loop
                self.growing |= list_names([item])
                self.one(item, place, (*indices, (loop.index, 0)))
                self.loop = None
                self.forget_rounds()
                continue
            for inner in self.iterations(item, place, indices):
                self.one(item, place, inner)

    def forget_rounds(self) -> None:
        """Behind a loop there are no names for what its rounds hold and yield."""
        self.values = {
            n: value for n, value in self.values.items() if value.node < 0 or not self.nodes[value.node].loop
        }
        self.modules = {name: number for name, number in self.modules.items() if not self.nodes[number].loop}

    def as_loop(self, item: Item, slot: tuple[int, ...], indices: Indices) -> Loop | None:
        """A repeated item as a loop, if it is more than a few rounds and has one module."""
        if self.unroll or item.repeat is None or self.loop is not None or self.guard is not None:
            return None
        counts = [(h, h.module.controls[Control("repeat", slot, indices)], repeat_count(h, slot, indices))
                  for h in self.hosts]  # fmt: skip
        group = [item] if item.layers is None else item.layers
        named = [inner.name for inner in group if inner.name is not None]
        plain = all(inner.when is None and inner.layers is None and inner.call is None for inner in group)
        if len(named) != 1 or not plain or min(n for *_, n in counts) < 1 or max(n for *_, n in counts) < 3:
            return None
        return Loop(item.index_within(len(indices)), counts, str(named[0]))

    def iterations(self, item: Item, slot: tuple[int, ...], indices: Indices) -> Iterator[Indices]:
        if item.repeat is None:
            yield indices
            return
        counts = {repeat_count(host, slot, indices) for host in self.hosts}
        if len(counts) != 1:
            raise Irregular(f"{item.label} is repeated {sorted(counts)} times")
        for k in range(counts.pop()):
            yield (*indices, (item.index_within(len(indices)), k))

    def one(self, item: Item, slot: tuple[int, ...], indices: Indices) -> None:
        if item.layers is not None:
            self.group(item, item.layers, slot, indices)
            return
        occurrences = self.steps.get((slot, indices), [])
        if not occurrences:
            self.leave_out(item, {**self.hosts[0].names, **dict(indices)})
        else:
            self.add(item, occurrences, slot, indices)

    def group(self, item: Item, items: Sequence[Item], slot: tuple[int, ...], indices: Indices) -> None:
        condition = conditions(item, self.hosts, slot, indices)
        held = {holds for _, _, holds in condition}
        if held == {False}:
            return
        if len(held) > 1:
            if self.guard is not None:
                raise Irregular("a condition inside a condition")
            self.guard = Guard(items[0].label, condition, self.previous)
        self.items(items, slot, indices)
        self.guard = None if len(held) > 1 else self.guard

    def leave_out(self, item: Item, scope: Mapping[str, Any]) -> None:
        value = self.previous if item.else_ is None else self.reference(fill(item.else_, dict(scope)))
        name = item.as_ or item.name
        if name:
            self.values[fill(name, dict(scope))] = value
        if item.else_ is not None:
            self.previous = value

    def add(self, item: Item, occurrences: list[Occurrence], slot: tuple[int, ...], indices: Indices) -> None:
        step = occurrences[0].step
        scope = {**self.hosts[0].names, **dict(indices)}
        inputs = self.inputs(item, scope)
        calls = None if item.call is None else self.module(fill(item.call, scope))
        if self.loop is not None:
            occurrences = [Occurrence(h, s) for h in self.hosts for s in h.module.steps if s.slot == slot]
        lists = tuple(name for name in item.from_ or () if name in self.growing)
        node = Node(item, occurrences, inputs, step.label, calls, self.guarded(item, occurrences, slot, indices),
                    self.loop, item.append, lists)  # fmt: skip
        number = len(self.nodes)
        self.nodes.append(node)
        if step.name is not None:
            self.modules[step.name] = number
        name = item.as_ or (step.label if item.name else None)
        if name is not None:
            self.values[name] = ValueId(number)
        if item.append is not None:
            self.lists.setdefault(item.append, []).append(ValueId(number))
        if not item.train_only and not step_is_raw(step):
            self.previous = ValueId(number)

    def guarded(
        self, item: Item, occurrences: list[Occurrence], slot: tuple[int, ...], indices: Indices
    ) -> Guard | None:
        """The condition of an item: its group's, or its own where not all instances meet it."""
        if item.when is None or len(occurrences) == len(self.hosts):
            return self.guard
        if self.guard is not None:
            raise Irregular("a condition inside a condition")
        otherwise = self.previous if item.else_ is None else self.reference(fill(item.else_, dict(indices)))
        return Guard(item.as_ or item.label, conditions(item, self.hosts, slot, indices), otherwise)

    def inputs(self, item: Item, scope: Mapping[str, Any]) -> tuple[ValueId, ...]:
        if _takes_nothing(item):
            return ()
        if item.from_ is None:
            return (self.previous,)
        found: list[ValueId] = []
        for name in item.from_:
            if name not in self.list_names:
                found.append(self.reference(fill(name, dict(scope))))
            elif name not in self.growing:
                found += self.lists.get(name, [])
        return tuple(found)

    def reference(self, name: str) -> ValueId:
        if name in self.values:
            return self.values[name]
        base, _, part = name.partition(".")
        if base not in self.values:
            raise Irregular(f"{base} is read, a round of a loop")
        return ValueId(self.values[base].node, int(part))

    def module(self, name: str) -> int:
        """The node whose module an item calls again."""
        if name not in self.modules:
            raise Irregular(f"{name} is called, a round of a loop")
        return self.modules[name]


def step_is_raw(step: Step) -> bool:
    """Whether a step is a parameter of the block itself."""
    return isinstance(step.target, Op) and step.target.raw


def _takes_nothing(item: Item) -> bool:
    return item.op in OPS and OPS[item.op].raw


def index_steps(hosts: Sequence[Host]) -> Steps:
    """The steps of all hosts by item and loop iteration."""
    found: Steps = {}
    for host in hosts:
        for step in host.module.steps:
            found.setdefault((step.slot, tuple(step.indices.items())), []).append(Occurrence(host, step))
    return found


def repeat_count(host: Host, slot: tuple[int, ...], indices: Indices) -> int:
    """How often an item is repeated in one instance."""
    numbers = {
        step.indices[list(step.indices)[len(indices)]] for step in host.module.steps if is_within(step, slot, indices)
    }
    return max(numbers, default=-1) + 1


def conditions(
    item: Item, hosts: Sequence[Host], slot: tuple[int, ...], indices: Indices
) -> list[tuple[Host, ast.expr, bool]]:
    """An item's condition in each instance, and whether it holds there."""
    if item.when is None:
        return []
    found = []
    for host in hosts:
        tree = host.module.controls.get(Control("when", slot, indices))
        if tree is None:
            raise Irregular("a condition that is not reached everywhere")
        found.append((host, tree, any(is_within(step, slot, indices) for step in host.module.steps)))
    return found


def is_within(step: Step, slot: tuple[int, ...], indices: Indices) -> bool:
    """Whether a step comes from the item at `slot`, in this loop iteration."""
    return step.slot[: len(slot)] == slot and tuple(step.indices.items())[: len(indices)] == indices
