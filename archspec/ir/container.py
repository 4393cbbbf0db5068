"""Containers, which hold modules without running them: `nn.ModuleList` and `nn.ModuleDict`.

A step's name may be a path: `convs.0` is an entry of the container `convs`. The entries of a container run wherever
their steps are, but are registered together, at the place of the first of them. Entries named by the numbers from 0 on
make a list, in the order of these numbers; others make a dict, in the order of their steps.
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
    """A tree of values from their dotted names: values by their names, containers by the first parts of their entries'.

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
    """Entries in their order: those of a list by number, those of a dict unchanged."""
    numbers = [str(number) for number in range(len(entries))]
    return {name: entries[name] for name in numbers} if entries.keys() == set(numbers) else entries


def leaves(tree: Mapping[str, Entry[T]]) -> Iterator[T]:
    """The values of a tree, in their order."""
    for entry in tree.values():
        if isinstance(entry, Container):
            yield from leaves(entry.entries)
        else:
            yield entry
