"""Constants as buffers of the module that reads them; those that no buffer holds are computed again, by ops."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final

import torch
from torch import Tensor
from torch.utils._pytree import tree_map

from archspec.importer.constants import tensors_in
from archspec.importer.generated import TYPES, fields_like, listed
from archspec.importer.layout import whole
from archspec.importer.trace import Value
from archspec.ops import OPS
from archspec.ops.base import Unsupported

if TYPE_CHECKING:
    from archspec.importer.record import Recording

FEW: Final = 8
"""How many numbers are listed rather than computed by ops."""

SOME: Final = 256
"""How many numbers are listed rather than handed from module to module."""

MANY: Final = 4096
"""How many numbers are listed at most."""

WIDE: Final = 1024
"""How many rows an identity matrix has at most."""


class Buffers:
    """Notes constants in a recording."""

    def __init__(self, recording: Recording) -> None:
        self.recording = recording
        self.tensors = recording.tensors
        self._known: dict[Any, Tensor] = {}
        """For each constant, by its id and version, the scope that reads it and whether as real numbers: a tensor that
        is noted as a value."""
        self._odd: dict[Any, bool] = {}

    def arguments(
        self, args: tuple[Any, ...], kwargs: Mapping[str, Any], is_broadcast: bool, promotes: bool = False
    ) -> tuple[Any, Any]:
        """The arguments of a call with constants as numbers, or as values of the module that is running; as real ones
        if the call promotes integers to such."""

        def known(leaf: Any) -> Any:
            if not isinstance(leaf, Tensor) or self.tensors.find(leaf) is not None:
                return leaf
            return self._constant(leaf, is_broadcast, promotes)

        args, kwargs = tree_map(known, (args, kwargs), is_leaf=lambda node: isinstance(node, torch.Size))
        return args, kwargs

    def _constant(self, tensor: Tensor, is_broadcast: bool, promotes: bool = False) -> Any:
        numbers = self.recording.constants.numbers(tensor)
        if numbers is None:
            raise Unsupported("it takes a tensor whose numbers are random, or not known")
        if not numbers.ndim:
            return numbers.item()
        is_promoted = promotes and not numbers.is_floating_point()
        numbers = numbers.float() if is_promoted else numbers
        key = self._key(tensor, is_promoted)
        if key not in self._known:
            self._known[key] = self._made(tensor, numbers, is_broadcast)
        return self._known[key]

    def _key(self, tensor: Tensor, is_promoted: bool = False) -> Any:
        return id(tensor), tensor._version, self.recording.scope, is_promoted

    # -- constants that modules are given

    def here(self, tensor: Tensor) -> Tensor:
        """What stands for a tensor that a module is given: a constant that must be computed is computed before it."""
        if self.tensors.find(tensor) is None and self._is_computed(tensor):
            with suppress(Unsupported):
                made: Tensor = self._constant(tensor, is_broadcast=False)
                return made
        return tensor

    def hand_on(self, tensor: Tensor, stand_in: Tensor) -> None:
        """Note what stands for a constant in the module that is running, which was given it."""
        self._known[self._key(tensor)] = stand_in

    def _is_computed(self, tensor: Tensor) -> bool:
        """Whether no buffer holds a constant."""
        key = id(tensor), tensor._version
        if key not in self._odd:
            numbers = self.recording.constants.numbers(tensor)
            self._odd[key] = numbers is not None and numbers.ndim > 0 and not is_described(numbers)
        return self._odd[key]

    # -- values

    def _made(self, tensor: Tensor, numbers: Tensor, is_broadcast: bool) -> Tensor:
        """A tensor that stands for a constant, and is noted as a value."""
        if numbers.ndim > 1 and numbers.shape[0] == self.tensors.batch and _is_repeated(numbers, 0):
            return self._of_batch(tensor, numbers[:1])
        fields = fields_like(numbers, is_broadcast) or listed(numbers, FEW)
        if fields is not None:
            return self._buffer(tensor, fields)
        part = _repeated(numbers)
        if part is not None and is_described(part):
            return self._expanded(tensor, part)
        with suppress(Unsupported):
            return self._computed(tensor)
        fields = listed(numbers, MANY)
        if fields is not None:
            return self._buffer(tensor, fields)
        if _is_one_hot(numbers):
            return self._one_hot(tensor, numbers)
        raise Unsupported(f"it takes a constant of {numbers.numel():,} {_kind(numbers)}: no `values` of buffer "
                          f"calculate them, and {_why_unlisted(numbers)}")  # fmt: skip

    def _buffer(self, tensor: Tensor, fields: dict[str, Any]) -> Tensor:
        fields = {**fields, "persistent": False}
        (shape,) = [OPS["buffer"](**fields).yields()]
        value = Value(tuple(shape), is_batched=False)  # type: ignore[arg-type]
        self.recording.calls.one("buffer", fields, [], value)
        return self._standing_for(tensor, value, value.sizes)

    def _expanded(self, tensor: Tensor, part: Tensor) -> Tensor:
        """A constant whose numbers repeat along some dimensions: the `part` is expanded."""
        small = self._made(part, part, is_broadcast=False)
        value = Value(tuple(tensor.shape), is_batched=False)
        sizes = [-1 if old == new else new for old, new in zip(part.shape, tensor.shape, strict=True)]
        self.recording.calls.checked("expand", {"size": sizes}, [self.recording.values.whole(small)], value)
        return self._standing_for(tensor, value, tensor.shape)

    def _of_batch(self, tensor: Tensor, part: Tensor) -> Tensor:
        """A constant that has as many equal samples as the batch: one is expanded to the batch of an input."""
        if not is_described(part):
            return self._computed(tensor)
        small = self.recording.values.whole(self._made(part, part, is_broadcast=False))
        value = Value(tuple(tensor.shape[1:]))
        self.recording.calls.one("expand", {}, [small], value, like=self.recording.batched_input())
        return self._standing_for(tensor, value, tensor.shape)

    def _one_hot(self, tensor: Tensor, numbers: Tensor) -> Tensor:
        """A constant whose last dimension has a single one each, and zeros: rows of an identity matrix."""
        width, places = numbers.shape[-1], numbers.argmax(-1)
        rows = self._buffer(numbers.new_empty((width, width)), {"values": "eye", "shape": [width, width]})
        fields = fields_like(places) or listed(places, MANY)
        if fields is None:
            raise Unsupported(f"it takes a constant of more than {MANY:,} rows")
        values = [self.recording.values.whole(rows), self.recording.values.whole(self._buffer(places, fields))]
        value = Value(tuple(tensor.shape), is_batched=False)
        self.recording.calls.checked("index", {}, values, value)
        return self._standing_for(tensor, value, tensor.shape)

    def _standing_for(self, tensor: Tensor, value: Value, sizes: Sequence[int]) -> Tensor:
        """A tensor of these sizes that is noted as a value, in place of a constant."""
        with torch._C.DisableTorchFunction():
            stand_in: Tensor = torch.ops.aten.alias(tensor).reshape(sizes)
        self.tensors.set(stand_in, whole(value))
        return stand_in

    def _computed(self, tensor: Tensor) -> Tensor:
        """A constant as what the call that made it yields; raises `Unsupported` if that is not known, or no op."""
        made = self.recording.constants.origin(tensor)
        taken = [] if made is None else tensors_in((made.args, made.kwargs))
        if made is None or not taken or not all(one.is_floating_point() for one in (tensor, *taken)):
            raise Unsupported("how it was made is not known, or it was made of integers")
        with torch._C.DisableTorchFunction():
            result = tree_map(_alias, made.result)
            self.recording.call(made.name, made.args, made.kwargs, result)
        for original, stand_in in zip(tensors_in(made.result), tensors_in(result), strict=True):
            if self.tensors.find(stand_in) is not None:
                self._known[self._key(original)] = stand_in
        if self._key(tensor) not in self._known:
            raise Unsupported("no op yields it")
        return self._known[self._key(tensor)]


def _kind(numbers: Tensor) -> str:
    return "truth values" if numbers.dtype == torch.bool else "numbers"


def _why_unlisted(numbers: Tensor) -> str:
    if numbers.dtype not in TYPES:
        return f"those of {str(numbers.dtype).removeprefix('torch.')} are not listed"
    with torch.device("cpu"):
        if not bool(torch.isfinite(numbers).all()):
            return "only finite ones are listed"
        if not numbers.is_floating_point() and bool((numbers < 0).any()):
            return "no negative integers are listed"
    return f"at most {MANY:,} are listed"


def _alias(leaf: Any) -> Any:
    return torch.ops.aten.alias(leaf) if isinstance(leaf, Tensor) else leaf


def _repeated(numbers: Tensor) -> Tensor | None:
    """The part that is repeated along all other positions of some dimensions; `None` if there is none."""
    part = numbers
    for dim in range(numbers.ndim):
        part = part.narrow(dim, 0, 1) if _is_repeated(part, dim) else part
    return None if part.shape == numbers.shape else part


def _is_one_hot(numbers: Tensor) -> bool:
    """Whether the last dimension of a tensor has a single one each, and zeros; not more than an identity matrix may."""
    if numbers.ndim < 2 or numbers.shape[-1] > WIDE or not numbers.is_floating_point():
        return False
    with torch.device("cpu"):
        return bool(((numbers == 0) | (numbers == 1)).all()) and bool((numbers.sum(-1) == 1).all())


def _is_repeated(numbers: Tensor, dim: int) -> bool:
    """Whether all positions of a dimension hold the same."""
    with torch.device("cpu"):
        return bool((numbers == numbers.narrow(dim, 0, 1)).all())


def is_described(numbers: Tensor) -> bool:
    """Whether a buffer holds these numbers, and they are few."""
    return (fields_like(numbers) or listed(numbers, SOME)) is not None
