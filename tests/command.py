"""The command line, run in this process."""

from __future__ import annotations

from pathlib import Path

from click.testing import CliRunner, Result

from archspec.cli import commands as cli


def run(*arguments: str | Path, stdin: str | bytes | None = None, **environment: str) -> Result:
    """The result of a command, with no limit on its width; exceptions that are not the user's errors are raised."""
    runner = CliRunner(env={"COLUMNS": None, **environment})
    given = list(map(str, arguments))
    return runner.invoke(cli.app, given, input=stdin, prog_name="archspec", catch_exceptions=False)


def fine(*arguments: str | Path, stdin: str | bytes | None = None, **environment: str) -> str:
    """The standard output of a command that succeeds."""
    result = run(*arguments, stdin=stdin, **environment)
    assert result.exit_code == 0, result.output
    return result.stdout
