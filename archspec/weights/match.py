"""Matches the tensors of a checkpoint with those of a network, by names and shapes; explains mismatches.

Strict by default. Three differences are accepted and reported: keys of old checkpoints, which torchvision renames, too;
auxiliary heads that only one side has; and layers that the user allows by name.
"""

from __future__ import annotations

import re
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from functools import cached_property
from typing import NamedTuple

from archspec.diagnostics.diagnostic import Diagnostic, TargetError
from archspec.diagnostics.suggestions import nearest
from archspec.ir.graph import Graph
from archspec.ops.base import Op
from archspec.ops.shapes import Shape
from archspec.weights.mismatch import Mismatch, Place, groups, places

_OLD_DENSELAYER = re.compile(r"^(.*denselayer\d+\.(?:norm|conv))\.([12]\.(?:weight|bias|running_mean|running_var))$")
"""DenseNets saved before PyTorch 0.4 have dots in the names of modules; torchvision renames them, too."""


@dataclass(frozen=True)
class Match:
    """Where each tensor goes. Keys are full state_dict keys."""

    taken: Mapping[str, str]
    """The checkpoint's key for each key of the network that is loaded from it."""
    left: tuple[str, ...] = ()
    """Keys of the network that keep their initial values."""
    ignored: tuple[str, ...] = ()
    """Keys of the checkpoint that the network does not have."""
    notes: tuple[str, ...] = ()
    """Adjustments that were not requested."""

    def within(self, keys: Container[str]) -> Match:
        """The match for the part of the network that has these keys."""
        taken = {key: theirs for key, theirs in self.taken.items() if key in keys}
        return replace(self, taken=taken, left=tuple(key for key in self.left if key in keys))


class KeyMismatch(NamedTuple):
    """The keys that do not fit."""

    missing: Sequence[str]
    """Keys of the network that the checkpoint does not have."""
    differing: Sequence[str]
    """Keys of both, with different shapes."""
    unexpected: Sequence[str]
    """Keys of the checkpoint that the network does not have."""

    @property
    def allow(self) -> tuple[str, ...]:
        """Patterns that allow all of it: the outermost modules, or longer prefixes if all keys share one."""
        return tuple(dict.fromkeys(prefix for keys in self for prefix, _ in groups(keys)))


def match(
    graph: Graph, file: str, found: Mapping[str, Shape], allow: Sequence[str] = (), heads: Sequence[str] = ()
) -> Match:
    """Match a checkpoint's tensors (`found`, with their shapes) with the network's.

    `allow` are patterns of keys or layers that need not fit (`fc`, `classifier.*`); `heads` are modules that the
    checkpoint may have for a network that was compiled without them. Raises `TargetError` with all mismatches.
    """
    return _Matching(graph, file, found, allow, heads).result()


def closest(
    graph: Graph, file: str, found: Mapping[str, Shape], heads: Sequence[str] = ()
) -> tuple[Match, KeyMismatch]:
    """The match if all mismatches are allowed, and these mismatches."""
    return _Matching(graph, file, found, (), heads).closest()


def selects(pattern: str, key: str) -> bool:
    """Whether a pattern matches a key: a glob that matches all of it, or the name of a layer it is in.

    >>> selects("layer1.*", "layer1.0.conv1.weight"), selects("fc", "fc.bias"), selects("fc", "fc2.bias")
    (True, True, False)
    """
    return fnmatchcase(key, pattern) or fnmatchcase(key, f"{pattern}.*")


def require_use(what: str, patterns: Iterable[str], keys: Iterable[str]) -> None:
    """Raise `TargetError` for each pattern that matches no key."""
    keys = list(keys)
    unused = [pattern for pattern in patterns if not any(selects(pattern, key) for key in keys)]
    if unused:
        layers = {key[:end] for key in keys for end in _dots(key)}
        raise TargetError(
            Diagnostic("usage", f"{what}: no parameter matches '{pattern[:100]}'", help=nearest(pattern, layers))
            for pattern in unused
        )


def _dots(key: str) -> Iterator[int]:
    return (found.start() for found in re.finditer(r"\.", key))


