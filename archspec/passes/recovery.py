"""What can be said of a core-language network beside the mistakes in its form.

Items that cannot be read are put aside, each as a value of which nothing is known; what depends on them stays
silent, and everything else is checked as usual. So one run tells all independent mistakes, whatever their stage.
"""

from __future__ import annotations

from collections.abc import Iterable
from copy import deepcopy
from typing import Any, Final

from archspec.diagnostics.diagnostic import Diagnostic, Path, SchemaError, SpecError
from archspec.diagnostics.validation import validate
from archspec.frontend.model import Network, UnreadItem
from archspec.passes.specialize.network import elaborate

_ROUNDS: Final = 3
"""Mistakes put aside can uncover others: rules over several fields are checked when each field is right."""

_NEEDED: Final = ("input", "params", "let", "layers", "blocks")
"""Parts of a network that others depend on."""


def further_mistakes(data: dict[str, Any], found: Iterable[Diagnostic]) -> list[Diagnostic]:
    """The mistakes in a network's data, as read from YAML, beside those that were found in its form."""
    known, further = list(found), []
    for _ in range(_ROUNDS):
        rest = _readable(data, [diagnostic.path for diagnostic in known])
        if rest is None:
            break
        try:
            elaborate(validate(Network, rest))
        except SchemaError as error:
            new = [diagnostic for diagnostic in error.diagnostics if diagnostic not in known]
            known += new
            further += new
        except SpecError as error:
            return [*further, *error.diagnostics]
    return further


def _readable(data: dict[str, Any], mistakes: Iterable[Path]) -> dict[str, Any] | None:
    """The data without what is at the paths of mistakes, or `None` if nothing could be said of the rest."""
    rest = deepcopy(data)
    for path in mistakes:
        place = next((n for n in reversed(range(1, len(path))) if _is_item(path, n)), None)
        if place is not None:
            _put_aside(rest, path[:place], path[place])
        elif path and path[0] in _NEEDED:
            return None
        elif path:
            rest.pop(str(path[0]), None)
    rest.setdefault("name", "net")
    return rest if "input" in rest and "layers" in rest else None


def _is_item(path: Path, place: int) -> bool:
    return isinstance(path[place], int) and path[place - 1] in ("layers", "seq")


def _put_aside(data: Any, path: Path, number: str | int) -> None:
    """Replace an item by one that could not be read, unless one around it has been replaced."""
    for part in path:
        if isinstance(data, UnreadItem):
            return
        data = data[part]
    data[number] = UnreadItem.of(data[number])
