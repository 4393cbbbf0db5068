"""A page as one file: its template, filled with data, scripts and styles."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterable
from hashlib import sha256
from html import escape
from pathlib import Path
from typing import Any, Final

from archspec.backends.templates import environment
from archspec.backends.theme import END, FAILED, FORK, STYLES
from archspec.diagnostics.budget import CHARACTERS, spend
from archspec.diagnostics.formatting import printable
from archspec.diagnostics.json_text import json_text

FOLDER: Final = Path(__file__).parent

LAYOUT: Final = "vendor/dagre.min.js"

SHARED: Final = (
    "elements", "numbers", "network", "repeats", "measure", "flow", "boxes", "layout", "wires", "scene", "drawing",
    "camera", "minimap", "colours", "clipboard", "details", "tree", "view", "splitter", "export", "address", "help",
    "controls",
)  # fmt: skip
"""The scripts of all pages, in the order in which they run: each uses those before it."""

EXPLORER: Final = (*SHARED, "table", "texts", "explorer")

COMPARISON: Final = (*SHARED, "pairs", "changes", "comparison")


class Page(str):
    """The text of a page. A notebook shows it in a frame of its own."""

    def _repr_html_(self) -> str:
        looks = "width: 100%; height: 44em; border: 1px solid #8884; border-radius: 6px"
        return f'<iframe sandbox="allow-scripts allow-downloads" style="{looks}" srcdoc="{escape(self)}"></iframe>'

    def __repr__(self) -> str:
        return f"Page({len(self):,} characters)"


def explorer(network: dict[str, Any]) -> Page:
    """The page of a network, as `data` describes it."""
    return _page("explorer.html.jinja", EXPLORER, network["name"], network)


def comparison(title: str, found: dict[str, Any]) -> Page:
    """The page of a difference: the networks `a` and `b`, as `data` describes them, and what differs in them."""
    return _page("comparison.html.jinja", COMPARISON, title, {"title": title, **found})


def _page(template: str, scripts: Iterable[str], title: str, data: dict[str, Any]) -> Page:
    text = json_text({**data, "roles": _roles()}).replace("<", "\\u003c")  # so that it cannot end the element around it
    spend(len(text) // CHARACTERS)
    script = "\n".join([_read(LAYOUT), '"use strict";', *(_read(f"assets/{name}.js") for name in scripts)])
    style = environment(FOLDER).get_template("assets/page.css.jinja").render(styles=_styles())
    return Page(environment(FOLDER).get_template(template).render(
        title=escape(printable(title)), script=script, style=style, data=text,
        script_hash=_hash(script), style_hash=_hash(style),
    ))  # fmt: skip


def _styles() -> dict[str, Any]:
    return {role: style for role, style in STYLES.items() if role not in (FORK, FAILED)}


def _roles() -> dict[str, str]:
    """The meanings of the colours."""
    return {role: style.name for role, style in _styles().items() if role != END}


def _read(name: str) -> str:
    return (FOLDER / name).read_text(encoding="utf-8")


def _hash(text: str) -> str:
    """The hash that allows a script or style in the page's content security policy."""
    return "sha256-" + b64encode(sha256(text.encode("utf-8")).digest()).decode("ascii")
