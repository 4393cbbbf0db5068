"""The names of torch's functions, as a mode that watches calls sees them."""

from __future__ import annotations

from typing import Any

from torch.overrides import resolve_name


def name_of(func: Any) -> str:
    """A function's own name: `relu` of `F.relu`, `Tensor.relu_` and `torch.relu`."""
    name = str(getattr(func, "__name__", "") or "")
    full = resolve_name(func) or name
    if name in ("__get__", "__set__"):
        name = f"__get__{full.split('.')[-2]}"
        return {"__get__T": "t", "__get__mT": "mT", "__get__data": "detach"}.get(name, name)
    return name
