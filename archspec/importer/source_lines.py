"""The line of the user's source that a call is on."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from types import FrameType

import torch

import archspec

_SKIPPED = tuple(f"{Path(str(package.__file__)).parent}{os.sep}" for package in (torch, archspec))

_RUN = str(Path(__file__).with_name("meta_copy.py"))
"""The file that runs models: what calls it is none of their lines."""


def where() -> str:
    """The line of a model that is running: the innermost frame outside of torch and archspec; empty if there is
    none."""
    frame: FrameType | None = sys._getframe(1)
    while frame is not None and frame.f_code.co_filename != _RUN:
        file = frame.f_code.co_filename
        if not file.startswith(_SKIPPED) and not file.startswith("<"):
            return f"{file}:{frame.f_lineno}"
        frame = frame.f_back
    return ""
