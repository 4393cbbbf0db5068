"""The suffixes of files that hold weights."""

from __future__ import annotations

from typing import Final

CHECKPOINTS: Final = (".safetensors", ".pt", ".pth")
"""Weights; files written by archspec contain the spec, too."""

PROGRAMS: Final = (".pt2", ".onnx")
"""Exported programs, with their weights."""

SAVED: Final = (*CHECKPOINTS, *PROGRAMS)
"""What `archspec build -o` writes."""
