"""Parameters that a module's parent reads, as a method of the module does: what is computed from them moves into it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from archspec.importer.tensors import Owned
from archspec.importer.trace import Call, Scope, Step, Value


def move_inside(root: Scope, owned: Mapping[Value, Owned]) -> None:
    """Make a run of each such module, from the first call that reads its parameters to the one that uses the result."""
    for scope in list(root.scopes()):
        for path in dict.fromkeys(place.path for place in _foreign(scope, owned)):
            if path.startswith(f"{scope.path}." if scope.path else "") and path not in {s.path for s in scope.steps}:
                _move(scope, path, root.module.get_submodule(path), {v for v, p in owned.items() if p.path == path})


def _foreign(scope: Scope, owned: Mapping[Value, Owned]) -> list[Owned]:
    read = [
        owned[value] for step in scope.steps for value in step.inputs if value in owned and value not in scope.inputs
    ]
    return [place for place in read if place.path != scope.path]


def _move(scope: Scope, path: str, module: object, values: set[Value]) -> None:
    own = [step for step in scope.steps if _is_inside(step, path) or not values.isdisjoint(step.read)]
    own = _with_between(scope, own)
    while more := [*_leading(scope, own), *_following(scope, own, values)]:
        own = _with_between(scope, [step for step in scope.steps if step in own or step in more])
    users = [step for step in scope.steps if step not in own and not _made(own).isdisjoint(step.read)]
    if len(users) == 1 and _is_function(users[0]) and _made(own).isdisjoint(scope.outputs):
        own = _with_between(scope, [*own, users[0]])
    users = [step for step in scope.steps if step not in own and not _made(own).isdisjoint(step.read)]
    found = [value for value in _read(own) if value not in _made(own) and value not in values]
    inputs = sorted(found, key=lambda value: not value.is_batched)  # sizes are those of the first
    inputs = inputs or scope.inputs[:1]  # a block has an input, which this one does not read
    if not inputs or any(step.train_only for step in own):
        return
    first = next((step for step in scope.steps if step in users or step is own[-1]), own[-1])
    later = scope.steps[scope.steps.index(first) :]
    if not set(inputs).isdisjoint(_made([step for step in later if step not in own])):
        return  # a value is needed before another is there that it is computed from
    outside = {value for step in scope.steps if step not in own for value in step.read} | set(scope.outputs)
    outputs = [value for step in own for value in step.outputs if value in outside]
    names = ["input"] if len(inputs) == 1 else [f"input{number}" for number in range(len(inputs))]
    run = Scope(path, module, names, inputs, outputs, steps=own, where=own[-1].where)
    rest = [step for step in later if step not in own]
    scope.steps = [*(step for step in scope.steps if step not in own and step not in later), run, *rest]


def _is_inside(step: Step, path: str) -> bool:
    return step.path is not None and step.path.startswith(f"{path}.")


def _is_function(step: Step) -> bool:
    return isinstance(step, Call) and step.path is None


def _read(steps: list[Step]) -> Iterator[Value]:
    yield from dict.fromkeys(value for step in steps for value in step.read)


def _made(steps: list[Step]) -> set[Value]:
    return {value for step in steps for value in step.outputs}


def _with_between(scope: Scope, own: list[Step]) -> list[Step]:
    """The steps with those that read what one of them makes, and make what another reads; in order."""
    behind: set[Value] = set()
    after = set()
    for step in scope.steps:
        if step in own or not behind.isdisjoint(step.read):
            behind.update(step.outputs)
            after.add(step)
    needed: set[Value] = set()
    before = set()
    for step in reversed(scope.steps):
        if step in own or not needed.isdisjoint(step.outputs):
            needed.update(step.read)
            before.add(step)
    return [step for step in scope.steps if step in own or (step in after and step in before)]


def _leading(scope: Scope, own: list[Step]) -> list[Step]:
    """Calls that compute what only these steps read, from no input."""
    readers: dict[Value, list[Step]] = {}
    for step in scope.steps:
        for value in step.read:
            readers.setdefault(value, []).append(step)
    return [
        step for step in scope.steps
        if step not in own and _is_function(step) and not any(value.is_batched for value in step.read)
        and not set(scope.outputs).intersection(step.outputs) and not set(scope.inputs).intersection(step.read)
        and all(value in readers and all(one in own for one in readers[value]) for value in step.outputs)
    ]  # fmt: skip


def _following(scope: Scope, own: list[Step], values: set[Value]) -> list[Step]:
    """Calls that read nothing but what these steps make, if that is computed from no input."""
    known = {value for value in (*_made(own), *values) if not value.is_batched}
    return [
        step
        for step in scope.steps
        if step not in own and _is_function(step) and step.read and known.issuperset(step.read)
    ]
