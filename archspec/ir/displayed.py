"""How specs, graphs and results show themselves in a notebook.

Backends make what is shown, and nothing here may import them: the package's `notebook` module does, and it is loaded
when a notebook asks.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any, Final

NOTEBOOK: Final = "archspec.notebook"
"""The module that makes what notebooks show."""


class Displayed:
    """Base class of values that notebooks (Jupyter, Colab, VS Code, marimo) show as more than their `repr`."""

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, str]:
        """The value in every form that there is, by MIME type."""
        bundle: dict[str, str] = import_module(NOTEBOOK).bundle(self)
        return bundle
