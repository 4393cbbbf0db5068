"""Output files, written whole or not at all."""

from __future__ import annotations

import os
import shutil
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from archspec.diagnostics.diagnostic import Diagnostic, TargetError


def write(path: str | os.PathLike[str], content: str | bytes) -> None:
    """Write a file (text as UTF-8): afterwards it holds all of `content`, or what it held before.

    Raises `TargetError` if it cannot be written.
    """
    data = content.encode("utf-8") if isinstance(content, str) else content
    with replacing(path) as draft:
        draft.write_bytes(data)


@contextmanager
def replacing(path: str | os.PathLike[str]) -> Iterator[Path]:
    """A file to write to, beside `path`, that takes its place when the block ends without an error.

    Raises `TargetError` if it cannot be written.
    """
    target = Path(os.path.realpath(path))  # a symbolic link stays one
    try:
        if target.is_dir():
            raise IsADirectoryError(21, "it is a folder")
        if target.exists() and not target.is_file():
            with tempfile.TemporaryDirectory() as folder:
                draft = Path(folder, target.name)
                yield draft
                _pour(draft, target)
            return
        draft = _draft(target)
        try:
            mode = draft.stat().st_mode
            yield draft
            draft.chmod(stat.S_IMODE(mode))  # safetensors puts a file of its own there, which only its owner may read
            os.replace(draft, target)
        finally:
            with suppress(FileNotFoundError):
                draft.unlink()
    except OSError as error:
        raise _unwritable(path, target, error) from None


def _pour(draft: Path, device: Path) -> None:
    """A pipe or a device (`/dev/null`) is written to; putting a file in its place would destroy it."""
    with open(draft, "rb") as source, open(device, "wb") as sink:
        shutil.copyfileobj(source, sink)


def _draft(target: Path) -> Path:
    """A new empty file beside `target`, with its permissions, or those of any new file."""
    draft = target.with_name(f".{target.name[:100]}.{os.urandom(4).hex()}.tmp")
    os.close(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666))
    if target.exists():
        draft.chmod(stat.S_IMODE(target.stat().st_mode))
    return draft


def _unwritable(path: str | os.PathLike[str], target: Path, error: OSError) -> TargetError:
    missing = not target.parent.exists()
    reason = f"folder '{target.parent}' does not exist" if missing else error.strerror or str(error)
    return TargetError([Diagnostic("file", f"cannot be written: {reason}", file=os.fspath(path))])


def make_folder(path: Path) -> None:
    """Make a folder and those above it; raises `TargetError` if that cannot be."""
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise _unwritable(path, path, error) from None
