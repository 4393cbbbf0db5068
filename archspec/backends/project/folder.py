"""The texts of a project → files in a folder: all of them or none, and none over a file that differs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from archspec.backends import output_file
from archspec.diagnostics.diagnostic import Diagnostic, TargetError


def write(folder: Path, texts: Mapping[str, str], force: bool = False) -> list[Path]:
    """Write files into a folder, which is created if necessary, and return those that were missing or different.

    All drafts are complete before the first file is put in its place. Raises `TargetError` if a file cannot be written
    or, unless `force` is given, if files exist with different contents.
    """
    wanted = {folder / name: text.encode("utf-8") for name, text in texts.items()}
    changed = {path: content for path, content in wanted.items() if not _holds(path, content)}
    others = [path for path in changed if path.exists()]
    if others and not force:
        help = "--force overwrites them; another folder keeps them"
        raise TargetError(
            Diagnostic("file", "exists with different contents", file=str(path), help=help) for path in others
        )
    with _made(folder), ExitStack() as drafts:
        for path, content in changed.items():
            drafts.enter_context(output_file.replacing(path)).write_bytes(content)
    return list(changed)


def _holds(path: Path, content: bytes) -> bool:
    try:
        return path.stat().st_size == len(content) and path.read_bytes() == content
    except (OSError, ValueError):  # it does not exist, cannot be read, or has an invalid name
        return False


@contextmanager
def _made(folder: Path) -> Iterator[None]:
    """Create a folder, and those above it; those that were created are removed again if the block fails."""
    new = [path for path in (folder, *folder.parents) if not path.exists()]
    output_file.make_folder(folder)
    try:
        yield
    except BaseException:
        with suppress(OSError):  # the folder may no longer be empty
            for path in new:
                path.rmdir()
        raise
