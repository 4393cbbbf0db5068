"""Help for two values whose shapes should agree but do not."""

from __future__ import annotations

from archspec.ops.shapes import Shape, format_shape


def align(left: Shape, right: Shape) -> str:
    """Help for two feature maps of different sizes."""
    if len(left) != 3 or len(right) != 3 or left[1:] == right[1:]:
        return "their channels must agree" if left[:1] != right[:1] else ""
    big, small = (left, right) if left[1] >= right[1] else (right, left)
    factor = round(big[1] / small[1])
    fits = factor > 1 and -(-big[1] // factor) == small[1] and -(-big[2] // factor) == small[2]
    if fits:
        return f"multiply the stride of the path to {format_shape(big)} by {factor}"
    return _pad(big[1] - small[1], big[2] - small[2], small)


def _pad(rows: int, columns: int, small: Shape) -> str:
    """Help for two feature maps whose sizes differ by a few rows or columns."""
    if {rows, columns} <= {-1, 0, 1} or (rows == columns <= 6 and rows % 2):
        missing = max(abs(rows), abs(columns))
        return f"their sizes differ by {missing}: let all strides divide the sizes they halve"
    if rows == columns <= 6:
        return f"add {rows // 2} to the padding on the path to {format_shape(small)}"
    return "make their sizes equal"
