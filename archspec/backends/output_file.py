"""Output files, written completely or not at all.

A file is written in a hidden folder beside it, its draft folder, and moved to its place when it is complete. The
writing process holds a lock on the folder. The system releases the lock when the process ends, however it ends, so an
unlocked draft folder was left behind: the next write to the same file removes it.
"""

from __future__ import annotations

import os
import re
import shutil
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from archspec.diagnostics.diagnostic import Diagnostic, TargetError

try:
    import fcntl
except ImportError:  # not available on this system: nothing is locked, and abandoned folders are not removed
    fcntl = None  # type: ignore[assignment]

_MAX_NAME: Final = 200
"""How many bytes of the file's name are in that of its draft folder. File systems allow 255 in total."""


def write(path: str | os.PathLike[str], content: str | bytes) -> None:
    """Write a file (text as UTF-8): afterwards it has either all of `content` or its old content.

    Raises `TargetError` if it cannot be written.
    """
    data = content.encode("utf-8") if isinstance(content, str) else content
    with replacing(path) as draft:
        draft.write_bytes(data)


@contextmanager
def replacing(path: str | os.PathLike[str]) -> Iterator[Path]:
    """A file to write to, which replaces the one at `path` when the block ends without an error.

    Raises `TargetError` if it cannot be written.
    """
    target = _target(path)
    try:
        mode = _mode(target)
        if mode is not None and stat.S_ISDIR(mode):
            raise IsADirectoryError(21, "it is a folder")
        if mode is not None and not stat.S_ISREG(mode):
            with tempfile.TemporaryDirectory() as folder:
                draft = Path(folder, "draft")
                yield draft
                _pour(draft, target)
            return
        with _draft_folder(target) as folder:
            draft = _new_file(Path(folder, "draft"), mode)
            mode = draft.stat().st_mode
            yield draft
            draft.chmod(stat.S_IMODE(mode))  # safetensors creates a file that only its owner may read
            os.replace(draft, target)
    except OSError as error:
        raise _unwritable(path, target, error) from None


def _target(path: str | os.PathLike[str]) -> Path:
    """The file to write; a symbolic link is followed, so that it is kept."""
    try:
        return Path(os.path.realpath(path))
    except (OSError, ValueError) as error:  # ValueError: a null character, or a surrogate
        message = f"cannot be written: {getattr(error, 'strerror', None) or error}"
        raise TargetError([Diagnostic("file", message, file=os.fspath(path))]) from None


def _mode(target: Path) -> int | None:
    """The type and permissions of a file; `None` if there is none."""
    try:
        return os.stat(target).st_mode
    except FileNotFoundError:
        return None


def _pour(draft: Path, device: Path) -> None:
    """Copy a draft to a pipe or a device (`/dev/null`), which a file must not replace."""
    with open(draft, "rb") as source, open(device, "wb") as sink:
        shutil.copyfileobj(source, sink)


def _new_file(draft: Path, mode: int | None) -> Path:
    """A new empty file with the permissions of the one it replaces, or those of any new file."""
    os.close(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666))
    if mode is not None:
        draft.chmod(stat.S_IMODE(mode))
    return draft


# -- draft folders ------------------------------------------------------------------------------------------------


@contextmanager
def _draft_folder(target: Path) -> Iterator[Path]:
    """A locked folder beside `target`; at the end it is removed with its contents."""
    begin = _begin_of_name(target)
    _remove_abandoned(target.parent, begin)
    while True:
        folder = target.with_name(f"{begin}{os.urandom(4).hex()}.tmp")
        os.mkdir(folder, 0o700)
        lock = _locked(folder, wait=True)
        if os.path.isdir(folder):  # otherwise it was removed as abandoned before it was locked
            break
        _unlock(lock)
    try:
        yield folder
    finally:
        _remove(folder)
        _unlock(lock)


def _begin_of_name(target: Path) -> str:
    """The beginning of the names of a file's draft folders; a long name is cut between characters."""
    return f".{os.fsencode(target.name)[:_MAX_NAME].decode('utf-8', 'ignore')}."


def _locked(folder: Path, wait: bool) -> int | None:
    """A descriptor that holds the lock of a folder; `None` if another process holds it, or locks are not available."""
    if fcntl is None:
        return None
    descriptor = None
    try:
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
        fcntl.flock(descriptor, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
    except OSError:
        _unlock(descriptor)
        return None
    return descriptor


def _unlock(lock: int | None) -> None:
    if lock is not None:
        os.close(lock)


def _remove_abandoned(parent: Path, begin: str) -> None:
    """Remove the draft folders of this user that are not locked."""
    if fcntl is None:
        return
    ours = re.compile(rf"{re.escape(begin)}[0-9a-f]{{8}}\.tmp")
    with suppress(OSError):  # the folder may not be readable
        for name in filter(ours.fullmatch, os.listdir(parent)):
            with suppress(OSError):
                _remove_if_abandoned(parent / name)


def _remove_if_abandoned(folder: Path) -> None:
    found = os.stat(folder, follow_symlinks=False)
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid():
        return
    lock = _locked(folder, wait=False)
    if lock is not None:
        _remove(folder)
        _unlock(lock)


def _remove(folder: Path) -> None:
    """Remove a folder of files. A folder that contains folders is not ours, and is kept."""
    with suppress(OSError):
        for entry in os.listdir(folder):
            os.unlink(folder / entry)
        os.rmdir(folder)


# -- errors -------------------------------------------------------------------------------------------------------


def _unwritable(path: str | os.PathLike[str], target: Path, error: OSError) -> TargetError:
    missing = isinstance(error, FileNotFoundError) and not os.path.exists(target.parent)
    reason = f"folder '{target.parent}' does not exist" if missing else error.strerror or str(error)
    return TargetError([Diagnostic("file", f"cannot be written: {reason}", file=os.fspath(path))])


def make_folder(path: Path) -> None:
    """Create a folder and those above it; raises `TargetError` if that fails."""
    try:
        path.mkdir(parents=True, exist_ok=True)
    except (OSError, ValueError) as error:
        message = f"cannot be created: {getattr(error, 'strerror', None) or error}"
        raise TargetError([Diagnostic("file", message, file=str(path))]) from None
