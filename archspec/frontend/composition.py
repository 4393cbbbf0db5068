"""Specs as blocks: an item with `spec` becomes one with `block`, and the network of a shipped spec a block.

    network ─compose─▶ network without `spec`, the names of the blocks that were made, and what is wrong with which item

A block that is made has the names of its own blocks to itself: where they mean something else around it, they are
renamed.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import count
from keyword import iskeyword
from typing import Any, Final

from archspec.diagnostics.budget import spend
from archspec.diagnostics.diagnostic import Diagnostic, SpecError
from archspec.diagnostics.suggestions import nearest
from archspec.expressions.parse import has_expression
from archspec.frontend import library
from archspec.frontend.loader import Spec, load, shipped
from archspec.frontend.model.block import Block
from archspec.frontend.model.init_rule import InitRule
from archspec.frontend.model.item import Item
from archspec.frontend.model.network import Network
from archspec.frontend.reserved_names import class_name
from archspec.frontend.spec_names import help_for
from archspec.frontend.yaml.reader import parse
from archspec.frontend.yaml.writer import dump

SPEC: Final = 5_000
"""Steps that reading a spec costs."""

MAX_KEPT: Final = 64
"""Networks of specs that are kept, for the next use."""


class Wrong(Exception):
    """What is wrong with an item; the paths begin at the item."""

    def __init__(self, diagnostics: Iterable[Diagnostic]) -> None:
        super().__init__()
        self.diagnostics = tuple(diagnostics)


@dataclass(frozen=True)
class Composed:
    """A network whose items with `spec` are items with `block`, but for those that have an error."""

    network: Network
    made: frozenset[str] = frozenset()
    """The names of the blocks that were made."""
    errors: Mapping[int, tuple[Diagnostic, ...]] = field(default_factory=dict)
    """The errors of items, by the items' identity."""


def compose(network: Network, around: tuple[str, ...] = ()) -> Composed:
    """Replace the items of a network that use specs; `around` are the specs that it is itself used in."""
    if not any(item.spec is not None for item in _all_items(network)):
        return Composed(network)
    run = _Composer(network, around)
    layers = run.items(network.layers)
    blocks = {name: run.block(block) for name, block in network.blocks.items()}
    changed = network.model_copy(update={"layers": layers, "blocks": {**run.made, **blocks}})
    return Composed(changed, frozenset(run.made), run.errors)


def expanded(spec: Spec) -> Network:
    """A spec's network with nothing left to a family, the library or another spec: it holds every block it uses."""
    network = compose(spec.network).network
    return network.model_copy(update={"blocks": {**_library_blocks(network), **network.blocks}})


def _outermost(network: Network) -> list[Item]:
    """The items of a network and of its blocks, without those inside them."""
    return [*network.layers, *(item for block in network.blocks.values() for item in block.items)]


def _inside(item: Item) -> list[Item]:
    return [*(item.seq or ()), *(item.layers or ())]


def _all_items(network: Network) -> Iterator[Item]:
    queue = _outermost(network)
    while queue:
        item = queue.pop()
        queue += _inside(item)
        yield item


def _library_blocks(network: Network) -> dict[str, Block]:
    """The library blocks a network uses, directly or in one another."""
    found: dict[str, Block] = {}
    queue = _outermost(network)
    while queue:
        item = queue.pop(0)
        queue += _inside(item)
        name = item.block
        block = None if name is None or name in network.blocks or name in found else library.block(name)
        if name is not None and block is not None:
            found[name] = block
            queue += block.items
    return found


