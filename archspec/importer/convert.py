"""The order of work: a model is recorded in both modes, its trace becomes a spec, and the spec is proven."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from torch import nn

from archspec.frontend.yaml.writer import dump
from archspec.importer.blocks import Blocks
from archspec.importer.modes import merge
from archspec.importer.prepare import prepare
from archspec.importer.problems import Problems
from archspec.importer.raw import raw_items
from archspec.importer.results import results
from archspec.importer.twin import record

Notify = Callable[[str], None]


@dataclass(frozen=True)
class Names:
    """What the spec says of itself."""

    name: str
    title: str
    """What the model is called in messages."""


def spec_of(model: nn.Module, shape: tuple[int, ...], names: Names, flat: bool = False, notify: Notify = lambda doing: None) -> str:
    """The text of the spec of a model, not proven. Raises `ImportError_`."""
    notify("running in training")
    training = record(model, shape, training=True)
    notify("running in evaluation")
    evaluation = record(model, shape, training=False)
    training.problems.require_none(names.title)
    evaluation.problems.require_none(names.title)
    problems = Problems()
    merge(training.root, evaluation.root, problems)
    notify("finding blocks")
    root = training.root
    raw_paths = {training.tensors.raw[value].path for value in training.tensors.raw}
    prepare(root, raw_paths, flat)
    raw = raw_items(root, model, training.tensors.raw, problems)
    problems.require_none(names.title)
    blocks = Blocks(root, raw, _class_name(names.name))
    network = blocks.network()
    return dump(_document(names, shape, blocks, network, results(root, evaluation.root, network)))


def _document(
    names: Names, shape: tuple[int, ...], blocks: Blocks, network: dict[str, Any], outputs: dict[str, Any]
) -> dict[str, Any]:
    definitions = {"blocks": blocks.definitions} if blocks.definitions else {}
    own = {key: value for key, value in network.items() if key not in ("outputs", "output", "inputs")}
    return {"name": names.name, "input": list(shape), **definitions, **own, **outputs}


def _class_name(name: str) -> str:
    return "".join(part[:1].upper() + part[1:] for part in name.split("_"))


def name_for(title: str) -> str:
    """The name of a network, made from that of a class or function."""
    snake = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", title.rpartition(":")[2].rpartition(".")[2]).lower()
    name = re.sub(r"\W+", "_", snake).strip("_")
    return name if name.isidentifier() else f"net_{name}"
