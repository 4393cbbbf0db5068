"""Core network + parameters → Graph: binds arguments, evaluates expressions, resolves references, infers shapes.

    Elaborator   the blocks elaborated so far, the limits, the mistakes          (this file)
    Frame        a line of items → steps                                         frame.py
    Making       an item → op, block instance, seq or call, with its shape       making.py
    Values       names and expressions → values                                  values.py

Mistakes do not stop it: the value of an item that failed is unknown, what depends on it is passed over in
silence, and everything else is still checked. All mistakes come in one `ElaborationError`.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import replace
from typing import Any, Final

from archspec.diagnostics.errors import Diagnostic, ElaborationError, Path, SchemaError
from archspec.diagnostics.validation import validate
from archspec.expressions import ExpressionError, parse, plain
from archspec.frontend import library
from archspec.frontend.model import Block, Network, class_name
from archspec.ir.definition import Definition
from archspec.ir.graph import Graph, Module, Outputs
from archspec.ir.limits import MAX_NODES as MAX_NODES
from archspec.ops import OPS
from archspec.ops.base import Op, Unbatched, Value, is_parts
from archspec.passes.specialize.bindings import TooLong
from archspec.passes.specialize.body import Frame
from archspec.passes.specialize.definitions import define
from archspec.passes.specialize.items import Made
from archspec.passes.specialize.minimum_input import least_input
from archspec.passes.specialize.partial import network_up_to

MAX_TRIED: Final = 5_000
"""Steps of a network that is tried with other inputs, to tell one that fits."""

MAX_BLOCK_DEPTH: Final = 50


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


def elaborate(network: Network, *, carry_expressions: bool = False, max_nodes: int | None = None) -> Graph:
    """Elaborate a core-language network.

    With `carry_expressions` the graph also knows the expression behind each number, as code generation needs; where
    one becomes too long to be written (`scope.MAX_TERMS`), all are numbers. Raises `ElaborationError` with every
    independent mistake.
    """
    limit = _limit.get() if max_nodes is None else max_nodes
    run = Elaborator(network, carry_expressions, limit)
    try:
        return run.graph()
    except TooLong:
        return Elaborator(network, True, limit, frozen=True).graph()
    except ElaborationError:
        if run.too_small is None:
            raise
        run.suggest_input(run.too_small)
        raise ElaborationError(run.problems, run.partial) from None


_SHARED: Final[dict[Any, Module]] = {}
"""Instances of the library's blocks, for all runs: who changes a number in a spec pays for what has changed."""

MAX_SHARED: Final = 10_000

MAX_SHARED_DEPTH: Final = MAX_BLOCK_DEPTH // 2
"""Blocks around one that is shared: further in, how deep its own blocks would be decides whether it can be made."""


def _share(key: Any, module: Module) -> None:
    if len(_SHARED) >= MAX_SHARED:
        _SHARED.clear()
    _SHARED[key] = module


