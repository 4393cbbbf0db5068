"""The checks of `archspec.verify` that can be skipped. The command line needs them before it imports the rest."""

from __future__ import annotations

from typing import Final

SKIPPABLE: Final = ("initial-weights", "training", "gradients")
"""Without training, running statistics and gradients are skipped, too."""
