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
        if ahead is None or not _is_same(step, ahead):
            _mark(step)
            continue
        if isinstance(step, Scope):
            assert isinstance(ahead, Scope)
            merge(step, ahead, problems)
        ahead = next(rest, None)
    if ahead is not None:
        what = ahead.path or ahead.kind
        problems.add(training.path, training.module, ahead.where, what, "it runs in evaluation, but not in training")


def _is_same(step: Step, ahead: Step) -> bool:
    """Whether a step of training is one of evaluation, too; attention may drop weights in training only."""
    dropped = isinstance(ahead, Call) and not ahead.fields.get("dropout")
    return _key(step, without_dropout=dropped) == _key(ahead, without_dropout=dropped)


def _key(step: Step, without_dropout: bool) -> tuple[Any, ...]:
    fields = dict(step.fields) if isinstance(step, Call) else {}
    if without_dropout:
        fields.pop("dropout", None)
    return isinstance(step, Scope), step.path, step.kind, repr(sorted(fields.items()))


def _mark(step: Step) -> None:
    if not (isinstance(step, Call) and OPS[step.op].idle):  # dropout has no effect in evaluation
        step.train_only = True
