"""The command line, run in this process."""

from __future__ import annotations

from pathlib import Path

from click.testing import CliRunner, Result

from archspec.cli import commands as cli


def run(*arguments: str | Path) -> Result:
    """What comes of a command; what is no mistake of the user's is raised."""
    return CliRunner().invoke(cli.app, list(map(str, arguments)), prog_name="archspec", catch_exceptions=False)


def fine(*arguments: str | Path) -> str:
    """The standard output of a command that succeeds."""
    result = run(*arguments)
    assert result.exit_code == 0, result.output
    return result.stdout