class _Matching:
    """One network and one checkpoint."""

    def __init__(
        self, graph: Graph, file: str, found: Mapping[str, Shape], allow: Sequence[str], heads: Sequence[str]
    ) -> None:
        self.graph, self.file, self.found = graph, file, found
        self.allow, self.heads = allow, heads
        self.wanted = graph.state_dict_shapes()
        self.notes: list[str] = []
        self.source = self._spelled()
        self.left: dict[str, None] = {}
        self.ignored: list[str] = []

    @cached_property
    def places(self) -> dict[str, Place]:
        """The layers of the spec by name, including those that contain others."""
        return places(self.graph)

    def result(self) -> Match:
        """The match; raises `TargetError` for keys that do not fit and are not allowed."""
        require_use("allow_mismatch", self.allow, [*self.wanted, *self.source])
        mismatch = self._mismatch()
        if any(mismatch):
            theirs = {key: self._shape(key) for key in self.source}
            raise TargetError(Mismatch(self.file, self.wanted, theirs, self.places, *mismatch).diagnostics())
        return self._match()

    def closest(self) -> tuple[Match, KeyMismatch]:
        """The match if all mismatches are allowed, and these mismatches."""
        mismatch = self._mismatch()
        self.left.update(dict.fromkeys([*mismatch.missing, *mismatch.differing]))
        self.ignored += mismatch.unexpected
        return self._match(), mismatch

    def _mismatch(self) -> KeyMismatch:
        """The keys that do not fit and are not allowed."""
        missing = [key for key in self.wanted if key not in self.source]
        differing = [key for key, shape in self.wanted.items() if key in self.source and self._shape(key) != shape]
        unexpected = [key for key in self.source if key not in self.wanted]
        missing = self._without_counters(self._without_heads(self._allowed(missing)))
        differing = self._allowed(differing)
        unexpected = self._without_absent_heads([key for key in unexpected if not self._ignore(key)])
        return KeyMismatch(missing, differing, unexpected)

    def _match(self) -> Match:
        self._leave_whole_layers()
        taken = {key: self.source[key] for key in self.wanted if key not in self.left and key in self.source}
        left = tuple(key for key in self.wanted if key in self.left)
        return Match(taken, left, tuple(self.ignored), tuple(self.notes))

    def _shape(self, key: str) -> Shape:
        return tuple(self.found[self.source[key]])

    def _spelled(self) -> dict[str, str]:
        """The checkpoint's keys by their current names."""
        renamed = {key: _OLD_DENSELAYER.sub(r"\1\2", key) for key in self.found if "denselayer" in key}
        mapped = {key: new for key, new in renamed.items() if new in self.wanted and new not in self.found}
        if mapped:
            old, new = next(iter(mapped.items()))
            self.notes.append(f"{len(mapped)} keys have names from before PyTorch 0.4: {old} is {new}")
        return {mapped.get(key, key): key for key in self.found}

    def _allowed(self, keys: list[str]) -> list[str]:
        """The keys that must fit; the others keep their initial values."""
        allowed = {key for key in keys if any(selects(pattern, key) for pattern in self.allow)}
        self.left.update(dict.fromkeys(key for key in keys if key in allowed))
        return [key for key in keys if key not in allowed]

    def _ignore(self, key: str) -> bool:
        if any(selects(pattern, key) for pattern in self.allow):
            self.ignored.append(key)
            return True
        return False

    def _without_heads(self, missing: list[str]) -> list[str]:
        """Leave out the training-only modules that the checkpoint has no tensors of."""
        absent = set(missing)
        for place in [place for place in self.places.values() if place.step.train_only]:
            keys = [key for key in self.wanted if key.startswith(f"{place.name}.")]
            if keys and absent.issuperset(keys):
                self.left.update(dict.fromkeys(keys))
                self.notes.append(f"{place.name} runs in training only and is not in the checkpoint: "
                                  f"its {len(keys)} tensors keep their initial values")  # fmt: skip
                absent.difference_update(keys)
        return [key for key in missing if key in absent]

    def _without_absent_heads(self, unexpected: list[str]) -> list[str]:
        """Leave out the heads of the checkpoint that the spec has switched off."""
        for head in self.heads:
            keys = [key for key in unexpected if key.startswith(f"{head}.")]
            if keys:
                self.ignored += keys
                self.notes.append(f"the spec has no {head}: {len(keys)} tensors of the checkpoint are ignored")
        return [key for key in unexpected if not key.startswith(tuple(f"{head}." for head in self.heads))]

    def _without_counters(self, missing: list[str]) -> list[str]:
        """Checkpoints from before PyTorch 0.4.1 do not count batches; torch fills the counters with 0, too."""
        counters = [key for key in missing if key.endswith(".num_batches_tracked")]
        if not counters or any(key.endswith(".num_batches_tracked") for key in self.source):
            return missing
        self.left.update(dict.fromkeys(counters))
        return [key for key in missing if key not in self.left]

    def _leave_whole_layers(self) -> None:
        """Load nothing into a layer if one of its tensors does not fit: half a head is useless. Ignores counters, and
        parameters of a network or block itself, each of which stands alone."""
        begun = {self._layer(key) for key in self.left if not key.endswith(".num_batches_tracked")} - {""}
        if begun:
            self.left.update(dict.fromkeys(key for key in self.wanted if self._layer(key) in begun))

    def _layer(self, key: str) -> str:
        """The name of the innermost module that is an op and has a tensor; empty for a tensor of a block itself."""
        name = key
        while name := name.rpartition(".")[0]:
            place = self.places.get(name)
            if place is not None:
                return name if isinstance(place.step.target, Op) and not place.step.target.raw else ""
        return ""
