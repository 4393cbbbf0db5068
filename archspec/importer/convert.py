"""The order of work: a model is recorded in both modes, its trace becomes a spec, and the spec is proven."""

from __future__ import annotations

import gc
import re
from collections.abc import Mapping
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from keyword import iskeyword
from typing import Any

import torch
from torch import nn

from archspec.diagnostics.budget import OutOfSteps, budgeted
from archspec.diagnostics.diagnostic import Diagnostic, SpecError, TargetError
from archspec.diagnostics.formatting import printable
from archspec.diagnostics.user_code import described, importable_here
from archspec.expressions.sizes import is_whole
from archspec.frontend.reserved_names import class_name, is_source_name
from archspec.frontend.yaml.writer import dump
from archspec.importer.arguments import with_parameter
from archspec.importer.blocks import Blocks
from archspec.importer.initialisation import count_rules, with_initialisation
from archspec.importer.item_names import require_names
from archspec.importer.making import Made, make
from archspec.importer.meta_copy import Recorded, record
from archspec.importer.modes import merge
from archspec.importer.own_tensors import raw_items, require_own
from archspec.importer.prepare import prepare
from archspec.importer.problems import NotImportable, Problems
from archspec.importer.proof import prove
from archspec.importer.report import ImportedSpec, ImportReport
from archspec.importer.results import require_forms, results
from archspec.importer.trace import Scope
from archspec.importer.unused import find_unused
from archspec.importer.vocabulary import op_of
from archspec.ir.limits import MAX_MEMORY
from archspec.ops import OPS
from archspec.passes.pipeline import load
from archspec.verification.reference_module import Against, find
from archspec.verification.report import Check
from archspec.verification.restore import undisturbed
from archspec.verification.verify import Notify


@dataclass(frozen=True)
class Options:
    """What is imported, and how. `archspec import` and `archspec.from_module` have these options."""

    input: tuple[int, ...]
    """The sizes of one sample."""
    args: Mapping[str, Any] = field(default_factory=dict)
    """Arguments of the class or function that creates the model."""
    name: str | None = None
    flat: bool = False
    allow_inexact: bool = False
    max_memory: int | str = MAX_MEMORY
    force: bool = False


def convert(source: Any, options: Options, notify: Notify = lambda doing: None, /) -> ImportedSpec:
    """The checked spec of a model: a module, a class or function that creates one, or `package.module:name`.

    Raises `AgainstError` if there is no such model, `NotImportable` if no spec describes it or the spec is not exact.
    """
    _check(options)
    with ExitStack() as stack:
        stack.enter_context(undisturbed())
        if isinstance(source, str):
            stack.enter_context(importable_here())
        against = find(source, options.args, "--args")
        title = against.title
        names = Names(options.name or name_for(title), title, not against.is_instance)
        text, report = _attempted(against, options, names, notify)
    if not report.exact and not options.allow_inexact:
        raise NotImportable([_difference(title, check) for check in report.differences])
    text = f"{_heading(title, report, load(text).document.data)}{text}"
    spec = load(text)
    return ImportedSpec(spec.document, spec.model, spec.overrides, spec.ops, text, report)


def _attempted(against: Against, options: Options, names: Names, notify: Notify) -> tuple[str, ImportReport]:
    """The spec and what is proven of it. Views fused into one op may round gradients differently from the separate
    ops, so the separate ops are tried if the fused ones are not exact."""
    text = _written(against, options, names, eager=False, notify=notify)
    with suppress(NotImportable):
        report = _proven(text, against, options, notify)
        if report.exact:
            return text, report
    text = _written(against, options, names, eager=True, notify=notify)
    return text, _proven(text, against, options, notify)


def _written(against: Against, options: Options, names: Names, eager: bool, notify: Notify) -> str:
    """The text of the spec, unchecked. The model that was made for it is gone when the proof makes others: weights may
    be large."""
    notify("making the model")
    torch.manual_seed(0)
    text = _text(make(against), against, options, names, eager, notify)
    gc.collect()
    return text