class Elaborator:
    """The state of one run: the blocks elaborated so far, and the mistakes found."""

    def __init__(self, network: Network, carry_expressions: bool, max_nodes: int, frozen: bool = False) -> None:
        self.network = network
        self.carry = carry_expressions
        self.frozen = frozen
        """Whether the expressions that are carried are but their values."""
        self.max_nodes = max_nodes
        self.problems: list[Diagnostic] = []
        self.too_small: int | None = None
        """Which of the problems is the first that a larger input might solve."""
        self.instances: dict[Any, Module | None] = {}
        self.ops: dict[Any, Op] = {}
        self.definitions: dict[int, Definition] = {}
        self.shares = not any(name in library.names() for name in network.blocks)
        """Whether library blocks mean here what they mean everywhere: a spec may replace those they are made of."""
        self.made: dict[Any, Made] = {}
        self.open: list[str] = []
        self.frames: list[Frame] = []
        self.is_too_large = False
        self.partial: Graph | None = None
        """The network up to the first layer whose input has a wrong shape."""

    def graph(self) -> Graph:
        network = self.network
        frame = Frame(self, {"input": tuple(network.input)}, ("params",), "")
        for name in (name for name, default in network.params.items() if default is None):
            self.problem("reference", f"the parameter '{name}' has no value", ("params", name),
                         help=f"give it one here, or with --set {name}=…")  # fmt: skip
        root = frame.body(network, {}, (), network.class_name or class_name(network.name))
        if root is None or self.problems:
            raise ElaborationError(self.problems, self.partial)
        if is_parts(root.output):
            message = f"the network yields {len(root.output)} tensors, and a network's output is one"
            self.problem("reference", message, ("output",) if network.output else ("layers",),
                         help="name one of them (output: parts.0), or join them with cat")  # fmt: skip
        outputs = frame.outputs(network)
        self.check_batch(root, outputs)
        if self.problems:
            raise ElaborationError(self.problems, self.partial)
        if outputs is not None and network.output is None:
            root = replace(root, result=next(iter(outputs.fields.values())))
        return Graph(
            network.name, root.definition, root, network.description or "", network.reference or "",
            root.init, outputs, network,
        )  # fmt: skip

    def check_batch(self, root: Module, outputs: Outputs | None) -> None:
        """Whether all that the network returns has a batch."""
        fields = {} if outputs is None else outputs.fields
        returned: dict[Path, Value] = {("outputs", "fields", field): root.value(ref) for field, ref in fields.items()}
        if outputs is None or self.network.output is not None:
            returned["output" if self.network.output is not None else "layers",] = root.output
        for path, value in returned.items():
            if isinstance(value, Unbatched):
                what = f"the output '{path[-1]}'" if len(path) > 1 else "the network's output"
                message = f"{what} has no batch dimension: it is a parameter, or made of parameters only"
                self.problem("shape", message, path, help="add, sub and mul apply a parameter to each sample")

    def block(self, name: str) -> tuple[Block, Path | None] | None:
        """A block's definition, and its path in the spec (`None` for the library's)."""
        if name in self.network.blocks:
            return self.network.blocks[name], ("blocks", name)
        found = library.block(name)
        return None if found is None else (found, None)

    def definition(self, body: Network | Block, name: str) -> Definition:
        """The definition of a block or network: one for all its instances."""
        if id(body) not in self.definitions:
            self.definitions[id(body)] = define(body, name)
        return self.definitions[id(body)]

    def instance(
        self, name: str, arguments: dict[str, Any], inputs: dict[str, Value], where: str, path: Path
    ) -> Module | None:
        """A block with its arguments and input shapes: each different one is elaborated once."""
        key = (
            self.carry,
            self.frozen,
            name,
            _hashable(arguments),
            *((type(value), value) for value in inputs.values()),
        )
        if key in self.instances:
            return self.instances[key]
        if name in self.open:
            self.problem("reference", f"the block '{name}' contains itself", path, where,
                         help="repeat an item in place of it: repeat: =depth")  # fmt: skip
            return None
        if len(self.open) >= MAX_BLOCK_DEPTH:
            self.problem("limit", f"blocks within blocks, more than {MAX_BLOCK_DEPTH} deep", path, where)
            return None
        shared = self.shares and name not in self.network.blocks and len(self.open) <= MAX_SHARED_DEPTH
        module = _SHARED.get(key) if shared else None
        if module is not None and module.size > self.max_nodes:  # made under another limit
            module = None
        if module is None:
            self.open.append(name)
            module = self._elaborate(name, arguments, inputs, where, path)
            self.open.pop()
            if shared and module is not None:
                _share(key, module)
        self.instances[key] = module
        return module

    def _elaborate(
        self, name: str, arguments: dict[str, Any], inputs: dict[str, Value], where: str, path: Path
    ) -> Module | None:
        found = self.block(name)
        assert found is not None
        block, prefix = found
        frame = Frame(self, inputs, path if prefix is None else prefix, where)
        frame.pinned = path if prefix is None else None
        return frame.body(block, arguments, prefix or path, name)

    def op(self, kind: str, arguments: dict[str, Any], path: Path, where: str, pinned: bool) -> Op | None:
        """An op with checked fields; equal ones are one object."""
        if self.carry:  # equal ops are shared by blocks, and a `Dim` belongs to one of them
            arguments = {name: plain(value) for name, value in arguments.items()}
        key = (kind, _hashable(arguments))
        if key not in self.ops:
            try:
                self.ops[key] = validate(OPS[kind], arguments)
            except SchemaError as error:
                for found in error.diagnostics:
                    field = f"{found.path[0]}: " if found.path else f"{kind}: "
                    help = found.help or self.forgotten(arguments, found.path)
                    self.problem(found.kind, field + found.message, path if pinned else (*path, *found.path), where,
                                 help=help, about_key=found.about_key)  # fmt: skip
                return None
        return self.ops[key]

    def forgotten(self, arguments: dict[str, Any], path: Path) -> str:
        """Help for an expression that was written without its sign: it reads nothing but what is known."""
        given = arguments.get(str(path[0])) if path else None
        try:
            names = parse(given).names if isinstance(given, str) else frozenset()
        except ExpressionError:
            return ""
        known = self.frames[-1].scope if self.frames else {}
        return f"an expression begins with '=': ={given}" if names and names <= known.keys() else ""

    def measure(self, module: Module, path: Path, where: str) -> bool:
        """Count a module's steps with those of its sub-modules; false, and a diagnostic, if there are too many."""
        if module.size > self.max_nodes:
            self.too_many("nodes", path, where)
        return module.size <= self.max_nodes

    def suggest_input(self, number: int) -> None:
        """Tell in one of the problems which input would solve all of them, if one does."""
        shape = least_input(list(self.network.input), self._fits)
        if shape is not None:
            problem = self.problems[number]
            self.problems[number] = replace(problem, help=f"{problem.help}; or input: {shape}, the least that fits")

    def _fits(self, shape: list[int]) -> bool:
        """Whether the network works with another input."""
        other = self.network.model_copy(update={"input": shape})
        try:
            Elaborator(other, False, min(self.max_nodes, MAX_TRIED)).graph()
        except ElaborationError:
            return False
        return True

    def too_many(self, what: str, path: Path, where: str) -> None:
        """Note that the network is too large: once, as most of what comes after would be, too."""
        if not self.is_too_large:
            self.is_too_large = True
            help = "max_nodes (--max-nodes) sets another limit"
            self.problem("limit", f"more than {self.max_nodes:,} {what}", path, where, help=help)

    def problem(self, kind: str, message: str, path: Path, where: str = "", **more: Any) -> None:
        """Note a mistake; `more` are further fields of `Diagnostic`. The first wrong shape is shown with its trail."""
        first = kind == "shape" and not any(found.trail for found in self.problems)
        trail = tuple(row for frame in self.frames for row in frame.trail()) if first else ()
        if kind == "shape" and self.partial is None:
            self.partial = network_up_to(self.frames, self.network, message)
        self.problems.append(Diagnostic(kind, message, path, where, trail=trail, **more))


def _hashable(arguments: dict[str, Any]) -> Any:
    return tuple((name, _frozen(value) if type(value) in _TELLING else value) for name, value in arguments.items())


_TELLING: Final = frozenset({float, bool, list, tuple})
"""Types whose values must not be taken for a whole number that is equal to them, or cannot be keys."""


def _frozen(value: Any) -> Any:
    """A value as a key of a dict: `True` and 1, or 1 and 1.0, are different arguments."""
    if isinstance(value, list | tuple):
        return tuple(map(_frozen, value))
    return (value, "float") if isinstance(value, float) else (value, "bool") if isinstance(value, bool) else value
