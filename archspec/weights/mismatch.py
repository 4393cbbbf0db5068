"""Why a checkpoint does not fit a network: diagnostics, each with a layer and a likely cause."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby, islice

from archspec.diagnostics.diagnostic import Diagnostic
from archspec.diagnostics.suggestions import nearest
from archspec.ir.graph import Graph
from archspec.ir.module import Module, Step
from archspec.ops.base import Op
from archspec.ops.shapes import Shape, format_shape

MAX_KEYS = 4
"""The most keys that a diagnostic lists; the others are counted."""

WEIGHTED = frozenset({"linear", "convolution"})
"""The roles of layers that can be a classifier, and into whose biases a batch norm can be folded."""

MAX_GROUPS = 20
"""The most groups of keys, for each kind of mismatch, whose cause is searched for; a search reads all keys."""

MAX_WRAPPERS = 8
"""The most leading names, common to all keys, that may come from programs that wrapped the network."""

MAX_MODULES = 12
"""The most modules that are listed of a checkpoint with a different architecture."""


@dataclass(frozen=True)
class Place:
    """A layer of the spec: its name, what runs there, and the item it was made from."""

    name: str
    step: Step
    train_only: bool

    @property
    def kind(self) -> str:
        """The op's or the block's name."""
        target = self.step.target
        return target.kind if isinstance(target, Op) else getattr(target, "definition", "") or "seq"

    @property
    def role(self) -> str:
        """The role of its op."""
        target = self.step.target
        return target.role if isinstance(target, Op) else "block"


def places(graph: Graph) -> dict[str, Place]:
    """The layers of a network by name, including those that contain others."""
    return {place.name: place for place in _places(graph.root, "", False)}


def _places(module: Module, prefix: str, train_only: bool) -> Iterator[Place]:
    for step in module.registered:
        name = f"{prefix}{step.name}"
        yield Place(name, step, train_only or step.train_only)
        if isinstance(step.target, Module):
            yield from _places(step.target, f"{name}.", train_only or step.train_only)


@dataclass(frozen=True)
class Mismatch:
    """The keys that do not fit: `ours` and `theirs` are the shapes of the network and of the checkpoint `file`."""

    file: str
    ours: Mapping[str, Shape]
    theirs: Mapping[str, Shape]
    places: Mapping[str, Place]
    missing: Sequence[str]
    differing: Sequence[str]
    unexpected: Sequence[str]

    def diagnostics(self) -> Iterator[Diagnostic]:
        """One for the whole file if all has one cause, else one for each kind of mismatch and group of keys."""
        whole = self._wrapped() or self._other_architecture() or self._folded()
        if whole is not None:
            yield whole
            return
        yield from self._grouped(self.differing, "with a different shape", self._why_different)
        yield from self._grouped(self.missing, "missing from", self._why_missing)
        yield from self._grouped(self.unexpected, "unexpected", self._why_unexpected)

    def _grouped(self, keys: Sequence[str], what: str, why: Callable[[str, list[str]], str]) -> Iterator[Diagnostic]:
        """A diagnostic for each of the first groups of keys, with its cause, and one for all others."""
        found = groups(keys)
        for prefix, members in islice(found, MAX_GROUPS):
            yield self._diagnostic(prefix, members, what, why(prefix, members))
        rest = [key for _, members in found for key in members]
        if rest:
            yield self._diagnostic("", rest, what, "", more="more ")

    def _wrapped(self) -> Diagnostic | None:
        """The error for a checkpoint whose keys are the network's with a prefix."""
        wrapper = self._wrapper()
        if not wrapper:
            return None
        help = f"it was saved from a wrapped model; save it again without '{wrapper}'"
        return Diagnostic("weights", f"every key begins with '{wrapper}'", file=self.file, help=help)

    def _other_architecture(self) -> Diagnostic | None:
        """The error for a checkpoint that shares no key with the network."""
        if self.theirs.keys() & self.ours.keys():
            return None
        message = f"none of its {len(self.theirs)} tensors is in the spec"
        notes = (f"checkpoint has {_first_modules(self.theirs)}", f"spec has {_first_modules(self.ours)}")
        return Diagnostic(
            "weights",
            message,
            notes=notes,
            file=self.file,
            help="different architecture: give the spec of the checkpoint's network",
        )

    def _folded(self) -> Diagnostic | None:
        """The error for a checkpoint of the inference form, which has biases instead of batch norms."""
        lacking = {getattr(self._layer(key), "role", "") for key in self.missing}
        if self.differing or lacking != {"norm"} or not self.unexpected or not all(map(self._is_bias, self.unexpected)):
            return None
        help = "give the weights it was made from; if archspec wrote it, 'archspec build' takes the file as its SPEC"
        return Diagnostic("weights", "its batch norms are folded into the convolutions", file=self.file, help=help)

    def _is_bias(self, key: str) -> bool:
        """Whether a key is the bias of a layer that a batch norm can be folded into."""
        return key.endswith(".bias") and getattr(self._layer(key), "role", "") in WEIGHTED

    def _diagnostic(self, prefix: str, keys: list[str], what: str, cause: str, more: str = "") -> Diagnostic:
        place = self._layer(prefix)
        counted = f"{len(keys)} {more}tensor{'s' * (len(keys) > 1)}"
        notes = [self._line(key, max(map(len, keys[:MAX_KEYS]))) for key in keys[:MAX_KEYS]]
        if len(keys) > MAX_KEYS:
            notes.append(f"… and {len(keys) - MAX_KEYS} more")
        message = f"{counted} {what}{'' if what.endswith('from') else ' in'} '{self.file}'"
        path = place.step.path if place else ()
        return Diagnostic("weights", message, path, prefix, tuple(notes), cause)

    def _line(self, key: str, width: int) -> str:
        shapes = []
        if key in self.theirs:
            shapes.append(f"checkpoint {format_shape(self.theirs[key])}")
        if key in self.ours:
            shapes.append(f"spec {format_shape(self.ours[key])}")
        layer = self._layer(key.rpartition(".")[0])
        where = "" if layer is None else f"{layer.name} ({layer.kind})"
        return f"{key:{width}}  {', '.join(shapes)}  {where}".rstrip()

    def _layer(self, name: str) -> Place | None:
        """The layer of the spec with that name, or the innermost one that would contain it."""
        while name and name not in self.places:
            name = name.rpartition(".")[0]
        return self.places.get(name)

    def _wrapper(self) -> str:
        """The prefix of every key that another program added: `module.` (DataParallel), `model.` (Lightning), …"""
        prefix = ""
        for _ in range(MAX_WRAPPERS):
            first = {key[len(prefix) :].partition(".")[0] for key in self.theirs}
            if len(first) != 1 or first == {""}:
                return ""
            prefix += f"{first.pop()}."
            if any(key[len(prefix) :] in self.ours for key in self.theirs):
                return prefix
        return ""

    # -- causes ---------------------------------------------------------------------------------------------

    def _why_different(self, prefix: str, keys: list[str]) -> str:
        key = next((key for key in keys if key.endswith("weight")), keys[0])
        ours, theirs = self.ours[key], self.theirs[key]
        place = self._layer(key)
        layer = "" if place is None else place.name
        if layer in _last_layers(self.places) and ours[1:] == theirs[1:]:
            return (f"the checkpoint has {theirs[0]} classes, the spec {ours[0]}: give --num-classes {theirs[0]}, "
                    f"or --allow-mismatch {layer} to replace it")  # fmt: skip
        norm = self._why_norm(prefix)
        if norm:
            return norm
        takes_other = len(ours) == len(theirs) > 1 and ours[:1] + ours[2:] == theirs[:1] + theirs[2:]
        if takes_other and place is not None and place.role in WEIGHTED:
            return self._why_other_input(place, ours[1], theirs[1])
        if len(ours) == len(theirs) == 4 and ours[:2] == theirs[:2]:
            return f"the checkpoint's kernel is {format_shape(theirs[2:])}, the spec's {format_shape(ours[2:])}"
        return f"different width: the checkpoint has {format_shape(theirs)}, the spec {format_shape(ours)}"

    def _why_other_input(self, place: Place, ours: int, theirs: int) -> str:
        first = next((place for place in self.places.values() if isinstance(place.step.target, Op)), None)
        if place.role == "linear":
            return f"the layer takes {theirs} features in the checkpoint, {ours} in the spec: different input size?"
        if place is first:
            return f"the checkpoint takes {theirs} channels, the spec {ours}: give --input {theirs}x…"
        return f"the layer takes {theirs} channels in the checkpoint, {ours} in the spec: different width or groups"

    def _why_missing(self, prefix: str, keys: list[str]) -> str:
        if all(key.endswith(".bias") for key in keys) and not self._why_norm(prefix):
            return "the checkpoint comes from a network without biases here (bias: false)"
        return self._why_norm(prefix) or self._why_other_depth(prefix)

    def _why_unexpected(self, prefix: str, keys: list[str]) -> str:
        if all(key.endswith(".bias") and self.places.get(key.removesuffix(".bias")) for key in keys):
            return "the spec's layers have no bias here (bias: false)"
        return self._why_norm(prefix) or self._why_other_depth(prefix)

    def _why_norm(self, prefix: str) -> str:
        """The cause if only one side has batch norm."""
        theirs, ours = (any(key.endswith(".running_var") and key.startswith(f"{prefix}.".removeprefix("."))
                            for key in keys) for keys in (self.theirs, self.ours))  # fmt: skip
        if theirs and not ours and prefix in self.places:
            return "the checkpoint has batch norm here, the spec has none"
        if ours and not theirs and any(key.startswith(prefix) for key in self.theirs):
            return "the spec has batch norm here, the checkpoint has none"
        return ""

    def _why_other_depth(self, prefix: str) -> str:
        while "." in prefix and not (_children(prefix, self.theirs) and _children(prefix, self.ours)):
            prefix = prefix.rpartition(".")[0]
        theirs, ours = _children(prefix, self.theirs), _children(prefix, self.ours)
        if ours and theirs and ours != theirs:
            return f"the checkpoint has {theirs} modules in {prefix}, the spec {ours}"
        if not theirs:
            return f"the checkpoint has no {prefix}: different architecture, or part of this one"
        if not ours:
            known = (name for name in self.places if "." not in name)
            return f"the spec has no {prefix}; {nearest(prefix, known)}".removesuffix("; ")
        return "different architecture"


