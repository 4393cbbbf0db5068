"""Graph → graph: a network cut down to some of its intermediate values.

Everything that these values do not depend on is removed, parameters included. A block that contains one of the values
returns it in addition to its result, so no hooks are needed. Which activations can run in place is decided again.
"""

from __future__ import annotations

import ast
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from archspec.diagnostics.diagnostic import Diagnostic, TargetError
from archspec.diagnostics.formatting import joined
from archspec.diagnostics.suggestions import nearest
from archspec.ir.definition import LAST, Definition, Position, ResolvedItem
from archspec.ir.graph import Feature, Graph, Outputs
from archspec.ir.measure import follow
from archspec.ir.module import Condition, Count, Module, Ref, Step
from archspec.ir.receptive_field import ReceptiveFields, field_size, start_of
from archspec.ops.collect import Collect
from archspec.ops.shapes import Unbatched, Value, folded_of, format_shape, is_integer, is_parts
from archspec.passes.inplace import with_inplace

Names = tuple[str, ...]
"""A value's name, split at its dots."""


def extract(graph: Graph, names: Sequence[str]) -> Graph:
    """The network that returns the values of these names, in this order; its `features` describe them.

    A value has the name of the module that returns it (`layer2`, `layer1.0.conv1`) or of the function (`flatten`,
    `layer1.0.add`). If a module runs several times, `_1`, `_2`, … is added for later runs (`layer1.0.relu_1`). These
    are torchvision's names. Raises `TargetError` for an unknown name.
    """
    if not names or len(set(names)) < len(names):
        raise _error("expected one or more names, each only once")
    features = tuple(_feature(graph.root, name) for name in names)
    root = _cut_network(graph.root, [tuple(name.split(".")) for name in names])
    description = " ".join(filter(None, [graph.description, f"Cut down to {joined(names, 'and')}."]))
    outputs = Outputs("dict", dict(zip(names, root.steps[-1].inputs, strict=True)), always=True)
    return replace(graph, root=root, outputs=outputs, features=features, description=description)


# -- names --------------------------------------------------------------------------------------------------------


def _values(module: Module) -> dict[str, int]:
    """The numbers of the steps, by the names of their values."""
    found: dict[str, int] = {}
    for number, step in enumerate(module.steps):
        if not step.train_only and not isinstance(step.target, Collect):
            owner = module.steps[_owner(module.steps, number)]
            found[_unused_name(owner.name or owner.label, found)] = number
    return found


def _unused_name(base: str, taken: Mapping[str, Any]) -> str:
    """The name of the value of a module that runs again: `base`, with the next free number."""
    name, count = base, 0
    while name in taken:
        count += 1
        name = f"{base}_{count}"
    return name


def _owner(steps: Sequence[Step], number: int) -> int:
    """The step whose module a step runs."""
    target = steps[number].target
    return _owner(steps, target) if isinstance(target, int) else number


def _find(module: Module, names: Names, whole: str) -> tuple[int, Module | None, Names]:
    """The number of the step that the first part of a name refers to, that step's module, and the rest of the name.

    If the name begins with that of an entry of a container (`convs.0`), the first part is that name.
    """
    values = _values(module)
    length = next((n for n in range(len(names), 0, -1) if ".".join(names[:n]) in values), 0)
    if not length:
        prefix = whole[: len(whole) - len(".".join(names))]
        raise _error(f"unknown value '{whole[:100]}'", nearest(whole, [prefix + name for name in values]))
    first, rest = ".".join(names[:length]), names[length:]
    target = module.runs(module.steps[values[first]])
    if rest and not isinstance(target, Module):
        raise _error(f"unknown value '{whole[:100]}': {first} is not a block")
    return values[first], target if isinstance(target, Module) else None, rest


def _error(message: str, help: str = "") -> TargetError:
    return TargetError([Diagnostic("usage", f"features: {message}", help=help)])


# -- shape and receptive field -----------------------------------------------------------------------------------


def _feature(root: Module, name: str) -> Feature:
    starts: list[ReceptiveFields] = [start_of(shape) for shape in root.inputs]
    module, names = root, tuple(name.split("."))
    while True:
        number, inner, rest = _find(module, names, name)
        step, (arrived, fields) = module.steps[number], follow(module, starts)[number]
        if not rest or inner is None:
            break
        module, starts, names = inner, arrived, rest
    if isinstance(fields, list) or is_parts(step.output):
        raise _error(f"expected one tensor, got the {len(step.output)} parts of '{name}'")
    if is_integer(step.output):
        raise _error(f"'{name}' holds integers")
    if folded_of(step.output):
        raise _error(f"'{name}' has dimensions of each sample in its batch: {format_shape(step.output)}")
    if isinstance(step.output, Unbatched):
        raise _error(f"'{name}' has no batch dimension: it is a parameter, or computed from parameters only")
    field = field_size(fields, step.output)
    stride = field and field.stride
    if stride is not None:
        vertical, horizontal = (int(size) if float(size).is_integer() else size for size in stride)
        stride = (vertical, horizontal)
    return Feature(name, step.output, stride, field and field.pixels)  # type: ignore[arg-type]


