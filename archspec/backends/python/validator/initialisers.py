"""Calls of torch's initialisers, with the defaults of arguments that are not given."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from archspec.ops.initialisers import INITIALISERS, Initialiser

_CONSTANT: Final = {"nn.init.zeros_": 0, "nn.init.ones_": 1}

Filled = tuple[str, tuple[tuple[str, Any], ...]]
"""torch's function and its arguments, defaults included."""


def complete(function: str, args: tuple[Any, ...], keywords: Mapping[str, Any]) -> Filled | None:
    """A call with all arguments; `None` if the function is not an initialiser, or does not accept the arguments.

    >>> complete("nn.init.normal_", (), {"std": 0.02})
    ('nn.init.normal_', (('mean', 0.0), ('std', 0.02)))
    """
    known = _known(function)
    if known is None:
        return None
    names = [*known.required, *known.defaults]
    given = {**dict(zip(names, args, strict=False)), **keywords}
    if len(given) < len(args) + len(keywords) or set(given) - set(names) or set(known.required) - set(given):
        return None
    return with_defaults(function, given)


def with_defaults(function: str, given: Mapping[str, Any]) -> Filled:
    """An initialiser, given by torch's function, with all its arguments."""
    if function in _CONSTANT:
        return "nn.init.constant_", (("val", _CONSTANT[function]),)
    known = _known(function)
    assert known is not None
    return function, tuple(sorted({**known.defaults, **given}.items()))


def _known(function: str) -> Initialiser | None:
    return next((initialiser for initialiser in INITIALISERS.values() if initialiser.function == function), None)
