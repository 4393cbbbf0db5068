"""DOT → image, with whichever Graphviz there is: `dot` on the PATH, or the one inside the pygraphviz wheel."""

from __future__ import annotations

import hashlib
import importlib.util
import os
import re
import shutil
import subprocess
import sys
import time
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
    """Lay out and draw DOT source as `svg`, `png` or `pdf`; raises `TargetError` if no Graphviz could.

    The bytes are the same in every run with the same Graphviz: no image says when it was drawn.
    """
    reasons = []
    for attempt in (_draw_with_dot, _draw_with_pygraphviz):
        try:
            return undated(attempt(dot, format)) if format == "pdf" else attempt(dot, format)
        except TargetError as error:
            reasons.append(error.diagnostics[0].message)
    raise TargetError(f"Graphviz could not draw the {format}: {'; '.join(reasons)}")


def undated(pdf: bytes) -> bytes:
    """A PDF without the time at which it was made, in its dates and its identifier; no byte is moved."""
    pdf = _DATE.sub(lambda found: found[1] + _time() + re.sub(rb"\d", b"0", found[2]), pdf)
    digest = hashlib.sha256(_ID.sub(b"", pdf)).hexdigest().encode()
    return _ID.sub(lambda found: re.sub(rb"[0-9a-fA-F]+", lambda old: digest[: len(old[0])], found[0]), pdf)


_DATE: Final = re.compile(rb"(/(?:CreationDate|ModDate)\s*\(D:)\d{14}([^)]*)")
_ID: Final = re.compile(rb"(?<=/ID)\s*\[\s*<[0-9a-fA-F]{1,64}>\s*<[0-9a-fA-F]{1,64}>\s*\]")


def _time() -> bytes:
    """The time that stands in a PDF: `SOURCE_DATE_EPOCH` (https://reproducible-builds.org), or its default here."""
    return time.strftime("%Y%m%d%H%M%S", time.gmtime(int(_epoch()))).encode()


def _epoch() -> str:
    """Seconds since 1970: what the user has set, if it is a time that a PDF can hold."""
    given = os.environ.get("SOURCE_DATE_EPOCH", "")
    return given if re.fullmatch("[0-9]{1,11}", given) else "0"


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
        done = subprocess.run(
            command,
            input=dot.encode("utf-8"),
            capture_output=True,
            timeout=TIMEOUT,
            check=False,
            env={**os.environ, "SOURCE_DATE_EPOCH": _epoch(), "TZ": "UTC"},
        )
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
