"""The group of commands, and the one place where an exception becomes a message and an exit code."""

from __future__ import annotations

import os
import sys
from typing import Any

import click

from archspec.cli import output


class Application(click.Group):
    """A group whose commands end with 1 for an error in a spec or a file, and with 2 for an error of usage."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run a command; an interrupt ends with 130, a closed pipe with 141."""
        try:
            return super().invoke(ctx)
        except (KeyboardInterrupt, click.Abort):
            ctx.exit(130)
        except BrokenPipeError:
            _discard_output()
            ctx.exit(141)
        except OSError as error:  # an error of a file that a command reads or writes is a SpecError by now
            _discard_output()
            output.print_error(f"error[file]: standard output: cannot be written: {error.strerror or error}")
            ctx.exit(1)
        except Exception as error:
            from archspec.diagnostics.diagnostic import SpecError, ValidationError

            if not isinstance(error, SpecError | ValidationError):
                raise
            output.print_error(str(error))
            ctx.exit(1)


def _discard_output() -> None:
    """Discard buffered output: its reader is gone (`| head`), and writing it at exit would fail again."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