def _proven(text: str, against: Against, options: Options, notify: Notify) -> ImportReport:
    try:
        return prove(text, against, notify, options.max_memory, options.force)
    except NotImportable:
        raise
    except SpecError as error:
        if isinstance(error, TargetError) and all(found.kind == "limit" for found in error.diagnostics):
            raise  # the spec is valid, but the proof would take more than is allowed
        notes = tuple(str(error).splitlines()[:8])
        raise NotImportable([Diagnostic("usage", "what was recorded is no valid spec", where=against.title, notes=notes,
                                        help="this is a gap in archspec import")]) from None  # fmt: skip


def _difference(title: str, check: Check) -> Diagnostic:
    first, *others = check.detail.split("\n")
    return Diagnostic("usage", f"{check.name}: {first}", where=title, notes=tuple(map(str.strip, others)),
                      help="--allow-inexact writes the spec anyway")  # fmt: skip


def _heading(title: str, report: ImportReport, document: Mapping[str, Any]) -> str:
    """The comment at the top of the file."""
    lines = [f"Imported from {title}."]
    if report.exact:
        lines.append("Equal to it to the bit: state_dict, outputs and gradients in evaluation and training.")
    else:
        lines += [
            "NOT EQUAL to it:",
            *(f"- {check.name}: {check.detail.splitlines()[0]}" for check in report.differences),
        ]
    initial = report.initial_weights
    if initial.ok is None:
        lines.append("Initial weights were not compared: they are torch's defaults here.")
    elif not initial.ok and not count_rules(document):
        lines.append("Initial weights are torch's defaults here; the model's differ.")
    elif not initial.ok:
        lines.append("Initial weights have the spread of the model's, but differ from them for the same seed.")
    return "".join(f"# {printable(line)}\n" for line in lines)


def _check(options: Options) -> None:
    sizes: Any = options.input
    if not isinstance(sizes, tuple) or not sizes or not all(is_whole(size) and size >= 1 for size in sizes):
        raise NotImportable([Diagnostic("usage", f"input: expected the sizes of one sample, got {sizes!r:.60}")])
    if options.name is None:
        return
    if not str(options.name).isidentifier():
        raise NotImportable([Diagnostic("usage", f"name: expected an identifier, got {options.name!r:.60}")])
    if _is_taken(options.name):
        raise NotImportable([Diagnostic("usage", f"name: generated code uses the name '{options.name}'",
                                        help=f"choose another name, for example {options.name}_net")])  # fmt: skip


@dataclass(frozen=True)
class Names:
    """The spec's description."""

    name: str
    title: str
    """The model's name in messages."""
    is_made: bool = True
    """Whether the model was made here, so that its weights are those that a new one has."""


def _text(made: Made, against: Against, options: Options, names: Names, eager: bool, notify: Notify) -> str:
    """The text of the spec of a model, unchecked. Raises `NotImportable`."""
    document, blocks = document_of(made, options, names, eager, notify)
    if not against.is_instance:
        for name, value in options.args.items():
            if isinstance(value, int) and not isinstance(value, bool):
                notify(f"looking for {name}")
                document = _parametrised(document, against, options, names, eager, name) or document
        notify("looking for initialisation rules")
        document = with_initialisation(document, blocks, made.module)
    return dump(document)


def _parametrised(
    document: dict[str, Any], against: Against, options: Options, names: Names, eager: bool, name: str
) -> dict[str, Any] | None:
    """The document with a parameter for an argument, if that is all that differs in a model made with one more."""
    value = options.args[name]
    try:
        other = make(find(against.found, {**options.args, name: value + 1}, "--args"))
        changed, _ = document_of(other, options, names, eager, lambda doing: None)
        found = with_parameter(document, changed, name, value)
        return found if found and load(dump(found)) else None
    except SpecError:
        return None


