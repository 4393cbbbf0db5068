"""The names of modules, parameters and buffers, which are those of items: some are reserved."""

from __future__ import annotations

from collections.abc import Iterator

from torch import nn

from archspec.frontend.reserved_names import CONTAINER_NAMES, why_unusable
from archspec.importer.own_tensors import Items
from archspec.importer.problems import Problems
from archspec.importer.trace import Scope


def require_names(root: Scope, model: nn.Module, raw: Items, problems: Problems) -> None:
    """Note each module, parameter or buffer whose name no item can have."""
    for scope in root.scopes():
        for step in scope.steps:
            for reason in _reasons(step.path.removeprefix(f"{scope.path}.")) if step.path else ():
                module = model.get_submodule(str(step.path))
                problems.add(str(step.path), module, step.where, type(module).__name__, reason)
    for path, own in raw.items():
        for name, _ in own.values():
            for reason in _reasons(name):
                problems.add(path, model.get_submodule(path), "", name, reason)


def _reasons(path: str) -> Iterator[str]:
    """Why the names along a path cannot be used."""
    for number, name in enumerate(path.split(".")):
        reason = _reason(name, is_entry=number > 0)
        if reason:
            yield f"its name '{name}' cannot be used: {reason}"


def _reason(name: str, is_entry: bool) -> str:
    """Why a name cannot be used, as one of a module or as that of an entry of a container; empty if it can."""
    if is_entry and name in CONTAINER_NAMES:
        return "nn.ModuleDict has an attribute of that name"
    return why_unusable(name)
