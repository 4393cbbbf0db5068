"""Reading the bytes of a spec from a file or a stream: at most one more than a spec may have; the files in a folder."""

from __future__ import annotations

import errno
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO, Final

from archspec.diagnostics.diagnostic import Diagnostic, DocumentError
from archspec.frontend.yaml.reader import MAX_BYTES, too_large

_CHUNK: Final = 1 << 16


@dataclass(frozen=True)
class Content:
    """The bytes of a file that was already read, as standard input must be; messages call it `name`."""

    name: str
    data: bytes = field(repr=False)

    def __str__(self) -> str:
        return self.name

    @property
    def text(self) -> str:
        """The bytes as text; raises `DocumentError` if they are not UTF-8."""
        try:
            return self.data.decode("utf-8")
        except UnicodeDecodeError as error:
            raise DocumentError([_undecodable(self.name, error)]) from None


def read_file(path: Path) -> Content:
    """The content of a file, a FIFO or a device.

    Raises `DocumentError` if it is larger than a spec may be, and `OSError` or `ValueError` (a name with a null
    character) if it cannot be read.
    """
    with open(path, "rb", buffering=0) as opened:
        return read_stream(opened, str(path))


def read_stream(stream: BinaryIO, name: str) -> Content:
    """The content of a stream up to its end; raises `DocumentError` as soon as it is too large, `OSError` otherwise.

    >>> import io
    >>> read_stream(io.BytesIO(b"name: x"), "<stdin>").text
    'name: x'
    """
    source = getattr(stream, "raw", stream)  # a buffered stream would read more than is asked for
    found = bytearray()
    while len(found) <= MAX_BYTES:
        part = source.read(min(_CHUNK, MAX_BYTES + 1 - len(found)))
        if part is None:  # a non-blocking stream without data at the moment
            raise BlockingIOError(errno.EAGAIN, os.strerror(errno.EAGAIN))
        if not part:
            return Content(name, bytes(found))
        found += part
    raise too_large(name)


def _undecodable(file: str, error: UnicodeDecodeError) -> Diagnostic:
    before = error.object[: error.start].decode("utf-8").split("\n")
    source = error.object.decode("utf-8", "replace").split("\n")[len(before) - 1]
    return Diagnostic("file", f"is not UTF-8 text: invalid byte {error.object[error.start]:#04x}", file=file,
                      help="save it as UTF-8", line=len(before), column=len(before[-1]) + 1, source=source)  # fmt: skip


def yaml_files(folder: Path) -> dict[str, Path]:
    """The YAML files in a folder, by their names without the suffix."""
    names = sorted(name for name in os.listdir(folder) if name.endswith(".yaml"))
    return {name.removesuffix(".yaml"): folder / name for name in names}
