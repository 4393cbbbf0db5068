"""The images of README.md, in `.assets`; `python tests/assets.py` draws them again.

There are two of them, for light and for dark pages. `test_docs.py` compares them with what archspec draws.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

import archspec

FOLDER: Final = Path(__file__).parent.parent / ".assets"
REFRESH: Final = "refresh it: python tests/assets.py"
SPEC: Final = "resnet101"
DEPTH: Final = 1
"""One level is what can be read at the width of a README; the default opens two."""

DARK: Final = {
    "#ffffff": "#0d1117",  # the page, and text on the dark boxes of input and output
    "#1f2328": "#e6edf3",  # text
    "#57606a": "#9198a1",  # small text, edges
    "#32383f": "#e6edf3",  # input and output
    "#ccf1f4": "#0b3b45", "#0e7490": "#3cc5dd",  # blocks: inside, outline
    "#d6e6ff": "#12305c", "#1d5fd1": "#6ca8ff",  # convolutions
    "#e7deff": "#33245c", "#6d3fd1": "#b08cff",  # linear layers
    "#ffe3cc": "#4a2a0e", "#bc4c00": "#f0883e",  # pooling
}  # fmt: skip
"""Colours of the light image, and what replaces each of them in the dark one."""


def images() -> dict[str, str]:
    """The SVG images by file name."""
    light = archspec.render(SPEC, depth=DEPTH).decode()
    return {f"{SPEC}.svg": light, f"{SPEC}-dark.svg": dark(light)}


def dark(svg: str) -> str:
    """An image with its colours replaced; raises `KeyError` for a colour that has no dark counterpart.

    >>> dark('<polygon fill="#ffffff" stroke="none"/>')
    '<polygon fill="#0d1117" stroke="none"/>'
    """
    return re.sub(r'(fill|stroke)="(#\w+)"', lambda found: f'{found[1]}="{DARK[found[2]]}"', svg)


def main() -> None:
    """Write the images."""
    for name, svg in images().items():
        (FOLDER / name).write_text(svg, encoding="utf-8")


if __name__ == "__main__":
    main()
