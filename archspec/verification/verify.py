"""The order of work: build the spec's module, import and construct the other, then compare them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import nn

from archspec.backends.torch.build import check_shapes
from archspec.backends.torch.samples import random_input
from archspec.diagnostics.diagnostic import Diagnostic, SpecError, TargetError
from archspec.diagnostics.suggestions import nearest
from archspec.diagnostics.user_code import described, importable_here
from archspec.expressions.sizes import is_whole
from archspec.frontend.loader import Source, Spec
from archspec.ir.limits import MAX_MEMORY
from archspec.passes.pipeline import load
from archspec.verification import generated
from archspec.verification.comparison import Subjects, compare
from archspec.verification.key_pairing import abridged
from archspec.verification.reference_module import Against, find
from archspec.verification.report import Check, Report
from archspec.verification.restore import as_found, undisturbed
from archspec.verification.skippable import SKIPPABLE
from archspec.weights import build as assembly
from archspec.weights.build import Built
from archspec.weights.requirements import compare as comparison

Notify = Callable[[str], None]
"""Called with what is done next."""

GENERATED = "the generated file"
STEPS = 9
"""How many times `notify` is called if everything is equal."""

FILE, INFERRED = "generated file", "inferred shapes"


@dataclass(frozen=True)
class Options:
    """What a spec's module is compared with, and how. `archspec verify` and `archspec.verify` have these options."""

    against: Any = None
    """`package.module:name`, a module, or a callable that makes one; `None` stands for the generated file."""
    against_args: Mapping[str, Any] = field(default_factory=dict)
    seed: int = 0
    batch: int = 2
    tolerance: float = 0.0
    skip: Sequence[str] = ()
    max_memory: int | str = MAX_MEMORY
    max_params: int | None = None
    force: bool = False


def verify(
    source: Source, options: Options, overrides: Mapping[str, Any] | None = None,
    notify: Callable[[str], None] = lambda doing: None, known: dict[Any, Any] | None = None, /,
) -> Report:  # fmt: skip
    """Build the module of a spec and compare it; `notify` is called with a text for each step of the work. What the
    built module gives is put into `known`, for comparisons of the same spec with other modules, or taken from there.

    Raises `SpecError` for an error in the spec, `AgainstError` if `against` cannot be compared.
    """
    _check(options)
    known = {} if known is None else known
    spec = load(source, overrides=overrides)
    with ExitStack() as stack:
        stack.enter_context(undisturbed())
        if isinstance(options.against, str):
            stack.enter_context(importable_here())
        against = None if options.against is None else find(options.against, options.against_args)
        notify(f"building {spec.name}")
        making = assembly.Options(seed=options.seed, max_memory=options.max_memory, max_params=options.max_params,
                                  force=options.force)  # fmt: skip
        built = assembly.build(spec, making, use=comparison(options.batch, "training" not in options.skip))
        if against is None:
            other, checks = GENERATED, _with_generated(spec, built, options, notify, known)
        else:
            other, checks = against.title, _with(against, built, options, notify, known)
        return Report(spec.name, other, options.seed, options.batch, built.graph.input_shape, tuple(checks))


def _with_generated(
    spec: Spec, built: Built, options: Options, notify: Notify, known: dict[Any, Any]
) -> Iterator[Check]:  # fmt: skip
    notify(f"writing and loading {GENERATED}")
    torch.manual_seed(options.seed)
    try:
        text = generated.write(spec)
        module = generated.construct(text, built.graph.name)
    except SpecError:
        raise
    except Exception as error:
        yield Check(FILE, False, f"raises {described(error)}; nothing else was compared")
        return
    yield Check(FILE, True, f"{text.count(chr(10))} lines, loaded")
    yield _inferred(built, options, notify, known)
    yield from compare(_subjects(built, module, GENERATED, options, notify, known, is_generated=True))


def _with(
    against: Against, built: Built, options: Options, notify: Notify, known: dict[Any, Any]
) -> Iterator[Check]:  # fmt: skip
    notify(f"making {against.title}")
    torch.manual_seed(options.seed)
    module = against.make()
    yield _inferred(built, options, notify, known)
    subjects = _subjects(built, module, against.title, options, notify, known, is_seeded=not against.is_instance)
    with as_found(module):
        yield from compare(subjects)


def _subjects(
    built: Built, module: nn.Module, title: str, options: Options, notify: Notify, known: dict[Any, Any],
    is_generated: bool = False, is_seeded: bool = True,
) -> Subjects:  # fmt: skip
    generator = torch.Generator().manual_seed(options.seed)
    batch = random_input(built.graph.input_shape, options.batch, generator)
    return Subjects(
        built.module, module, title, is_generated, is_seeded, batch, options.seed, options.tolerance, options.skip,
        notify, known,
    )  # fmt: skip


def _inferred(built: Built, options: Options, notify: Notify, known: dict[Any, Any]) -> Check:
    """Whether each layer's shape is the inferred one."""
    if INFERRED not in known:
        notify(INFERRED)
        known[INFERRED] = _observed(built, options)
    return known[INFERRED]  # type: ignore[no-any-return]


def _observed(built: Built, options: Options) -> Check:
    try:
        mismatches = check_shapes(built.graph, built.module, options.batch)
    except Exception as error:
        return Check(INFERRED, False, f"the built module raises {described(error)}")
    if mismatches:
        return Check(INFERRED, False, abridged(f"{len(mismatches)} differ", map(str, mismatches)))
    ran = sum(not layer.train_only for layer in built.graph.layers)
    return Check(INFERRED, True, f"{ran:,} {'layer' if ran == 1 else 'layers'}, all as observed")


def _check(options: Options) -> None:
    """Refuse invalid options."""
    wrong = next((name for name in options.skip if name not in SKIPPABLE), None)
    if wrong is not None:
        raise _usage(f"skip: unknown check '{wrong}'", nearest(str(wrong), SKIPPABLE))
    if not is_whole(options.batch) or options.batch < 1:
        raise _usage(f"batch: expected an integer from 1, got {options.batch!r:.60}")
    if not is_whole(options.seed) or not 0 <= options.seed < 1 << 63:
        raise _usage(f"seed: expected an integer from 0 to 2^63 - 1, got {options.seed!r:.60}")
    if not isinstance(options.tolerance, int | float) or not 0 <= options.tolerance < 1:
        raise _usage(f"tolerance: expected a number from 0, below 1, got {options.tolerance!r:.60}")
    if options.against is None and options.against_args:
        raise _usage("against_args needs against")


def _usage(message: str, help: str = "") -> TargetError:
    return TargetError([Diagnostic("usage", message, help=help)])
