"""Finds a smaller network that fails in the same way: `python tests/shrink.py FILE`, or `… network SEED`, `… free
SEED`.

Items, parameters, blocks and fields are dropped as long as the first words of the failure stay the same.
"""

from __future__ import annotations

import copy
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from checks import CHECKS, failure
from free_networks import free_network
from random_networks import network

from archspec.frontend.yaml.reader import parse
from archspec.frontend.yaml.writer import dump

Data = dict[str, Any]


def kind_of(reason: str | None) -> str | None:
    """A key of a failure that does not depend on names and numbers in it: the check, the error, its first words."""
    return None if reason is None else " ".join(reason.split()[:5]).rstrip("0123456789")


def smaller(value: Any) -> Iterator[Any]:
    """All values with one element less, anywhere inside."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield {k: v for k, v in value.items() if k != key}
            for less in smaller(inner):
                yield {**value, key: less}
    elif isinstance(value, list):
        for number, inner in enumerate(value):
            yield [*value[:number], *value[number + 1 :]]
            if isinstance(inner, dict) and isinstance(inner.get("layers"), list):
                yield [*value[:number], *inner["layers"], *value[number + 1 :]]
            for less in smaller(inner):
                yield [*value[:number], less, *value[number + 1 :]]


def shrink(data: Data, kind: Callable[[Data], str | None]) -> Data:
    """The smallest network that is found by dropping one thing after the other, and fails as the first one does."""
    wanted = kind(data)
    assert wanted is not None, "this network is right"
    found = copy.deepcopy(data)
    while (less := next((other for other in smaller(found) if kind(other) == wanted), None)) is not None:
        found = less
    return found


def main(arguments: list[str]) -> None:
    """Print the smaller network, and how it fails."""
    given, *seed = arguments
    made = {"network": network, "free": free_network}.get(given)
    data = made(int(seed[0])) if made else parse(Path(given).read_text(encoding="utf-8"), given).data

    name = str(failure(dump(data))).split(":")[0]
    checks = [check for check in CHECKS if check.__name__ == name]  # the one that fails, alone: that is quick

    def kind(spec: Data) -> str | None:
        try:
            return kind_of(failure(dump(spec), checks))
        except Exception:
            return None

    found = shrink(data, kind)
    print(f"# today: {failure(dump(found), checks)}\n{dump(found)}", end="")


if __name__ == "__main__":
    main(sys.argv[1:])
