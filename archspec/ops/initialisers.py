"""Initialisers of parameters, under their names in `torch.nn.init`, and how they are written in a spec."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Annotated, Any, Final, NoReturn

from archspec.diagnostics.checked import Checked
from archspec.diagnostics.diagnostic import Path, UnlocatedError
from archspec.diagnostics.suggestions import nearest
from archspec.diagnostics.validation import field_errors
from archspec.expressions.errors import ExpressionError
from archspec.expressions.parse import is_expression, parse

CHOICES: Final[dict[str, tuple[str, ...]]] = {
    "mode": ("fan_in", "fan_out"),
    "nonlinearity": (
        "linear", "conv1d", "conv2d", "conv3d", "conv_transpose1d", "conv_transpose2d", "conv_transpose3d", "sigmoid",
        "tanh", "relu", "leaky_relu", "selu",
    ),
}  # fmt: skip
"""The arguments that are words, with their possible values; all other arguments are numbers."""


@dataclass(frozen=True)
class Initialiser:
    """A function of `torch.nn.init` (`function`) with the arguments it takes and their defaults."""

    function: str
    defaults: dict[str, Any] = field(default_factory=dict)
    required: tuple[str, ...] = ()

    def arguments(self, given: dict[str, Any]) -> dict[str, Any]:
        """The arguments that differ from torch's defaults, in torch's order."""
        known = [*self.required, *self.defaults]
        return {name: given[name] for name in known if name in given and given[name] != self.defaults.get(name, ...)}


_KAIMING: Final = {"a": 0, "mode": "fan_in", "nonlinearity": "leaky_relu"}

INITIALISERS: Final[dict[str, Initialiser]] = {
    "zeros": Initialiser("nn.init.zeros_"),
    "ones": Initialiser("nn.init.ones_"),
    "constant": Initialiser("nn.init.constant_", required=("val",)),
    "uniform": Initialiser("nn.init.uniform_", {"a": 0.0, "b": 1.0}),
    "normal": Initialiser("nn.init.normal_", {"mean": 0.0, "std": 1.0}),
    "trunc_normal": Initialiser("nn.init.trunc_normal_", {"mean": 0.0, "std": 1.0, "a": -2.0, "b": 2.0}),
    "xavier_uniform": Initialiser("nn.init.xavier_uniform_", {"gain": 1.0}),
    "xavier_normal": Initialiser("nn.init.xavier_normal_", {"gain": 1.0}),
    "kaiming_uniform": Initialiser("nn.init.kaiming_uniform_", _KAIMING),
    "kaiming_normal": Initialiser("nn.init.kaiming_normal_", _KAIMING),
    "orthogonal": Initialiser("nn.init.orthogonal_", {"gain": 1.0}),
}


PARAMETERS: Final = (
    "weight", "bias", "in_proj_weight", "in_proj_bias", "q_proj_weight", "k_proj_weight", "v_proj_weight", "bias_k",
    "bias_v",
)  # fmt: skip
"""The names of the parameters of torch's modules; which of them a module has depends on its op and fields."""

VECTORS: Final = ("bias", "in_proj_bias")
"""The names of parameters that have one dimension in every module."""

OF_MATRICES: Final = ("xavier_uniform", "xavier_normal", "kaiming_uniform", "kaiming_normal", "orthogonal")
"""Initialisers that need a parameter of at least two dimensions."""


class InitialiserError(UnlocatedError):
    """An error in an initialiser; `path` leads to it within the initialiser."""

    kind = "expression"

    def __init__(self, message: str, help: str = "", path: Path = (), about_key: bool = False) -> None:
        super().__init__(message, help, path=path, about_key=about_key)


def parse_initialiser(given: Any) -> tuple[str, dict[str, Any]]:
    """An initialiser as written (`0`, `zeros`, `{normal: {std: 0.01}}`) as its name and arguments.

    Raises `InitialiserError` if it is not valid.
    """
    if isinstance(given, int | float) and not isinstance(given, bool):
        return "constant", {"val": given}
    name: Any = given
    arguments: Any = {}
    if isinstance(given, dict) and len(given) == 1:
        ((name, arguments),) = given.items()
    if not isinstance(name, str) or name not in INITIALISERS:
        _no_initialiser(given, name)
    known = INITIALISERS[name]
    if not isinstance(arguments, dict):
        raise InitialiserError(f"{name}: expected a mapping of arguments", _form(name), (name,))
    for argument, value in arguments.items():
        if argument not in known.defaults and argument not in known.required:
            help = nearest(argument, [*known.required, *known.defaults]) or f"{name} takes no arguments"
            raise InitialiserError(f"{name} has no argument '{argument}'", help, (name, argument), True)
        _check_argument(name, argument, value)
    for argument in known.required:
        if argument not in arguments:
            raise InitialiserError(f"{name} needs the argument '{argument}'", _form(name), (name,), True)
    _check_range(name, {**known.defaults, **arguments}, arguments)
    return name, dict(arguments)


def _given(written: Any) -> Any:
    try:
        parse_initialiser(written)
    except InitialiserError as error:
        raise field_errors(replace(error.diagnostic, kind="schema")) from None
    return written


Given = Annotated[Any, Checked(_given)]
"""The type of a field that holds an initialiser as it is written."""


def _check_range(name: str, filled: dict[str, Any], given: dict[str, Any]) -> None:
    """Check the numbers that torch would reject when the network is built; expressions are checked later."""
    if any(is_expression(value) for value in filled.values()):
        return
    std = filled.get("std", 1)
    if std < 0 or (std == 0 and name == "trunc_normal"):
        least = "more than 0" if name == "trunc_normal" else "at least 0"
        raise InitialiserError(f"{name}: std must be {least}, got {std}", "", (name, "std"))
    if {"a", "b"} <= filled.keys() and filled["a"] > filled["b"]:
        at = "b" if "b" in given else "a"
        raise InitialiserError(f"{name}: a must be at most b, got {filled['a']} and {filled['b']}", "", (name, at))


def _no_initialiser(given: Any, name: Any) -> NoReturn:
    if not isinstance(name, str):
        help = "write zeros, or {normal: {std: 0.01}}"
        raise InitialiserError("expected a number, an initialiser, or one with its arguments", help)
    within = (name,) if isinstance(given, dict) else ()
    raise InitialiserError(f"unknown initialiser '{name}'", nearest(name, INITIALISERS), within, True)


def _form(name: str) -> str:
    """Help that shows how an initialiser is written with arguments."""
    known = INITIALISERS[name]
    arguments = ["std"] if "std" in known.defaults else [*known.required, *known.defaults]
    return f"write {{{name}: {{{arguments[0]}: …}}}}" if arguments else f"write {name}"


def _check_argument(name: str, argument: str, value: Any) -> None:
    """Check that an argument is an expression, a number, or one of its possible words."""
    if is_expression(value):
        try:
            parse(value)
        except ExpressionError as error:
            raise InitialiserError(str(error), error.help, (name, argument)) from None
        return
    choices = CHOICES.get(argument)
    if choices is not None and value not in choices:
        help = nearest(str(value), choices)
        raise InitialiserError(f"{name}: unknown {argument} '{value}'", help, (name, argument))
    if choices is None and (isinstance(value, bool) or not isinstance(value, int | float)):
        raise InitialiserError(f"{name}: {argument} must be a number or an =expression", "", (name, argument))
