"""Roles of boxes and their colours, on light and on dark pages. Red stands for failure and for nothing else."""

from __future__ import annotations

from typing import Final, NamedTuple

END: Final = "end"
"""The role of the boxes where a value enters or leaves the network."""

FORK: Final = "fork"
"""The role of the point where the input of an opened block goes several ways."""

FAILED: Final = "failed"
"""The role of the layer that fails, at the end of a partial network."""

LIGHT: Final = frozenset({"norm", "activation", "dropout", "shape"})
"""Roles of ops that are mentioned in the box of the op they follow, or stand close to it."""


class Colour(NamedTuple):
    """A colour: its name by purpose, and its values on a light and on a dark page."""

    name: str
    light: str
    dark: str


class Style(NamedTuple):
    """The colours of a kind of box, and its name in the legend."""

    name: str
    fill: Colour
    line: Colour


def _style(role: str, name: str, fill: tuple[str, str], line: tuple[str, str]) -> Style:
    return Style(name, Colour(f"{role}-fill", *fill), Colour(f"{role}-line", *line))


INK: Final = Colour("ink", "#1f2328", "#e6edf3")
FAINT_INK: Final = Colour("faint", "#57606a", "#9aa2ab")
END_INK: Final = Colour("end-ink", "#ffffff", "#0d1117")
FRAMES: Final = (Colour("frame-1", "#f6f8fa", "#161b22"), Colour("frame-2", "#ffffff", "#0d1117"))
"""The insides of frames, in turn."""
FRAME_LINE: Final = Colour("frame-line", "#afb8c1", "#3d444d")
NO_COLOUR: Final = Colour("none", "none", "none")

STYLES: Final = {
    role: _style(role, name, fill, line)
    for role, name, fill, line in (
        ("block", "block", ("#ccf1f4", "#0b3b45"), ("#0e7490", "#3cc5dd")),
        ("convolution", "convolution", ("#d6e6ff", "#12305c"), ("#1d5fd1", "#6ca8ff")),
        ("linear", "linear", ("#e7deff", "#33245c"), ("#6d3fd1", "#b08cff")),
        ("norm", "normalisation", ("#fdf3bf", "#423500"), ("#946200", "#d9b43a")),
        ("activation", "activation", ("#d5f5dd", "#0f3a1d"), ("#1a7f37", "#4ac26b")),
        ("pool", "pooling", ("#ffe8cc", "#4a2a0e"), ("#b35900", "#f0a048")),
        ("dropout", "dropout", ("#eceff2", "#2a3038"), ("#6e7781", "#9198a1")),
        ("join", "join", ("#e6edc8", "#2f3a0a"), ("#5a6b00", "#b5c94c")),
        ("shape", "reshape", ("#dfe4ea", "#30363d"), ("#424a53", "#b1bac4")),
        ("call", "shared weights", ("#f6ddfa", "#42174a"), ("#8b2fa0", "#dc8ff0")),
        ("other", "other", ("#ffffff", "#0d1117"), ("#32383f", "#c9d1d9")),
        (FAILED, "fails here", ("#ffb3ad", "#5c0f14"), ("#b00020", "#ff6b6b")),
        (END, "", ("#32383f", "#e6edf3"), ("#32383f", "#e6edf3")),
        (FORK, "", (FAINT_INK.light, FAINT_INK.dark), (FAINT_INK.light, FAINT_INK.dark)),
    )
}
"""The styles by role, in the order of the legend."""


def style_of(role: str) -> Style:
    """The style of a kind of box."""
    return STYLES.get(role, STYLES["other"])
