"""The trace in terms of the language: modules that cannot be blocks are dissolved into their parents, and steps without
effect are left out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

from torch import nn

from archspec.importer.dense import hoist
from archspec.importer.outside_reads import move_inside
from archspec.importer.phases import with_patches
from archspec.importer.sequences import is_sequence, with_sequences
from archspec.importer.tensors import Owned
from archspec.importer.trace import Call, Scope, Step, Value
from archspec.ops import OPS


def prepare(root: Scope, owned: Mapping[Value, Owned], flat: bool) -> None:
    """Change a trace in place until each scope in it is a block or an `nn.Sequential` of the spec. `owned` are the
    parameters and buffers that it reads."""
    raw_paths = {place.path for place in owned.values()}
    _without_nothing(root, {})
    with_patches(root)
    _as_ops(root)
    _dissolve(root, raw_paths, flat)
    while leaks := _leaking(root):
        _splice(root, leaks)
        _dissolve(root, raw_paths, flat)
    move_inside(root, owned)
    hoist(root)
    if not flat:
        for scope in list(root.scopes()):
            scope.steps = with_sequences(scope, root)


# -- what does nothing


def _without_nothing(scope: Scope, same: dict[Value, Value]) -> None:
    """Leave out scopes without steps, and identities outside of an `nn.Sequential`."""
    kept: list[Step] = []
    for step in scope.steps:
        step.inputs = _replaced(step.inputs, same)
        if isinstance(step, Scope):
            _without_nothing(step, same)
            step.outputs = _replaced(step.outputs, same)
            if step.steps:
                kept.append(step)
        elif step.op == "identity" and not isinstance(scope.module, nn.Sequential):
            same[step.outputs[0]] = step.inputs[0]
        else:
            kept.append(step)
        if isinstance(step, Call) and step.like is not None:
            step.like = same.get(step.like, step.like)
    scope.steps = kept
    scope.outputs = _replaced(scope.outputs, same)


def _replaced(values: list[Value], same: dict[Value, Value]) -> list[Value]:
    return [same.get(value, value) for value in values]


def _as_ops(scope: Scope) -> None:
    """A module that calls one function, and has no parameters of its own, is that function's op."""
    for place, step in enumerate(scope.steps):
        if not isinstance(step, Scope):
            continue
        _as_ops(step)
        only = step.steps[0] if len(step.steps) == 1 else None
        if not isinstance(only, Call) or only.path is not None or OPS[only.op].module is None or only.has_parts:
            continue
        if only.inputs == step.inputs and only.outputs == step.outputs:
            only.path, only.train_only = step.path, step.train_only
            scope.steps[place] = only


# -- modules that are dissolved


def _dissolve(scope: Scope, raw_paths: set[str], flat: bool, is_loose: bool = False) -> None:
    """Replace modules that cannot be blocks by their steps, the innermost first."""
    steps: list[Step] = []
    runs = Counter(step.path for step in scope.steps)
    for step in scope.steps:
        if isinstance(step, Scope):
            loose = _is_loose(step, scope, is_loose or runs[step.path] > 1)
            _dissolve(step, raw_paths, flat, loose)
            if _is_dissolved(step, raw_paths, flat, loose):
                for inner in step.steps:
                    inner.train_only |= step.train_only
                    _as_function(inner, step)
                steps += step.steps
                continue
        steps.append(step)
    scope.steps = steps


def _is_loose(scope: Scope, parent: Scope, is_often: bool) -> bool:
    """Whether a module without a state runs several times, or in one that it is not inside of: what it does may differ
    from run to run."""
    if isinstance(parent.module, nn.Sequential) or not _is_stateless(scope):
        return False
    return is_often or not scope.path.startswith(f"{parent.path}." if parent.path else "")


def _as_function(step: Step, within: Scope) -> None:
    """What is inside of a module that is itself an op, or has no state, is a function where it can be."""
    is_op = any(inner.path == within.path for inner in within.steps)
    if not (is_op or _is_stateless(within)) or not isinstance(step, Call) or step.path in (None, within.path):
        return
    if OPS[step.op].has_function() and not OPS[step.op].has_parameters():
        step.path = None


def _is_stateless(scope: Scope) -> bool:
    return next(iter(scope.module.state_dict()), None) is None


def _is_dissolved(scope: Scope, raw_paths: set[str], flat: bool, is_loose: bool) -> bool:
    """Whether a module cannot be a block: a block takes a value and yields one, is no op itself, and does the same in
    each run."""
    if scope.path in raw_paths:
        return False
    if is_sequence(scope) and not flat:
        return False
    if flat or is_loose or type(scope.module) is nn.Sequential:
        return True
    return not (scope.inputs and scope.outputs) or any(step.path == scope.path for step in scope.steps)


def _leaking(root: Scope) -> set[Scope]:
    """The scopes inside of which a value is made that something else reads, though they do not return it."""
    home: dict[Value, Scope] = {}
    found: set[Scope] = set()
    parents = _parents(root)
    for scope in root.scopes():
        for step in scope.steps:
            for value in step.outputs if isinstance(step, Call) else ():
                home[value] = scope
    for scope in root.scopes():
        visible = _chain(scope, parents)
        for step in scope.steps:
            for value in [*step.inputs, *([step.like] if isinstance(step, Call) and step.like else [])]:
                found |= _hidden(value, scope, visible, home, parents)
    return found


def _hidden(
    value: Value, scope: Scope, visible: list[Scope], home: dict[Value, Scope], parents: dict[Scope, Scope]
) -> set[Scope]:
    """The scopes that hide a value from one that reads it, and those that would have to be given it."""
    if value in scope.inputs or value not in home:
        return set()
    maker = home[value]
    if maker is scope:
        return set()
    if maker in visible:  # an outer value that was not handed over
        return set(visible[: visible.index(maker)])
    hiding = _chain(maker, parents)
    common = next(one for one in hiding if one in visible)
    inner = hiding[: hiding.index(common)]
    outer = visible[: visible.index(common)]
    return {one for one in inner if value not in one.outputs} | {one for one in outer if value not in one.inputs}


def _parents(root: Scope) -> dict[Scope, Scope]:
    return {step: scope for scope in root.scopes() for step in scope.steps if isinstance(step, Scope)}


def _chain(scope: Scope, parents: dict[Scope, Scope]) -> list[Scope]:
    """A scope and those that it is in, the innermost first."""
    found = [scope]
    while found[-1] in parents:
        found.append(parents[found[-1]])
    return found


def _splice(scope: Scope, leaks: set[Scope]) -> None:
    steps: list[Step] = []
    for step in scope.steps:
        if isinstance(step, Scope):
            _splice(step, leaks)
            if step in leaks:
                steps += step.steps
                continue
        steps.append(step)
    scope.steps = steps
