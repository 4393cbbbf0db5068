"""What a recording consists of: values, and the steps that make them, within the modules that ran them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any


@dataclass(eq=False)
class Value:
    """One tensor as a spec has it: `sizes` without the batch, or all of them if there is none."""

    sizes: tuple[int, ...]
    is_batched: bool = True
    is_integer: bool = False
    """Whether it holds integers: token ids, or those of a buffer."""
    folded: tuple[Any, ...] = ()
    """The axes of a sample that its batch holds, too; `layout` has them."""
    layout: type[tuple[int, ...]] | None = None
    """The class of its shape, which says where its channels are; `None` if that is not known."""


class Place(int):
    """The number of an output of a module, in what it returned; other integers there are the model's own."""


@dataclass(eq=False)
class Call:
    """An op that ran: as the module `path`, or as a function of the module that it stands in."""

    op: str
    fields: dict[str, Any]
    inputs: list[Value]
    outputs: list[Value]
    path: str | None = None
    """The module that it is, counted from the network: `layer1.0.conv1`."""
    like: Value | None = None
    has_parts: bool = False
    """Whether its value is several tensors, even if these are one."""
    where: str = ""
    """Its line in the source: `net.py:12`."""
    train_only: bool = False

    @property
    def kind(self) -> str:
        """What it is, for comparison with another recording."""
        return self.op

    @property
    def read(self) -> list[Value]:
        """The values that it takes."""
        return self.inputs if self.like is None else [*self.inputs, self.like]


@dataclass(eq=False)
class Scope:
    """A module that ran others, or called functions, and the steps of one run of it."""

    path: str
    module: Any
    arguments: list[str] = field(default_factory=list)
    """The names of `inputs` in the signature of its `forward`."""
    inputs: list[Value] = field(default_factory=list)
    outputs: list[Value] = field(default_factory=list)
    returned: Any = None
    """What it returned, with a `Place` among `outputs` for each tensor."""
    steps: list[Call | Scope] = field(default_factory=list)
    where: str = ""
    train_only: bool = False

    @property
    def kind(self) -> str:
        """The name of its class."""
        return type(self.module).__name__

    @property
    def read(self) -> list[Value]:
        """The values that it takes."""
        return self.inputs

    def values_read(self) -> Iterator[Value]:
        """What its own steps take, and what it returns."""
        for step in self.steps:
            yield from step.read
        yield from self.outputs

    def scopes(self) -> Iterator[Scope]:
        """It and all scopes inside, each before those that contain it."""
        for step in self.steps:
            if isinstance(step, Scope):
                yield from step.scopes()
        yield self

    def calls(self) -> Iterator[Call]:
        """All calls inside, in the order in which they ran."""
        for step in self.steps:
            if isinstance(step, Scope):
                yield from step.calls()
            else:
                yield step

    def drop(self, dead: Callable[[Call], bool]) -> None:
        """Leave out calls inside whose values nothing reads, if `dead` is true of them."""
        while True:
            read = {value for scope in self.scopes() for value in scope.values_read()}
            unread = {call for call in self.calls() if dead(call) and read.isdisjoint(call.outputs)}
            if not unread:
                return
            for scope in self.scopes():
                scope.steps = [step for step in scope.steps if step not in unread]


Step = Call | Scope
