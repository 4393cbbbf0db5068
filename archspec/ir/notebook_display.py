"""How specs, graphs and results show themselves in a notebook.

Backends make what is shown, and nothing here may import them: `driver.notebook` does. It is loaded by its name when a
method here is called, which is the only step in archspec against the order of imports.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any, Final

NOTEBOOK: Final = "archspec.driver.notebook"
"""The module that makes what notebooks show."""


class NotebookDisplay:
    """Base class of values that notebooks (Jupyter, Colab, VS Code, marimo) show as more than their `repr`."""

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, str]:
        """The value in every form that there is, by MIME type."""
        bundle: dict[str, str] = import_module(NOTEBOOK).bundle(self)
        return bundle


class Explorable(NotebookDisplay):
    """A network that a notebook shows, and that can be looked around in."""

    def explore(self, path: Any = None) -> Any:
        """The network as an interactive page, see `archspec.explore`. A notebook shows it in the cell."""
        return import_module(NOTEBOOK).explore(self, path=path)