def _children(prefix: str, keys: Iterable[str]) -> int:
    """The number of modules or tensors directly below a prefix."""
    inside = (key.removeprefix(f"{prefix}.") for key in keys if key.startswith(f"{prefix}."))
    return len({rest.partition(".")[0] for rest in inside})


def _first_modules(keys: Iterable[str]) -> str:
    """The outermost modules, with how many tensors each has: `features (16), classifier (6)`."""
    counted = Counter(key.partition(".")[0] for key in keys)
    named = [f"{name} ({count})" for name, count in counted.items()]
    return ", ".join([*named[:MAX_MODULES], *(["…"] if len(named) > MAX_MODULES else [])])


def groups(keys: Sequence[str]) -> Iterator[tuple[str, list[str]]]:
    """Keys grouped by the beginning of their names: the outermost module, or a longer prefix if all share one."""
    order = {name: number for number, name in reversed([*enumerate(key.partition(".")[0] for key in keys)])}
    by_first = sorted(keys, key=lambda key: order[key.partition(".")[0]])
    for _, group in groupby(by_first, lambda key: key.partition(".")[0]):
        members = list(group)
        yield _common([key.split(".")[:-1] or [key] for key in members]), members


def _common(paths: list[list[str]]) -> str:
    shared = []
    for parts in zip(*paths, strict=False):
        if len(set(parts)) > 1:
            break
        shared.append(parts[0])
    return ".".join(shared)


def _last_layers(known: Mapping[str, Place]) -> set[str]:
    """The classifiers: the last layer with parameters, and the last one of each auxiliary head."""
    weighted = [name for name, place in known.items() if place.role in WEIGHTED]
    main = [name for name in weighted if not known[name].train_only]
    heads = {name.partition(".")[0]: name for name in weighted if known[name].train_only}
    return {*main[-1:], *heads.values()}
