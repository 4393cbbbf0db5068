"""Files that `torch.save` wrote, `.pt` and `.pth`: a zip archive since PyTorch 1.6, a series of pickles before.

In both formats a pickle describes the tensors, and their numbers are elsewhere in the file. `unpickle` evaluates the
pickle; this module checks where the numbers are, and maps the file into memory. A file is read as
`torch.load(weights_only=True)` reads it, or refused.
"""

from __future__ import annotations

import math
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, BinaryIO

import torch
from torch import Tensor

from archspec.ir.limits import MAX_WEIGHTS_HEADER
from archspec.weights import unpickle
from archspec.weights.errors import WeightsFileError, WeightsLimitError
from archspec.weights.unpickle import Storage, StoredTensor
from archspec.weights.zip_records import MAGIC, Region, records

_LEGACY_MAGIC, _LEGACY_PROTOCOL = 0x1950A86A20F9469CFC6C, 1001
"""The first two values of a file from before PyTorch 1.6."""

_SERIAL = ".data/serialization_id"
_FORMAT_RECORDS = ("version", "byteorder", ".storage_alignment", _SERIAL)
"""The records that say how an archive was written, all of which torch reads."""

_FORMATS = range(1, 11)
"""Versions of the archive that PyTorch reads."""

_DTYPES = {str(value).removeprefix("torch."): value for value in vars(torch).values() if isinstance(value, torch.dtype)}

_DTYPES["untyped"] = torch.uint8

_MAX_RANK = 64
"""The most dimensions that torch's kernels support."""


