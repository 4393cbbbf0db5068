"""The line of the user's source that a call is on."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from types import FrameType

import torch

_SKIPPED = tuple(f"{Path(file).parent}{os.sep}" for file in (torch.__file__, __file__))


def where() -> str:
    """The line that is running: the innermost frame outside of torch and of this package."""
    frame: FrameType | None = sys._getframe(1)
    while frame is not None:
        file = frame.f_code.co_filename
        if not file.startswith(_SKIPPED) and not file.startswith("<"):
            return f"{file}:{frame.f_lineno}"
        frame = frame.f_back
    return ""
