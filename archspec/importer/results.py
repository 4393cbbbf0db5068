"""What a network returns: one value, or several, in training or always."""

from __future__ import annotations

from typing import Any

from archspec.importer.trace import Place, Scope


def results(training: Scope, evaluation: Scope, network: dict[str, Any]) -> dict[str, Any]:
    """The fields `output` and `outputs` of the network."""
    if isinstance(training.returned, Place):
        return {key: network[key] for key in ("output",) if key in network}
    refs = _references(network)
    kind, named = _form(training.returned)
    fields: Any = {name: refs[place] for name, place in named.items()}
    if all(name == value for name, value in fields.items()):
        fields = list(fields)
    always = not isinstance(evaluation.returned, Place)
    if kind == "tuple" and always and isinstance(fields, list):
        return {"outputs": fields}
    return {"outputs": {"type": kind, **({"when": "always"} if always else {}), "fields": fields}}


def _references(network: dict[str, Any]) -> list[str]:
    if "outputs" in network:
        return list(network["outputs"].values())
    return [network["output"]]


def _form(returned: Any) -> tuple[str, dict[str, int]]:
    """The type of what was returned, and its parts that are tensors by their names."""
    if isinstance(returned, dict):
        return "dict", named_results(returned)
    if hasattr(returned, "_fields"):
        return type(returned).__name__, named_results(returned)
    kind = "list" if isinstance(returned, list) else "tuple"
    return kind, {f"out{number}": place for number, place in enumerate(returned) if isinstance(place, Place)}


def named_results(returned: Any) -> dict[str, int]:
    """The parts of a dict or named tuple that are tensors, by their names."""
    given = returned if isinstance(returned, dict) else {}
    if hasattr(returned, "_fields"):
        given = dict(zip(returned._fields, returned, strict=True))
    return {str(name): place for name, place in given.items() if isinstance(place, Place)}