@dataclass(frozen=True)
class Saved:
    """The saved value, whose tensors are `StoredTensor`s, and where the numbers of each storage are in the file."""

    file: str
    value: Any
    regions: Mapping[str, Region]
    size: int
    """Bytes of the file."""
    _parts: dict[str, torch.UntypedStorage] = field(default_factory=dict, repr=False)

    def check(self, stored: StoredTensor) -> None:
        """Raise `WeightsFileError` for a tensor that is not within its storage."""
        _check_fits(stored, self.regions[stored.storage.key].size // _DTYPES[stored.dtype].itemsize)

    def tensor(self, stored: StoredTensor) -> Tensor:
        """The tensor for a checked `StoredTensor`. Its memory is mapped from the file; writing to it does not change
        the file."""
        dtype = _DTYPES[stored.dtype]
        if 0 in stored.shape:
            return torch.empty(stored.shape, dtype=dtype, device="cpu")
        empty = torch.empty(0, dtype=dtype, device="cpu")
        return empty.set_(self._part(stored.storage.key, dtype), stored.offset, stored.shape, stored.strides)

    def _part(self, key: str, dtype: torch.dtype) -> torch.UntypedStorage:
        if key not in self._parts:
            region = self.regions[key]
            part = self._memory[region.offset : region.end]
            aligned = region.offset % dtype.itemsize == 0
            self._parts[key] = part if aligned else part.clone()
        return self._parts[key]

    @cached_property
    def _memory(self) -> Any:
        return torch.UntypedStorage.from_file(self.file, False, self.size)


def read(file: str) -> Saved:
    """Read everything except the numbers; raises `OSError`, `WeightsFileError` or `WeightsLimitError`."""
    with open(file, "rb") as opened:
        start = opened.read(len(MAGIC))
        value, regions = _archive(opened) if start == MAGIC else _pickles(opened)
        return Saved(file, value, regions, opened.seek(0, os.SEEK_END))


def _damaged(why: str) -> WeightsFileError:
    return WeightsFileError(f"is damaged, or torch.save did not write it: {why}")


def _header(opened: BinaryIO, region: Region) -> bytes:
    if region.size > MAX_WEIGHTS_HEADER:
        raise WeightsLimitError(f"has a pickle of {region.size:,} bytes; the limit is {MAX_WEIGHTS_HEADER:,}")
    opened.seek(region.offset)
    return opened.read(region.size)


# -- archives -----------------------------------------------------------------------------------------------------


def _archive(opened: BinaryIO) -> tuple[Any, dict[str, Region]]:
    found = records(opened)
    if "constants.pkl" in found:
        raise WeightsFileError("is a TorchScript program, not a state_dict")
    if "data.pkl" not in found:
        raise _damaged("it has no record 'data.pkl'")
    _check_format(opened, found)
    data = _header(opened, found["data.pkl"])
    value, storages, _ = unpickle.load(data)
    return value, {key: _record(storage, found.get(f"data/{key}")) for key, storage in storages.items()}


def _check_format(opened: BinaryIO, found: Mapping[str, Region]) -> None:
    """Check the records that say how the others are written."""
    texts = {name: _header(opened, found[name]) for name in _FORMAT_RECORDS if name in found}
    if _number(texts.get("version", b"")) not in _FORMATS:
        raise _damaged("its format is of an unknown version")
    if _number(texts.get(".storage_alignment", b"64")) is None or not _is_text(texts.get(_SERIAL, b"")):
        raise _damaged("the description of its format cannot be read")
    order = texts.get("byteorder", b"little")
    if order == b"big":
        help = "load it with torch.load and save it again with torch.save on a little-endian machine"
        raise WeightsFileError("was saved on a big-endian machine", help=help)
    if order != b"little":
        raise _damaged("its byte order is neither 'little' nor 'big'")


def _number(text: bytes) -> int | None:
    return int(text) if len(text) < 10 and text.strip().isdigit() else None


def _is_text(content: bytes) -> bool:
    try:
        content.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


def _record(storage: Storage, region: Region | None) -> Region:
    """The record of a storage, which must have as many bytes as the pickle says."""
    if region is None or storage.is_legacy:
        raise _damaged(f"it has no record 'data/{storage.key[:60]}'")
    wanted = storage.count * _DTYPES[storage.dtype].itemsize
    if region.size != wanted:
        raise _damaged(f"the record 'data/{storage.key[:60]}' has {region.size:,} bytes, its tensors {wanted:,}")
    return region


# -- files from before PyTorch 1.6 --------------------------------------------------------------------------------


def _pickles(opened: BinaryIO) -> tuple[Any, dict[str, Region]]:
    """Five pickles – two numbers, facts about the machine, the value, the storages' keys – then the storages."""
    size = opened.seek(0, os.SEEK_END)
    data = _header(opened, Region(0, min(size, MAX_WEIGHTS_HEADER)))
    magic, _, position = unpickle.load(data)
    protocol, _, position = unpickle.load(data, position)
    if (magic, protocol) != (_LEGACY_MAGIC, _LEGACY_PROTOCOL):
        raise _damaged("its first pickle is not the one that torch.save writes")
    _, _, position = unpickle.load(data, position)
    value, storages, position = unpickle.load(data, position)
    keys, _, position = unpickle.load(data, position)
    if not isinstance(keys, list) or not all(isinstance(key, str) for key in keys) or {*keys} != {*storages}:
        raise _damaged("its list of storages differs from the storages of its tensors")
    if len(keys) != len(storages):
        raise _damaged("it has a storage twice")
    return value, _in_a_row(opened, [storages[key] for key in keys], position)


def _in_a_row(opened: BinaryIO, storages: list[Storage], position: int) -> dict[str, Region]:
    """Where the numbers of each storage are: storages follow each other, and each begins with its length."""
    size, found = opened.seek(0, os.SEEK_END), {}
    for storage in storages:
        opened.seek(position)
        count = int.from_bytes(opened.read(8), "little", signed=True)
        region = Region(position + 8, storage.count * _DTYPES[storage.dtype].itemsize)
        if region.end > size:
            raise _damaged("it is truncated")
        if count != storage.count or not storage.is_legacy or storage.dtype == "untyped":
            raise _damaged(f"a storage has {count:,} numbers, its tensors {storage.count:,}")
        found[storage.key] = region
        position = region.end
    return found


# -- tensors ------------------------------------------------------------------------------------------------------


def _check_fits(stored: StoredTensor, count: int) -> None:
    """Refuse a tensor that reaches beyond its storage of `count` numbers; torch would enlarge the storage."""
    if len(stored.shape) != len(stored.strides) or len(stored.shape) > _MAX_RANK:
        raise _damaged("a tensor's strides and dimensions differ in number")
    numbers = (stored.offset, *stored.shape, *stored.strides)
    if min(numbers) < 0 or max(numbers) >= 1 << 63:
        raise _damaged("a tensor has a negative size or stride")
    if math.prod(max(size, 1) for size in stored.shape) >= 1 << 63:
        raise _damaged("a tensor has more numbers than can be counted")
    last = sum((size - 1) * stride for size, stride in zip(stored.shape, stored.strides, strict=True))
    if 0 not in stored.shape and stored.offset + last >= count:
        raise _damaged(f"a tensor needs {stored.offset + last + 1:,} numbers, its storage has {count:,}")
