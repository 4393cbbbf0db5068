"""What items run, built once for all places where everything that they read is the same.

The blocks of a stage often differ in one parameter, which few of their items read.
"""

from __future__ import annotations

from operator import itemgetter
from typing import TYPE_CHECKING, Any, Final

from archspec.expressions.rewrite import spelling
from archspec.expressions.sizes import Dim, Quotient
from archspec.frontend.model.item import Item
from archspec.ops.chosen import ChosenOp
from archspec.passes.specialize.op_cache import frozen, hashable
from archspec.passes.specialize.scope import Scope, ShapeView
from archspec.passes.unknown import UNKNOWN

if TYPE_CHECKING:
    from archspec.ops.shapes import Value
    from archspec.passes.specialize.bindings import Bindings
    from archspec.passes.specialize.items import Built, Occurrence

_ABSENT: Final = object()

_OTHER_FIELDS: Final = itemgetter(*Item.model_fields.keys() - {"arguments", "from_", "features", "seq", "layers"})
"""The fields of an item that are texts, numbers or not given."""


class ItemCache:
    """What items run, by all that they read.

    It is of one run, or of several over the same items, ops and blocks that differ in the parameters of the network.
    """

    def __init__(self, several_runs: bool = False) -> None:
        self._several_runs = several_runs
        self._built: dict[Any, tuple[Item, Built]] = {}
        """With the items, since keys have their identity."""

    def key(self, at: Occurrence, bindings: Bindings, in_block: bool) -> Any:
        """A key that two uses of an item share if they run the same.

        `None` if there is no other use, or if the item depends on more than can be compared.
        """
        item, indices = at.item, bindings.indices
        if not (in_block or self._several_runs) and (item.seq is not None or not indices):
            return None  # in one run the network's own items are there once
        names = item.names_read
        if names is None or not at.is_known or not (self._several_runs or names.isdisjoint(indices)):
            return None
        place = () if item.seq is None else (at.position, *indices.items())  # its steps have them
        read = [_read(bindings.scope, name) for name in names]
        return id(item), bindings.mode.frozen, place, *map(_shape, at.shapes), *read

    def get(self, key: Any) -> Built | None:
        """What was built under a key."""
        found = self._built.get(key)
        return None if found is None else found[1]

    def keep(self, key: Any, item: Item, built: Built) -> None:
        """Keep what was built of an item."""
        self._built[key] = item, built


def key_of_seq(at: Occurrence, items: list[Item], bindings: Bindings) -> Any:
    """A key that a seq of the network shares with one of another network if they are the same module.

    `None` if it depends on more than can be compared. A seq of seqs is not shared: those inside it are.
    """
    names = at.item.names_read
    if names is None or any(item.seq is not None or item.from_ or item.features for item in items):
        return None
    read = [_read(bindings.scope, name) for name in sorted(names.union(item.index for item in items if item.index))]
    place = (at.path, at.position, *bindings.indices.items())
    return "seq", place, *map(_shape, at.shapes), *read, *map(_written, items)


def _written(item: Item) -> Any:
    """All that is written in an item that names no inputs and holds no others, as part of a key."""
    return (*_OTHER_FIELDS(vars(item)), hashable(item.arguments))


def _read(scope: Scope, name: str) -> Any:
    """What a name stands for, as part of a key."""
    value = scope.get(name, _ABSENT)
    if isinstance(value, ShapeView):
        return type(value), value.value if value.value is UNKNOWN else _shape(value.value)
    if isinstance(value, ChosenOp):
        return value.kind, hashable(value.fields)
    return value if type(value) is Dim else (frozen(value),)  # a `Dim` is no key of the equal integer


def _shape(value: Value) -> Any:
    """A shape as part of a key: for code generation with the expressions of its sizes."""
    return (type(value), *[_size(size) for size in value])


def _size(size: Any) -> Any:
    if type(size) is int:
        return size
    if isinstance(size, tuple):
        return _shape(size)
    if type(size) is Quotient:
        return int(size), spelling(size.tree), _size(size.dividend), *map(_size, size.factors)
    return (int(size), spelling(size.tree)) if isinstance(size, Dim) else size
