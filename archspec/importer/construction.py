"""The orders in which modules and parameters may have drawn their random numbers: other documents of a model, whose
tensors are registered as before."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from torch import nn

from archspec.frontend.yaml.writer import dump
from archspec.importer.order import behind

Document = dict[str, Any]


def constructed_otherwise(document: Document, model: nn.Module) -> Iterator[Document]:
    """The document itself; then those in which parameters of random numbers are made where they are first used, modules
    in the order they run in, or both."""
    yield document
    late = _with_late_parameters(document)
    order = _in_running_order(document, model)
    if late != document:
        yield late
    if order:
        yield {**document, "construct": order}
        if late != document:
            yield {**late, "construct": order}


def _with_late_parameters(document: Document) -> Document:
    """The document with each parameter of random numbers before the first item that names it, but in order."""
    blocks = {
        name: {**block, "layers": _late(block["layers"])} if isinstance(block.get("layers"), list) else block
        for name, block in document.get("blocks", {}).items()
    }
    return {**document, **({"blocks": blocks} if blocks else {}), "layers": _late(document["layers"])}


def _late(items: list[Any]) -> list[Any]:
    """The items of a body."""
    found = [item for item in items if not _is_drawn(item)]
    place = len(found)
    for item in reversed([item for item in items if _is_drawn(item)]):
        (name,) = item
        word = re.compile(rf"(?<![\w-]){re.escape(name)}(?![\w-])")
        first = next((number for number, other in enumerate(found) if word.search(dump(other))), len(found))
        place = min(first, place)
        found.insert(place, item)
    return found


def _is_drawn(item: Any) -> bool:
    """Whether an item is a parameter whose numbers are random."""
    data = next(iter(item.values())) if isinstance(item, dict) and len(item) == 1 else None
    return isinstance(data, dict) and data.get("op") == "parameter" and "init" in data


def _in_running_order(document: Document, model: nn.Module) -> list[str]:
    """The modules of the network that are constructed last if all are in the order that they run in."""
    named = [next(iter(item)).partition(".")[0] for item in document["layers"] if len(item) == 1]
    children = [name for name, _ in model.named_children() if name in named]
    running = [name for name in dict.fromkeys(named) if name in children]
    return list(behind(running, children))
