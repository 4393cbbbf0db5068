"""Checks that the numbers of a checkpoint are valid for a network: of the right type, within range, finite.

Every number is read once: an integer that became a float, a value that became infinite or a NaN would only show much
later, as a network that learns nothing.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from types import MappingProxyType

import torch
from torch import Tensor

from archspec.diagnostics.diagnostic import Diagnostic, TargetError

MAX_KEYS = 4
"""The most keys that a message lists; the others are counted."""

COUNTER = ".num_batches_tracked"
"""The suffix of the keys of batch norm's counters, which are integers."""

EMPTY: Mapping[str, Tensor] = MappingProxyType({})

_FLOATS = (torch.float32, torch.float64, torch.float16, torch.bfloat16, torch.float8_e4m3fn, torch.float8_e5m2)


def check(file: str, tensors: Mapping[str, Tensor], integers: Mapping[str, Tensor] = EMPTY) -> tuple[str, ...]:
    """Notes on tensors that are not finite, by their keys in the network.

    Raises `TargetError` for tensors of another kind (integers or floats) than the network's, for values beyond the
    range of its type (torch's default, float32), and for integer buffers that differ from `integers`, the network's.
    """
    counters = {key for key in tensors if key.endswith(COUNTER) or key in integers}
    strange = [key for key, tensor in tensors.items() if not _has_kind(key in counters, tensor)]
    if strange:
        lines = [f"{key}  {_type(tensors[key])}" for key in strange]
        raise _refused(file, f"{_counted(strange)} of another type than the network's", lines)
    given = {key: tensors[key].to(own.dtype) for key, own in integers.items() if key in tensors}
    other = [key for key, tensor in given.items() if not torch.equal(tensor, integers[key])]
    if other:
        raise _refused(file, f"{_counted(other)} of integers that are not those of the network", other)
    floats = {key: tensor for key, tensor in tensors.items() if key not in counters}
    ranges = {key: _range(tensor) for key, tensor in floats.items() if not _is_ordinary(tensor)}
    default = torch.get_default_dtype()
    beyond = [key for key, values in ranges.items() if _overflows(values, default)]
    if beyond:
        lines = [f"{key}  {_type(tensors[key])}, largest {max(map(abs, ranges[key])):.3g}" for key in beyond]
        raise _refused(file, f"{_counted(beyond)} with values beyond {str(default).removeprefix('torch.')}", lines)
    endless = [key for key, values in ranges.items() if not all(map(math.isfinite, values))]
    return (f"{file}: {_counted(endless)} with NaN or infinity: {', '.join(_abridged(endless))}",) if endless else ()


def _has_kind(is_integer: bool, tensor: Tensor) -> bool:
    if not is_integer:
        return tensor.dtype in _FLOATS
    if tensor.dtype in _FLOATS:  # as in an average of checkpoints
        return all(float(value).is_integer() and abs(value) < 1 << 53 for value in tensor.flatten().tolist())
    return tensor.dtype not in (torch.bool, torch.uint64)


def _is_ordinary(tensor: Tensor) -> bool:
    """Whether all numbers are known to be finite and within range, judging by their sum, which is the fastest test."""
    default = torch.get_default_dtype()
    wide = tensor.dtype is not default and torch.finfo(tensor.dtype).max > torch.finfo(default).max
    return not wide and math.isfinite(float(tensor.float().sum()))


def _range(tensor: Tensor) -> tuple[float, float]:
    """The smallest and the largest number; NaN if any number is, zeros if there are none."""
    if not tensor.numel():
        return 0.0, 0.0
    least, greatest = torch.aminmax(tensor if tensor.dtype is torch.float64 else tensor.float())
    return float(least), float(greatest)


def _overflows(values: tuple[float, float], dtype: torch.dtype) -> bool:
    """Whether finite values become infinite when converted to a type."""
    return all(map(math.isfinite, values)) and not torch.tensor(values, dtype=torch.float64).to(dtype).isfinite().all()


def _type(tensor: Tensor) -> str:
    return str(tensor.dtype).removeprefix("torch.")


def _counted(keys: list[str]) -> str:
    return f"{len(keys)} tensor{'s' * (len(keys) > 1)}"


def _abridged(lines: list[str]) -> list[str]:
    more = len(lines) - MAX_KEYS
    return [*lines[:MAX_KEYS], *([f"… and {more} more"] if more > 0 else [])]


def _refused(file: str, message: str, lines: list[str]) -> TargetError:
    return TargetError([Diagnostic("weights", message, notes=tuple(_abridged(lines)), file=file)])