class _Composer:
    """Makes blocks of specs for one network; equal ones are one block."""

    def __init__(self, network: Network, around: tuple[str, ...]) -> None:
        self.around = around
        self.own = frozenset(network.blocks)
        self.taken = {*network.blocks, *library.names(), network.class_name or class_name(network.name)}
        self.made: dict[str, Block] = {}
        self.known: dict[str, str] = {}
        """The names of the blocks that were made, by what they were made from."""
        self.errors: dict[int, tuple[Diagnostic, ...]] = {}

    def block(self, block: Block) -> Block:
        """A block of the network, with its items replaced."""
        seq = None if block.seq is None else self.items(block.seq)
        return block.model_copy(update={"layers": self.items(block.layers), "seq": seq})

    def items(self, items: Iterable[Item]) -> list[Item]:
        """Items, with those that use specs replaced."""
        return [self.item(item) for item in items]

    def item(self, item: Item) -> Item:
        """An item that uses a spec as one that uses a block."""
        if item.spec is None:
            return _with_items(item, self.items)
        try:
            return self.using_block(item, item.spec)
        except Wrong as wrong:
            self.errors[id(item)] = wrong.diagnostics
            return item

    def using_block(self, item: Item, name: str) -> Item:
        """The item with the block that is made of its spec."""
        fixed = {key: value for key, value in item.arguments.items() if not has_expression(value)}
        given = {key: value for key, value in item.arguments.items() if key not in fixed}
        network = _network(name, fixed, self.around)
        for key in given.keys() - network.params.keys():
            known = [*fixed, *network.params]
            message = f"'{key}' of {name} is no parameter that may be an expression"
            help = nearest(key, known) or "give a value"
            raise Wrong([Diagnostic("schema", message, (key,), help=help)])
        made = self.name_of(item, name, fixed, network)
        cleared = {"spec": None, "features": None, "submodule": None}
        return item.model_copy(update={**cleared, "block": made, "arguments": given})

    def name_of(self, item: Item, name: str, fixed: Mapping[str, Any], network: Network) -> str:
        """The name of the block that an item runs, which is made if it is not known yet."""
        key = dump([name, dict(fixed), item.features, item.submodule])
        if key not in self.known:
            block = _as_block(network, item)
            renamed = self.renamed(network)
            self.known[key] = own = self.unused(network.class_name or class_name(network.name))
            self.made[own] = _renamed(block, renamed)
        return self.known[key]

    def renamed(self, network: Network) -> dict[str, str]:
        """Add the blocks of a network; their new names by their old ones."""
        used = _library_blocks(network)
        hides = any(name in self.own for name in used) or any(name in library.names() for name in network.blocks)
        blocks = {**used, **network.blocks} if hides else network.blocks
        names = {name: self.unused(name, network.class_name or class_name(network.name)) for name in blocks}
        self.made.update({names[name]: _renamed(block, names) for name, block in blocks.items()})
        return names

    def unused(self, name: str, prefix: str = "") -> str:
        """A name that no block has: this one, with the name of the network before it, or with a number behind it."""
        candidates = (f"{prefix}{name}_{number}" for number in count(2))
        found = next(other for other in (name, f"{prefix}{name}", *_first(candidates, len(self.taken) + 1))
                     if other not in self.taken)  # fmt: skip
        self.taken.add(found)
        return found


def _first(names: Iterator[str], most: int) -> Iterator[str]:
    return (name for name, _ in zip(names, range(most), strict=False))


def _with_items(item: Item, change: Callable[[list[Item]], list[Item]]) -> Item:
    """An item with those inside it changed."""
    if item.seq is not None:
        return item.model_copy(update={"seq": change(item.seq)})
    return item if item.layers is None else item.model_copy(update={"layers": change(item.layers)})


def _renamed(block: Block, names: Mapping[str, str]) -> Block:
    """A block that knows other blocks by new names."""

    def changed(items: list[Item]) -> list[Item]:
        found = [_with_items(item, changed) for item in items]
        return [item.model_copy(update={"block": names.get(str(item.block), item.block)}) for item in found]

    if not names:
        return block
    seq = None if block.seq is None else changed(block.seq)
    return block.model_copy(update={"layers": changed(block.layers), "seq": seq})


# -- the network of a spec -----------------------------------------------------------------------------------------


def _network(name: str, fixed: Mapping[str, Any], around: tuple[str, ...]) -> Network:
    """The network of a shipped spec with these overrides; it uses no specs itself any more."""
    spend(SPEC)
    if name in around:
        raise Wrong([Diagnostic("reference", f"the spec '{name}' contains itself", ("spec",))])
    known = shipped()
    if name not in known:
        raise Wrong([Diagnostic("reference", f"unknown spec '{name[:100]}'", ("spec",), help=help_for(name, known))])
    try:
        composed = _read(name, dump(dict(fixed)), around)
    except SpecError as error:
        raise Wrong(_at_item(found, name, fixed) for found in error.diagnostics) from None
    spend(sum(1 for _ in _all_items(composed)))
    return composed


@lru_cache(maxsize=MAX_KEPT)
def _read(name: str, overrides: str, around: tuple[str, ...]) -> Network:
    """The network of a spec; the overrides are YAML, which can be a key of the cache."""
    spec = load(shipped()[name], parse(overrides).data, lambda data, found, ops: [])
    composed = compose(spec.network, (*around, name))
    for errors in composed.errors.values():
        raise SpecError(errors)
    return composed.network


def _at_item(found: Diagnostic, name: str, fixed: Mapping[str, Any]) -> Diagnostic:
    """An error in the overrides of a spec, at the item that gives them."""
    if found.path[:1] and found.path[0] in fixed:
        return Diagnostic(found.kind, found.message, found.path, help=found.help, about_key=found.about_key)
    return Diagnostic(found.kind, f"{name}: {found.message}", help=found.help)


