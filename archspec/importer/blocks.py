"""The blocks of a network, one for each class where its runs allow it, and the network itself, as plain data."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

from archspec.importer.body import Body, input_names, sequence
from archspec.importer.folding import folded, item_name
from archspec.importer.lists import with_lists
from archspec.importer.order import registered_last
from archspec.importer.parameters import Parameters, absent, defaults_of
from archspec.importer.rounds import has_list, with_counts
from archspec.importer.sequences import SEQUENCES, is_sequence
from archspec.importer.templates import Key, Reader, Row, Template
from archspec.importer.trace import Call, Scope, Step, Value
from archspec.importer.vocabulary import is_equal
from archspec.ops import OPS
from archspec.ops.base import fields_of

Raw = Mapping[str, dict[Value, tuple[str, dict[str, Any]]]]
"""The parameters and buffers of each module, by its path: the name of each, and the item that creates it."""


MAX_REPEATED: Final = 8
"""Runs of one class that differ in their number of steps, which are compared for what repeats."""


class Blocks:
    """Makes the blocks of a trace; `definitions` holds those made so far."""

    def __init__(self, root: Scope, raw: Raw, reserved: str) -> None:
        self.root = root
        self.raw = raw
        self.definitions: dict[str, dict[str, Any]] = {}
        self._names: dict[Scope, str] = {}
        self._fields: dict[Step, dict[str, Any]] = {}
        """The fields of each op, and the arguments of each block, as they are in this use."""
        self._defaults: dict[str, dict[str, Any]] = {}
        self._kinds: dict[str, dict[str, str]] = {}
        """For each block, the fields of ops that its parameters set."""
        self._conditions: dict[Step, tuple[str, Value | None]] = {}
        """For each step that some uses of its block lack: the parameter that says so, and the value used instead."""
        self._written: dict[Step, dict[str, Any]] = {}
        """The same, as they are written in the block that contains them."""
        self._reserved = {reserved}

    def network(self) -> dict[str, Any]:
        """The items of the network, and its outputs."""
        for scopes in self._by_height():
            if not self._define_repeated(scopes):
                for template in self._templates(scopes):
                    self._define(template)
        (template,) = self._templates([self.root])
        return self._body(template, Parameters([], set()))

    def _by_height(self) -> Iterator[list[Scope]]:
        """The scopes that become blocks: those of one class together, and those inside of others first."""
        blocks = [scope for scope in self.root.scopes() if scope is not self.root and self._is_block(scope)]
        heights = _heights_of_classes(blocks)
        found: dict[tuple[int, type], list[Scope]] = {}
        for scope in blocks:
            height = _height(scope) if heights is None else heights[type(scope.module)]
            found.setdefault((height, type(scope.module)), []).append(scope)
        for key in sorted(found, key=lambda key: key[0]):
            yield found[key]

    @staticmethod
    def _is_block(scope: Scope) -> bool:
        return type(scope.module) not in SEQUENCES

    def name_of(self, scope: Scope) -> str | None:
        """The block that describes a run of a module; `None` if it is an `nn.Sequential`."""
        return self._names.get(scope)

    # -- one class

    def _define_repeated(self, scopes: list[Scope]) -> bool:
        """Define one block for runs that differ in how many values they join; returns whether they are such."""
        templates = self._templates(scopes, is_same=True)
        if not 1 < len(templates) <= MAX_REPEATED:
            return False
        parts = [self._parameters(template) for template in templates]
        bodies = [self._body(template, own) for template, own in zip(templates, parts, strict=True)]
        if any(own.defaults for own in parts) or not any(map(has_list, bodies)):
            return False
        joint = self._parameters(templates[0])
        body = with_counts(bodies, lambda counts: joint.count("num_layers", counts))
        if body is None:
            return False
        self._add(templates, joint, body)
        return True

    def _templates(self, scopes: list[Scope], is_same: bool = False) -> list[Template]:
        """The templates for all runs of a class; with `is_same` none has steps that some of its runs lack."""
        found: list[Template] = []
        for scope in sorted(scopes, key=lambda one: -len(list(self._rows(one)))):
            alike = (template for template in found if self._raw_key(template.scope) == self._raw_key(scope))
            if not any(template.add(scope, is_same) for template in alike):
                found.append(Template(scope, self._rows, self._raw_names))
        return found

    def _raw_names(self, scope: Scope) -> dict[Value, str]:
        return {value: name for value, (name, _) in self.raw.get(scope.path, {}).items()}

    def _raw_key(self, scope: Scope) -> Key:
        """The properties of the parameters and buffers of two modules that must be equal for both to be one block."""
        return tuple((name, tuple((key, value if isinstance(value, str | bool) else len(value)
                                   if isinstance(value, list) else 0) for key, value in data.items()))
                     for name, data in self.raw.get(scope.path, {}).values())  # fmt: skip

    def _raw_written(self, template: Template, parameters: Parameters) -> dict[Value, tuple[str, dict[str, Any]]]:
        """The parameters and buffers of a block, with expressions for what differs between its uses."""
        others = [list(self.raw.get(member.scope.path, {}).values()) for member in template.members]
        found: dict[Value, tuple[str, dict[str, Any]]] = {}
        for number, (value, (name, data)) in enumerate(self.raw.get(template.scope.path, {}).items()):
            given = {key: tuple(other[number][1][key] for other in others) for key in data}
            found[value] = name, {key: parameters.written(name, key, vector) for key, vector in given.items()}
        return found

    def _rows(self, scope: Scope) -> Iterator[Row]:
        return Reader(self._key, self.fields, lambda inner: not self._is_block(inner)).rows(scope)

    def _key(self, step: Step, within: str) -> Key:
        path = None if step.path is None else _name_in(step.path, within)
        if isinstance(step, Call):
            own = self.fields(step)
            words = tuple((name, value) for name, value in own.items() if isinstance(value, str))
            known = defaults_of(step.op, own)
            odd = tuple(sorted(name for name in own if known.get(name) is None))
            shapes = tuple(sorted((name, len(value)) for name, value in own.items() if isinstance(value, list)))
            op = "activation" if _is_plain_activation(step) else step.op
            return (path, op, words, odd, shapes, step.has_parts, step.train_only, len(step.inputs))
        if self._is_block(step):
            return (path, self._names.get(step), step.train_only, len(step.inputs), len(step.outputs))
        return (path, "seq", step.train_only)

    def fields(self, step: Step) -> dict[str, Any]:
        """The arguments of an op or a block."""
        return step.fields if isinstance(step, Call) else self._fields.get(step, {})

    def _parameters(self, template: Template) -> Parameters:
        scope = template.scope
        taken = {*input_names(scope), "input"}
        taken |= {(step.path or "").removeprefix(f"{scope.path}.").split(".")[0] for step in scope.steps}
        sizes = [member.scope.inputs[0].sizes if member.scope.inputs else () for member in template.members]
        outputs = [member.scope.outputs[0].sizes if len(scope.outputs) == 1 else () for member in template.members]
        return Parameters(sizes, taken, (input_names(scope) or ["input"])[0], outputs)

    def _define(self, template: Template) -> None:
        parameters = self._parameters(template)
        self._add([template], parameters, self._body(template, parameters))

    def _add(self, templates: Sequence[Template], parameters: Parameters, body: dict[str, Any]) -> None:
        """Add a block. Of several templates each gives one value to the parameters, else each member does."""
        name = self._name(type(templates[0].scope.module).__name__)
        params = {"params": parameters.defaults} if parameters.defaults else {}
        self.definitions[name] = {**params, **body}
        self._defaults[name] = parameters.defaults
        self._kinds[name] = parameters.kinds
        for which, template in enumerate(templates):
            for number, member in enumerate(template.members):
                self._names[member.scope] = name
                self._fields[member.scope] = parameters.arguments(which if len(templates) > 1 else number)

    def _name(self, kind: str) -> str:
        kind = "".join(c for c in kind if c.isalnum() or c == "_").lstrip("_0123456789")[:50] or "Block"
        name, number = kind, 1
        while name in self.definitions or name in self._reserved or OPS.is_helper(name):
            number += 1
            name = f"{kind}{number}"
        return name

    # -- one body

    def _body(self, template: Template, parameters: Parameters) -> dict[str, Any]:
        scope = template.scope
        for number, row in enumerate(template.rows):
            if isinstance(row.step, Call) or self._is_block(row.step):
                self._write(row.step, [member.steps[number] for member in template.members], scope, parameters)
        self._conditions.update(self._absences(template, parameters))
        inputs = {"inputs": input_names(scope)} if len(scope.inputs) > 1 else {}
        if is_sequence(scope) and scope is not self.root:
            return {"seq": folded(sequence(scope, self._use, self._conditions))}
        body = Body(scope, self._raw_written(template, parameters), self._use, self._conditions)
        items, result = body.items(), body.result()
        last = registered_last(scope, body.registered)
        calls = {item["call"] for item in items if "call" in item and item_name(item) is None}
        items = with_lists(items, body.new_name, {*body.results, *calls, *last})
        layers = folded(items, {*body.referred, *calls})
        register = {"register": last} if last else {}
        return {**inputs, "layers": layers, **result, **register}

    def _absences(self, template: Template, parameters: Parameters) -> Iterator[tuple[Step, tuple[str, Value | None]]]:
        """The conditions of the steps that some uses lack; steps inside an absent sequence need none."""
        gone: dict[Value, tuple[bool, ...]] = {}
        for number, which in sorted(template.skipped.items()):
            step = template.rows[number].step
            there = tuple(member.steps[number] is not None for member in template.members)
            if isinstance(step, Scope) and template.is_opened(number):
                gone.update({value: there for inner in step.steps for value in inner.outputs})
            elif gone.get(step.outputs[0]) == there:
                continue
            instead = step.inputs[which] if step.inputs else None
            steps = [member.steps[number] for member in template.members]
            widths = tuple(absent() if one is None else one.outputs[0].sizes[0] for one in steps)
            is_shortcut = step.inputs[:1] == template.scope.inputs[:1] or _belongs_to_shortcut(step)
            yield step, (parameters.condition(self._flag(step, template.scope), there, widths, is_shortcut), instead)

    @staticmethod
    def _flag(step: Step, within: Scope) -> str:
        """The name, after `has_`, of the parameter that says whether a step exists."""
        return "activation" if isinstance(step, Call) and _is_plain_activation(step) else _title(step, within)

    def _write(self, step: Step, others: list[Step | None], within: Scope, parameters: Parameters) -> None:
        """Note the fields of an item, with expressions for what differs between the uses of the block."""
        given = [None if other is None else self._complete(other) for other in others]
        names = dict.fromkeys(name for one in given if one is not None for name in one)
        item = _title(step, within)
        known = {name: value for other in (*others, step) if other for name, value in self._defaults_of(other).items()}
        kinds = _kinds_of(step) if isinstance(step, Call) else self._kinds[self._names[step]]
        written: dict[str, Any] = {}
        for name in sorted(names, key=lambda name: kinds.get(name, name) == "padding"):  # which follows from others
            vector = tuple(absent() if one is None or name not in one else one[name] for one in given)
            value = parameters.written(item, kinds.get(name, name), vector, known.get(name))
            if name not in known or known[name] is None or not is_equal(value, known[name]):
                written[name] = value
        written = {name: written[name] for name in names if name in written}
        if isinstance(step, Call):
            ops = tuple(other.op if isinstance(other, Call) else absent() for other in others)
            written = {"op": parameters.written(item, "activation", ops), **written}
        self._written[step] = written

    def _complete(self, step: Step) -> dict[str, Any]:
        """The fields with those that have defaults."""
        own = self.fields(step)
        known = {name: value for name, value in self._defaults_of(step).items() if value is not None}
        return {name: {**known, **own}[name] for name in self._order(step) if name in known or name in own}

    def _order(self, step: Step) -> Iterable[str]:
        """The names of the fields in the order in which they are written."""
        own = fields_of(OPS[step.op]) if isinstance(step, Call) else self._defaults_of(step)
        return dict.fromkeys((*own, *self.fields(step)))

    def _defaults_of(self, step: Step) -> dict[str, Any]:
        if isinstance(step, Call):
            return defaults_of(step.op, step.fields)
        return self._defaults[self._names[step]]

    def _use(self, step: Step) -> dict[str, Any]:
        """What an item runs, as data."""
        if isinstance(step, Call):
            return dict(self._written[step])
        if self._is_block(step):
            return {"block": self._names[step], **self._written[step]}
        return {"seq": folded(sequence(step, self._use, self._conditions))}


def _name_in(path: str, within: str) -> str:
    """A module's name in another; the numbers in an `nn.Sequential` follow from the order."""
    name = path.removeprefix(f"{within}.")
    return "" if name.isdecimal() else name


