"""Containers: what holds modules without running them, an `nn.ModuleList` or an `nn.ModuleDict`.

A step's name may be a path: `convs.0` is an entry of the container `convs`. The entries of a container run wherever
their steps are, and are registered together, where the first of them is. Entries whose names are the numbers from 0 on
make a list, in the order of their numbers; others make a dict, in the order of their steps.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Generic, TypeVar

from typing_extensions import TypeAliasType

T = TypeVar("T")


@dataclass(frozen=True)
class Container(Generic[T]):
    """A container and its entries, by the last parts of their names."""

    entries: Mapping[str, Entry[T]]

    @property
    def is_list(self) -> bool:
        """Whether it is an `nn.ModuleList`."""
        return all(name == str(number) for number, name in enumerate(self.entries))

    @property
    def kind(self) -> str:
        """The name of torch's class."""
        return "ModuleList" if self.is_list else "ModuleDict"


Entry = TypeAliasType("Entry", T | Container[T], type_params=(T,))
"""What a container holds: a value, or another container."""


def tree_of(named: Iterable[tuple[str, T]]) -> dict[str, Entry[T]]:
    """What is registered under names of one part: values, and containers of those whose names have more.

    >>> tree_of([("a.1", "x"), ("b", "y"), ("a.0", "z")])
    {'a': Container(entries={'0': 'z', '1': 'x'}), 'b': 'y'}
    """
    below: dict[str, list[tuple[str, T]]] = {}
    found: dict[str, Entry[T]] = {}
    for name, value in named:
        first, _, rest = name.partition(".")
        if not rest:
            found[first] = value
        else:
            found.setdefault(first, Container({}))
            below.setdefault(first, []).append((rest, value))
    return {**found, **{name: Container(_in_order(tree_of(inner))) for name, inner in below.items()}}


def _in_order(entries: dict[str, Entry[T]]) -> dict[str, Entry[T]]:
    """The entries of a list by their numbers, those of a dict as they are."""
    numbers = [str(number) for number in range(len(entries))]
    return {name: entries[name] for name in numbers} if entries.keys() == set(numbers) else entries


def leaves(tree: Mapping[str, Entry[T]]) -> Iterator[T]:
    """The values of a tree, in their order."""
    for entry in tree.values():
        if isinstance(entry, Container):
            yield from leaves(entry.entries)
        else:
            yield entry
