"""Whether tensors and outputs are equal, or how they differ, as text."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import torch
from torch import Tensor

from archspec.ops.shapes import format_shape

Outputs = list[tuple[str, Any]]
"""The result of a forward pass, flattened: the place of each value in it (`Outputs.logits`, `[0]`), and the value."""

LARGE: Final = 1e6
"""Numbers of random networks from which outputs overflow: a bias of 0.1 is about the last bit of such a float32."""


def flatten_outputs(value: Any, place: str = "") -> Outputs:
    """The values in an output, whatever mappings and sequences contain them.

    >>> [place for place, _ in flatten_outputs({"a": torch.ones(1), "b": (torch.ones(1), None)})]
    ["['a']", "['b'][0]", "['b'][1]"]
    """
    if isinstance(value, Mapping):
        return [found for key, part in value.items() for found in flatten_outputs(part, f"{place}[{key!r}]")]
    if isinstance(value, tuple | list):
        fields = getattr(value, "_fields", None)
        kind = type(value).__name__
        places = [f"{kind}.{field}" for field in fields] if fields else [f"[{i}]" for i in range(len(value))]
        parts = zip(places, value, strict=True)
        return [found for at, part in parts for found in flatten_outputs(part, f"{place}{at}")]
    return [(place, value)]


def form(outputs: Outputs) -> str:
    """The structure of an output, as text."""
    if [place for place, _ in outputs] == [""]:
        return _kind(outputs[0][1])
    return ", ".join(f"{place} {_kind(value)}" for place, value in outputs) or "nothing"


def _kind(value: Any) -> str:
    if isinstance(value, Tensor):
        return f"{format_shape(tuple(value.shape)) or 'one number'}"
    return "None" if value is None else f"a value of type {type(value).__name__}"


def difference(ours: Any, theirs: Any, tolerance: float = 0.0) -> str:
    """How two values differ; empty if they are equal, or within `tolerance` times the largest of ours.

    >>> difference(torch.tensor([1.0, 2.0]), torch.tensor([1.0, 2.5]))
    'they differ by up to 0.5, where the largest is 2'
    """
    if not isinstance(ours, Tensor) or not isinstance(theirs, Tensor):
        return "" if ours is None and theirs is None else f"{_kind(ours)} and {_kind(theirs)}"
    if ours.shape != theirs.shape:
        return f"shapes {_kind(ours)} and {_kind(theirs)}"
    if ours.dtype != theirs.dtype:
        return f"types {ours.dtype} and {theirs.dtype}"
    return "" if torch.equal(ours, theirs) else _amount(ours, theirs, tolerance)


def _amount(ours: Tensor, theirs: Tensor, tolerance: float) -> str:
    a, b = ours.double(), theirs.double()
    apart = (a - b).abs()
    apart = torch.where((a == b) | (a.isnan() & b.isnan()), 0.0, apart)
    largest, most = float(a.nan_to_num().abs().max()), float(apart.max())
    if most <= tolerance * largest:
        return ""
    return f"they differ by up to {most:.3g}, where the largest is {largest:.3g}"


def differences(ours: Outputs, theirs: Outputs, tolerance: float, same_form: bool) -> list[str]:
    """How two outputs differ, one line for each value; with `same_form` the names of fields must be equal, too."""
    places = [[place for place, _ in outputs] for outputs in (ours, theirs)]
    if len(ours) != len(theirs) or (same_form and places[0] != places[1]):
        return [f"{form(ours)}; and {form(theirs)}"]
    lines = []
    for (place, a), (_, b) in zip(ours, theirs, strict=True):
        said = difference(a, b, tolerance)
        if said:
            lines.append(f"{place}: {said}" if place else said)
    return lines


def reordered(ours: Sequence[Any], theirs: Sequence[Any]) -> bool:
    """Whether values that differ contain the same numbers in another order."""
    pairs = [(a, b) for a, b in zip(ours, theirs, strict=False) if isinstance(a, Tensor) and isinstance(b, Tensor)]
    return bool(pairs) and all(torch.equal(a.flatten().sort()[0], b.flatten().sort()[0]) for a, b in pairs)


def overflow(outputs: Outputs) -> bool:
    """Whether outputs are not finite, or so large that what is added to them on the way is lost in rounding."""
    tensors = [value for _, value in outputs if isinstance(value, Tensor) and value.is_floating_point()]
    return not all(bool((tensor.abs() < LARGE).all()) for tensor in tensors)


def why_inconclusive(outputs: Outputs) -> str:
    """Why equality of these outputs proves nothing (all are zero, for example); empty if it is meaningful."""
    tensors = [value for _, value in outputs if isinstance(value, Tensor) and value.numel()]
    if not tensors:
        return "they contain no numbers"
    if not all(bool(tensor.isfinite().all()) for tensor in tensors):
        return "they are not finite"
    if all(tensor.numel() > 1 and bool((tensor == tensor.flatten()[0]).all()) for tensor in tensors):
        return "every number in them is the same"
    return ""
