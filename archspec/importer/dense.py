"""Modules that join all values before them: the join is moved out of the module, so that its uses are of one class."""

from __future__ import annotations

from archspec.importer.trace import Call, Scope, Step, Value


def hoist(root: Scope) -> None:
    """Move the first step of modules in front of them where it joins their inputs, and how many these are differs."""
    kinds: dict[type, list[Scope]] = {}
    for scope in root.scopes():
        if scope is not root:
            kinds.setdefault(type(scope.module), []).append(scope)
    joining = {kind for kind, scopes in kinds.items()
               if len({len(scope.inputs) for scope in scopes}) > 1 and all(map(_begins_with_join, scopes))}  # fmt: skip
    for scope in root.scopes():
        scope.steps = [moved for step in scope.steps for moved in _moved(step, joining)]


def _begins_with_join(scope: Scope) -> bool:
    """Whether the first step joins all inputs, in order, and nothing else reads them."""
    first = scope.steps[0] if scope.steps else None
    if not isinstance(first, Call) or first.op != "cat" or first.path is not None or first.inputs != scope.inputs:
        return False
    read: set[Value] = {value for step in scope.steps[1:] for value in step.read}
    return not scope.train_only and not first.train_only and read.isdisjoint(scope.inputs)


def _moved(step: Step, joining: set[type]) -> list[Step]:
    if not isinstance(step, Scope) or type(step.module) not in joining:
        return [step]
    first, *step.steps = step.steps
    step.inputs, step.arguments = list(first.outputs), ["input"]
    return [first, step]