def _is_plain_activation(call: Call) -> bool:
    """Whether another activation can replace it: it is a module whose only argument is its input."""
    op = OPS[call.op]
    plain = op.role == "activation" and op.module is not None and not op.has_parameters()
    return plain and call.path is not None and not call.fields and op.inplace | op.elementwise


def _belongs_to_shortcut(step: Step) -> bool:
    """Whether it adds, or drops what is added."""
    return isinstance(step, Call) and (OPS[step.op].adds or OPS[step.op].idle)


def _title(step: Step, within: Scope) -> str:
    """What a step is called in the names of parameters: its name in the block, or what it is if that is a number and
    it is one among blocks of another class."""
    if step.path is None:
        return _snake(step.kind)
    name = step.path.removeprefix(f"{within.path}.")
    around, _, last = name.rpartition(".")
    if not last.isdecimal():
        return name
    beside = [type(other) for other in within.module.get_submodule(around).children()]
    kind = type(within.module.get_submodule(name))
    is_special = beside.count(kind) == 1 and any(
        not other.__module__.startswith("torch.nn.") for other in {*beside} - {kind}
    )
    return _snake(step.kind) if is_special else name if around else f"{_snake(step.kind)}{name}"


def _kinds_of(call: Call) -> dict[str, str]:
    """What the fields of an op are, where their names do not say it: the heads beside queries, keys and values."""
    if call.op == "rearrange":
        axes = [name for name in call.fields if len(name) == 1]
        return {axes[1]: "num_heads"} if len(axes) == 2 and call.fields[axes[0]] == 3 else {}
    return {"value": "scale"} if call.op == "mul" else {}


def _snake(kind: str) -> str:
    """`SqueezeExcitation` as `squeeze_excitation`."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", kind).lower()


def _heights_of_classes(blocks: Sequence[Scope]) -> dict[type, int] | None:
    """The depth to which classes are nested, more than that of all that any of their runs has inside; `None` if a class
    is inside itself."""
    inside: dict[type, set[type]] = {}
    for scope in blocks:
        kinds = {type(inner.module) for inner in scope.scopes() if inner is not scope}
        inside.setdefault(type(scope.module), set()).update(kinds - SEQUENCES)
    found: dict[type, int] = {}
    while len(found) < len(inside):
        free = [kind for kind, kinds in inside.items() if kind not in found and kinds <= found.keys()]
        if not free:
            return None
        found.update({kind: 1 + max((found[inner] for inner in inside[kind]), default=0) for kind in free})
    return found


def _height(scope: Scope) -> int:
    """The depth to which blocks are nested."""
    inner = max((_height(step) for step in scope.steps if isinstance(step, Scope)), default=0)
    return inner + (type(scope.module) not in SEQUENCES)
