"""What a generated file registers and does, against what the graph says; both must be the same, step by step."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Final, NoReturn

from archspec.backends.python.validator.file import File
from archspec.backends.python.validator.initialisation import check_fillings
from archspec.backends.python.validator.memory import check_memory
from archspec.backends.python.validator.values import Application, Container, Leaf, OwnParameter, SymbolicValue, Trace
from archspec.diagnostics.errors import ValidationError
from archspec.ir.graph import Graph, Module, Ref, Step
from archspec.ops.base import ALL_INPUTS, Argument, Call, Input, Op, is_parts


class Comparison:
    """Compares instances with the graph's modules, each pair once."""

    def __init__(self, file: File) -> None:
        self.file = file
        self.pairs: dict[tuple[int, int], tuple[Module, Container]] = {}
        self.leaves: set[Any] = set()

    def fail(self, line: int, where: str, file_says: object, graph_says: object) -> NoReturn:
        """Raise that the two differ."""
        message = f"the file says {file_says}, the network {graph_says}"
        raise ValidationError(self.file.errors.file, line, where, message)

    def network(self, graph: Graph, module: Container) -> None:
        """Compare a whole network, with what it returns."""
        self.module(graph.root, module, "", graph)

    def module(self, module: Module, made: Container, where: str, graph: Graph | None = None) -> None:
        """Compare a module with an instance: what is registered, then what runs, then what is initialised."""
        key = (id(module), id(made))
        if key in self.pairs:
            return
        self.pairs[key] = (module, made)
        self.registered(module, made, where)
        flows = {id(self.file.trace(made, training)): training for training in (True, False)}
        if any(step.train_only for step in module.steps) or (graph is not None and graph.outputs is not None):
            flows = {-1: True, -2: False}
        for training in flows.values():
            _Flow(self, module, self.file.trace(made, training), where, training, graph).check(made)
        check_fillings(self.file, module, made, where)

    # -- what is registered -----------------------------------------------------------------------------------

    def registered(self, module: Module, made: Container, where: str) -> None:
        """Names in their order, then each module and parameter."""
        found: dict[str, Leaf | Container | OwnParameter] = {**made.parameters, **made.modules}
        wanted = [str(step.name) for step in module.registered]
        if list(found) != wanted:
            self.fail(made.line, where, *first_difference(list(found), wanted))
        for step in module.registered:
            inside = f"{where}.{step.name}" if where else str(step.name)
            self.entry(module, step, found[str(step.name)], inside, made.lines.get(str(step.name), made.line))

    def entry(self, module: Module, step: Step, found: Leaf | Container | OwnParameter, where: str, line: int) -> None:
        """Compare what is registered under one name."""
        target = step.target
        if isinstance(target, Module):
            if not isinstance(found, Container):
                self.fail(line, where, type(found).__name__, target.definition or "a seq")
            self.module(target, found, where)
            return
        assert not isinstance(target, int)
        if target.raw:
            self.parameter(target, found, where, line)
        else:
            if not isinstance(found, Leaf):
                self.fail(line, where, type(found).__name__, target.module)
            self.leaf(module, step, target, found, where, line)

    def parameter(self, op: Op, found: Leaf | Container | OwnParameter, where: str, line: int) -> None:
        """Compare a tensor that a module owns itself."""
        wanted = (tuple(op.shape), float(op.value))  # type: ignore[attr-defined]
        given = (found.tensor.shape, found.tensor.value) if isinstance(found, OwnParameter) else type(found).__name__
        if given != wanted:
            self.fail(line, where, given, wanted)

    def leaf(self, module: Module, step: Step, op: Op, found: Leaf, where: str, line: int) -> None:
        """An op's class and the arguments of its constructor, torch's defaults filled in."""
        shapes = module.shapes(step)
        key = (id(found), id(op), shapes, step.inplace)
        if key in self.leaves:
            return
        self.leaves.add(key)
        if found.target != op.module:
            self.fail(line, where, found.target, op.module)
        declared = op.constructor(*shapes)
        given = self.arguments(found, declared, where, line)
        for argument in declared:
            value = given.get(argument.name, argument.default)
            if value is not argument.value and not same(value, argument.value):
                self.fail(line, where, f"{argument.name}={value!r}", f"{argument.name}={argument.value!r}")
        self.inplace(found.inplace, step.inplace, op, line, where)

    def arguments(self, found: Leaf, declared: Sequence[Argument], where: str, line: int) -> dict[str, Any]:
        """The arguments of a constructor by their names."""
        names = [argument.name for argument in declared if argument.positional]
        given = {**dict(zip(names, found.positional, strict=False)), **found.keywords}
        twice = len(given) < len(found.positional) + len(found.keywords)
        unknown = given.keys() - {argument.name for argument in declared} - {"inplace"}
        if twice or unknown or len(found.positional) > len(names):
            text = ", ".join(sorted(unknown)) or f"{len(found.positional)} positional arguments"
            self.fail(line, where, text, ", ".join(argument.name for argument in declared))
        return given

    def inplace(self, found: bool, wanted: bool, op: Op, line: int, where: str) -> None:
        """What the graph does not overwrite must stay; what it does, may be new where that gives the same numbers."""
        if found != wanted and (found or not op.exact_in_place):
            words = ("not in place", "in place")
            self.fail(line, where, f"{op.kind} {words[found]}", words[wanted])


