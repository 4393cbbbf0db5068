"""The positions of an op's inputs that a position of its output depends on ("sees"), dimension by dimension.

An op gives `InputWindows` for each input: an entry for each dimension of the output, which describes what a position
along that dimension sees. A dimension of an input that no entry names is seen as a whole, such as the features of
`linear`.
"""

from __future__ import annotations

import math
from functools import cache
from typing import Final, NamedTuple

MAX_PHASES: Final = 256
"""The longest period of a window's pattern; longer ones are `UnknownWindow`."""


class Window(NamedTuple):
    """Position q · n + r sees the positions `lows[r]` + q · `step` to `highs[r]` + q · `step` of dimension `dim`.

    n, the number of phases, is 1 unless the feature map grows. Padding begins at negative positions. With `step` 0 all
    positions see the same.

    >>> Window(1, (-1,), (1,), 2)  # a 3×3 convolution of stride 2, padding 1
    Window(dim=1, lows=(-1,), highs=(1,), step=2)
    """

    dim: int
    lows: tuple[int, ...] = (0,)
    highs: tuple[int, ...] = (0,)
    step: int = 1


class All(NamedTuple):
    """Each position sees all positions of `dim` and corresponds to one of them: normalisation, softmax."""

    dim: int


class Part(NamedTuple):
    """The positions of `dim` from `start` on."""

    dim: int
    start: int


class Only(NamedTuple):
    """Only position `position` of `dim`; the output has no such dimension, so the entry stands after the others."""

    dim: int
    position: int


class Fold(NamedTuple):
    """The elements of `dims` laid out along one dimension; each sees itself. With `moved`, they are in another order,
    or not the only elements."""

    dims: tuple[int, ...]
    moved: bool = False


class UnknownWindow(NamedTuple):
    """The positions of `dim` that are seen are unknown."""

    dim: int


InputWindows = tuple[Window | All | Part | Only | Fold | UnknownWindow | None, ...]
"""An entry for each dimension of the output, `None` for a new one; then the entries without an output dimension."""

Windows = tuple[InputWindows | None, ...]
"""The windows onto each input; `None` for an input that is not seen."""


@cache
def same(rank: int) -> InputWindows:
    """Each position sees the same position of a value with `rank` dimensions."""
    return tuple(Window(dim) for dim in range(rank))


def without(rank: int, entry: All | UnknownWindow | Fold) -> InputWindows:
    """Like `same`, with `entry` for its dimension."""
    dim = entry.dims[0] if isinstance(entry, Fold) else entry.dim
    return tuple(entry if place == dim else Window(place) for place in range(rank))


def spread(shape: tuple[int, ...], output: tuple[int, ...]) -> InputWindows:
    """The windows onto an operand of an elementwise op: sizes of 1 are broadcast, aligned at the last dimension.

    >>> spread((8, 1, 1), (8, 4, 4))[1]
    Window(dim=1, lows=(0,), highs=(0,), step=0)
    """
    missing = len(output) - len(shape)
    return (
        *[None] * missing,
        *(Window(dim, step=int(size == output[missing + dim])) for dim, size in enumerate(shape) if missing + dim >= 0),
    )


def sliding(dim: int, kernel: int, stride: int, padding: int, dilation: int = 1) -> Window:
    """The window of a convolution or pool."""
    return Window(dim, (-padding,), (dilation * (kernel - 1) - padding,), stride)


def adaptive(dim: int, size: int, count: int) -> Window | UnknownWindow:
    """`count` windows that share `size` positions: from ⌊i · size / count⌋ to below ⌈(i + 1) · size / count⌉.

    >>> adaptive(1, 5, 2)
    Window(dim=1, lows=(0, 2), highs=(2, 4), step=5)
    """
    common = math.gcd(size, count)
    phases = count // common
    if phases > MAX_PHASES:
        return UnknownWindow(dim)
    lows = tuple(i * size // count for i in range(phases))
    highs = tuple(-(-(i + 1) * size // count) - 1 for i in range(phases))
    return Window(dim, lows, highs, size // common)


def transposed(dim: int, kernel: int, stride: int, padding: int, dilation: int) -> Window | UnknownWindow:
    """Tap m of position o of a transposed convolution sees (o + padding − dilation · m) / stride, where it is whole.

    A position that sees nothing (if the kernel is smaller than the stride) gets bounds that do not widen any window
    over it.
    """
    if stride > MAX_PHASES:
        return UnknownWindow(dim)
    seen = [_taps(phase + padding, kernel, stride, dilation) for phase in range(stride)]
    lows, highs = [], []
    for phase in range(stride):
        after = next(n for n in range(phase, phase + stride) if seen[n % stride])
        before = next(n for n in range(phase, phase - stride, -1) if seen[n % stride])
        lows.append(seen[after % stride][0] + after // stride)
        highs.append(seen[before % stride][1] + before // stride)
    return Window(dim, tuple(lows), tuple(highs), 1)


def _taps(place: int, kernel: int, stride: int, dilation: int) -> tuple[int, ...]:
    """The first and the last position that a position of the output sees; empty if it sees none."""
    apart = stride // math.gcd(stride, dilation)
    first = next((m for m in range(min(kernel, apart)) if (place - dilation * m) % stride == 0), None)
    if first is None:
        return ()
    last = first + (kernel - 1 - first) // apart * apart
    return ((place - dilation * last) // stride, (place - dilation * first) // stride)
