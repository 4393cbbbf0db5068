"""Recovery: how checking continues after an error, so that one run reports every independent error.

Three rules, and nothing else, decide what is still checked after an error:

1. **What cannot be read is replaced.** An item whose form is wrong becomes an `UnreadItem`, other parts are dropped,
   and the rest of the network is specialised as usual (`further_errors`).
2. **What has no value is `UNKNOWN`** (defined in `unknown`). So is everything that depends on it, without a further
   error. `UNKNOWN` stands for the value of an expression, an operand, a module, or the result of building any of
   these; code that receives it passes it on. An expression that reads the shape of an unknown value raises
   `DependsOnUnknown`, and is unknown too.
3. **Names may be missing.** After an item that could not be read, or that may or may not be present, the names that
   follow are uncertain. Such a body has gaps (`BodyErrors.has_gaps`): a name not found in it is unknown.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from copy import deepcopy
from typing import Any, Final

from archspec.diagnostics.diagnostic import Diagnostic, Path, SchemaError, SpecError
from archspec.diagnostics.validation import validate
from archspec.frontend.model.item import UnreadItem
from archspec.frontend.model.network import Network
from archspec.ops import Ops

MAX_ROUNDS: Final = 3
"""How often parts are replaced, since that can uncover further errors: rules over several fields are checked only
once each field is valid."""

REQUIRED: Final = ("input", "tokens", "params", "let", "layers", "blocks")
"""Parts of a network that all others depend on: without them nothing can be checked."""


def further_errors(
    data: dict[str, Any], found: Iterable[Diagnostic], ops: Ops, specialize: Callable[[Network, Ops], object]
) -> list[Diagnostic]:
    """Further errors in the data of a core-language network with these ops, apart from those `found` in its form."""
    known, further = list(found), []
    for _ in range(MAX_ROUNDS):
        rest = _readable(data, [diagnostic.path for diagnostic in known], ops)
        if rest is None:
            break
        try:
            specialize(validate(Network, rest, context=ops), ops)
        except SchemaError as error:
            new = [diagnostic for diagnostic in error.diagnostics if diagnostic not in known]
            known += new
            further += new
        except SpecError as error:
            return [*further, *error.diagnostics]
    return further


def _readable(data: dict[str, Any], wrong: Iterable[Path], ops: Ops) -> dict[str, Any] | None:
    """The data with everything at the paths `wrong` replaced or dropped; `None` if the rest cannot be checked."""
    rest = deepcopy(data)
    for path in wrong:
        index = next((n for n in reversed(range(1, len(path))) if _is_item(path, n)), None)
        if index is not None:
            _replace_item(rest, path[:index], path[index], ops)
        elif path and path[0] in REQUIRED:
            return None
        elif path:
            rest.pop(str(path[0]), None)
    rest.setdefault("name", "net")
    return rest if "input" in rest and "layers" in rest else None


def _is_item(path: Path, index: int) -> bool:
    return isinstance(path[index], int) and path[index - 1] in ("layers", "seq")


def _replace_item(data: Any, path: Path, number: str | int, ops: Ops) -> None:
    """Replace an item by an `UnreadItem`, unless one around it has been replaced."""
    for part in path:
        if isinstance(data, UnreadItem):
            return
        data = data[part]
    data[number] = UnreadItem.of(data[number], ops)
