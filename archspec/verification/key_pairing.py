"""Pairs the entries of two state_dicts: by name, or by place if names differ and shapes agree."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from difflib import SequenceMatcher
from typing import NamedTuple, TypeVar

from torch import Tensor, nn

from archspec.ops.shapes import Shape, format_shape
from archspec.verification.report import Check

T = TypeVar("T")

SHOWN = 5
"""The most differences that are abridged; the others are counted."""

_RENAMED = "have other names"
KEYS, ORDER, SHAPES = "state_dict keys", "order of keys", "shapes and types"


class Entry(NamedTuple):
    """An entry of a state_dict; entries without their keys are compared as `like`."""

    key: str
    shape: Shape
    dtype: str
    kind: str

    @property
    def like(self) -> tuple[Shape, str, str]:
        """All but the name."""
        return self[1:]

    def __str__(self) -> str:
        dtype = "" if self.dtype == "float32" else f" {self.dtype}"
        return f"{self.key} ({self.kind} {format_shape(self.shape) or 'of one number'}{dtype})"


class Pairing(NamedTuple):
    """The checks of keys, order and shapes, and the pairs of keys; `None` if the modules cannot have equal weights."""

    checks: tuple[Check, ...]
    pairs: tuple[tuple[str, str], ...] | None


def entries(module: nn.Module) -> list[Entry]:
    """The tensors of a module's state_dict, in order."""
    found = module.state_dict(keep_vars=True)
    return [
        Entry(key, tuple(tensor.shape), str(tensor.dtype).removeprefix("torch."),
              "parameter" if isinstance(tensor, nn.Parameter) else "buffer")
        for key, tensor in found.items() if isinstance(tensor, Tensor)
    ]  # fmt: skip


def pair(ours: Sequence[Entry], theirs: Sequence[Entry], other: str, by_name_only: bool) -> Pairing:
    """Pair the entries of two modules; `other` is the name of the second in messages."""
    names = [{entry.key for entry in side} for side in (ours, theirs)]
    if names[0] == names[1]:
        return _by_name(ours, theirs, other)
    if by_name_only or len(ours) != len(theirs):
        return _unpaired(ours, theirs, other)
    return _by_place(ours, theirs, other)


def _by_name(ours: Sequence[Entry], theirs: Sequence[Entry], other: str) -> Pairing:
    there = {entry.key: entry for entry in theirs}
    keys = Check(KEYS, True, f"{len(ours)}, all equal")
    apart = [(a, there[a.key]) for a in ours if a.like != there[a.key].like]
    order = Check(ORDER, True, "equal")
    moved = [(place, a.key, b.key) for place, (a, b) in enumerate(zip(ours, theirs, strict=True), 1) if a.key != b.key]
    if moved:
        places = (f"place {place}: {a}, in {other} {b}" for place, a, b in moved)
        order = Check(ORDER, False, abridged(f"{len(moved)} at other places", places))
    pairs = None if apart else tuple((entry.key, entry.key) for entry in ours)
    return Pairing((keys, order, _shapes(apart, other)), pairs)


def is_renamed(check: Check) -> bool:
    """Whether a check of keys found entries that are equal but for their names."""
    return check.name == KEYS and check.ok is True and check.detail.partition("\n")[0].endswith(_RENAMED)


def _by_place(ours: Sequence[Entry], theirs: Sequence[Entry], other: str) -> Pairing:
    both = list(zip(ours, theirs, strict=True))
    renamed = [f"{a.key} is {b.key} in {other}" for a, b in both if a.key != b.key]
    keys = Check(KEYS, True, abridged(f"{len(ours)}, of which {len(renamed)} {_RENAMED}", renamed))
    apart = [(a, b) for a, b in both if a.like != b.like]
    if apart:
        order = Check(ORDER, None, "not compared: names differ, and so do shapes")
        return Pairing((keys, order, _shapes(apart, other)), None)
    order = Check(ORDER, True, "shapes agree place by place")
    return Pairing((keys, order, _shapes(apart, other)), tuple((a.key, b.key) for a, b in both))


def _shapes(apart: Sequence[tuple[Entry, Entry]], other: str) -> Check:
    if not apart:
        return Check(SHAPES, True, "equal")
    return Check(SHAPES, False, abridged(f"{len(apart)} differ", (f"{a}, in {other} {b}" for a, b in apart)))


def _unpaired(ours: Sequence[Entry], theirs: Sequence[Entry], other: str) -> Pairing:
    there, here = {entry.key for entry in theirs}, {entry.key for entry in ours}
    if 2 * len(there & here) >= min(len(ours), len(theirs)):  # most names agree: report those that do not
        missing = [str(entry) for entry in ours if entry.key not in there]
        extra = [str(entry) for entry in theirs if entry.key not in here]
    else:
        missing, extra = _without_a_like(ours, theirs)
    lines = [*(f"not in {other}: {line}" for line in missing[:SHOWN]),
             *(f"only in {other}: {line}" for line in extra[:SHOWN])]  # fmt: skip
    left = len(missing) + len(extra) - len(lines)
    lines += [f"… and {left} more"] * (left > 0)
    keys = Check(KEYS, False, "\n".join([f"{len(ours)}, {other} has {len(theirs)}", *lines]))
    others = (Check(name, None, "not compared: keys differ") for name in (ORDER, SHAPES))
    return Pairing((keys, *others), None)


def _without_a_like(ours: Sequence[Entry], theirs: Sequence[Entry]) -> tuple[list[str], list[str]]:
    """The entries without a counterpart of equal shape, for modules whose names have little in common."""
    matcher = SequenceMatcher(None, [a.like for a in ours], [b.like for b in theirs], autojunk=False)
    missing: list[str] = []
    extra: list[str] = []
    for kind, a, b, c, d in matcher.get_opcodes():
        if kind != "equal":
            missing += map(str, ours[a:b])
            extra += map(str, theirs[c:d])
    return missing, extra


def abridged(head: str, found: Iterable[T], line: Callable[[T], str] = str) -> str:
    """A headline, and below it the first `SHOWN` of what was found, a line for each."""
    every = list(found)
    left = len(every) - SHOWN
    return "\n".join([head, *map(line, every[:SHOWN]), *[f"… and {left} more"] * (left > 0)])
