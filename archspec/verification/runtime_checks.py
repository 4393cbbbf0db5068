"""Runs both modules on equal inputs with equal weights; compares outputs, running statistics and gradients."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property, partial
from typing import Any, TypeVar

import torch
from torch import Tensor, nn

from archspec.diagnostics.user_code import described
from archspec.ops.shapes import format_shape
from archspec.verification.differences import (
    Outputs,
    difference,
    differences,
    form,
    overflow,
    why_inconclusive,
)
from archspec.verification.first_difference import Sides, locate, sides
from archspec.verification.forward_backward import Trained, evaluate, run_once, train
from archspec.verification.key_pairing import abridged
from archspec.verification.randomise import GAIN, LEAST_GAIN, RUNNING, set_equal
from archspec.verification.report import Check

T = TypeVar("T")

WEIGHTS = "equal weights"
EVALUATION, TRAINING = "outputs in evaluation", "outputs in training"
STATISTICS = "running statistics"
OF_INPUT, OF_PARAMETERS = "gradient of the input", "gradients of the parameters"
NAMES = (WEIGHTS, EVALUATION, TRAINING, STATISTICS, OF_INPUT, OF_PARAMETERS)


class Fails(Exception):
    """A module raised an exception when it was run; the message says which module and which exception."""


@dataclass
class Running:
    """Two modules whose state_dict keys are paired, and how they are to be run."""

    ours: nn.Module
    theirs: nn.Module
    other: str
    pairs: Sequence[tuple[str, str]]
    batch: Tensor
    """What they are run on."""
    seed: int
    tolerance: float
    same_form: bool
    """Whether the fields of outputs must have equal names, too."""
    notify: Callable[[str], None]
    known: dict[Any, Any] = field(default_factory=dict)
    """What ours gave for this seed and batch when it was compared with another module."""
    gain: float = GAIN
    """Of the random weights; it is lowered if outputs overflow."""

    def checks(self, skip: Sequence[str] = ()) -> Iterator[Check]:
        """All checks that run the modules, in the order of `NAMES`."""
        self.notify("equal weights")
        apart = self._set_equal()
        if apart:
            lines = [a if a == b else f"{a}, {b} in {self.other}" for a, b in apart]
            yield Check(WEIGHTS, False, abridged("tensors are shared in one module and not in the other", lines))
            yield from (Check(name, None, "not compared: weights differ") for name in NAMES[1:])
            return
        yield Check(WEIGHTS, True, f"{len(self.pairs)} set to the same random numbers")
        yield self._in_evaluation()
        if "training" in skip:
            yield from (Check(name, None, "skipped") for name in NAMES[2:])
        else:
            yield from self._in_training("gradients" in skip)

    def _set_equal(self) -> list[tuple[str, str]]:
        return set_equal(self.ours, self.theirs, self.pairs, self.seed, self.gain)

    @cached_property
    def _x(self) -> Tensor:
        """The batch, on the device of the other module, to which ours is moved."""
        tensors = (*self.theirs.parameters(), *self.theirs.buffers())
        device = next((tensor.device for tensor in tensors), torch.device("cpu"))
        self.ours.to(device)
        return self.batch.to(device)

    # -- evaluation

    def _in_evaluation(self) -> Check:
        try:
            ours = self._ours_in_evaluation()
            while overflow(ours) and self.gain > LEAST_GAIN:
                self.gain /= 2
                self._set_equal()
                ours = self._ours_in_evaluation()
            theirs = self._run(1, "evaluation", partial(evaluate, self.theirs, self._x))
        except Fails as failure:
            return Check(EVALUATION, False, str(failure))
        return self._outputs(EVALUATION, ours, theirs, training=False)

    def _ours_in_evaluation(self) -> Outputs:
        return self._once("evaluation", lambda: self._run(0, "evaluation", partial(evaluate, self.ours, self._x)))

    def _once(self, what: str, task: Callable[[], T]) -> T:
        """What ours gives, which is calculated once for all modules that it is compared with."""
        key = (what, self.seed, self.gain, self._x.device, tuple(a for a, _ in self.pairs))
        if key not in self.known:
            self.known[key] = task()
        return self.known[key]  # type: ignore[no-any-return]

    def _run(self, side: int, mode: str, task: Callable[[], T]) -> T:
        title = ("the built module", self.other)[side]
        self.notify(f"{title} in {mode}")
        try:
            return task()
        except Exception as error:
            size = format_shape(tuple(self.batch.shape))
            raise Fails(f"{title} raises {described(error)}\nfor an input {size}") from None

    def _outputs(self, name: str, ours: Outputs, theirs: Outputs, training: bool) -> Check:
        lines = differences(ours, theirs, self.tolerance, self.same_form)
        if lines:
            return Check(name, False, "\n".join([*lines, self._located(training)]))
        caution = why_inconclusive(ours)
        if caution:
            return Check(name, False, f"equal, but {caution}: this proves nothing; try another seed")
        return Check(name, True, f"{form(ours)}, {self._equal}")

    @property
    def _equal(self) -> str:
        return f"equal within {self.tolerance:g}" if self.tolerance else "equal"

    def _located(self, training: bool) -> str:
        self.notify("looking for the first difference")
        try:
            return locate(self._sides, partial(self._again, training), self.tolerance)
        except Exception as error:  # a user's module may not take hooks, or not run twice
            return f"it could not be located: {described(error)}"

    def _again(self, training: bool, module: nn.Module) -> None:
        self._set_equal()
        run_once(module, self._x, training, self.seed)

    @cached_property
    def _sides(self) -> Sides:
        return sides(self.ours, self.theirs, self.other, self.pairs)

    # -- training

    def _in_training(self, without_gradients: bool) -> Iterator[Check]:
        self._set_equal()
        trained = self._trained_pairs
        keys: tuple[list[str], list[str]] = [a for a, _ in trained], [b for _, b in trained]
        try:
            ours, updated = self._once("training", partial(self._ours_in_training, keys[0]))
            theirs = self._run(1, "training", partial(train, self.theirs, self._x, keys[1], self.seed))
        except Fails as failure:
            yield Check(TRAINING, False, str(failure))
            yield from (Check(name, None, "not compared: training fails") for name in NAMES[3:])
            return
        statistics = self._statistics(updated)  # before anything else runs
        outputs = self._outputs(TRAINING, ours.outputs, theirs.outputs, training=True)
        yield outputs
        if not outputs.ok:
            yield from (Check(name, None, "not compared: see the outputs in training") for name in NAMES[3:])
            return
        yield statistics
        if without_gradients:
            yield from (Check(name, None, "skipped") for name in NAMES[4:])
        else:
            yield from self._gradients(ours, theirs)

    @property
    def _trained_pairs(self) -> list[tuple[str, str]]:
        state = self.ours.state_dict(keep_vars=True)
        return [(a, b) for a, b in self.pairs if isinstance(state[a], nn.Parameter) and state[a].is_floating_point()]

    def _ours_in_training(self, keys: list[str]) -> tuple[Trained, dict[str, Tensor]]:
        """The results of a training pass of ours, and its running statistics afterwards."""
        trained = self._run(0, "training", partial(train, self.ours, self._x, keys, self.seed))
        state = self.ours.state_dict()
        return trained, {a: state[a].clone() for a, _ in self.pairs if a.rpartition(".")[2] in RUNNING}

    def _statistics(self, ours: Mapping[str, Tensor]) -> Check:
        theirs = self.theirs.state_dict()
        pairs = [(a, b) for a, b in self.pairs if a in ours]
        lines = [f"{self._named(a, b)}: {said}; {self._owners(a, b)}"
                 for a, b in pairs if (said := difference(ours[a], theirs[b], self.tolerance))]  # fmt: skip
        if lines:
            return Check(STATISTICS, False, abridged(f"{len(lines)} of {len(pairs)} differ after training", lines))
        return Check(STATISTICS, True, f"{len(pairs)}, {self._equal}" if pairs else "there are none")

    def _named(self, a: str, b: str) -> str:
        return a if a == b else f"{a} ({b} in {self.other})"

    def _owners(self, a: str, b: str) -> str:
        """The modules that two tensors belong to, if their reprs differ."""
        ours, theirs = (m.get_submodule(key.rpartition(".")[0]) for m, key in ((self.ours, a), (self.theirs, b)))
        return f"of {ours!r}" if repr(ours) == repr(theirs) else f"{ours!r} and {theirs!r}"

    def _gradients(self, ours: Trained, theirs: Trained) -> Iterator[Check]:
        said = difference(ours.of_input, theirs.of_input, self.tolerance)
        yield Check(OF_INPUT, not said, said or (self._equal if ours.of_input is not None else "neither has one"))
        pairs = zip(self._trained_pairs, ours.of_parameters, theirs.of_parameters, strict=True)
        lines = [f"{self._named(a, b)}: {said}" for (a, b), g, h in pairs
                 if (said := difference(g, h, self.tolerance))]  # fmt: skip
        count = len(self._trained_pairs)
        if lines:
            yield Check(OF_PARAMETERS, False, abridged(f"{len(lines)} of {count} differ", lines))
        else:
            yield Check(OF_PARAMETERS, True, f"{count}, {self._equal}" if count else "there are none")
