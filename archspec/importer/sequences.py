"""Modules that run one after the other: those of an `nn.Sequential`, and an `nn.ModuleList` that is run like one."""

from __future__ import annotations

from typing import Final

from torch import nn

from archspec.importer.trace import Place, Scope, Step

SEQUENCES: Final = frozenset({nn.Sequential, nn.ModuleList})
"""The classes whose modules are a `seq`, and no blocks."""

LEAST: Final = 2
"""The least number of modules in a list that are a sequence."""


def is_chain(scope: Scope) -> bool:
    """Whether a scope runs all of its module's children, in order, each once, and nothing else."""
    names = [name for name, _ in scope.module.named_children()]
    prefix = f"{scope.path}." if scope.path else ""
    if [step.path for step in scope.steps] != [prefix + name for name in names] or len(scope.inputs) != 1:
        return False
    before = scope.inputs
    for step in scope.steps:
        if step.inputs != before or len(step.outputs) != 1 or step.train_only:
            return False
        before = step.outputs
    return before == scope.outputs


def is_sequence(scope: Scope) -> bool:
    """Whether a scope is an `nn.Sequential` whose modules run one after the other, each once, and nothing else."""
    if isinstance(scope.module, nn.ModuleList):
        return True  # which `with_sequences` has made
    is_own = isinstance(scope.module, nn.Sequential) and type(scope.module).forward is nn.Sequential.forward
    return is_own and is_chain(scope)


def with_sequences(scope: Scope, root: Scope) -> list[Step]:
    """The steps of a scope; those of an `nn.ModuleList` are one step if they run one after the other."""
    steps: list[Step] = []
    place = 0
    while place < len(scope.steps):
        found = _list_at(scope, place, root)
        steps.append(found or scope.steps[place])
        place += len(found.steps) if found else 1
    return steps


def _list_at(scope: Scope, place: int, root: Scope) -> Scope | None:
    """The modules of a list that begin to run at a place; `None` if other things happen between them, or something
    else reads their values."""
    path, _, number = (scope.steps[place].path or "").rpartition(".")
    if number != "0" or path == scope.path or not path.startswith(scope.path):
        return None
    module = root.module.get_submodule(path)
    if type(module) is not nn.ModuleList or len(module) < LEAST:
        return None
    steps = scope.steps[place : place + len(module)]
    made = Scope(path, module, ["input"], steps[0].inputs, steps[-1].outputs, Place(0), list(steps))
    inner = {value for step in steps[:-1] for value in step.outputs}
    others = [step for step in scope.steps if step not in steps]
    read = {value for step in others for value in step.read} | {*scope.outputs}
    is_plain = all(isinstance(step, Scope) or not step.has_parts for step in steps)
    return made if is_plain and is_chain(made) and read.isdisjoint(inner) else None
