"""The distribution that an initialiser draws from: several may be the same for a parameter of some shape.

The formulas are those of torch: `kaiming` is He et al. 2015, `xavier` Glorot and Bengio 2010.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import prod, sqrt
from typing import Any, Final

from archspec.ops.initialisers import INITIALISERS

Distribution = tuple[str, tuple[Any, ...]]
"""Its name and its numbers: `("normal", (0.0, 0.02))`. Numbers are rounded as float32 numbers are."""

_GAINS: Final = {"relu": sqrt(2), "tanh": 5 / 3, "selu": 0.75}
"""The gain of nonlinearities; that of all others but `leaky_relu` is 1."""


_NEVER: Final = 10
"""Standard deviations from the mean where no normal number is met."""


def distribution(name: str, arguments: Mapping[str, Any], shape: Sequence[int]) -> Distribution:
    """What an initialiser fills a parameter of this shape with; `arguments` are numbers and words.

    >>> distribution("kaiming_normal", {"mode": "fan_out"}, (64, 3, 7, 7))
    ('normal', (0.0, 0.02525381))
    >>> distribution("zeros", {}, (64,)) == distribution("constant", {"val": 0}, (64,))
    True
    """
    given = {**INITIALISERS[name].defaults, **arguments}
    method, _, kind = name.partition("_")
    if method in ("kaiming", "xavier"):
        spread = (_kaiming if method == "kaiming" else _xavier)(given, *_fans(shape))
        bound = sqrt(3) * spread
        return _rounded("normal", 0, spread) if kind == "normal" else _rounded("uniform", -bound, bound)
    if name == "trunc_normal" and min(given["mean"] - given["a"], given["b"] - given["mean"]) > _NEVER * given["std"]:
        return _rounded("normal", given["mean"], given["std"])
    if name in ("zeros", "ones"):
        return _rounded("constant", name == "ones")
    return _rounded(name, *(given[key] for key in (*INITIALISERS[name].required, *INITIALISERS[name].defaults)))


def _rounded(name: str, *numbers: float) -> Distribution:
    return name, tuple(float(f"{float(number):.7g}") for number in numbers)


def _fans(shape: Sequence[int]) -> tuple[int, int]:
    """How many inputs each output of a matrix or of kernels depends on, and the other way round."""
    window = prod(shape[2:])
    return int(shape[1]) * window, int(shape[0]) * window


def _kaiming(given: Mapping[str, Any], fan_in: int, fan_out: int) -> float:
    way = given["nonlinearity"]
    gain = sqrt(2 / (1 + given["a"] ** 2)) if way == "leaky_relu" else _GAINS.get(way, 1.0)
    return float(gain / sqrt(max(1, fan_in if given["mode"] == "fan_in" else fan_out)))


def _xavier(given: Mapping[str, Any], fan_in: int, fan_out: int) -> float:
    return float(given["gain"] * sqrt(2 / max(1, fan_in + fan_out)))
