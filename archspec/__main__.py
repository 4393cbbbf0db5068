"""`python -m archspec` and the `archspec` command."""

from __future__ import annotations

import gc
import os
import sys


def main() -> None:
    """Run the command line; ends the process with its exit code."""
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


if __name__ == "__main__":
    main()
