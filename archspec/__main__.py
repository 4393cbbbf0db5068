"""`python -m archspec` and the `archspec` command."""

from __future__ import annotations

import gc
import os
import sys


def main() -> None:
    """Run the command line; ends the process with its exit code."""
    _replace_closed_streams()
    for stream in (sys.stdout, sys.stderr):
        # Tables contain ─ and × whatever the locale; file names may contain what UTF-8 cannot hold.
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(encoding="utf-8", errors="backslashreplace")
    # One command creates almost no garbage before it ends, and collecting it takes a tenth of the time.
    gc.disable()
    # Nor does it use Pydantic's plugins; looking for them reads the metadata of every installed package.
    os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")
    try:
        from archspec.cli.commands import app

        app(prog_name="archspec")
    except KeyboardInterrupt:
        sys.exit(130)
    finally:
        gc.freeze()  # at exit Python collects garbage once more, which takes as long again


def _replace_closed_streams() -> None:
    """Open the null device in place of standard streams that are closed (`>&-`).

    Python sets such a stream to None, and the system would give its number to the next file that is opened. Writing to
    a closed standard output is an error, as in other programs; writing to a closed standard error is not.
    """
    for number, mode in enumerate((os.O_RDONLY, os.O_RDONLY, os.O_WRONLY)):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, mode)  # gets the lowest free number: this one
    if sys.stdout is None:
        sys.stdout = os.fdopen(1, "w", encoding="utf-8", closefd=False)
    if sys.stderr is None:
        sys.stderr = os.fdopen(2, "w", encoding="utf-8", closefd=False)


if __name__ == "__main__":
    main()
