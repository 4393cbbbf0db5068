"""Compares what a `forward` of a file does with the steps of a module of the graph."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any, Final, NamedTuple, NoReturn

from archspec.backends.python.validator.differences import check_in_place, differ, same
from archspec.backends.python.validator.errors import Errors
from archspec.backends.python.validator.memory import check_memory
from archspec.backends.python.validator.values import Application, Container, Leaf, SymbolicValue, Trace
from archspec.ir.graph import Graph
from archspec.ir.module import Module, Ref, Step
from archspec.ops.base import Op
from archspec.ops.call import ALL_INPUTS, MODULE, Call, Input, InTraining
from archspec.ops.collect import Collect
from archspec.ops.shapes import is_parts

_GATHERED: Final = ("Tensor.reshape", "Tensor.permute")
"""Methods that take sizes or dimensions as one argument or as several: `x.reshape(-1, 8)`."""


class ExpectedCall(NamedTuple):
    """One application that a step needs: call number `call` of its function, or its module. The last is its value."""

    step: int
    call: int = 0
    is_last: bool = True


class CallValue(NamedTuple):
    """Stands for the value of call number `call` of the same step."""

    call: int


_TRIES: Final = 2_000
"""How many choices of the unused functions (see `_dead`) that a file contains are tried."""


class DataFlow:
    """Compares the data-flow of one `forward` in one mode, against the steps of a module."""

    def __init__(
        self, errors: Errors, module: Module, trace: Trace, where: str, training: bool, graph: Graph | None
    ) -> None:
        self.errors = errors
        self.module = module
        self.trace = trace
        self.where = where
        self.mode = "in training" if training else "in evaluation"
        self.graph = graph
        self.outputs = graph.outputs if graph is not None else None
        self.training = training
        self.steps = [n for n, step in enumerate(module.steps)
                      if (training or not step.train_only) and not isinstance(step.target, Collect)]  # fmt: skip
        self.raw = {str(step.name): n for n, step in enumerate(module.steps) if not step.inputs}
        self.places: dict[int, ExpectedCall] = {}
        """The expected call that each application corresponds to."""
        self._calls_of: dict[int, list[Call]] = {}

    def _fail(self, line: int, where: str, file_says: object, graph_says: object) -> NoReturn:
        """Raise the error that the two differ."""
        place = f"{self.where}.{where}".strip(".") or "forward"
        differ(self.errors, line, f"{place}, {self.mode}", file_says, graph_says)

    def check(self, made: Container) -> None:
        """Compare the inputs, every step in order, and the result; then the ops in place."""
        if self.trace.inputs != len(self.module.inputs):
            self._fail(made.line, "", f"{self.trace.inputs} inputs", len(self.module.inputs))
        self._match()
        results = self._results(made.line)
        modules = {name: module for name, module, _ in made.entries()}
        runs = [(step, self._overwrites(application, modules)) for application, step in self._runs()]
        check_memory(self.errors.file, self.module, runs, results, self.where)

    def _runs(self) -> Iterator[tuple[Application, int]]:
        applications = self.trace.applications
        return ((applications[number], expected.step) for number, expected in self.places.items() if expected.is_last)

    def lines(self) -> dict[int, int]:
        """The line of each step in the file."""
        return {step: application.line for application, step in self._runs()}

    @staticmethod
    def _overwrites(application: Application, modules: Mapping[str, Leaf | Container]) -> bool:
        leaf = modules.get(str(application.module))
        return leaf.inplace if isinstance(leaf, Leaf) else application.inplace

    def _match(self) -> None:
        """Find each step's applications. Unused functions (see `_dead`) may be missing from the file.

        Which of them the file has is found by search, since equal ones cannot be distinguished individually."""
        raw = self.raw.values()
        order = [expected for number in self.steps if number not in raw for expected in self._expected_calls(number)]
        dead = self._dead() if len(order) != len(self.trace.applications) else set()
        choices: list[tuple[int, int]] = []
        furthest, tries, at, first = -1, 0, 0, 0
        while at < len(order) or len(self.places) < len(self.trace.applications):
            place, difference = len(self.places), self._mismatch(order, at)
            if difference is None:
                if order[at].step in dead and order[at].call == 0:
                    choices.append((at, place))
                self.places[place] = order[at]
                at += 1
            elif at < len(order) and order[at].step in dead and order[at].call == 0:
                at = self._behind(order, at)
            else:
                furthest, first = max((furthest, first), (place, at))
                tries += 1
                if not choices or tries > _TRIES:
                    self._refuse(order, furthest, first)
                at, place = choices.pop()
                self.places = {p: expected for p, expected in self.places.items() if p < place}
                at = self._behind(order, at)

    def _expected_calls(self, number: int) -> Iterator[ExpectedCall]:
        """The applications that a step needs, in their order."""
        count = len(self._calls(number))
        yield from (ExpectedCall(number, call, call == count - 1) for call in range(count))

    def _calls(self, number: int) -> list[Call]:
        """The calls that a step's function consists of, each after those whose values it uses; a module is one call."""
        found = self._calls_of.get(number)
        if found is None:
            found = self._calls_of[number] = self._calls_in_order(self.module.steps[number])
        return found

    def _calls_in_order(self, step: Step) -> list[Call]:
        owner = self.module.owner(step)
        if owner.name is not None:
            own = owner.target.module_call(*self.module.shapes(step)) if isinstance(owner.target, Op) else None
            return [own or Call(MODULE, tuple(map(Input, range(len(step.inputs)))))]
        assert not isinstance(owner.target, int | Module)
        call = owner.target.function(*self.module.shapes(step))
        assert call is not None
        return _in_order(call)

    @staticmethod
    def _behind(order: list[ExpectedCall], at: int) -> int:
        """The index at which the next step begins."""
        return next((n for n in range(at, len(order)) if order[n].step != order[at].step), len(order))

    def _mismatch(self, order: list[ExpectedCall], at: int) -> tuple[object, object] | None:
        """The next application and a step, as text, if they differ; either may be missing."""
        applications, place = self.trace.applications, len(self.places)
        if at == len(order):
            return applications[place], "nothing more"
        if place == len(applications):
            return "nothing", self._said(order[at].step)
        return self._difference(applications[place], order[at])

    def _refuse(self, order: list[ExpectedCall], place: int, at: int) -> NoReturn:
        """Report the difference at the first application and step that could not be matched."""
        applications = self.trace.applications
        line = applications[min(place, len(applications) - 1)].line if applications else 0
        self.places = {p: expected for p, expected in self.places.items() if p < place}
        difference = self._mismatch(order, at) or ("another order", "its own")
        self._fail(line, self.module.steps[order[at].step].label if at < len(order) else "", *difference)

    def _said(self, number: int) -> str:
        step = self.module.steps[number]
        return f"{self.module.owner(step).name or step.label} runs"

    def _dead(self) -> set[int]:
        """The functions without a side effect whose values are never read."""
        fields = self.outputs.fields.values() if self.outputs is not None else ()  # a file computes them in both modes
        needed = {ref.step for ref in (*self._own(), *fields)}
        dead: set[int] = set()
        for number in reversed(self.steps):
            step = self.module.steps[number]
            owner = self.module.owner(step)
            effect = owner.name is not None or (isinstance(owner.target, Op) and owner.target.is_random())
            if number in needed or effect:
                needed.update(ref.step for ref in step.inputs)
            else:
                dead.add(number)
        return dead

    def _difference(self, found: Application, expected: ExpectedCall) -> tuple[object, object] | None:
        """An application and a step, as text, if they differ."""
        step = self.module.steps[expected.step]
        owner = self.module.owner(step)
        read = list(step.inputs)
        if found.parts is not None and not (
            expected.is_last and is_parts(step.output) and len(step.output) == found.parts
        ):
            return f"{found.parts} values", step.output
        return self._call_difference(found, self._calls(expected.step)[expected.call], read, expected, owner)

    def _call_difference(
        self, found: Application, call: Call, read: list[Ref], expected: ExpectedCall, owner: Step
    ) -> tuple[object, object] | None:
        """Two calls of functions or modules, as text, if they differ."""
        wanted = [self._wanted(arg, read, expected.step) for arg in call.args]
        named = {name: self._wanted(arg, read, expected.step) for name, arg in call.kwargs.items()}
        given = [self._refs(value) for value in found.args]
        keywords = {name: self._refs(value) for name, value in found.keywords.items()}
        if found.target in _GATHERED and len(given) > 2:
            given = [given[0], given[1:]]
        is_module = call.target == MODULE
        if not is_module and isinstance(owner.target, Op):
            named |= {name: owner.target.left_out(name) for name in keywords.keys() - named.keys()}
        same_keywords = keywords.keys() == named.keys() and all(
            same(value, named[name]) for name, value in keywords.items()
        )
        head = f"self.{owner.name}" if is_module else call.target
        runs = found.target if found.module is None else f"self.{found.module}"
        if runs != head or not same_keywords or not same(given, wanted):
            return self._text(found, given, keywords), f"{head}{self._names(wanted)}{self._named(named)}"
        if not is_module:
            assert isinstance(owner.target, Op)
            overwrites = self.module.steps[expected.step].inplace and expected.is_last
            check_in_place(self.errors, found.inplace, overwrites, owner.target, found.line, self.where)
        return None

    def _wanted(self, arg: Any, read: list[Ref], step: int) -> Any:
        """An argument of a call as values of the graph."""
        if isinstance(arg, InTraining):
            return arg.value if self.training else 0.0
        if isinstance(arg, CallValue):
            return Ref(step, -1 - arg.call)
        return read if arg is ALL_INPUTS else read[arg.index] if isinstance(arg, Input) else arg

    def _text(self, found: Application, given: list[Any], keywords: Mapping[str, Any]) -> str:
        head = found.target if found.module is None else f"self.{found.module}"
        return f"{head}{self._names(given)}{self._named(keywords)}"

    def _named(self, keywords: Mapping[str, Any]) -> str:
        """The keyword arguments as text."""
        named = (f"{name!r}: {self._name(value)}" for name, value in keywords.items())
        return f"{{{', '.join(named)}}}" if keywords else ""

    def _names(self, given: list[Any]) -> str:
        """Values by their readable names."""
        return f"({', '.join(map(self._name, given))})"

    def _name(self, given: Any) -> str:
        if isinstance(given, list):
            return f"[{', '.join(map(self._name, given))}]"
        if not isinstance(given, Ref):
            return repr(given)
        if given.step < 0:
            return "the input" if given.step == -1 else f"input {-given.step}"
        step = self.module.steps[given.step]
        base = self.module.owner(step).name or step.label
        if given.part is not None and given.part < 0:
            return f"call {-given.part} of {base}"
        return base if given.part is None else f"{base}.{given.part}"

    # -- values -----------------------------------------------------------------------------------------------

    def _ref(self, value: SymbolicValue) -> Ref | None:
        """A value of the file as a reference in the graph."""
        if isinstance(value.source, str):
            return Ref(self.raw[value.source]) if value.source in self.raw else None
        if value.source < 0:
            return Ref(value.source, value.part)
        expected = self.places.get(value.source)
        if expected is None or expected.is_last:
            return None if expected is None else self._ref_of(expected.step, value.part)
        return Ref(expected.step, -1 - expected.call) if value.part is None else None

    def _ref_of(self, number: int, part: int | None) -> Ref | None:
        """The value of a step, or a part of it. One part of a module's output may be the value."""
        own = self._calls(number)[-1].part
        if own is None:
            return Ref(number, part)
        return Ref(number) if part == own else None

    def _refs(self, given: Any) -> Any:
        if isinstance(given, SymbolicValue):
            return self._ref(given)
        return [self._refs(value) for value in given] if isinstance(given, tuple | list) else given

    def _results(self, line: int) -> list[Ref]:
        """Compare the returned values, which are also the last to be read."""
        kind, names, wanted = self._returns()
        found = self.trace.returned
        refs = [self._ref(value) for value in found.values]
        given = [part for ref in refs for part in self._parts(ref)]
        given_kind = "tuple" if not found.kind and given != refs else found.kind
        if (given_kind, found.names, given) != (kind, names, wanted):
            self._fail(line, "", self._said_of(given_kind, found.names, given), self._said_of(kind, names, wanted))
        return wanted

    def _said_of(self, kind: str, names: tuple[str, ...], refs: list[Any]) -> str:
        """The returned values as text."""
        values = self._names(refs) if kind else ", ".join(map(self._name, refs))
        return " ".join(filter(None, ["return", kind, *names, values]))

    def _returns(self) -> tuple[str, tuple[str, ...], list[Ref]]:
        """What must be returned: the kind, the names and the values."""
        outputs = self.outputs
        if outputs is not None and (outputs.always or self.training):
            names = () if outputs.type in ("tuple", "list") else tuple(outputs.fields)
            return outputs.type, names, list(outputs.fields.values())
        own = self._own()
        return "tuple" if is_parts(self.module.output) else "", (), own

    def _own(self) -> list[Ref]:
        """The module's result: one value, or each of several."""
        result = self.module.result
        step = self.module.steps[result.step] if result.step >= 0 else None
        return [*step.inputs] if step is not None and isinstance(step.target, Collect) else self._parts(result)

    def _parts(self, ref: Ref | None) -> list[Any]:
        """The parts of a value; a list of the value itself, if it is a single tensor."""
        if ref is None or ref.part is not None or not is_parts(self.module.value(ref)):
            return [ref]
        return [Ref(ref.step, part) for part in range(len(self.module.value(ref)))]


