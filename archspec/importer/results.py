"""What a network returns: one value, or several, in training or always."""

from __future__ import annotations

from typing import Any

from archspec.importer.problems import Problems
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


def require_forms(training: Scope, evaluation: Scope, problems: Problems) -> None:
    """Note what a network returns that no spec says: other outputs in evaluation than in training, but for the first
    alone; `None`; keys that are not text."""
    forms = [_written(scope.returned) for scope in (training, evaluation)]
    reasons = [f"it returns {form}: {odd}" for form, scope in zip(forms, (training, evaluation), strict=True)
               if (odd := _odd(scope.returned))]  # fmt: skip
    if not isinstance(evaluation.returned, Place) and forms[0] != forms[1]:
        reasons.append(f"it returns {forms[0]} in training and {forms[1]} in evaluation")
    for reason in dict.fromkeys(reasons):
        problems.add("", training.module, "", type(training.module).__name__, reason)


def _odd(returned: Any) -> str:
    """What is odd about what was returned."""
    if isinstance(returned, dict) and not all(isinstance(key, str) for key in returned):
        return "keys of outputs are text"
    values = returned.values() if isinstance(returned, dict) else returned if isinstance(returned, list | tuple) else ()
    return "all outputs are tensors" if any(value is None for value in values) else ""


def _written(returned: Any) -> str:
    """The form of what was returned, as text: `{'logits': …}`, `(…, …)`."""
    if isinstance(returned, dict):
        return f"{{{', '.join(f'{key!r:.40}: {_written(value)}' for key, value in returned.items())}}}"
    if hasattr(returned, "_fields"):
        return f"{type(returned).__name__}({', '.join(map(_written, returned))})"
    if isinstance(returned, list | tuple):
        text = ", ".join(map(_written, returned)) + "," * (len(returned) == 1 and isinstance(returned, tuple))
        return f"[{text}]" if isinstance(returned, list) else f"({text})"
    return "None" if returned is None else "…"


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
