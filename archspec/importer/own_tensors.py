"""Parameters and buffers that a module itself has, as items."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import Tensor, nn

from archspec.importer.buffers import MANY
from archspec.importer.generated import fields_like, listed, shortest
from archspec.importer.own_initialisers import initialiser_of
from archspec.importer.problems import Problems
from archspec.importer.tensors import Owned
from archspec.importer.trace import Scope, Value
from archspec.ops import OPS

Items = dict[str, dict[Value, tuple[str, dict[str, Any]]]]
"""The name of each value and the item that creates it, by the path of a module."""


def raw_items(
    root: Scope, model: nn.Module, owned: Mapping[Value, Owned], problems: Problems, is_initial: bool
) -> Items:  # fmt: skip
    """The items for the parameters and buffers of all modules that are blocks, in the order of their registration.
    With `is_initial` their numbers are those that a new model has."""
    values = {(place.path, place.name): value for value, place in owned.items()}
    ran = {call.path for call in root.calls()}
    found: Items = {}
    for path in dict.fromkeys(scope.path for scope in root.scopes()):
        module = model.get_submodule(path)
        for name, tensor in (*module._parameters.items(), *module._buffers.items()):
            is_unseen = name in module._non_persistent_buffers_set and (path, name) not in values
            if tensor is None or path in ran or is_unseen:
                continue
            data = _parameter(tensor) if isinstance(tensor, nn.Parameter) else _buffer(module, name, tensor)
            value = values.get((path, name)) or Value(tuple(tensor.shape), is_batched=False)
            if data is None and value in owned:
                problems.add(path, module, "", f"the buffer {name}", "no `values` of a buffer can express it")
            if data is not None:
                found.setdefault(path, {})[value] = name, data
    if is_initial:
        _initialise(model, found)
    return found


def _initialise(model: nn.Module, items: Items) -> None:
    """Add initialisers to parameters of random numbers: one for those of all modules of a class."""
    groups: dict[tuple[type, str], list[tuple[dict[str, Any], Tensor]]] = {}
    for path, own in items.items():
        module = model.get_submodule(path)
        for name, data in own.values():
            if data.keys() == {"op", "shape"} and data["op"] == "parameter" and data["shape"]:
                tensor = module.get_parameter(name)
                if bool(tensor.detach().any()):
                    groups.setdefault((type(module), name), []).append((data, tensor))
    for group in groups.values():
        way = initialiser_of([tensor for _, tensor in group])
        if way is not None:
            for data, _ in group:
                data["init"] = way


def require_own(root: Scope, owned: Mapping[Value, Owned], problems: Problems) -> None:
    """Note each parameter, buffer or module that a step of another module than its own uses."""
    for scope in root.scopes():
        for step in scope.steps:
            is_own = step.path is None or not scope.path or step.path.startswith(f"{scope.path}.")
            if not is_own and (isinstance(step, Scope) or OPS[step.op].has_parameters()):
                problems.add(scope.path, scope.module, step.where, str(step.path),
                             "it is run by a module that does not own it")  # fmt: skip
        for step in scope.steps:
            foreign = [owned[value] for value in step.inputs if value in owned and value not in scope.inputs]
            for place in (place for place in foreign if place.path != scope.path):
                name = f"{place.path}.{place.name}".lstrip(".")
                problems.add(scope.path, scope.module, step.where, name, "it is read by a module that does not own it")


def _parameter(tensor: Tensor) -> dict[str, Any]:
    data: dict[str, Any] = {"op": "parameter", "shape": list(tensor.shape)}
    numbers = tensor.detach().flatten()
    if tensor.numel() and not tensor.is_meta and bool((numbers == numbers[0]).all()):
        value = float(numbers[0])
        data |= {} if value == 0 else {"value": shortest(value)}
    return data


def _buffer(module: nn.Module, name: str, tensor: Tensor) -> dict[str, Any] | None:
    """The item whose values are those of a buffer; `None` if there is none."""
    fields = fields_like(tensor) or listed(tensor, MANY)
    if fields is None:
        return None
    persistent = {} if name not in module._non_persistent_buffers_set else {"persistent": False}
    return {"op": "buffer", **fields, **persistent}
