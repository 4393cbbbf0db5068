"""Where initialisation rules stand so that they yield a model's initial weights for a seed: each way is tried."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import islice, zip_longest
from typing import Any, Final

import torch
from torch import Tensor, nn

from archspec.diagnostics.diagnostic import SpecError
from archspec.frontend.yaml.writer import dump
from archspec.importer.blocks import Blocks
from archspec.importer.construction import constructed_otherwise
from archspec.importer.initial_weights import Rules, Weights, is_default, rules, target_of, targets, weights
from archspec.importer.trace import Scope
from archspec.weights import build as assembly
from archspec.weights.build import build

Document = dict[str, Any]


FEW: Final = 4
"""The most rules that are written though they do not yield the same numbers."""

MAX_BUILT: Final = 1_300_000_000
"""Parameters of all networks that are built to be compared with a model, beyond the first: half a minute."""


def with_initialisation(document: Document, blocks: Blocks, model: nn.Module) -> Document:
    """The document with the rules that yield the model's initial weights for the same seed. If none do, with the fewest
    rules whose numbers have the same spread, if there are any."""
    found = list(weights(blocks.root, model))
    state = model.state_dict()
    size = sum(tensor.numel() for tensor in state.values())
    likely = min(_trials(document, blocks, found), key=count_rules, default=document)
    orders = constructed_otherwise(document, model)
    trials = (trial for ordered in orders for trial in _trials(ordered, blocks, found))
    built = islice(trials, 1 + MAX_BUILT // max(1, size))
    return next((trial for trial in built if _yields(trial, state)), likely if count_rules(likely) <= FEW else document)


def count_rules(document: Mapping[str, Any]) -> int:
    """How many rules a document has, in the network and its blocks."""
    return sum(len(part.get("init", ())) for part in (document, *document.get("blocks", {}).values()))


def _trials(document: Document, blocks: Blocks, found: Sequence[Weights]) -> Iterator[Document]:
    """The documents that are tried: with rules of the network, of its outermost blocks, or of the innermost."""
    if is_default(found):
        yield document
        return
    outer = {scope.path: scope for scope in blocks.root.steps if isinstance(scope, Scope)}
    inner = {str(step.path): scope for scope in blocks.root.scopes() for step in scope.steps}
    ways = [
        (_with_rules(document, {"": own}) for own in rules(targets(found))),
        _of_blocks(document, found, {one.path: outer.get(one.path.partition(".")[0]) for one in found}, blocks),
        _of_blocks(document, found, {one.path: inner.get(one.path) for one in found}, blocks),
    ]
    for several in zip_longest(*ways):
        yield from (one for one in several if one is not None)


def _of_blocks(
    document: Document, found: Sequence[Weights], homes: Mapping[str, Scope | None], blocks: Blocks
) -> Iterator[Document]:
    """Documents in which the blocks that modules are in have rules, and the network has those for other modules."""
    within: dict[str, list[Weights]] = {}
    for weight in found:
        home = homes[weight.path]
        name = blocks.name_of(home) if home is not None else None
        path = weight.path.removeprefix(f"{home.path}.") if home is not None and name else weight.path
        within.setdefault(name or "", []).append(weight._replace(path=path))
    own = {name: next(rules(targets(some)), []) for name, some in within.items() if name and not is_default(some)}
    if own and all(own.values()):
        rest = [target_of(weight) for weight in within.get("", ())]
        yield from (_with_rules(document, {**own, "": others}) for others in rules(rest))


def _with_rules(document: Document, given: Mapping[str, Rules]) -> Document:
    """A document with rules of blocks, and of the network, whose name is empty."""
    defined = document.get("blocks", {})
    changed = {name: {**block, "init": given[name]} if given.get(name) else block for name, block in defined.items()}
    whole = {**document, "blocks": changed} if defined else document
    return {**whole, "init": given[""]} if given.get("") else whole


def _yields(document: Document, state: Mapping[str, Tensor]) -> bool:
    """Whether the network of a document has these weights for the seed that the model was made with."""
    try:
        made = build(dump(document), assembly.Options(seed=0)).module.state_dict()
    except SpecError:
        return False
    return all(name in made and torch.equal(made[name], tensor) for name, tensor in state.items())
