"""The records of a zip archive that `torch.save` wrote: where the bytes of each are in the file.

The records are mapped into memory rather than read, so the archive must be unambiguous: every record is stored, not
compressed; each header agrees with the directory; names are unique; nothing overlaps; the directory and its end are the
last bytes. `torch.load(mmap=True)` checks none of this, and uses the bytes of a compressed record as numbers.

Python's own `zipfile` is lenient: it accepts archives after other bytes, a wrong count of records, a truncated last
entry, a misplaced end of ZIP64. All of this would have to be checked here again, from the same bytes.

Checksums are not compared: torch does not compare them either, and can be told not to compute them.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import BinaryIO

from archspec.ir.limits import MAX_WEIGHTS_HEADER
from archspec.weights.errors import WeightsFileError, WeightsLimitError

MAGIC = b"PK\x03\x04"
"""The first bytes of an archive."""

_LOCAL = struct.Struct("<4s5H3I2H")
_CENTRAL = struct.Struct("<4s6H3I5H2I")
_END = struct.Struct("<4s4H2IH")
_LOCATOR = struct.Struct("<4sIQI")
_END64 = struct.Struct("<4sQ2H2I4Q")

_FULL, _FULL64 = 0xFFFF, 0xFFFFFFFF
"""The content of a field of 16 or 32 bits if its value is in a ZIP64 field."""

_SIZES_FOLLOW, _UTF8 = 1 << 3, 1 << 11
"""The flags that a stored record may have: its sizes are repeated after it; its name is UTF-8."""

_FOLDER = 1 << 4
"""The DOS attribute of a folder."""


@dataclass(frozen=True)
class Region:
    """A range of bytes of a file."""

    offset: int
    size: int

    @property
    def end(self) -> int:
        """The position after its last byte."""
        return self.offset + self.size


@dataclass(frozen=True)
class _Entry:
    """A record as the directory lists it."""

    name: bytes
    flags: int
    method: int
    sizes: tuple[int, int]
    """Its size in the archive, and its uncompressed size."""
    header: int


def records(file: BinaryIO) -> dict[str, Region]:
    """The records by name, without the name of the archive: `data.pkl`, `data/0`, `version`.

    Raises `WeightsFileError` for an archive that `torch.save` would not write, `WeightsLimitError` for one whose
    directory is too large.
    """
    size = file.seek(0, os.SEEK_END)
    count, directory = _directory(file, size)
    entries = list(_entries(_bytes(file, directory), count))
    found = [(entry, _located(file, entry, directory.offset)) for entry in entries]
    _check_disjoint((entry.header, region.end) for entry, region in found)
    prefix = entries[0].name.partition(b"/")[0] + b"/" if entries else b""
    named = {_relative(entry.name, prefix): region for entry, region in found}
    if len({name.lower() for name in named}) < len(found):  # torch finds records whatever their case
        raise _damaged("two records have the same name")
    return named


def _damaged(why: str) -> WeightsFileError:
    return WeightsFileError(f"is damaged, or torch.save did not write it: {why}")


def _bytes(file: BinaryIO, region: Region) -> bytes:
    file.seek(region.offset)
    return file.read(region.size)


def _directory(file: BinaryIO, size: int) -> tuple[int, Region]:
    """The number of records in the directory, and the region of the directory."""
    end = size - _END.size
    if end < 0:
        raise _damaged("it is truncated")
    magic, disk, first, here, count, length, offset, comment = _END.unpack(_bytes(file, Region(end, _END.size)))
    if magic != b"PK\x05\x06" or comment or disk or first or here != count:
        raise _damaged("it does not end with the directory of an archive")
    if _has_end64(file, end):
        end -= _LOCATOR.size + _END64.size
        count, length, offset = _end64(file, end)
    elif count == _FULL or _FULL64 in (length, offset):
        raise _damaged("the end of its directory is missing")
    if offset + length != end:
        raise _damaged("its directory is not where its end says")
    if length > MAX_WEIGHTS_HEADER:
        raise WeightsLimitError(f"has a directory of {length:,} bytes; the limit is {MAX_WEIGHTS_HEADER:,}")
    return count, Region(offset, length)


def _has_end64(file: BinaryIO, end: int) -> bool:
    return end >= _LOCATOR.size + _END64.size and _bytes(file, Region(end - _LOCATOR.size, 4)) == b"PK\x06\x07"


def _end64(file: BinaryIO, start: int) -> tuple[int, int, int]:
    """The count of records, the length and the offset of the directory, from their ZIP64 fields."""
    text = _bytes(file, Region(start, _END64.size + _LOCATOR.size))
    magic, length, _, _, disk, first, here, count, directory, offset = _END64.unpack_from(text)
    _, this, place, disks = _LOCATOR.unpack_from(text, _END64.size)
    if (magic, length, place) != (b"PK\x06\x06", _END64.size - 12, start) or here != count:
        raise _damaged("the end of its directory is missing")
    if (this, disk, first, disks) != (0, 0, 0, 1):
        raise _damaged("it is one part of a split archive")
    return count, directory, offset


def _entries(directory: bytes, count: int) -> Iterator[_Entry]:
    position = 0
    while position < len(directory):
        fields = directory[position : position + _CENTRAL.size]
        if len(fields) < _CENTRAL.size or fields[:4] != b"PK\x01\x02":
            raise _damaged("its directory cannot be read")
        _, _, _, flags, method, _, _, _, packed, full, name, extra, comment, disk, _, attributes, header = (
            _CENTRAL.unpack(fields)
        )
        position += _CENTRAL.size
        end = position + name + extra
        if comment or disk or end > len(directory):
            raise _damaged("its directory cannot be read")
        full, packed, header = _wide((full, packed, header), directory[position + name : end])
        if full and attributes & _FOLDER:
            raise _damaged("a record is marked as a folder")  # torch would leave its numbers uninitialised
        yield _Entry(directory[position : position + name], flags, method, (packed, full), header)
        position, count = end, count - 1
    if count:
        raise _damaged("its directory has not as many records as its end says")


def _wide(values: tuple[int, int, int], extra: bytes) -> Iterator[int]:
    """Sizes and offset; those that do not fit into 32 bits are read from the ZIP64 field."""
    wide: Iterator[int] = iter(())
    if _FULL64 in values:
        while len(extra) >= 4 and extra[:2] != b"\x01\x00":
            extra = extra[4 + int.from_bytes(extra[2:4], "little") :]
        wide = iter(
            struct.unpack(f"<{(len(extra) - 4) // 8}Q", extra[4 : 4 + (len(extra) - 4) // 8 * 8]) if extra else ()
        )
    for value in values:
        found = next(wide, None) if value == _FULL64 else value
        if found is None:
            raise _damaged("a size in its directory is missing")
        yield found


def _located(file: BinaryIO, entry: _Entry, end: int) -> Region:
    """The region of a record's bytes; its header must agree with the directory."""
    if entry.method or entry.sizes[0] != entry.sizes[1]:
        help = "load it with torch.load and save it again with torch.save, which does not compress"
        raise WeightsFileError("its records are compressed, so they cannot be mapped into memory", help=help)
    header = _bytes(file, Region(min(entry.header, end), _LOCAL.size + len(entry.name)))
    if entry.flags & ~(_SIZES_FOLLOW | _UTF8) or len(header) < _LOCAL.size:
        raise _damaged("a record cannot be read")
    magic, _, flags, method, _, _, _, packed, full, name, extra = _LOCAL.unpack_from(header)
    sizes = {entry.sizes[0], _FULL64} | ({0} if flags & _SIZES_FOLLOW else set())
    if magic != MAGIC or (flags, method) != (entry.flags, 0) or not {packed, full} <= sizes:
        raise _damaged("a record does not agree with its directory")
    if name != len(entry.name) or header[_LOCAL.size :] != entry.name:
        raise _damaged("a record's name differs from the one in its directory")
    found = Region(entry.header + _LOCAL.size + name + extra, entry.sizes[0])
    if found.end > end:
        raise _damaged("a record extends beyond the end of the data")
    return found


def _check_disjoint(spans: Iterable[tuple[int, int]]) -> None:
    """Refuse records that share bytes: each must begin after the end of the one before."""
    if any(end > start for (_, end), (start, _) in pairwise(sorted(spans))):
        raise _damaged("two records overlap")


def _relative(name: bytes, prefix: bytes) -> str:
    if not name.startswith(prefix):
        raise _damaged("it holds more than one archive")
    try:
        return name[len(prefix) :].decode("ascii")
    except UnicodeDecodeError:
        raise _damaged("a record has a name that torch.save does not give") from None
