"""Compares the modules that a generated file registers with the graph; other files compare what runs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NoReturn

from archspec.backends.python.validator.data_flow import DataFlow
from archspec.backends.python.validator.differences import check_in_place, differ, first_difference, same
from archspec.backends.python.validator.file import File
from archspec.backends.python.validator.initialisation import check_initialisation
from archspec.backends.python.validator.initialisers import with_defaults
from archspec.backends.python.validator.lines import Places
from archspec.backends.python.validator.values import ComputedTensor, Container, Leaf, OwnBuffer, OwnParameter
from archspec.ir.container import Container as Held
from archspec.ir.container import Entry
from archspec.ir.graph import Graph
from archspec.ir.module import Module, Step
from archspec.ops.base import Op
from archspec.ops.call import Argument, Call
from archspec.ops.initialisers import INITIALISERS

Registered = Leaf | Container | OwnParameter | OwnBuffer
"""An object that a module registers under a name."""


class Comparison:
    """Compares instances with the modules of graphs, each pair once."""

    def __init__(self, file: File) -> None:
        self.file = file
        self.pairs: dict[tuple[int, int], tuple[Module, Container]] = {}
        self.leaves: dict[Any, tuple[Leaf, Op]] = {}
        self.places = Places({}, {})

    def fail(self, line: int, where: str, file_says: object, graph_says: object) -> NoReturn:
        """Raise the error that the two differ."""
        differ(self.file.errors, line, where, file_says, graph_says)

    def network(self, graph: Graph, arguments: Mapping[str, Any]) -> Places:
        """Compare what the file makes with these arguments with a whole network, and what it returns.

        Returns the places of the modules that had not been compared before.
        """
        self.places = Places({}, {})
        self.module(graph.root, self.file.network(graph.name, graph.class_name, arguments), "", graph)
        return self.places

    def module(self, module: Module, made: Container, where: str, graph: Graph | None = None) -> None:
        """Compare a module with an instance: what is registered, then what runs, then what is initialised."""
        key = (id(module), id(made))
        if key in self.pairs:
            return
        self.pairs[key] = (module, made)
        whole, made_whole = module.whole, made.whole or made
        self.registered(whole, made_whole, where)
        if whole is not module:  # the same steps, and those that are dropped
            self.places.made[id(module)] = self.places.made.pop(id(whole))
        if [*made.modules, *made.parameters, *made.buffers] != self._held(module):
            self.fail(made.line, where, "it removes others", "what is removed")
        count = len(module.inputs)
        flows = {id(self.file.trace(made, training, count)): training for training in (True, False)}
        if any(step.train_only for step in module.steps) or (graph is not None and graph.outputs is not None):
            flows = {-1: True, -2: False}
        for training in flows.values():
            trace = self.file.trace(made, training, count)
            flow = DataFlow(self.file.errors, module, trace, where, training, graph)
            flow.check(made)
            if not made.is_sequential:  # which runs its modules on no line of their own
                self.places.add_run(module, flow.lines())
        check_initialisation(self.file, whole, made_whole, where)

    @staticmethod
    def _held(module: Module) -> list[str]:
        """What a module holds itself: modules and containers, then parameters, then buffers."""
        kinds: tuple[list[str], ...] = ([], [], [])
        for name, entry in module.tree.items():
            target = entry.target if isinstance(entry, Step) else None
            is_raw = isinstance(target, Op) and target.raw
            kinds[is_raw + (isinstance(target, Op) and target.tensor() is not None)].append(name)
        return [name for names in kinds for name in names]

    # -- what is registered -----------------------------------------------------------------------------------

    def registered(self, module: Module, made: Container, where: str) -> None:
        """Compare the names in their order, then each module and parameter."""
        modules = {name: found for name, found, _ in made.entries()}
        found: dict[str, Registered] = {**made.parameters, **made.buffers, **modules}
        lines = {name: line for name, _, line in made.entries()}
        lines.update({name: made.lines[name] for name in (*made.parameters, *made.buffers)})
        wanted = [str(step.name) for step in module.registered]
        if list(found) != wanted:
            self.fail(made.line, where, *first_difference(list(found), wanted))
        held = dict(_containers(module.tree, ""))
        if made.containers() != held:
            self.fail(made.line, where, *first_difference(_pairs(made.containers()), _pairs(held)))
        made_first = list(module.tree)
        if list(made.lines) != made_first:
            self.fail(made.line, where, *first_difference(list(made.lines), made_first))
        drawn = sorted(made.drawn, key=lambda name: made.drawn[name])
        made_in_order = [name for name in module.names_constructed if name in made.drawn]
        if drawn != made_in_order:
            self.fail(made.line, where, *first_difference(drawn, made_in_order))
        self.places.add_made(module, lines, made.line)
        for step in module.registered:
            inside = f"{where}.{step.name}" if where else str(step.name)
            self.entry(module, step, found[str(step.name)], inside, lines.get(str(step.name), made.line))

    def entry(self, module: Module, step: Step, found: Registered, where: str, line: int) -> None:
        """Compare what is registered under one name."""
        target = step.target
        if isinstance(target, Module):
            if not isinstance(found, Container):
                self.fail(line, where, type(found).__name__, target.definition or "a seq")
            self.module(target, found, where)
            return
        assert not isinstance(target, int)
        call = target.tensor()
        if call is not None:
            self.buffer(target, call, found, where, line)
        elif target.raw:
            self.parameter(target, found, where, line)
        else:
            if not isinstance(found, Leaf):
                self.fail(line, where, type(found).__name__, target.made_by())
            self.leaf(module, step, target, found, where, line)

    def parameter(self, op: Op, found: Registered, where: str, line: int) -> None:
        """Compare a tensor that a module owns itself."""
        way, arguments = op.filling()
        wanted = (op.parameters()[""], *with_defaults(INITIALISERS[way].function, arguments))
        given: object = type(found).__name__
        if isinstance(found, OwnParameter) and found.tensor.filled is not None:
            given = (found.tensor.shape, *found.tensor.filled)
        if given != wanted:
            self.fail(line, where, given, wanted)

    def buffer(self, op: Op, call: Call, found: Registered, where: str, line: int) -> None:
        """Compare a tensor that a module owns itself and does not train."""
        wanted = OwnBuffer(_computed(call), bool(op.saved()))
        if not isinstance(found, OwnBuffer) or not same(_parts(found.tensor), _parts(wanted.tensor)):
            self.fail(line, where, found if isinstance(found, OwnBuffer) else type(found).__name__, wanted)
        if found.persistent != wanted.persistent:
            self.fail(line, where, f"persistent={found.persistent}", f"persistent={wanted.persistent}")

    def leaf(self, module: Module, step: Step, op: Op, found: Leaf, where: str, line: int) -> None:
        """Compare an op's class and the arguments of its constructor, with torch's defaults filled in."""
        shapes = module.shapes(step)
        key = (id(found), id(op), shapes, step.inplace)
        if key in self.leaves:
            return
        self.leaves[key] = (found, op)
        if found.target != op.made_by():
            self.fail(line, where, found.target, op.made_by())
        declared = op.constructor(*shapes)
        given = self.arguments(found, declared, where, line)
        for argument in declared:
            value = given.get(argument.name, argument.default)
            if value is not argument.value and not same(value, argument.value):
                self.fail(line, where, f"{argument.name}={value!r}", f"{argument.name}={argument.value!r}")
        check_in_place(self.file.errors, found.inplace, step.inplace, op, line, where)

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


def _containers(tree: Mapping[str, Entry[Step]], prefix: str) -> Iterator[tuple[str, str]]:
    """The names of the containers of a module, and their kinds."""
    for name, entry in tree.items():
        if isinstance(entry, Held):
            yield f"{prefix}{name}", entry.kind
            yield from _containers(entry.entries, f"{prefix}{name}.")


def _pairs(held: Mapping[str, str]) -> list[str]:
    """Containers as text, in the order of their names."""
    return sorted(f"{kind} {name}" for name, kind in held.items())


def _computed(call: Call) -> ComputedTensor:
    """The tensor that a call makes, as it is in a file: the sizes of `reshape` are separate arguments."""
    args: list[Any] = [_computed(arg) if isinstance(arg, Call) else arg.value for arg in call.args]
    if call.target in ("torch.zeros", "torch.ones"):
        return ComputedTensor("nn.init.constant_", (args[0], ("val", float(call.target == "torch.ones"))))
    if call.target == "Tensor.reshape" and args[1]:
        args = [args[0], *args[1]]
    return ComputedTensor(call.target, tuple(args))


def _parts(tensor: ComputedTensor) -> list[Any]:
    """A tensor as a list of the values it is calculated from."""
    return [tensor.target, *(_parts(arg) if isinstance(arg, ComputedTensor) else arg for arg in tensor.args)]
