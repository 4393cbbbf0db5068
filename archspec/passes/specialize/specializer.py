"""Core network + parameters → graph: the order of work.

It continues after an error, as `passes.recovery` defines. All errors are raised in one `ElaborationError`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import replace
from functools import partial
from typing import Any, Final

from archspec.diagnostics.budget import OutOfSteps, spend
from archspec.diagnostics.diagnostic import ElaborationError, Path
from archspec.frontend import library
from archspec.frontend.composition import compose
from archspec.frontend.model.block import Block
from archspec.frontend.model.item import Item
from archspec.frontend.model.network import Network
from archspec.frontend.reserved_names import class_name
from archspec.ir.definition import Definition
from archspec.ir.graph import Graph, Outputs
from archspec.ir.limits import MAX_NODES
from archspec.ir.module import Module, names_of_parts
from archspec.ops import OPS, Ops
from archspec.ops.shapes import Unbatched, Value, distinct, folded_of, format_shape, is_integer, is_parts
from archspec.passes.specialize.bindings import Bindings, Mode, TooLong
from archspec.passes.specialize.body import BodyBuilder
from archspec.passes.specialize.definitions import define
from archspec.passes.specialize.errors import BodyErrors, ErrorCollector
from archspec.passes.specialize.inputs import input_of
from archspec.passes.specialize.item_cache import ItemCache, key_of_seq
from archspec.passes.specialize.items import Occurrence
from archspec.passes.specialize.minimum_input import least_input
from archspec.passes.specialize.op_cache import OpCache, hashable
from archspec.passes.specialize.reshaped import reshaped
from archspec.passes.specialize.steps import StepBuilder
from archspec.passes.unknown import UNKNOWN, Unknown

MAX_TRIED: Final = 5_000
"""Steps of the budget for trying other inputs, to suggest one that fits."""

MAX_BLOCK_DEPTH: Final = 50

INSTANCE: Final = 10
"""Steps of the budget that a use of a block costs."""

NEW_INSTANCE: Final = 50
"""Steps of the budget that a new, different instance costs, without its items."""


_limit: Final = ContextVar("max_nodes", default=MAX_NODES)


@contextmanager
def node_limit(most: int) -> Iterator[None]:
    """Let networks have up to `most` nodes while the context lasts, in place of 200,000.

    >>> import archspec
    >>> with archspec.node_limit(3):
    ...     try:
    ...         archspec.compile("lenet")
    ...     except archspec.SpecError as error:
    ...         print(error.diagnostics[0].message)
    more than 3 nodes
    """
    token = _limit.set(most)
    try:
        yield
    finally:
        _limit.reset(token)


def specialize(
    network: Network, ops: Ops = OPS, *, carry_expressions: bool = False, max_nodes: int | None = None,
    items: ItemCache | None = None,
) -> Graph:  # fmt: skip
    """The graph of a core-language network, whose items may use these ops.

    With `carry_expressions` the graph also has the expression of each number, as code generation needs; if one of them
    is too long to be written (`scope.MAX_TERMS`), all are numbers. `items` may hold what was built before of the same
    network with other parameters. Raises `ElaborationError` with every independent error.
    """
    limit = _limit.get() if max_nodes is None else max_nodes
    run = Specializer(network, ops, Mode(carry_expressions), limit, items)
    try:
        return run.graph()
    except TooLong:
        return Specializer(network, ops, Mode(carry=True, frozen=True), limit, items).graph()
    except ElaborationError:
        if run.errors.too_small is None:
            raise
        run.suggest_input(run.errors.too_small)
        raise run.error() from None


_SHARED: Final[dict[Any, Module]] = {}
"""Instances of the library's blocks and the stages made of them, shared by all runs: after a spec changes, only what is
changed is built."""

MAX_SHARED: Final = 10_000

MAX_SHARED_DEPTH: Final = MAX_BLOCK_DEPTH // 2
"""The most blocks around one that is shared. Deeper, the limit of nesting decides whether its own blocks fit."""


def _share(key: Any, module: Module) -> None:
    if len(_SHARED) >= MAX_SHARED:
        _SHARED.clear()
    _SHARED[key] = module


class Specializer:
    """The state of one run: the limits, and what has been built so far."""

    def __init__(
        self, network: Network, known: Ops, mode: Mode, max_nodes: int, items: ItemCache | None = None
    ) -> None:  # fmt: skip
        self.known = known
        """The names of the known ops."""
        self.mode = mode
        self.max_nodes = max_nodes
        self.errors = ErrorCollector(network, max_nodes)
        self.ops = OpCache(known, mode.carry)
        self.items = items or ItemCache()
        composed = compose(network)
        self.wrong_specs = composed.errors
        """What is wrong with items that use specs, by the items' identity."""
        self._source = network
        self._network = composed.network
        self._made = composed.made
        """The blocks that stand for specs."""
        self._instances: dict[Any, Module | Unknown] = {}
        self._like: dict[Any, Module] = {}
        """Instances of blocks, by what others share that differ in rates alone, or in their input shapes alone."""
        self._definitions: dict[int, Definition] = {}
        self._open_blocks: list[str] = []
        self._shares = not any(name in library.names() for name in network.blocks)
        """Whether library blocks may be shared with other runs; not if the spec replaces blocks that they use."""

    def graph(self) -> Graph:
        """The graph of the network; raises `ElaborationError`."""
        try:
            return self._graph()
        except OutOfSteps as error:
            self.errors.add_out_of_steps(error)
            raise self.error() from None

    def _graph(self) -> Graph:
        network, errors = self._network, BodyErrors(self.errors, ("params",), "")
        body = BodyBuilder(self, network, {"input": input_of(network, errors)}, errors)
        for name in (name for name, default in network.params.items() if default is None):
            help = f"set it here, or with --set {name}=…"
            errors.report("reference", f"parameter '{name}' has no value", ("params", name), help=help)
        root = body.build({}, (), network.class_name or class_name(network.name))
        if root is UNKNOWN or self.errors.diagnostics:
            raise self.error()
        outputs = body.outputs(network)
        if outputs is not None and outputs.fields and not outputs.always and network.output is None:
            root = replace(root, result=next(iter(outputs.fields.values())))
        self._check_outputs(root, outputs, errors)
        if self.errors.diagnostics:
            raise self.error()
        return Graph(
            network.name, root.definition, root, network.description or "", network.reference or "",
            root.init, outputs, self._source, ops=self.known,
        )  # fmt: skip

    def error(self) -> ElaborationError:
        """All errors found so far."""
        return ElaborationError(self.errors.diagnostics, self.errors.partial)

    def _check_outputs(self, root: Module, outputs: Outputs | None, errors: BodyErrors) -> None:
        """Check that the network's result is one tensor, and that everything it returns has a batch."""
        result = ("output" if self._network.output is not None else "layers",)
        always = outputs is not None and outputs.always
        if is_parts(root.output) and not always:
            parts = "1 part" if len(root.output) == 1 else f"{len(root.output)} parts"
            message = f"the network's output must be one tensor, got {parts}"
            help = f"use one of them (output: {_first_part(root)}), or join them with cat"
            errors.report("reference", message, result, help=help)
        fields = {} if outputs is None else outputs.fields
        returned: dict[Path, Value] = {("outputs", "fields", field): root.value(ref) for field, ref in fields.items()}
        if not always and (outputs is None or self._network.output is not None):
            returned[result] = root.output
        for path, value in returned.items():
            what = f"the output '{path[-1]}'" if len(path) > 1 else "the network's output"
            if is_integer(value):
                errors.report("shape", f"{what} holds integers", path, help="embedding turns them into real numbers")
            elif folded_of(value):
                message = f"{what} has dimensions of each sample in its batch: {format_shape(value)}"
                errors.report("shape", message, path, help="unflatten_batch takes them out of it")
            elif isinstance(value, Unbatched):
                message = f"{what} has no batch dimension: it is a parameter, or computed from parameters only"
                errors.report("shape", message, path, help="add, sub and mul apply a parameter to each sample")

    # -- blocks ---------------------------------------------------------------------------------------------------

    def block(self, name: str) -> tuple[Block, Path | None] | None:
        """A block, and its path in the spec (`None` for the library's)."""
        if name in self._network.blocks:
            return self._network.blocks[name], None if name in self._made else ("blocks", name)
        found = library.block(name)
        return None if found is None else (found, None)

    def block_names(self) -> list[str]:
        """The names of all blocks that can be used."""
        return [*(name for name in self._network.blocks if name not in self._made), *library.names()]

    @property
    def is_in_block(self) -> bool:
        """Whether a block is being built, and not the network itself."""
        return bool(self._open_blocks)

    def definition(self, body: Network | Block, name: str) -> Definition:
        """The definition of a block or network: one for all its instances."""
        if id(body) not in self._definitions:
            self._definitions[id(body)] = define(body, name, self.known)
        return self._definitions[id(body)]

    def instance(
        self, name: str, arguments: dict[str, Any], inputs: dict[str, Value], path: Path, where: str, errors: BodyErrors
    ) -> Module | Unknown:
        """The instance of a block with these arguments and input shapes; equal ones are built once."""
        shapes = map(distinct, inputs.values())
        key = (self.known.own, self.mode.carry, self.mode.frozen, name, hashable(arguments), *shapes)
        spend(INSTANCE)
        built = self._instances.get(key)
        if built is not None:
            return built
        if name in self._open_blocks:
            message, help = f"the block '{name}' contains itself", "use repeat instead: repeat: =depth"
            errors.report("reference", message, path, where, help=help)
            return UNKNOWN
        if len(self._open_blocks) >= MAX_BLOCK_DEPTH:
            errors.report("limit", f"blocks are nested more than {MAX_BLOCK_DEPTH} levels deep", path, where)
            return UNKNOWN
        is_shared = self._shares and name not in self._network.blocks and len(self._open_blocks) <= MAX_SHARED_DEPTH
        build = partial(self._build, name, arguments, inputs, errors.pinned or path, where)
        module = self._instances[key] = self._shared(key, build) if is_shared else build()
        return module

    def _shared(self, key: Any, build: Callable[[], Module | Unknown]) -> Module | Unknown:
        """A module that other runs share; it is built if none of them made it, or only under another limit."""
        known = _SHARED.get(key)
        if known is not None and known.size <= self.max_nodes:
            return known
        module = build()
        if module is not UNKNOWN:
            _share(key, module)
        return module

    def _build(
        self, name: str, arguments: dict[str, Any], inputs: dict[str, Value], path: Path, where: str
    ) -> Module | Unknown:
        """An instance of a block; `path` leads to the item that uses it."""
        found = self.block(name)
        assert found is not None
        block, own = found
        spend(NEW_INSTANCE + len(block.params) + len(block.let))
        errors = BodyErrors(self.errors, own or path, where, pinned=path if own is None else None)
        body = BodyBuilder(self, block, inputs, errors)
        without_rates = self._key_without_rates(block, arguments, inputs)
        if without_rates in self._like:
            return body.vary(self._like[without_rates], arguments, block)
        without_shapes = self._key_without_shapes(block, arguments, inputs)
        if without_shapes in self._like:
            other = reshaped(self._like[without_shapes], tuple(inputs.values()))
            if other is not None:
                return other
        self._open_blocks.append(name)
        module = body.build(arguments, own or path, name)
        self._open_blocks.pop()
        if module is not UNKNOWN and not self.errors.diagnostics:  # others would have the same errors
            self._like.update({key: module for key in (without_rates, without_shapes) if key is not None})
        return module

    def _key_without_rates(self, block: Block, arguments: dict[str, Any], inputs: dict[str, Value]) -> Any:
        """What two instances of a block share if they differ in rates alone; `None` if no others may be like this one,
        or if the expressions of its steps are numbers, which differ with the rates."""
        if self.mode.frozen or not block.rates.params:
            return None
        others = {name: value for name, value in arguments.items() if name not in block.rates.params}
        return id(block), hashable(others), *map(distinct, inputs.values())

    def _key_without_shapes(self, block: Block, arguments: dict[str, Any], inputs: dict[str, Value]) -> Any:
        """The same for instances that differ in their input shapes alone."""
        if self.mode.carry or not block.reads_no_shapes or any(map(is_parts, inputs.values())):
            return None
        return id(block), hashable(arguments), len(inputs)

    def seq(self, at: Occurrence, items: list[Item], bindings: Bindings, errors: BodyErrors) -> Module | Unknown:
        """A seq, as a module of its own. Its items use the names of the block around it.

        One of a network without blocks of its own, a stage for example, is shared with other runs as library blocks
        are.
        """
        is_shared = not (self._open_blocks or self.mode.carry or self._network.blocks)
        key = key_of_seq(at, items, bindings) if is_shared else None
        if key is None:
            return self._seq(at, items, bindings, errors)
        spend(INSTANCE)
        return self._shared((self.known.own, *key), partial(self._seq, at, items, bindings, errors))

    def _seq(self, at: Occurrence, items: list[Item], bindings: Bindings, errors: BodyErrors) -> Module | Unknown:
        path = (*at.path, "seq")
        inner = errors.of_seq(path, at.where)
        builder = StepBuilder(self, {"input": at.shapes[0]}, bindings.of_seq(inner), inner, in_seq=True)
        return builder.seq(items, path, at.position)

    # -- suggestions ----------------------------------------------------------------------------------------------

    def suggest_input(self, number: int) -> None:
        """Add to the help of an error the input that would solve all errors, if there is one."""
        shape = least_input(list(self._network.input), self._fits)
        if shape is not None:
            self.errors.add_help(number, f"or input: {shape}, the smallest that fits")

    def _fits(self, shape: list[int]) -> bool:
        """Whether the network accepts another input."""
        other = self._source.model_copy(update={"input": shape})
        try:
            Specializer(other, self.known, Mode(carry=False), min(self.max_nodes, MAX_TRIED)).graph()
        except ElaborationError:
            return False
        return True


def _first_part(module: Module) -> str:
    """The name of the first of several values that a module returns."""
    step = module.steps[module.result.step]
    names = names_of_parts(module.runs(step))
    return f"{step.label}.{names[0] if names else 0}"
