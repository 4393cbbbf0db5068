"""What a block or network is, resolved once: its items with their repeats, conditions and names.

A `graph.Module` is an instance of a `Definition`: its steps know the item they came from and in which round of the
repeats around it. Passes and backends read definitions and instances only: the YAML model is not read again after
specialisation, and no name is looked up twice.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from functools import cached_property
from typing import Any, Final

from archspec.ops.base import Op

Position = tuple[int, ...]
"""Where a step comes from: the number of the item in its list and the round of its repeat (0 without one), at each
level of nesting from outside in. Steps run in the order of their positions."""


@dataclass(frozen=True, eq=False)
class ResolvedItem:
    """One item of a definition, with its names resolved and its expressions parsed."""

    kind: str
    """`op`, `block`, `seq`, `call` or `group`."""
    label: str
    """The item's name in messages and comments."""
    name: str | None = None
    """The attribute its module is registered under, or the path to an entry of a container (`convs.{i}`); parts in
    braces are expressions. If the item is in a named group, the path includes the group's name."""
    value: str | None = None
    """The name that the item gives to its value with `as`, if any."""
    when: ast.expr | None = None
    repeat: ast.expr | None = None
    index: str = ""
    """The loop index of the repeat; a made-up name if the spec gives none."""
    chosen: ast.expr | None = None
    """The expression of an op that is an argument (`op: =activation`)."""
    replaced: bool = False
    """Whether `else` names the value that is used in its place when it is left out."""
    train_only: bool = False
    append: str | None = None
    """The list its value is added to."""
    computed: tuple[ast.expr, ...] = ()
    """The expressions in its name and in the names it refers to."""
    body: tuple[ResolvedItem, ...] = ()
    """The items of a seq or a group."""
    container: str = ""
    """The path of the container that its module is registered in."""

    def walk(self) -> Iterator[ResolvedItem]:
        """This item and all those inside it."""
        yield self
        for item in self.body:
            yield from item.walk()


def input_names(declared: Sequence[str], count: int) -> tuple[str, ...]:
    """The names of `count` inputs; those that `*rest` covers are numbered.

    >>> input_names(("first", "*rest"), 3)
    ('first', 'rest.0', 'rest.1')
    """
    if not declared[-1].startswith("*"):
        return tuple(declared)
    fixed, rest = declared[:-1], declared[-1].removeprefix("*")
    return (*fixed, *(f"{rest}.{number}" for number in range(count - len(fixed))))


ADDED: Final = ResolvedItem("op", "added")
"""The item of a step that a pass added, which has no item in the spec."""

LAST: Final[Position] = (1 << 40, 0)
"""The position of a step that a pass added after all others."""


@dataclass(frozen=True)
class Initialisation:
    """How a rule initialises parameters. It applies to the modules for which it is the first rule that matches."""

    ops: tuple[type[Op], ...] | None
    """The ops it is for; `None` for all."""
    path: str | None
    """The pattern for the names of modules; `None` for all."""
    parameters: Mapping[str, Any]
    """An initialiser for each parameter."""

    @property
    def op(self) -> tuple[str, ...] | None:
        """The kinds of op it is for; `None` for all."""
        return None if self.ops is None else tuple(op.kind for op in self.ops)

    def matches(self, name: str, op: Op) -> bool:
        """Whether the rule is for a module of this name and op."""
        return self.may_match(type(op)) and (self.path is None or fnmatchcase(name, self.path))

    def may_match(self, op: type[Op]) -> bool:
        """Whether the rule is for modules of this op, under any name."""
        return self.ops is None or op.is_of(self._modules)

    @cached_property
    def _modules(self) -> frozenset[str | None]:
        """The classes of the modules that it is for."""
        return frozenset(op.module for op in self.ops or ())


@dataclass(frozen=True, eq=False)
class Definition:
    """A block or network."""

    name: str
    description: str = ""
    returns: tuple[str, ...] = ()
    """The names of the values that it returns as a dict, if a pass cut it down to features."""
    inputs: tuple[str, ...] = ("input",)
    """The names of its inputs; a star before the last one means that it stands for all further inputs."""
    params: Mapping[str, Any] = field(default_factory=dict)
    """The parameters with their defaults as the spec gives them; `None` for one that must be given."""
    lets: tuple[str, ...] = ()
    items: tuple[ResolvedItem, ...] = ()
    init: tuple[Initialisation, ...] = ()
    """The initialisation rules as written; an instance has those whose conditions hold, with their values."""
    registered_last: tuple[str, ...] = ()
    is_network: bool = False
    is_sequential: bool = False
    """Whether it is itself an `nn.Sequential`."""
    entries: int | None = None
    """How many of its items, from the first on, are entries of the `nn.Sequential` that it is; `None` for all."""
    is_outlined: bool = False
    """Whether the source writer made it, from a seq; it then uses the names of the block around it."""
    form: tuple[Any, ...] = ()
    """Set for a block or seq that a pass changed: distinguishes it from others of the same name."""

    def at(self, position: Position) -> ResolvedItem:
        """The item at a position."""
        if position == LAST:
            return ADDED
        items, item = self.items, ADDED
        for number in position[::2]:
            item = items[number]
            items = item.body
        return item

    @property
    def is_chain(self) -> bool:
        """Whether it is an `nn.Sequential` that yields what its last entry does, and no more."""
        return self.is_sequential and self.entries is None and not self.form

    @property
    def names_sizes(self) -> bool:
        """Whether the sizes of its inputs get names of their own in its source."""
        return not self.is_network and not self.is_outlined

    @property
    def indices(self) -> set[str]:
        """The names of its loop indices."""
        return {item.index for item in self.walk() if item.index}

    def walk(self) -> Iterator[ResolvedItem]:
        """All items, each before those inside it."""
        for item in self.items:
            yield from item.walk()
