"""The ways to fill a parameter, under the names they have in `torch.nn.init`."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Final

CHOICES: Final[dict[str, tuple[str, ...]]] = {
    "mode": ("fan_in", "fan_out"),
    "nonlinearity": (
        "linear", "conv1d", "conv2d", "conv3d", "conv_transpose1d", "conv_transpose2d", "conv_transpose3d", "sigmoid",
        "tanh", "relu", "leaky_relu", "selu",
    ),
}  # fmt: skip
"""The arguments that are words, and the words they may be; all others are numbers."""


@dataclass(frozen=True)
class Initialiser:
    """A function of `torch.nn.init` (`function`) with the arguments it takes and their defaults."""

    function: str
    defaults: dict[str, Any] = field(default_factory=dict)
    required: tuple[str, ...] = ()

    def arguments(self, given: dict[str, Any]) -> dict[str, Any]:
        """Only the arguments that differ from torch's defaults, in torch's order."""
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
