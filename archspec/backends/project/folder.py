"""The texts of a project → files in a folder: all of them or none, and none over a file that differs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from archspec.backends import output_file
from archspec.diagnostics.diagnostic import Diagnostic, TargetError


def write(folder: Path, texts: Mapping[str, str], force: bool = False) -> list[Path]:
    """Write files into a folder, which is created if need be, and return those that were not there as they should be.

    All drafts are complete before the first takes its place. Raises `TargetError` if a file cannot be written, or, not
    with `force`, for files that exist with other contents.
    """
    wanted = {folder / name: text.encode("utf-8") for name, text in texts.items()}
    changed = {path: content for path, content in wanted.items() if not _holds(path, content)}
    others = [path for path in changed if path.exists()]
    if others and not force:
        help = "--force overwrites them; another folder keeps them"
        raise TargetError(
            Diagnostic("file", "exists with other contents", file=str(path), help=help) for path in others
        )
    with _made(folder), ExitStack() as drafts:
        for path, content in changed.items():
            drafts.enter_context(output_file.replacing(path)).write_bytes(content)
    return list(changed)


def _holds(path: Path, content: bytes) -> bool:
    try:
        return path.stat().st_size == len(content) and path.read_bytes() == content
    except (OSError, ValueError):  # it is not there, or cannot be read, or has no possible name
        return False


@contextmanager
def _made(folder: Path) -> Iterator[None]:
    """A folder, and those above it; what had to be made is removed again if the block fails."""
    new = [path for path in (folder, *folder.parents) if not path.exists()]
    output_file.make_folder(folder)
    try:
        yield
    except BaseException:
        with suppress(OSError):  # of a folder that somebody has put something in
            for path in new:
                path.rmdir()
        raise