# -- the cut ------------------------------------------------------------------------------------------------------


@dataclass
class _Plan:
    """The steps that remain: those whose own values are `used`, and those with requested values `inside`."""

    inside: dict[int, list[Names]]
    used: set[int]

    @property
    def kept(self) -> list[int]:
        """The steps in their order."""
        return sorted(self.used | self.inside.keys())


def _cut_network(root: Module, wanted: list[Names]) -> Module:
    """The network that returns these values."""
    cut = _cut(root, wanted, False, collects=True)
    if root.block is None:
        return cut
    return replace(cut, block=replace(root.block, items=_pruned(root.block.items, (), frozenset(_places(cut)))))


def _cut(module: Module, wanted: list[Names], continues: bool, collects: bool = False) -> Module:
    """The module that returns these values, then its own result if it `continues`: a single value, or all as a
    tuple."""
    plan = _plan(module, wanted, continues)
    steps, places = _steps(module, plan)
    values = [_place(module, names, places, plan) for names in wanted]
    called = [".".join(names) for names in wanted]
    if continues:
        own = _own(module)
        values += [_moved(ref, places, plan) for ref in own]
        called += module.output_names or [""] * len(own)
    result = None if collects else _as_one(steps, values)
    if result is None:
        steps.append(_collected(module, steps, values, called))
        result = Ref(len(steps) - 1)
    reached = {step.position[:length] for step in steps for length in range(len(step.position) + 1)}
    conditions = dict(_conditions(module, places, plan, reached))
    definition = "Sequential" if module.is_seq and steps[-1].position == LAST else module.definition
    return replace(
        module, definition=definition, block=_definition(module, wanted, continues), steps=with_inplace(steps, result),
        result=result, dropped=(), registration=_order(module.registration, places, len(steps)),
        construction=_order(module.construction, places, len(steps)),
        conditions=conditions, counts=dict(_counts(module, {*reached, *conditions})),
    )  # fmt: skip


def _definition(module: Module, wanted: list[Names], continues: bool) -> Definition | None:
    """The definition of the instances of a block that were cut down in this way."""
    block = module.block
    if block is None:
        return None
    own = (module.output_names or ("its own value",)) if continues else ()
    first = block.description or f"The block {block.name}."
    return replace(block, description=first, returns=(*map(".".join, wanted), *own), form=(*wanted, continues))


def _steps(module: Module, plan: _Plan) -> tuple[list[Step], dict[int, int]]:
    """The steps that remain, and their new numbers. The first remaining run of a module becomes its owner."""
    places: dict[int, int] = {}
    owners: dict[int, int] = {}
    steps: list[Step] = []
    for number in plan.kept:
        step, owner = module.steps[number], _owner(module.steps, number)
        declared = module.steps[owner]
        target: Any = owners.get(owner, declared.target)
        output = step.output
        if number in plan.inside:
            target = _cut(target, plan.inside[number], number in plan.used)
            output = _seen(target.output, step.output if number in plan.used else None)
        inputs = tuple(_moved(ref, places, plan) for ref in step.inputs)
        made = replace(step, target=target, inputs=inputs, output=output, inplace=False)
        if owner not in owners:
            made = replace(made, name=declared.name, trees=declared.trees, indices=declared.indices)
        owners.setdefault(owner, len(steps))
        places[number] = len(steps)
        steps.append(made)
    return steps, places


def _seen(inside: Value, own: Value | None) -> Value:
    """The output of a block as its caller sees it: without the expressions of sizes, which use the block's names."""
    shapes: Any = inside if is_parts(inside) else (inside,)
    parts = [type(shape)(map(int, shape)) for shape in shapes]
    if own is not None:
        known: Any = own if is_parts(own) else (own,)
        parts[-len(known) :] = known
    return tuple(parts) if is_parts(inside) else parts[0]


def _as_one(steps: Sequence[Step], values: Sequence[Ref]) -> Ref | None:
    """A reference to exactly these values: the only one of them, or a step's output if they are all its parts."""
    if len(values) == 1:
        return values[0]
    first = values[0].step
    if first < 0 or values != [Ref(first, part) for part in range(len(steps[first].output))]:
        return None
    return Ref(first)


