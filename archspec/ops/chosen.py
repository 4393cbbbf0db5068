"""A parameter's value that is an op with arguments: `activation: {op: leaky_relu, negative_slope: 0.2}`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class ChosenOp:
    """An op by its name, with some of its fields."""

    kind: str
    given: tuple[tuple[str, Any], ...]

    @staticmethod
    def of(data: Mapping[str, Any]) -> ChosenOp:
        """The op of a mapping as a spec has it.

        >>> ChosenOp.of({"op": "leaky_relu", "negative_slope": 0.2})
        ChosenOp(kind='leaky_relu', given=(('negative_slope', 0.2),))
        """
        fields = ((name, _frozen(value)) for name, value in data.items() if name != "op")
        return ChosenOp(data["op"], tuple(fields))

    @property
    def fields(self) -> dict[str, Any]:
        """The fields by their names, as they would be given to the op."""
        return {name: _thawed(value) for name, value in self.given}

    def to_data(self) -> dict[str, Any]:
        """Plain data, as it would be written in YAML."""
        return {"op": self.kind, **self.fields}

    def __str__(self) -> str:
        return f"{self.kind}({', '.join(f'{name}={value}' for name, value in self.given)})"


def _frozen(value: Any) -> Any:
    return tuple(map(_frozen, value)) if isinstance(value, list) else value


def _thawed(value: Any) -> Any:
    return list(map(_thawed, value)) if isinstance(value, tuple) else value