def _in_order(call: Call) -> list[Call]:
    """The calls among a call's arguments and then the call, in the order in which Python evaluates them."""
    if not any(isinstance(arg, Call) for arg in (*call.args, *call.kwargs.values())):
        return [call]
    chain = [call]
    while chain[-1].args and isinstance(chain[-1].args[0], Call):  # a sum of many values is as deep
        chain.append(chain[-1].args[0])
    calls: list[Call] = []
    for outer in reversed(chain):
        first = (CallValue(len(calls) - 1),) if calls else outer.args[:1]
        args = (*first, *(_taken(arg, calls) for arg in outer.args[1:]))
        named = {name: _taken(arg, calls) for name, arg in outer.kwargs.items()}
        calls.append(replace(outer, args=args, kwargs=named))
    return calls


def _taken(arg: Any, calls: list[Call]) -> Any:
    """An argument; one that is a call is replaced by a reference to its value, after adding the calls it needs."""
    if not isinstance(arg, Call):
        return arg
    offset = len(calls)
    calls += [_moved(inner, offset) for inner in _in_order(arg)]
    return CallValue(len(calls) - 1)


def _moved(call: Call, offset: int) -> Call:
    """A call, with references moved by `offset` calls."""
    named = {name: _behind(arg, offset) for name, arg in call.kwargs.items()}
    return replace(call, args=tuple(_behind(arg, offset) for arg in call.args), kwargs=named)


def _behind(arg: Any, offset: int) -> Any:
    return CallValue(arg.call + offset) if isinstance(arg, CallValue) else arg
