"""How specs, graphs and results show themselves in a notebook.

What is shown is made by backends, which nothing here may import: the package's `notebook` module knows them, and is
loaded when a notebook asks.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any, Final

NOTEBOOK: Final = "archspec.notebook"
"""The module that makes what notebooks show."""


class Displayed:
    """A value that a notebook shows as more than its `repr`: Jupyter, Colab, VS Code, marimo."""

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, str]:
        """The value in every form that there is, by MIME type."""
        bundle: dict[str, str] = import_module(NOTEBOOK).bundle(self)
        return bundle
