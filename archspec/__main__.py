"""`python -m archspec` and the `archspec` command."""

from __future__ import annotations

import gc
import os
import sys


def main() -> None:
    """Run the command line; ends the process with its exit code."""
    for stream in (sys.stdout, sys.stderr):
        # A table has ─ and × in it, whatever the locale; what no UTF-8 can hold comes from odd file names.
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(encoding="utf-8", errors="backslashreplace")
    # Next to nothing of what one command makes is garbage before it ends, and looking for it takes a tenth of it.
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
