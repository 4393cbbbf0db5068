"""How specs, graphs and results show themselves in a notebook.

What is shown is made by backends, which nothing here may import. The methods are here for those who use the values, and
ask the package's `notebook` module, which is loaded by its name when one is called: the only step in archspec that goes
against the order of imports.
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


class Explored(Displayed):
    """A network that a notebook shows, and that can be looked around in."""

    def explore(self, path: Any = None) -> Any:
        """The network as a page to look around in: `archspec.explore`. A notebook shows it in the cell."""
        return import_module(NOTEBOOK).explore(self, path=path)
