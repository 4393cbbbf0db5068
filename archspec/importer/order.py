"""The order in which modules are registered, where it is not that in which they run."""

from __future__ import annotations

from collections.abc import Sequence

from torch import nn

from archspec.importer.trace import Scope


def registered_last(scope: Scope, names: Sequence[str]) -> list[str]:
    """The modules that are to be registered after all others; `names` are those of the items, in order."""
    stateful = [name for name in names if _has_state(scope.module, name)]
    if not _moved(scope.module, stateful, ""):
        return []
    return _moved(scope.module, names, "")


def _has_state(module: nn.Module, name: str) -> bool:
    return next(iter(module.get_submodule(name).state_dict()), None) is not None


def _moved(module: nn.Module, names: Sequence[str], prefix: str) -> list[str]:
    heads = list(dict.fromkeys(name.partition(".")[0] for name in names))
    wanted = [name for name, _ in module.named_children() if name in heads]
    found: list[str] = []
    if not (prefix and all(head.isdecimal() for head in heads)):
        found = [f"{prefix}{name}" for name in behind(wanted, heads)]
    for head in heads:
        inner = [name.partition(".")[2] for name in names if name.startswith(f"{head}.")]
        if inner:
            found += _moved(module.get_submodule(head), inner, f"{prefix}{head}.")
    return found


def behind(wanted: Sequence[str], heads: Sequence[str]) -> Sequence[str]:
    """What follows the longest beginning of `wanted` that is in the order of `heads`."""
    places = {head: place for place, head in enumerate(heads)}
    for number in range(1, len(wanted)):
        if places[wanted[number]] < places[wanted[number - 1]]:
            return wanted[number:]
    return []
