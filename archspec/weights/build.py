"""Builds a module with its weights, and reports which tensors were loaded and which keep their initial values.

source, checkpoint ─load─▶ spec ─compile─▶ graph ─matching─▶ which tensor goes where ─targets─▶ module
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from archspec.diagnostics.diagnostic import Diagnostic, SpecError, TargetError
from archspec.frontend.loader import Source, Spec, WithOps, text
from archspec.frontend.metadata import Provenance
from archspec.frontend.suffixes import CHECKPOINTS, PROGRAMS, SAVED
from archspec.ir.graph import Graph
from archspec.ir.limits import MAX_MEMORY
from archspec.passes.features import extract
from archspec.passes.fold_batch_norm import Remaining, fold
from archspec.passes.pipeline import compile, load
from archspec.weights.match import Match, match
from archspec.weights.published import with_input_of
from archspec.weights.requirements import MAKE, Limits, Use, require_within

if TYPE_CHECKING:
    from torch import Tensor, nn

    from archspec.weights.checkpoint import Checkpoint


@dataclass(frozen=True)
class Options:
    """How to make the module of a spec. These are the options of `archspec build` and `archspec.build`."""

    weights: str | os.PathLike[str] | None = None
    allow_mismatch: Sequence[str] = ()
    freeze: Sequence[str] = ()
    features: Sequence[str] = ()
    fold_batch_norm: bool = False
    initialise: bool = True
    seed: int | None = None
    max_memory: int | str = MAX_MEMORY
    max_params: int | None = None
    force: bool = False

    @property
    def limits(self) -> Limits:
        """The limits of the network's size."""
        return Limits(self.max_memory, self.max_params, self.force)


@dataclass(frozen=True)
class Built:
    """A module, and what it was made from."""

    module: nn.Module
    graph: Graph
    provenance: Provenance
    loaded: Match | None = None
    frozen: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    """Adjustments that were not requested."""
    unfolded: tuple[Remaining, ...] = ()
    """The batch norms that could not be folded."""

    @property
    def report(self) -> tuple[str, ...]:
        """What was loaded, left at its initial value and frozen, one line for each."""
        lines: list[str] = []
        if self.loaded is not None:
            lines.append(f"{len(self.loaded.taken)} tensors loaded")
            lines += [f"initial value: {key}" for key in self.loaded.left if not key.endswith(".num_batches_tracked")]
        if self.frozen:
            lines.append(f"{len(self.frozen)} parameters frozen")
        lines += map(str, self.unfolded)
        return (*lines, *map(str, self.graph.features))


def build(
    source: Source, options: Options, overrides: Mapping[str, Any] | None = None, use: Use = MAKE
) -> Built:  # fmt: skip
    """Make a network's module, from a spec, its graph, or a file that archspec saved.

    A graph that was cut down to features makes the module of these. `use` says what the caller does with the module: if
    that takes more than the limits, it is refused before memory is allocated. Raises `SpecError` for any error, such as
    weights that do not fit.
    """
    from archspec.weights import load as weights

    if options.seed is not None:
        weights.seed(options.seed)
    if is_checkpoint(source):
        source, options = _embedded_in(source, options)
    if isinstance(source, Graph) and source.features and isinstance(source.spec, Spec):
        features = tuple(feature.name for feature in source.features)
        source, options = source.spec, replace(options, features=options.features or features)
    make = _without if options.weights is None else _with_weights
    built = make(source, options, overrides, use)
    if options.freeze:
        built = replace(built, frozen=tuple(weights.freeze(built.module, options.freeze)))
    return built


def save(built: Built, path: str | os.PathLike[str]) -> None:
    """Write a module with its spec, in the format that the file's suffix names: completely or not at all.

    `.safetensors`, `.pt` and `.pth` hold the state_dict; `.pt2` and `.onnx` the program, in evaluation, for any batch.
    """
    from archspec.backends.export import onnx, program
    from archspec.weights import checkpoint

    suffix = Path(path).suffix.lower()
    if suffix in CHECKPOINTS:
        checkpoint.write(built.module, path, built.provenance)
    elif suffix in PROGRAMS:
        write = program.write_program if suffix == ".pt2" else onnx.write_onnx
        write(built.graph, built.module, path, built.provenance)
    else:
        raise TargetError([Diagnostic("usage", f"its name should end in {', '.join(SAVED)}", file=os.fspath(path))])


def is_checkpoint(source: Source) -> bool:
    """Whether a source is a checkpoint rather than a spec."""
    source = source.source if isinstance(source, WithOps) else source
    if not isinstance(source, str | os.PathLike) or "\n" in str(source):
        return False
    return Path(source).suffix.lower() in CHECKPOINTS


def _embedded_in(source: Any, options: Options) -> tuple[Source, Options]:
    """The same for a file with or without ops of its own."""
    if not isinstance(source, WithOps):
        return _embedded(source, options)
    spec, options = _embedded(source.source, options)
    return WithOps(spec, source.ops), options


