"""A network or block, with its arguments and the shapes of its inputs → a module."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from archspec.diagnostics.diagnostic import Path
from archspec.diagnostics.suggestions import nearest
from archspec.frontend.model import Block, Network
from archspec.ir.definition import Initialisation
from archspec.ir.graph import Outputs
from archspec.ir.module import Module, Ref
from archspec.ops.base import Value, is_parts
from archspec.passes.recovery import UNKNOWN, Unknown
from archspec.passes.specialize.bindings import Bindings, TooLong
from archspec.passes.specialize.errors import BodyErrors
from archspec.passes.specialize.initialisation import RuleEvaluator
from archspec.passes.specialize.naming import list_names, named_inputs
from archspec.passes.specialize.rule_arguments import check_arguments
from archspec.passes.specialize.scope import bind_list, bind_value
from archspec.passes.specialize.steps import StepBuilder

if TYPE_CHECKING:
    from archspec.passes.specialize.specializer import Specializer


class BodyBuilder:
    """Turns a network or block, with its arguments and the shapes of its inputs, into a module."""

    def __init__(self, run: Specializer, body: Network | Block, inputs: dict[str, Value], errors: BodyErrors) -> None:
        if isinstance(body, Block) and run.mode.carry and not run.mode.frozen:
            if any(map(is_parts, inputs.values())):  # the sizes of parts have no names: the file has numbers
                raise TooLong
            inputs = named_inputs(inputs, body.params.keys() | body.let.keys())
        self._run = run
        self._body = body
        self._errors = errors
        self._bindings = Bindings(run.mode, errors)
        self._rules = RuleEvaluator(run.mode.carry, self._bindings, errors)
        self._builder = StepBuilder(
            run, inputs, self._bindings, errors, in_seq=isinstance(body, Block) and body.seq is not None
        )

    def build(self, arguments: dict[str, Any], path: Path, definition: str) -> Module | Unknown:
        """The module; `path` leads to the body in the spec, and `definition` is the name of the module's class."""
        body, values = self._body, self._builder.values
        for name, value in values.inputs.items():
            bind_value(self._bindings.scope, name, value)
        rest = body.rest if isinstance(body, Block) else None
        if isinstance(body, Block) and rest is not None:
            bind_list(self._bindings.scope, rest, [*values.inputs.values()][len(body.inputs) - 1 :])
        self._bindings.bind(body, arguments, path)
        items = body.items if isinstance(body, Block) else body.layers
        values.lists = {name: [] for name in list_names(items)}
        if isinstance(body, Block) and rest is not None:
            values.begin_rest(rest, len(body.inputs) - 1)
        self._builder.run(items, (*path, "seq" if self._builder.in_seq else "layers"), ())
        if body.output is not None:
            values.previous = values.lasting(body.output, (*path, "output"), in_item=False)
        registration = self._registration((*path, "register"))
        rules = tuple(self._rules.rules(body.init, (*path, "init")))
        if self._errors.failed or values.previous[1] is UNKNOWN:
            return UNKNOWN
        module = self._finished(definition, registration, tuple(rule for rule, _ in rules))
        if rules and module is not UNKNOWN:
            check_arguments(module, rules, self._errors)
        return UNKNOWN if self._errors.failed else module

    def _finished(
        self, definition: str, registration: tuple[int, ...] | None, rules: tuple[Initialisation, ...]
    ) -> Module | Unknown:
        body, scope, symbols = self._body, self._bindings.scope, self._bindings.symbols
        return self._builder.module(
            definition,
            _kept_names(body),
            arguments={name: scope[name] for name in body.params if name not in symbols},
            lets={name: scope[name] for name in symbols},
            let_trees=symbols,
            registration=registration,
            init=rules,
            defaults=self._bindings.defaults,
            rules=self._rules.written,
            block=self._run.definition(body, definition),
        )

    def _registration(self, path: Path) -> tuple[int, ...] | None:
        """The order of registration: the listed modules come last, in the order they are listed."""
        names, values = self._body.register_, self._builder.values
        if names is None:
            return None
        unknown = [name for name in names if not values.may_be_registered(name)]
        for name in unknown if not self._errors.has_gaps else ():
            at = (*path, names.index(name))
            self._errors.report("reference", f"unknown module '{name}'", at, help=nearest(name, values.modules))
        last = dict.fromkeys(number for name in names for number in values.registered_as(name))
        return None if unknown else (*(i for i in range(len(values.steps)) if i not in last), *last)

    def outputs(self, network: Network) -> Outputs | None:
        """The fields that the network returns; its module has been built."""
        if network.outputs is None:
            return None
        fields: dict[str, Ref] = {}
        for field, name in network.outputs.fields.items():
            path = ("outputs", "fields", field)
            ref, value = self._builder.values.lasting(name, path, train_only=bool(fields), in_item=False)
            if value is not UNKNOWN and is_parts(value):
                message, help = f"expected one tensor, got {len(value)} parts", f"use one of them: {name}.0"
                self._errors.report("reference", message, path, help=help)
            elif value is not UNKNOWN:
                fields[field] = ref
        return Outputs(network.outputs.type, fields)


def _kept_names(body: Network | Block) -> list[str]:
    """The names of values that a network returns beside its result: nothing may overwrite them."""
    outputs = body.outputs if isinstance(body, Network) else None
    return list(outputs.fields.values()) if outputs else []
