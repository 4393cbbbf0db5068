"""Parameters and buffers of a model that no step uses: they would be missing in the `state_dict`."""

from __future__ import annotations

from collections.abc import Iterable

from torch import nn

from archspec.importer.problems import Problems
from archspec.importer.trace import Scope


def find_unused(root: Scope, model: nn.Module, raw: Iterable[tuple[str, str]], problems: Problems) -> None:
    """Note each module whose tensors are neither those of an op that ran, nor read by a step."""
    ran = {call.path for call in root.calls() if call.path is not None}
    read = set(raw)
    for path, module in model.named_modules():
        names = [*module._parameters, *(n for n in module._buffers if n not in module._non_persistent_buffers_set)]
        own = [name for name in names if getattr(module, name) is not None]
        left = [name for name in own if (path, name) not in read]
        if left and path not in ran and path.rpartition(".")[0] not in ran:
            problems.add(path, module, "", ", ".join(left), "forward never uses it")