def _embedded(source: Any, options: Options) -> tuple[str, Options]:
    """The spec in a checkpoint, and options that load its weights."""
    from archspec.weights import checkpoint

    if options.weights is not None:
        raise TargetError(
            [Diagnostic("usage", "has weights of its own; others cannot be given as well", file=os.fspath(source))]
        )
    found = checkpoint.read(source).provenance
    if found is None:
        help = "it was not written by archspec; give the spec, and this file as its weights"
        raise TargetError([Diagnostic("weights", "contains no spec", file=os.fspath(source), help=help)])
    features, folded = options.features or found.features, options.fold_batch_norm or found.folded
    return _one_document(found.spec), replace(options, weights=source, features=features, fold_batch_norm=folded)


def _one_document(spec: str) -> str:
    """A spec's text with at least two lines: a single line would be taken for a name."""
    return spec if "\n" in spec else f"{spec}\n"


def _without(source: Source, options: Options, overrides: Mapping[str, Any] | None, use: Use) -> Built:
    from archspec.backends.torch import build as target
    from archspec.weights import load as weights

    if options.allow_mismatch:
        raise TargetError([Diagnostic("usage", "allow_mismatch needs weights")])
    spec = load(source, overrides=overrides)
    whole = compile(spec)
    if options.fold_batch_norm and options.initialise:
        require_within(options.limits, whole, _folding(use))
        return _formed(spec, whole, target.build(whole).state_dict(), (), options)
    folded = fold(whole) if options.fold_batch_norm else None
    graph = _wanted(folded.graph if folded else whole, options)
    require_within(options.limits, graph, use)
    module = target.build(graph) if options.initialise else weights.build_empty(graph)
    return Built(module, graph, _provenance(spec, options), unfolded=folded.remaining if folded else ())


def _with_weights(source: Source, options: Options, overrides: Mapping[str, Any] | None, use: Use) -> Built:
    from archspec.weights import checkpoint, values
    from archspec.weights import load as weights

    assert options.weights is not None
    found = checkpoint.read(options.weights)
    spec, notes = with_input_of(load(source, overrides=overrides), found.file, found.provenance)
    graph = compile(spec)
    require_within(options.limits, graph, _folding(use) if options.fold_batch_norm else use)
    are_folded = options.fold_batch_norm and found.provenance is not None and found.provenance.folded
    if are_folded:
        graph, options = fold(graph).graph, replace(options, fold_batch_norm=False)
    there = graph
    if found.provenance is not None and found.provenance.features:
        there = extract(graph, found.provenance.features)
    fit = _matched(spec, there, found, options.allow_mismatch)
    tensors = {key: found.tensor(theirs) for key, theirs in fit.taken.items()}
    doubtful = values.check(found.file, tensors, weights.integers(there.root))
    left = fit.left
    if options.fold_batch_norm and left:  # folding needs the values
        tensors, left = weights.build_with(graph, tensors, left).state_dict(), ()
    built = _formed(spec, graph, tensors, left, options)
    if are_folded:
        built = replace(built, provenance=replace(built.provenance, folded=True))
    loaded = fit.within(_wanted(graph, options).state_dict_shapes())
    return replace(built, loaded=loaded, notes=(*notes, *fit.notes, *doubtful))


def _formed(
    spec: Spec, graph: Graph, tensors: Mapping[str, Tensor], left: Sequence[str], options: Options
) -> Built:  # fmt: skip
    """The module in the requested form: folded, or cut down to features, or both."""
    from archspec.weights import load as weights

    folded = fold(graph) if options.fold_batch_norm else None
    if folded is not None:
        graph, tensors = folded.graph, weights.fold(tensors, folded.sources)
    graph = _wanted(graph, options)
    keys = graph.state_dict_shapes()
    kept = {key: tensor for key, tensor in tensors.items() if key in keys}
    left = [key for key in left if key in keys]
    if len(kept) + len(left) < len(keys):
        file = os.fspath(options.weights or "")
        raise TargetError([Diagnostic("weights", "was saved from a network with other features", file=file)])
    module = weights.build_with(graph, kept, left)
    return Built(module, graph, _provenance(spec, options), unfolded=folded.remaining if folded else ())


def _provenance(spec: Spec, options: Options) -> Provenance:
    return Provenance(text(spec), tuple(options.features), options.fold_batch_norm)


def _folding(use: Use) -> Use:
    """The same use, with a further copy of the weights: those of the network that is folded."""
    return replace(use, copies=use.copies + 1)


def _wanted(graph: Graph, options: Options) -> Graph:
    """The requested part of the network."""
    return extract(graph, options.features) if options.features else graph


def _matched(spec: Spec, graph: Graph, found: Checkpoint, allow: Sequence[str]) -> Match:
    try:
        return match(graph, found.file, found.shapes, allow, spec.absent_heads)
    except SpecError as error:
        raise error.with_diagnostics(d if d.file else spec.locate(d) for d in error.diagnostics) from None
