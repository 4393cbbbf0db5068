"""Numbers of bytes as text."""

from __future__ import annotations

from typing import Final

UNITS: Final = {"": 1, "K": 1 << 10, "M": 1 << 20, "G": 1 << 30, "T": 1 << 40}
"""The power of two that each letter before `iB` stands for."""


def format_bytes(size: int) -> str:
    """A number of bytes in the largest unit that is not larger than it.

    >>> format_bytes(17_179_869_184), format_bytes(484_728), format_bytes(160)
    ('16.0 GiB', '473.4 KiB', '160 B')
    """
    unit = max((unit for unit in UNITS if UNITS[unit] <= max(1, size)), key=lambda unit: UNITS[unit])
    return f"{size / UNITS[unit]:,.1f} {unit}iB" if unit else f"{size} B"
