"""An exporter's exception as one located error: the layer, the op, and the reason on one line.

Ops that are known to fail are decomposed or refused before the export. This handles the others: exporters and runtimes
do not document which combinations of arguments they support, and raise exceptions of many classes.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from torch.export import ExportedProgram

from archspec.diagnostics.diagnostic import Diagnostic, TargetError

MAX_REASON = 300
"""The most characters shown of an exporter's message."""


class Place(NamedTuple):
    """The layer that a node of a program comes from, and the operation it runs."""

    layer: str
    op: str


def failure(
    kind: str, message: str, error: Exception, path: str | os.PathLike[str], places: Mapping[str, Place] | None = None
) -> TargetError:  # fmt: skip
    """The error for an exporter's exception; `places` are those of the nodes that its messages may name."""
    said = list(_messages(error))
    place = _named(said, places or {})
    message = f"{message} ({place.op})" if place else message
    found = Diagnostic(kind, message, where=place.layer if place else "", notes=(_reason(error, said),),
                       file=os.fspath(path), help="a .safetensors file holds the weights of any network")  # fmt: skip
    return TargetError([found])


def places_in(program: ExportedProgram) -> dict[str, Place]:
    """The place of each node of a program, by the node's name.

    `nn_module_stack` maps keys of torch's own to the path and class of each module that encloses a node, outermost
    first.
    """
    return {
        node.name: Place(list(node.meta["nn_module_stack"].values())[-1][0], str(node.target))
        for node in program.graph.nodes
        if node.op == "call_function" and node.meta.get("nn_module_stack")
    }


def _messages(error: BaseException | None) -> Iterator[str]:
    """The messages of an exception and of those that led to it, the first cause last."""
    while error is not None:
        yield str(error)
        error = error.__cause__ or error.__context__


def _named(messages: list[str], places: Mapping[str, Place]) -> Place | None:
    """The place of the node that a message names: torch's exporter writes `%relu_3 :`, onnxruntime
    `Name:'node_relu_3'` or `Node (node_relu_3)`."""
    for message in messages:
        for name in re.findall(r"%(\w+) :|Name:'(?:node_)?(\w+)'|Node \((?:node_)?(\w+)\)", message):
            place = places.get(next(filter(None, name)))
            if place is not None:
                return place
    return None


def _reason(error: Exception, messages: list[str]) -> str:
    """The first cause, on one line."""
    reason: Any = " ".join(messages[-1].split())
    reason = reason if len(reason) <= MAX_REASON else f"{reason[:MAX_REASON]} …"
    return reason or type(error).__name__
