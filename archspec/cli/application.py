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
"""The exit code of commands for an error in a spec, where that is not 1: 1 is their answer that something differs."""


class Application(click.Group):
    """A group whose commands end with 1 for an error in a spec or a file, and with 2 for an error of usage."""

    def main(self, *args: Any, **kwargs: Any) -> Any:
        """Run the command line; output that cannot be written, help included, ends with 1."""
        try:
            return super().main(*args, **kwargs)
        except OSError as error:  # an error of a file that a command reads or writes is a SpecError by now
            _discard_output()
            with suppress(OSError):  # standard error may be what cannot be written
                output.print_error(f"error[file]: {_about(error)}")
            sys.exit(1)

    def invoke(self, ctx: click.Context) -> Any:
        """Run a command; an interrupt ends with 130, a closed pipe with 141."""
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
    with suppress(OSError, ValueError):  # of a stream that is no file
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
