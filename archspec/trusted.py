"""Core-language models from data that is known to be valid, without validating it again.

The library's blocks and what the families desugar to are part of archspec: the tests validate all of them.
Building Pydantic's validators for them would be a third of the time a first `archspec summary` takes.
"""

from __future__ import annotations

from typing import Any, TypeVar

from pydantic import BaseModel

from archspec.language import Block, InitRule, Item, Network, OutputSpec, split_item

M = TypeVar("M", bound=BaseModel)


def trusted_network(data: dict[str, Any]) -> Network:
    """The network a family desugars to; equal to `validate(Network, data)`."""
    outputs = data.get("outputs")
    made = None if outputs is None else _construct(OutputSpec, outputs)
    return _construct(Network, {**_body(data), "outputs": made})


def trusted_block(data: dict[str, Any]) -> Block:
    """A block of the library; equal to `validate(Block, data)`."""
    return _construct(Block, _body(data))


def _body(data: dict[str, Any]) -> dict[str, Any]:
    made = dict(data)
    for key in ("layers", "seq"):
        if key in made:
            made[key] = [_item(item) for item in made[key]]
    if "init" in made:
        made["init"] = [_rule(rule) for rule in made["init"]]
    return made


def _item(data: dict[str, Any]) -> Item:
    name, own, arguments = split_item(data)
    made: dict[str, Any] = {**own, "name": name, "arguments": arguments}
    for key in ("seq", "layers"):
        if key in made:
            made[key] = [_item(item) for item in made[key]]
    if isinstance(made.get("from"), str):
        made["from"] = [made["from"]]
    return _construct(Item, made)


def _rule(data: dict[str, Any]) -> InitRule:
    own = {key: value for key, value in data.items() if key in ("op", "path", "when")}
    if isinstance(own.get("op"), str):
        own["op"] = [own["op"]]
    return _construct(InitRule, {**own, "parameters": {k: v for k, v in data.items() if k not in own}})


def _construct(model: type[M], data: dict[str, Any]) -> M:
    return model.model_construct(**{key: value for key, value in data.items() if value is not None})