def document_of(
    made: Made, options: Options, names: Names, eager: bool, notify: Notify
) -> tuple[dict[str, Any], Blocks]:
    """The document of the spec of a model, unchecked, and its blocks. Raises `NotImportable`."""
    if op_of(made.module) is not None:
        message = f"the model is itself an op, {type(made.module).__name__}, not a module that runs ops"
        raise NotImportable([Diagnostic("usage", message, where=names.title, help="wrap it in nn.Sequential")])
    shape = tuple(options.input)
    notify("running in training")
    training = record(made, shape, training=True, eager=eager)
    notify("running in evaluation")
    evaluation = record(made, shape, training=False, eager=eager)
    training.problems.require_none(names.title)
    evaluation.problems.require_none(names.title)
    notify("finding blocks")
    try:
        return structured(made.module, training, evaluation, options, names)
    except (SpecError, OutOfSteps):
        raise
    except Exception as error:
        raise NotImportable([_internal(names.title, error)]) from error


def _internal(title: str, error: Exception) -> Diagnostic:
    return Diagnostic("usage", f"an internal error: {described(error)}", where=title,
                      help="this is a bug of archspec import; --flat may avoid it")  # fmt: skip


@budgeted
def structured(
    model: nn.Module, training: Recorded, evaluation: Recorded, options: Options, names: Names
) -> tuple[dict[str, Any], Blocks]:
    """The document of the spec for two recordings, and its blocks. Raises `NotImportable`."""
    problems = Problems()
    root = training.root
    merge(root, evaluation.root, problems)
    require_forms(root, evaluation.root, problems)
    owned = training.tensors.raw
    read = {value for scope in root.scopes() for step in scope.steps for value in step.inputs if value in owned}
    prepare(root, {value: owned[value] for value in read}, options.flat)
    raw = raw_items(root, model, training.tensors.raw, problems, names.is_made)
    require_own(root, training.tensors.raw, problems)
    require_names(root, model, raw, problems)
    find_unused(root, model, {(path, name) for path, own in raw.items() for name, _ in own.values()}, problems)
    problems.require_none(names.title)
    blocks = Blocks(root, raw, class_name(names.name))
    network = blocks.network()
    outputs = results(root, evaluation.root, network)
    return _document(names, tuple(options.input), blocks, network, outputs), blocks


def _document(
    names: Names, shape: tuple[int, ...], blocks: Blocks, network: dict[str, Any], outputs: dict[str, Any]
) -> dict[str, Any]:
    definitions = {"blocks": blocks.definitions} if blocks.definitions else {}
    own = {key: value for key, value in network.items() if key not in ("outputs", "output", "inputs")}
    return {"name": names.name, "input": list(shape), **_tokens(blocks.root), **definitions, **own, **outputs}


def _tokens(root: Scope) -> dict[str, int]:
    """The field for token ids: as many as all tables have rows that are read by them."""
    if not root.inputs[0].is_integer:
        return {}
    tables = [
        call
        for call in root.calls()
        if call.op == "embedding" and call.inputs[0].is_integer and call.inputs[0].is_batched
    ]
    rows = [call.fields["num_embeddings"] for call in tables]
    return {"tokens": min(rows)} if rows else {}


def name_for(title: str) -> str:
    """The name of a network, made from that of a class or function; not one that generated code uses itself.

    >>> name_for("my.nets:SmallNet"), name_for("my.nets:Global")
    ('small_net', 'global_net')
    """
    snake = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", title.rpartition(":")[2].rpartition(".")[2]).lower()
    name = re.sub(r"\W+", "_", snake).strip("_")
    name = name if name.isidentifier() else f"net_{name}"
    return f"{name}_net" if _is_taken(name) else name


def _is_taken(name: str) -> bool:
    """Whether generated code uses a name, or that of the class that follows from it."""
    return any(iskeyword(one) or is_source_name(one, OPS) for one in (name, class_name(name)))
