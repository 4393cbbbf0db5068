"""The images of README.md, in `.assets`; `python tests/assets.py` draws them again.

There are two of them, for light and for dark pages. `test_docs.py` compares them with what archspec draws.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

import archspec

FOLDER: Final = Path(__file__).parent.parent / ".assets"
REFRESH: Final = "refresh it: python tests/assets.py"
SPEC: Final = "resnet101"
DEPTH: Final = 1
"""One level is legible at the width of a README; the default opens two."""


def images() -> dict[str, str]:
    """The SVG images by file name."""
    light, dark = (archspec.render(SPEC, depth=DEPTH, theme=theme).decode() for theme in ("light", "dark"))
    return {f"{SPEC}.svg": light, f"{SPEC}-dark.svg": dark}


def main() -> None:
    """Write the images."""
    for name, svg in images().items():
        (FOLDER / name).write_text(svg, encoding="utf-8")


if __name__ == "__main__":
    main()
