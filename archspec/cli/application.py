"""The group of commands, and the one place where an exception becomes a message and an exit code."""

from __future__ import annotations

import errno
import os
import sys
from contextlib import suppress
from typing import Any, Final

import click

from archspec.cli import output

FAILURE: Final = {"diff": 2}
"""The exit code for an error in a spec of commands where 1 means that something differs."""


class Application(click.Group):
    """A group whose commands exit with 1 for an error in a spec or a file, and with 2 for a usage error."""

    def main(self, *args: Any, **kwargs: Any) -> Any:
        """Run the command line; if output cannot be written, help included, the exit code is 1."""
        try:
            return super().main(*args, **kwargs)
        except OSError as error:  # errors of files that commands read or write were raised as SpecErrors
            _discard_output()
            with suppress(OSError):  # standard error may be closed, too
                output.print_error(f"error[file]: {_about(error)}")
            sys.exit(1)

    def invoke(self, ctx: click.Context) -> Any:
        """Run a command; the exit code is 130 after an interrupt, and 141 if a pipe is closed."""
        try:
            return super().invoke(ctx)
        except (KeyboardInterrupt, click.Abort):
            ctx.exit(130)
        except BrokenPipeError:
            _discard_output()
            ctx.exit(141)
        except Exception as error:
            from archspec.diagnostics.diagnostic import SpecError, ValidationError

            if not isinstance(error, SpecError | ValidationError):
                raise
            output.print_error(str(error))
            ctx.exit(FAILURE.get(ctx.invoked_subcommand or "", 1))


def _about(error: OSError) -> str:
    reason = "it is closed" if error.errno == errno.EBADF else error.strerror or str(error)
    if error.filename is None:
        return f"standard output: cannot be written: {reason}"
    from archspec.diagnostics.formatting import printable

    return f"{printable(os.fsdecode(error.filename))}: {reason}"


def _discard_output() -> None:
    """Discard buffered output: its reader is gone (`| head`), and writing it at exit would fail again."""
    with suppress(OSError, ValueError):  # the stream may not be a file
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