def _collected(module: Module, steps: Sequence[Step], values: Sequence[Ref], names: Sequence[str]) -> Step:
    """The step that returns several values."""
    shape = tuple(_value(module, steps, ref) for ref in values)
    return Step(Collect.model_construct(names=tuple(names)), tuple(values), shape, None, "features", position=LAST)  # type: ignore[arg-type]


def _order(before: Sequence[int] | None, places: Mapping[int, int], count: int) -> tuple[int, ...] | None:
    """The order of registration, or of construction, of the steps that remain."""
    if before is None:
        return None
    order = [places[number] for number in before if number in places]
    return (*order, *range(len(order), count))


def _conditions(
    module: Module, places: Mapping[int, int], plan: _Plan, reached: Container[Position]
) -> Iterator[tuple[Position, Condition]]:
    """The conditions of the items that remain, or would remain if their conditions were true."""
    for position, condition in module.conditions.items():
        ref, is_gone = condition.otherwise, condition.holds and position not in reached
        if not is_gone and (ref.step < 0 or ref.step in plan.used):
            yield position, condition._replace(otherwise=_moved(ref, places, plan))


def _counts(module: Module, reached: Container[Position]) -> Iterator[tuple[Position, Count]]:
    """How many rounds of each repeat remain."""
    for place, count in module.counts.items():
        left = max((k + 1 for k in range(count.number) if (*place, k) in reached), default=0)
        yield place, count if left == count.number else Count(ast.Constant(left), left)


_GONE: Final = ResolvedItem("op", "gone")
"""An item without any remaining steps."""


def _places(module: Module) -> Iterator[tuple[int, ...]]:
    """The places of a module's steps in its definition, with those of the items around them."""
    for step in module.steps:
        yield from (step.place[:length] for length in range(1, len(step.place) + 1))
        if isinstance(step.target, Module) and step.target.block is None:
            yield from _places(step.target)


def _pruned(
    nodes: Sequence[ResolvedItem], place: tuple[int, ...], there: frozenset[tuple[int, ...]]
) -> tuple[ResolvedItem, ...]:  # fmt: skip
    """A definition's items, without those whose place is not in `there`."""
    found = []
    for number, node in enumerate(nodes):
        here = (*place, number)
        found.append(replace(node, body=_pruned(node.body, here, there)) if here in there else _GONE)
    return tuple(found)


def _plan(module: Module, wanted: Iterable[Names], continues: bool) -> _Plan:
    plan = _Plan({}, set())
    for names in wanted:
        number, _, rest = _find(module, names, ".".join(names))
        if rest:
            _require_one_run(module, number, names[: -len(rest)])
            plan.inside.setdefault(number, []).append(rest)
        else:
            plan.used.add(number)
    if continues:
        plan.used.update(ref.step for ref in _own(module))
    for number in range(len(module.steps) - 1, -1, -1):
        if number in plan.used or number in plan.inside:
            plan.used.update(ref.step for ref in module.steps[number].inputs)
    plan.used = {number for number in plan.used if number >= 0}
    return plan


def _own(module: Module) -> list[Ref]:
    """A module's own result: one value, or each of several."""
    step = module.steps[module.result.step] if module.result.step >= 0 else None
    if step is not None and isinstance(step.target, Collect):
        return [*step.inputs]
    parts = range(len(module.output)) if is_parts(module.output) else ()
    return [Ref(module.result.step, part) for part in parts] or [module.result]


def _require_one_run(module: Module, number: int, names: Names) -> None:
    runs = [other for other in range(len(module.steps)) if _owner(module.steps, other) == _owner(module.steps, number)]
    if len(runs) > 1:
        raise _error(f"'{'.'.join(names)}' runs {len(runs)} times: values inside it have no unique name")


def _moved(ref: Ref, places: Mapping[int, int], plan: _Plan) -> Ref:
    """The new reference to a value: after the features that its block returns, if there are any."""
    if ref.step < 0:
        return ref
    if ref.step in plan.inside and ref.step in plan.used:
        return Ref(places[ref.step], len(plan.inside[ref.step]) + (ref.part or 0))
    return Ref(places[ref.step], ref.part)


def _place(module: Module, names: Names, places: Mapping[int, int], plan: _Plan) -> Ref:
    """The new reference to a requested value."""
    number, _, rest = _find(module, names, ".".join(names))
    if not rest:
        return _moved(Ref(number), places, plan)
    inside = plan.inside[number]
    if len(inside) == 1 and number not in plan.used:
        return Ref(places[number])
    return Ref(places[number], inside.index(rest))


def _value(module: Module, steps: Sequence[Step], ref: Ref) -> Value:
    value = module.inputs[-1 - ref.step] if ref.step < 0 else steps[ref.step].output
    return value if ref.part is None else value[ref.part]  # type: ignore[return-value]
