"""Masks of truth values, which a spec has none of, as what is added to values: 0, and -inf where they are masked."""

from __future__ import annotations

from collections.abc import Mapping
from math import inf
from typing import TYPE_CHECKING, Any, NamedTuple

import torch
from torch import Tensor

from archspec.importer.vocabulary import positional
from archspec.ops.base import Unsupported

if TYPE_CHECKING:
    from archspec.importer.record import Recording


class Function(NamedTuple):
    """A call of a function."""

    name: str
    args: tuple[Any, ...]
    kwargs: Mapping[str, Any]


class Masks:
    """The masks of a recording, each with what is added for it."""

    def __init__(self, recording: Recording) -> None:
        self.recording = recording
        self._added: dict[Any, Tensor] = {}

    def as_sum(self, name: str, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Function:
        """The call with a sum in place of a mask, if the mask is a constant; raises `Unsupported` for places that are
        filled with another number than -inf: no sum yields that."""
        if name == "scaled_dot_product_attention":
            return Function(name, tuple(map(self._as_number, args)), {k: self._as_number(v) for k, v in kwargs.items()})
        if name in ("masked_fill", "masked_fill_"):
            tensor, mask, value = positional("masked_fill(input, mask, value)", args, kwargs)
            return self._filled(tensor, mask, value, is_inverted=False) or Function(name, args, kwargs)
        if name == "where" and len(args) + len(kwargs) == 3:
            condition, chosen, other = positional("where(condition, input, other)", args, kwargs)
            if _is_mask(chosen):  # the method, whose tensor comes first
                condition, chosen = chosen, condition
            found = self._filled(chosen, condition, other, is_inverted=True)
            found = found or self._filled(other, condition, chosen, is_inverted=False)
            return found or Function(name, args, kwargs)
        return Function(name, args, kwargs)

    def _filled(self, tensor: Any, mask: Any, value: Any, is_inverted: bool) -> Function | None:
        """A sum that is `tensor`, but -inf where the mask is true, or false; `None` if the mask is no constant, or
        `value` no number."""
        numbers, value = self._numbers(mask), self._number(value)
        if numbers is None or value is None or self._number(tensor) is not None:
            return None
        if value != -inf:
            raise Unsupported(f"it fills the places of a mask with {value!r:.20}: a sum does so with -inf only")
        return Function("add", (tensor, self._sum(mask, numbers, is_inverted)), {})

    def _as_number(self, given: Any) -> Any:
        """What torch itself adds to the scores of an attention for a mask; anything else as it is."""
        numbers = self._numbers(given)
        return given if numbers is None else self._sum(given, numbers, is_inverted=True)

    def _sum(self, mask: Tensor, numbers: Tensor, is_inverted: bool) -> Tensor:
        key = id(mask), mask._version, is_inverted
        if key not in self._added:
            zeros = torch.zeros(numbers.shape, device="cpu")
            self._added[key] = zeros.masked_fill(numbers.cpu() != is_inverted, -inf)
        return self._added[key]

    def _numbers(self, mask: Any) -> Tensor | None:
        """The truth values of a mask; `None` if they are not known, or it is no mask."""
        is_constant = _is_mask(mask) and self.recording.tensors.find(mask) is None
        return self.recording.constants.numbers(mask) if is_constant else None

    def _number(self, value: Any) -> float | None:
        if isinstance(value, Tensor) and not value.ndim and self.recording.tensors.find(value) is None:
            numbers = self.recording.constants.numbers(value)
            value = None if numbers is None else numbers.item()
        return value if isinstance(value, int | float) else None


def _is_mask(value: Any) -> bool:
    return isinstance(value, Tensor) and value.dtype == torch.bool