# -- the network as a block ----------------------------------------------------------------------------------------


def _as_block(network: Network, item: Item) -> Block:
    """The block of a network that an item uses: all of it, or what is needed for its features."""
    items = network.layers
    parts: dict[str, Any] = {"layers": network.layers, "init": network.init, "register_": network.register_}
    if item.submodule is not None:
        seq = _submodule(network, item.submodule)
        items = seq.seq or []
        parts = {"seq": seq.seq, "layers": network.layers[1:], "cut": True, "register_": network.register_,
                 "init": [_within(rule, item.submodule, str(item.spec)) for rule in network.init]}  # fmt: skip
    if item.features is not None:
        _require_known(item, dict(_values(items, numbered=item.submodule is not None)))
        single = item.features.get("")
        parts.update({"output": single} if single is not None else {"outputs": item.features}, cut=True)
    elif item.submodule is None:
        parts.update(_own_outputs(network, str(item.spec)))
    return Block.model_construct(
        **{"description": network.description, "params": network.params, "let": network.let,
           "construct_": network.construct_, **parts}
    )  # fmt: skip


def _require_known(item: Item, known: Mapping[str, str]) -> None:
    """Refuse features that a network does not have; `known` are patterns for those it has, with their names."""
    for value in (item.features or {}).values():
        if not any(re.fullmatch(pattern, value) for pattern in known):
            names = [label for label in known.values() if "{" not in label and not label.isdecimal()]
            message = f"{item.spec} has no value '{value}'" + (f" in {item.submodule}" if item.submodule else "")
            help = nearest(value, names) if names else "its entries are numbered from 0"
            raise Wrong([Diagnostic("reference", message, ("features",), help=help, word=value)])


def _own_outputs(network: Network, name: str) -> dict[str, Any]:
    """What a whole network yields in evaluation."""
    if stray := next((found for found in _flat(network.layers) if found.train_only), None):
        message = f"{name} runs '{stray.label}' in training only, and a block has no outputs in training"
        raise Wrong([Diagnostic("schema", message, ("spec",), help="name the values that are needed: features: […]")])
    if network.outputs is None or not network.outputs.always:
        first = None if network.outputs is None else next(iter(network.outputs.fields.values()))
        return {"output": network.output or first}
    if all(field.isidentifier() and not iskeyword(field) for field in network.outputs.fields):
        return {"outputs": network.outputs.fields}
    message = f"the outputs of {name} have names that outputs of a block cannot have"
    raise Wrong([Diagnostic("schema", message, ("spec",), help="name them: features: {low: …}")])


def _submodule(network: Network, name: str) -> Item:
    """The item of a network that is to be the block: a seq at its beginning."""
    first, known = network.layers[0], [item.name for item in network.layers if item.seq is not None and item.name]
    if name not in known:
        message = f"{network.name} has no seq '{name}'"
        raise Wrong([Diagnostic("reference", message, ("submodule",), help=nearest(name, known))])
    if first.name != name or first.from_ is not None or first.repeat is not None or first.when is not None:
        message = f"the seq '{name}' of {network.name} is not what it begins with"
        raise Wrong([Diagnostic("schema", message, ("submodule",))])
    return first


def _within(rule: InitRule, name: str, spec: str) -> InitRule:
    """A rule of a network, for the block that one of its items is."""
    path = rule.path
    if path is None or not set("*?[") & set(path.partition(".")[0]):
        inside = None if path is None else path.removeprefix(f"{name}.")
        return rule.model_copy(update={"path": inside})
    if path == "*":
        return rule
    message = f"{spec} initialises modules by '{path}', which means others inside '{name}'"
    raise Wrong([Diagnostic("schema", message, ("submodule",))])


def _flat(items: Iterable[Item]) -> Iterator[Item]:
    for item in items:
        yield from [item] if item.layers is None else _flat(item.layers)


def _values(items: Iterable[Item], numbered: bool, within: str = "") -> Iterator[tuple[str, str]]:
    """Patterns for the names of values, and the names as they are written."""
    if numbered:
        yield r"\d+", "0"
    for item in items:
        if item.train_only:
            continue
        name = None if item.name is None else f"{within}{item.name}"
        if item.layers is not None:
            inside = within if name is None else f"{name}."
            yield from _values(item.layers, numbered=False, within=inside)
            if name is not None:
                yield re.escape(name) + r"\.\d+", f"{name}.0"
        for label in filter(None, (item.as_, name)):
            yield _pattern(label), label


def _pattern(template: str) -> str:
    parts = re.split(r"(\{[^{}]*\})", template)
    return "".join(r"[^.]+" if part.startswith("{") else re.escape(part) for part in parts)
