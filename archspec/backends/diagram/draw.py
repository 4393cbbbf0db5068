"""DOT → image, with whichever Graphviz there is: `dot` on the PATH, or the one inside the pygraphviz wheel."""

from __future__ import annotations

import importlib.util
import shutil
import subprocess
import sys
from typing import Final

from archspec.diagnostics.diagnostic import TargetError

TIMEOUT: Final = 300
"""Seconds. An image that takes longer is too large to be read."""

PNG_DPI: Final = 144
"""Graphviz's 96 is blurred on today's screens."""

_PYGRAPHVIZ: Final = """
import sys, pygraphviz
if sys.platform == "linux" and sys.argv[1] != "svg":
    if b"/Font" not in pygraphviz.AGraph(string="digraph {a}").draw(format="pdf", prog="dot"):
        sys.exit("no font is installed: install one, such as fonts-dejavu-core, or draw svg")
drawing = pygraphviz.AGraph(string=sys.stdin.buffer.read().decode("utf-8"))
sys.stdout.buffer.write(drawing.draw(format=sys.argv[1], prog="dot", args=sys.argv[2]))
"""
"""Without a font every letter of a PNG or PDF would be an empty box. SVG is shown in the viewer's fonts."""


def draw(dot: str, format: str) -> bytes:
    """Lay out and draw DOT source as `svg`, `png` or `pdf`; raises `TargetError` if no Graphviz could."""
    reasons = []
    for attempt in (_draw_with_dot, _draw_with_pygraphviz):
        try:
            return attempt(dot, format)
        except TargetError as error:
            reasons.append(error.diagnostics[0].message)
    raise TargetError(f"Graphviz could not draw the {format}: {'; '.join(reasons)}")


def _draw_with_dot(dot: str, format: str) -> bytes:
    executable = shutil.which("dot")
    if executable is None:
        raise TargetError("no 'dot' on the PATH")
    return _run("dot", [executable, f"-T{format}", *_options(format)], dot)


def _draw_with_pygraphviz(dot: str, format: str) -> bytes:
    """Run in a separate process: the wheel's fontconfig prints to stderr, and a crash in C must not end this one."""
    if not sys.executable:
        raise TargetError("no Python to run pygraphviz with")
    if importlib.util.find_spec("pygraphviz") is None:
        raise TargetError("no pygraphviz: pip install pygraphviz")
    return _run("pygraphviz", [sys.executable, "-c", _PYGRAPHVIZ, format, " ".join(_options(format))], dot)


def _options(format: str) -> list[str]:
    return [f"-Gdpi={PNG_DPI}"] if format == "png" else []


def _run(what: str, command: list[str], dot: str) -> bytes:
    try:
        done = subprocess.run(command, input=dot.encode("utf-8"), capture_output=True, timeout=TIMEOUT, check=False)
    except subprocess.TimeoutExpired:
        raise TargetError(f"{what} took more than {TIMEOUT} seconds") from None
    except OSError as error:
        raise TargetError(f"{what} cannot be run: {error.strerror}") from None
    if done.returncode or not done.stdout:
        raise TargetError(f"{what} failed: {_last_line(done.stderr)}")
    return done.stdout


def _last_line(stderr: bytes) -> str:
    lines = stderr.decode("utf-8", "replace").strip().splitlines()
    return lines[-1] if lines else "no message"
