"""Two recordings of one model as one: what runs in training only is marked."""

from __future__ import annotations

from typing import Any

from archspec.importer.problems import Problems
from archspec.importer.trace import Call, Scope, Step
from archspec.ops import OPS


def merge(training: Scope, evaluation: Scope, problems: Problems) -> None:
    """Mark the steps in `training` that are not in `evaluation`, and note what is in `evaluation` only."""
    rest = iter(evaluation.steps)
    ahead = next(rest, None)
    for step in training.steps:
        if ahead is None or _key(step) != _key(ahead):
            _mark(step)
            continue
        if isinstance(step, Scope):
            assert isinstance(ahead, Scope)
            merge(step, ahead, problems)
        ahead = next(rest, None)
    if ahead is not None:
        what = ahead.path or ahead.kind
        problems.add(training.path, training.module, ahead.where, what, "it runs in evaluation, but not in training")


def _key(step: Step) -> tuple[Any, ...]:
    fields = repr(sorted(step.fields.items())) if isinstance(step, Call) else ""
    return isinstance(step, Scope), step.path, step.kind, fields


def _mark(step: Step) -> None:
    if not (isinstance(step, Call) and OPS[step.op].idle):  # dropout has no effect in evaluation
        step.train_only = True
