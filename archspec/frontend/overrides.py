"""Overrides of a spec as the public functions take them: by keyword or in a mapping, beside options of their own."""

from __future__ import annotations

from collections.abc import Callable, Container, Iterator, Mapping
from dataclasses import dataclass
from functools import wraps
from inspect import signature
from typing import Any, ParamSpec, TypeVar

from archspec.diagnostics.diagnostic import Diagnostic, SpecError

P = ParamSpec("P")
R = TypeVar("R")


@dataclass(frozen=True, eq=False)
class Overrides(Mapping[str, Any]):
    """Fields and parameters of a spec by name, with the values that replace the spec's own."""

    values_by_name: Mapping[str, Any]
    options: frozenset[str] = frozenset()
    """Options of `function` given by keyword, without `overrides`: fields of the spec may have been meant."""
    function: str = ""

    def __getitem__(self, name: str) -> Any:
        return self.values_by_name[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self.values_by_name)

    def __len__(self) -> int:
        return len(self.values_by_name)

    def require_clear(self, spec: str, known: Container[str]) -> None:
        """Raise a `SpecError` if an option has the name of one of the fields and parameters `known` to the spec."""
        unclear = sorted(name for name in self.options if name in known)
        if unclear:
            raise SpecError(_unclear(name, self.function, spec) for name in unclear)


def _unclear(name: str, function: str, spec: str) -> Diagnostic:
    message = f"'{name}' is an option of {function} and a field or parameter of {spec}"
    help = f"overrides={{'{name}': …}} overrides the spec; with overrides={{}}, {name}=… is the option"
    return Diagnostic("usage", message, help=help)


def takes_overrides(function: Callable[P, R]) -> Callable[P, R]:
    """Let a function take overrides by keyword, in the mapping `overrides`, or both; all are passed in `overrides`.

    A keyword that is an option of the function means the option. Unless `overrides` is given, a spec that knows the
    name, too, is refused (`Overrides.require_clear`).

    >>> @takes_overrides
    ... def draw(source, /, depth=1, *, overrides=None, **keywords):
    ...     return depth, dict(overrides)
    >>> draw("net", 2, width=64)
    (2, {'width': 64})
    >>> draw("net", depth=2, overrides={"depth": 3})
    (2, {'depth': 3})
    """
    parameters = signature(function).parameters.values()
    options = {p.name for p in parameters if p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY)} - {"overrides"}

    @wraps(function)
    def call(*args: P.args, **keywords: P.kwargs) -> R:
        chosen = {name: value for name, value in keywords.items() if name in options}
        others = {name: value for name, value in keywords.items() if name not in options and name != "overrides"}
        chosen["overrides"] = _gathered(function.__name__, others, keywords.get("overrides"), frozenset(chosen))
        return function(*args, **chosen)  # type: ignore[arg-type]

    return call


def _gathered(function: str, keywords: dict[str, Any], overrides: object, options: frozenset[str]) -> Overrides:
    """All overrides of one call."""
    if overrides is None:
        return Overrides(keywords, options, function)
    if isinstance(overrides, Overrides) and not keywords:  # one public function calls another
        return overrides
    if not isinstance(overrides, Mapping) or not all(isinstance(name, str) for name in overrides):
        help = "a field or parameter of that name is overridden with overrides={'overrides': …}"
        raise _wrong(f"overrides: expected a mapping of names to values, got {overrides!r:.60}", help)
    if both := sorted(keywords.keys() & overrides.keys()):
        raise _wrong(f"'{both[0]}' is given twice: as a keyword, and in overrides", "remove one of the two")
    return Overrides({**overrides, **keywords})


def _wrong(message: str, help: str) -> SpecError:
    return SpecError([Diagnostic("usage", message, help=help)])
