"""Parameters that a module's parent reads, as a method of the module does: what is computed from them moves into it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from archspec.importer.tensors import Owned
from archspec.importer.trace import Call, Scope, Step, Value


class Reads(NamedTuple):
    """What a module's parent computes from the parameters of the module alone, and the call that uses the result."""

    own: list[Step]
    user: Call
    values: set[Value]


def move_inside(root: Scope, owned: Mapping[Value, Owned]) -> None:
    """Make a run of each such module, from the first call that reads its parameters to the one that uses the result."""
    for scope in list(root.scopes()):
        for path in dict.fromkeys(place.path for place in _foreign(scope, owned)):
            if path.startswith(f"{scope.path}." if scope.path else "") and path not in {s.path for s in scope.steps}:
                reads = _reads(scope, path, {value for value, place in owned.items() if place.path == path})
                if reads is not None:
                    _move(scope, path, root.module.get_submodule(path), reads)


def _foreign(scope: Scope, owned: Mapping[Value, Owned]) -> list[Owned]:
    read = [
        owned[value] for step in scope.steps for value in step.inputs if value in owned and value not in scope.inputs
    ]
    return [place for place in read if place.path != scope.path]


def _reads(scope: Scope, path: str, values: set[Value]) -> Reads | None:
    """The calls that read values of a module, and those of modules in it, if one other call uses what they make."""
    own: list[Step] = []
    for step in scope.steps:
        is_inside = step.path is None or step.path.startswith(f"{path}.")
        if is_inside and step.inputs and values.issuperset(step.read):
            own.append(step)
            values = {*values, *step.outputs}
    users = [step for step in scope.steps if step not in own and not values.isdisjoint(step.inputs)]
    if len(users) != 1 or not isinstance(users[0], Call) or users[0].path is not None or users[0].train_only:
        return None
    return None if values.intersection(scope.outputs) else Reads(own, users[0], values)


def _move(scope: Scope, path: str, module: object, reads: Reads) -> None:
    user = reads.user
    inputs = list(dict.fromkeys(value for value in user.inputs if value not in reads.values))
    names = ["input"] if len(inputs) == 1 else [f"input{number}" for number in range(len(inputs))]
    run = Scope(path, module, names, inputs, list(user.outputs), steps=[*reads.own, user], where=user.where)
    kept = [step for step in scope.steps if step not in reads.own]
    scope.steps = [run if step is user else step for step in kept]
