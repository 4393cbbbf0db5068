"""A network or block, with its arguments and the shapes of its inputs → a module."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from archspec.diagnostics.diagnostic import Path
from archspec.diagnostics.suggestions import nearest
from archspec.frontend.model.block import Block
from archspec.frontend.model.network import Network
from archspec.ir.definition import LAST, Initialisation
from archspec.ir.graph import Outputs
from archspec.ir.module import Module, Ref, Step
from archspec.ops.collect import Collect
from archspec.ops.shapes import Value, is_parts
from archspec.passes.specialize.bindings import Bindings, TooLong
from archspec.passes.specialize.cut import cut
from archspec.passes.specialize.errors import BodyErrors
from archspec.passes.specialize.initialisation import RuleEvaluator
from archspec.passes.specialize.naming import list_names, named_inputs
from archspec.passes.specialize.rule_arguments import check_arguments
from archspec.passes.specialize.scope import bind_list, bind_value
from archspec.passes.specialize.steps import StepBuilder
from archspec.passes.specialize.value_table import Operand
from archspec.passes.unknown import UNKNOWN, Unknown

if TYPE_CHECKING:
    from archspec.passes.specialize.specializer import Specializer


class BodyBuilder:
    """Turns a network or block, with its arguments and the shapes of its inputs, into a module."""

    def __init__(self, run: Specializer, body: Network | Block, inputs: dict[str, Value], errors: BodyErrors) -> None:
        if isinstance(body, Block) and run.mode.carry and not run.mode.frozen:
            if any(map(is_parts, inputs.values())):  # the sizes of parts have no names, so they are numbers
                raise TooLong
            inputs = named_inputs(inputs, body.params.keys() | body.let.keys())
        self._run = run
        self._body = body
        self._errors = errors
        self._bindings = Bindings(run.mode, errors)
        self._rules = RuleEvaluator(run.known, run.mode.carry, self._bindings, errors)
        self._builder = StepBuilder(
            run, inputs, self._bindings, errors, in_seq=isinstance(body, Block) and body.seq is not None
        )

    def build(self, arguments: dict[str, Any], path: Path, definition: str) -> Module | Unknown:
        """The module; `path` leads to the body in the spec, and `definition` is the name of the module's class."""
        body, values = self._body, self._builder.values
        self._bind_inputs()
        rest = body.rest if isinstance(body, Block) else None
        if isinstance(body, Block) and rest is not None:
            bind_list(self._bindings.scope, rest, [*values.inputs.values()][len(body.inputs) - 1 :])
        self._bindings.bind(body, arguments, path)
        items = body.items if isinstance(body, Block) else body.layers
        values.lists = {name: [] for name in list_names(items)}
        if isinstance(body, Block) and rest is not None:
            values.begin_rest(rest, len(body.inputs) - 1)
        if isinstance(body, Block) and body.seq is not None:
            self._builder.run(body.seq, (*path, "seq"), ())
        behind_seq = values.previous
        self._builder.in_seq = isinstance(body, Block) and body.seq is not None and not body.layers
        self._builder.run(body.layers, (*path, "layers"), (), len(items) - len(body.layers))
        if body.returned is not None:
            self._collect(self._found(body.returned, _outputs_path(body, path)))
        elif body.output is not None:
            values.previous = values.lasting(body.output, (*path, "output"), in_item=False)
        elif isinstance(body, Block) and body.cut:
            values.previous = behind_seq
        registration = self._moved_back(body.register_, None, (*path, "register"))
        construction = self._made_last(body.construct_, registration, (*path, "construct"))
        rules = tuple(self._rules.rules(body.init, (*path, "init")))
        if self._errors.failed or values.previous[1] is UNKNOWN:
            return UNKNOWN
        module = self._finished(definition, registration, tuple(rule for rule, _ in rules), construction)
        if isinstance(body, Block) and body.cut and module is not UNKNOWN:
            module = cut(module, (*path, "cut"), self._errors)
        if body.init and module is not UNKNOWN:
            self._rules.check_paths(body.init, (*path, "init"), values)
            check_arguments(module, rules, self._errors)
        return UNKNOWN if self._errors.failed else module

    def vary(self, like: Module, arguments: dict[str, Any], block: Block) -> Module | Unknown:
        """The module, given an instance of the block that differs in nothing but rates."""
        self._bind_inputs()
        given = {name: arguments.get(name, block.params[name]) for name in block.rates.params}
        arguments = {**like.arguments, **{name: self._bindings.named(name, value) for name, value in given.items()}}
        self._bindings.scope.update(arguments, **like.lets)
        numbers = [number for number, step in enumerate(like.steps) if step.position[0] in block.rates.items]
        ops = {
            number: self._builder.op(block.items[like.steps[number].position[0]], like, number) for number in numbers
        }
        known = {number: op for number, op in ops.items() if op is not UNKNOWN}
        return like.varied(known, arguments) if len(known) == len(ops) else UNKNOWN

    def _bind_inputs(self) -> None:
        for name, value in self._builder.values.inputs.items():
            bind_value(self._bindings.scope, name, value)

    def _finished(
        self,
        definition: str,
        registration: tuple[int, ...] | None,
        rules: tuple[Initialisation, ...],
        construction: tuple[int, ...] | None,
    ) -> Module | Unknown:
        body, scope, symbols = self._body, self._bindings.scope, self._bindings.symbols
        return self._builder.module(
            definition,
            _kept_names(body),
            arguments={name: scope[name] for name in body.params if name not in symbols},
            lets={name: scope[name] for name in symbols},
            let_trees=symbols,
            registration=registration,
            construction=construction,
            init=rules,
            defaults=self._bindings.defaults,
            rules=self._rules.written,
            block=self._run.definition(body, definition),
        )

    def _made_last(
        self, names: list[str] | None, order: tuple[int, ...] | None, path: Path
    ) -> tuple[int, ...] | None:  # fmt: skip
        """The order of construction; the entries of a container are constructed together, in their order."""
        for number, name in enumerate(names or ()):
            if "." in name and self._builder.values.may_be_registered(name):
                container = name.partition(".")[0]
                help = f"name the container: {container}"
                self._errors.report("schema", f"'{name}' is constructed with its container", (*path, number), help=help)
        return self._moved_back(names, order, path)

    def _moved_back(
        self, names: list[str] | None, order: tuple[int, ...] | None, path: Path
    ) -> tuple[int, ...] | None:  # fmt: skip
        """An order in which the modules of these names come last, in the order they are listed."""
        values = self._builder.values
        if names is None:
            return None
        unknown = [name for name in names if not values.may_be_registered(name)]
        for name in unknown if not self._errors.has_gaps else ():
            at = (*path, names.index(name))
            self._errors.report("reference", f"unknown module '{name}'", at, help=nearest(name, values.modules))
        last = dict.fromkeys(number for name in names for number in values.registered_as(name))
        before = range(len(values.steps)) if order is None else order
        return None if unknown else (*(i for i in before if i not in last), *last)

    def _collect(self, found: dict[str, Operand]) -> None:
        """Make several values, which must exist in evaluation, the result."""
        values = self._builder.values
        if any(value is UNKNOWN for _, value in found.values()):
            self._errors.failed = True
            return
        refs, shapes = tuple(ref for ref, _ in found.values()), tuple(value for _, value in found.values())
        step = Step(Collect(names=tuple(found)), refs, shapes, None, "outputs", position=LAST)  # type: ignore[arg-type]
        values.steps.append(step)
        values.previous = Ref(len(values.steps) - 1), shapes  # type: ignore[assignment]

    def outputs(self, network: Network) -> Outputs | None:
        """The network's outputs, if it does not return one tensor; its module has been built."""
        given, steps = network.outputs, self._builder.values.steps
        if given is None:
            return None
        if given.always:
            collect = steps[-1].target
            assert isinstance(collect, Collect)
            return Outputs(given.type, dict(zip(collect.names, steps[-1].inputs, strict=True)), always=True)
        found = self._found(given.fields, _outputs_path(network, ()), train_only=True)
        return Outputs(given.type, {name: ref for name, (ref, value) in found.items() if value is not UNKNOWN})

    def _found(self, fields: dict[str, str], path: Path, train_only: bool = False) -> dict[str, Operand]:
        """The values of several outputs; all but the first may exist in training only, if `train_only`. Those that
        were left out with a group are left out here, too."""
        found: dict[str, Operand] = {}
        there = {field: name for field, name in fields.items() if not self._builder.values.is_gone(name)}
        for field, name in (there or fields).items():
            place = (*path, field)
            ref, value = self._builder.values.lasting(name, place, train_only and bool(found), in_item=False)
            if value is not UNKNOWN and is_parts(value):
                part = next(iter(self._builder.values.names_of_parts(ref)), "0")
                message, help = f"expected one tensor, got {len(value)} parts", f"use one of them: {name}.{part}"
                self._errors.report("reference", message, place, help=help)
                value = UNKNOWN
            found[field] = ref, value
        return found


def _outputs_path(body: Network | Block, path: Path) -> Path:
    """Where the outputs of a network or block are listed."""
    return (*path, "outputs") if isinstance(body, Block) else (*path, "outputs", "fields")


def _kept_names(body: Network | Block) -> list[str]:
    """The names of the values that a network returns in training, which no op may overwrite."""
    outputs = body.outputs if isinstance(body, Network) else None
    return list(outputs.fields.values()) if outputs and not outputs.always else []