_TRIES: Final = 2_000
"""How often another choice is tried of which functions that nobody reads a file has."""


class _Flow:
    """The data-flow of one `forward` in one mode, against the steps of a module."""

    def __init__(
        self, comparison: Comparison, module: Module, trace: Trace, where: str, training: bool, graph: Graph | None
    ) -> None:
        self.comparison = comparison
        self.module = module
        self.trace = trace
        self.where = where
        self.mode = "in training" if training else "in evaluation"
        self.graph = graph
        self.returns = graph.outputs if graph is not None and training else None
        self.steps = [n for n, step in enumerate(module.steps) if training or not step.train_only]
        self.raw = {str(step.name): n for n, step in enumerate(module.steps) if not step.inputs}
        self.places: dict[int, int] = {}
        """The steps of the applications."""

    def fail(self, line: int, where: str, file_says: object, graph_says: object) -> NoReturn:
        """Raise that the two differ."""
        place = f"{self.where}.{where}".strip(".") or "forward"
        self.comparison.fail(line, f"{place}, {self.mode}", file_says, graph_says)

    def check(self, made: Container) -> None:
        """Compare the inputs, every step in order, and what is returned; then who overwrites what."""
        if self.trace.inputs != len(self.module.inputs):
            self.fail(made.line, "", f"{self.trace.inputs} inputs", len(self.module.inputs))
        self.match()
        results = self.results(made.line)
        runs = [(step, self.overwrites(application, made)) for application, step in self.runs()]
        check_memory(self.comparison.file.errors.file, self.module, runs, results, self.where)

    def runs(self) -> Iterator[tuple[Application, int]]:
        return ((self.trace.applications[number], step) for number, step in self.places.items())

    def overwrites(self, application: Application, made: Container) -> bool:
        leaf = made.modules.get(str(application.module))
        return leaf.inplace if isinstance(leaf, Leaf) else application.inplace

    def match(self) -> None:
        """Find each step's application. Functions without an effect that nobody reads may be missing: which of them a
        file has is searched for, since equal ones cannot be told apart by themselves."""
        raw = self.raw.values()
        order = [number for number in self.steps if number not in raw]
        dead = self.dead() if len(order) != len(self.trace.applications) else set()
        choices: list[tuple[int, int]] = []
        furthest, tries, at, first = -1, 0, 0, 0
        while at < len(order) or len(self.places) < len(self.trace.applications):
            place, difference = len(self.places), self.mismatch(order, at)
            if difference is None:
                if order[at] in dead:
                    choices.append((at, place))
                self.places[place] = order[at]
                at += 1
            elif at < len(order) and order[at] in dead:
                at += 1
            else:
                furthest, first = max((furthest, first), (place, at))
                tries += 1
                if not choices or tries > _TRIES:
                    self.refuse(order, furthest, first)
                at, place = choices.pop()
                self.places = {p: number for p, number in self.places.items() if p < place}
                at += 1

    def mismatch(self, order: list[int], at: int) -> tuple[object, object] | None:
        """What the next application and a step say, where it is not the same; either may be missing."""
        applications, place = self.trace.applications, len(self.places)
        if at == len(order):
            return applications[place], "nothing more"
        if place == len(applications):
            return "nothing", self.said(order[at])
        return self.difference(applications[place], self.module.steps[order[at]])

    def refuse(self, order: list[int], place: int, at: int) -> NoReturn:
        """Say what differs at the application and step up to which all could be found."""
        applications = self.trace.applications
        line = applications[min(place, len(applications) - 1)].line if applications else 0
        self.places = {p: number for p, number in self.places.items() if p < place}
        difference = self.mismatch(order, at) or ("another order", "its own")
        self.fail(line, self.module.steps[order[at]].label if at < len(order) else "", *difference)

    def said(self, number: int) -> str:
        step = self.module.steps[number]
        return f"{self.module.owner(step).name or step.label} runs"

    def dead(self) -> set[int]:
        """The functions without an effect whose value nobody reads."""
        outputs = self.graph.outputs if self.graph is not None else None  # a file computes them in both modes
        needed = {ref.step for ref in (self.module.result, *(outputs.fields.values() if outputs else ()))}
        dead: set[int] = set()
        for number in reversed(self.steps):
            step = self.module.steps[number]
            owner = self.module.owner(step)
            effect = owner.name is not None or (isinstance(owner.target, Op) and owner.target.role == "dropout")
            if number in needed or effect:
                needed.update(ref.step for ref in step.inputs)
            else:
                dead.add(number)
        return dead

    def difference(self, found: Application, step: Step) -> tuple[object, object] | None:
        """What an application and a step say, where it is not the same."""
        owner = self.module.owner(step)
        read = list(step.inputs)
        if found.parts is not None and not (is_parts(step.output) and len(step.output) == found.parts):
            return f"{found.parts} values", step.output
        if owner.name is not None:
            given = [self.refs(value) for value in found.args]
            if (found.module, given) == (owner.name, read):
                return None
            return self.text(found, given), f"self.{owner.name}{self.names(read)}"
        assert not isinstance(owner.target, int | Module)
        call = owner.target.function(*self.module.shapes(step))
        assert call is not None
        return self.functions(found, call, read, step, owner.target)

    def functions(
        self, found: Application, call: Call, read: list[Ref], step: Step, op: Op
    ) -> tuple[object, object] | None:
        """What two calls of functions say, where it is not the same."""
        wanted = [read if a is ALL_INPUTS else read[a.index] if isinstance(a, Input) else a for a in call.args]
        given, keywords = [self.refs(value) for value in found.args], dict(found.keywords)
        same_keywords = keywords.keys() == call.kwargs.keys() and all(
            same(value, call.kwargs[name]) for name, value in keywords.items()
        )
        if found.module is not None or found.target != call.target or not same_keywords or not same(given, wanted):
            return self.text(found, given), f"{call.target}{self.names(wanted)}{dict(call.kwargs) or ''}"
        self.comparison.inplace(found.inplace, step.inplace, op, found.line, self.where)
        return None

    def text(self, found: Application, given: list[Any]) -> str:
        head = found.target if found.module is None else f"self.{found.module}"
        return f"{head}{self.names(given)}{dict(found.keywords) or ''}"

    def names(self, given: list[Any]) -> str:
        """Values as people would call them."""
        return f"({', '.join(map(self.name, given))})"

    def name(self, given: Any) -> str:
        if isinstance(given, list):
            return f"[{', '.join(map(self.name, given))}]"
        if not isinstance(given, Ref):
            return repr(given)
        if given.step < 0:
            return "the input" if given.step == -1 else f"input {-given.step}"
        step = self.module.steps[given.step]
        base = self.module.owner(step).name or step.label
        return base if given.part is None else f"{base}.{given.part}"

    # -- values -----------------------------------------------------------------------------------------------

    def ref(self, value: SymbolicValue) -> Ref | None:
        """A value of the file as one of the graph's."""
        if isinstance(value.source, str):
            return Ref(self.raw[value.source]) if value.source in self.raw else None
        if value.source < 0:
            return Ref(value.source, value.part)
        return Ref(self.places[value.source], value.part) if value.source in self.places else None

    def refs(self, given: Any) -> Any:
        if isinstance(given, SymbolicValue):
            return self.ref(given)
        return [self.refs(value) for value in given] if isinstance(given, tuple | list) else given

    def results(self, line: int) -> list[Ref]:
        """Compare what is returned; it is also what is read last."""
        if self.returns is not None:
            record, values = self.trace.record or (None, ())
            given = (record.name, *record.fields) if record is not None else ()
            wanted = (self.returns.type, *self.returns.fields)
            refs = [self.ref(value) if isinstance(value, SymbolicValue) else None for value in values]
            if given != wanted or refs != list(self.returns.fields.values()):
                self.fail(line, "", f"{' '.join(given)}{self.names(refs)}", f"{' '.join(wanted)}")
            return list(self.returns.fields.values())
        names = tuple(feature.name for feature in self.graph.features) if self.graph is not None else ()
        result = self.trace.result
        if result is None or self.ref(result) != self.module.result or self.trace.names not in ((), names):
            given_ref = None if result is None else self.ref(result)
            self.fail(line, "", f"return {self.name(given_ref)}", f"return {self.name(self.module.result)}")
        if names and not self.trace.names:
            self.fail(line, "", "values without names", names)
        return [self.module.result]


def same(left: Any, right: Any) -> bool:
    """Whether two arguments are the same; a list and a tuple may be."""
    if isinstance(left, list | tuple) and isinstance(right, list | tuple):
        if isinstance(left, Ref) or isinstance(right, Ref):
            return type(left) is type(right) and left == right
        return len(left) == len(right) and all(map(same, left, right))
    return bool(left == right) and isinstance(left, bool) == isinstance(right, bool)


def first_difference(found: Sequence[str], wanted: Sequence[str]) -> tuple[object, object]:
    """Where two lists of names begin to differ."""
    for place, (left, right) in enumerate(zip(found, wanted, strict=False)):
        if left != right:
            return f"'{left}' at place {place}", f"'{right}'"
    return f"{len(found)} names {list(found[len(wanted) :])}", f"{len(wanted)} {list(wanted[len(found) :])}"
