"""The environment of a function of a generated file while it is evaluated."""

from __future__ import annotations

from typing import Any

from archspec.backends.python.validator.values import Made, NewTensor, OwnParameter, Trace


class Environment:
    """The names visible to a function, and its context.

    `owner` is the value of `self`; `trace` and `mode` are set in a `forward`, `made` in a constructor, `init_calls`
    in statements that initialise parameters.
    """

    __slots__ = ("assigned", "init_calls", "made", "mode", "names", "owner", "ready", "returned", "trace")

    def __init__(self, names: dict[str, Any], assigned: frozenset[str] = frozenset(), owner: Any = None) -> None:
        self.names = names
        self.assigned = assigned
        """The names that the function assigns anywhere, which make them local everywhere."""
        self.owner = owner
        self.ready = False
        """Whether `super().__init__` has been called."""
        self.trace: Trace | None = None
        self.mode = False
        self.made: list[Made | OwnParameter | NewTensor] | None = None
        self.init_calls: list[tuple[str, tuple[Any, ...], dict[str, Any]]] | None = None
        self.returned: Any = None

    def inner(self) -> Environment:
        """The environment of a comprehension."""
        found = Environment(dict(self.names), self.assigned, self.owner)
        for name in ("ready", "trace", "mode", "made", "init_calls"):
            setattr(found, name, getattr(self, name))
        return found
