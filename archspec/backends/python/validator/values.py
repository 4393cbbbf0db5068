"""The symbolic values of a generated file: classes, modules, values of a `forward`."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from types import MappingProxyType
from typing import Any, Final, NamedTuple

from archspec.ops.call import TRAINING

EMPTY: Final[Mapping[str, Any]] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Name:
    """A name of torch as it is written (`nn.Conv2d`, `F.relu`, `nn.init`), or of a helper class (`LayerNorm2d`)."""

    path: str
    base: str = ""
    """The base class of a helper class."""


@dataclass(frozen=True, slots=True)
class Special:
    """A function of Python that is evaluated by its name: `isinstance`, `super`, `getattr`, `OrderedDict`."""

    name: str


MODE: Final = Special(TRAINING)
"""The value of `self.training`."""


@dataclass(frozen=True, slots=True)
class Partial:
    """`partial(nn.LeakyReLU, negative_slope=0.2)`: the class of a module with some of its arguments."""

    of: Name
    given: tuple[tuple[str, Any], ...]

    def given_twice(self, keywords: Mapping[str, Any]) -> bool:
        """Whether a call would replace one of the arguments."""
        return any(name in keywords for name, _ in self.given)


@dataclass(frozen=True, slots=True)
class Bound:
    """A method: of a value of `forward`, of the module itself, of a list or a text."""

    owner: Any
    name: str


@dataclass(frozen=True, slots=True)
class Record:
    """A class derived from `NamedTuple`."""

    name: str
    fields: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class Function:
    """A function of the file: the factory, a constructor, or a `forward`."""

    node: ast.FunctionDef

    @cached_property
    def assigned(self) -> frozenset[str]:
        """The names that it assigns anywhere, which are local to it everywhere."""
        return frozenset(_assigned(self.node.body))

    @property
    def rest(self) -> str | None:
        """The name of all further arguments."""
        return None if self.node.args.vararg is None else self.node.args.vararg.arg

    def names(self) -> list[str]:
        """The names of its arguments, without `self`."""
        return [argument.arg for argument in self.node.args.args if argument.arg != "self"]


def _assigned(statements: list[ast.stmt]) -> Iterator[str]:
    """The names that statements assign, those inside them included."""
    for node in statements:
        targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
        for target in targets:
            if target is not None:
                yield from (part.id for part in ast.walk(target)
                            if isinstance(part, ast.Name) and isinstance(part.ctx, ast.Store))  # fmt: skip
        for inner in ("body", "orelse"):
            yield from _assigned(getattr(node, inner, []))


@dataclass(frozen=True, eq=False)
class Class:
    """A module class of the file, with its methods and the defaults of its constructor's arguments."""

    name: str
    is_sequential: bool
    init: Function
    forward: Function | None
    defaults: Mapping[str, Any]


@dataclass(eq=False)
class NewTensor:
    """A tensor that a constructor makes: `torch.full(shape, value)`, or `torch.empty(shape)` before it is filled."""

    shape: tuple[int, ...]
    filled: tuple[str, tuple[tuple[str, Any], ...]] | None
    """torch's initialiser and its arguments; `None` as long as it is empty."""
    made: int
    """The time of its construction or initialisation, when it may draw random numbers."""
    line: int
    owned: bool = False
    """Whether it was filled, or made a parameter: both happen once."""


@dataclass(eq=False)
class OwnParameter:
    """A trainable tensor that a module owns itself."""

    tensor: NewTensor
    owned: bool = False

    @property
    def first(self) -> int:
        """The time of its initialisation."""
        return self.tensor.made

    @property
    def last(self) -> int:
        """The same."""
        return self.tensor.made

    @property
    def line(self) -> int:
        """The line where it was made."""
        return self.tensor.line


@dataclass(frozen=True, slots=True)
class ComputedTensor:
    """A tensor that a constructor calculates: `target(…)`, or a method of another such tensor."""

    target: str
    args: tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class OwnBuffer:
    """A tensor that a module owns itself and does not train."""

    tensor: ComputedTensor
    persistent: bool


@dataclass(frozen=True, eq=False)
class Leaf:
    """A module of torch, or a helper, with the arguments it was called with. Equal ones are one object."""

    target: str
    positional: tuple[Any, ...]
    keywords: Mapping[str, Any]
    base: str

    @property
    def inplace(self) -> bool:
        """Whether it overwrites its input."""
        return bool(self.keywords.get("inplace", False))


@dataclass(eq=False)
class Container:
    """A module that holds others: of a class of the file, or an `nn.Sequential` (`kind` is `None`), or one that `holds`
    modules without running them, a `ModuleList` or a `ModuleDict`.

    Instances of one class with equal arguments are one object.
    """

    kind: Class | None
    line: int
    holds: str = ""
    modules: dict[str, Leaf | Container] = field(default_factory=dict)
    parameters: dict[str, OwnParameter] = field(default_factory=dict)
    buffers: dict[str, OwnBuffer] = field(default_factory=dict)
    attributes: dict[str, Any] = field(default_factory=dict)
    init_statements: list[InitStatement] = field(default_factory=list)
    """The statements at the end of the constructor that initialise parameters."""
    lines: dict[str, int] = field(default_factory=dict)
    """Where each module or parameter is made, in their order."""
    last: int = -1
    """The time of construction of the last registered module or parameter, when it may draw random numbers."""
    drawn: dict[str, tuple[int, int]] = field(default_factory=dict)
    """When the making of each module or parameter began and ended: it draws random numbers then."""
    whole: Container | None = None
    """What it was before its constructor removed some of it."""
    traces: dict[tuple[bool, int], Trace] = field(default_factory=dict)

    @property
    def is_finished(self) -> bool:
        """Whether nothing more can be registered: its parameters are initialised, or modules removed."""
        return bool(self.init_statements) or self.whole is not None

    def remove(self, name: str) -> None:
        """Remove a module, parameter or buffer."""
        if self.whole is None:
            copied = {key: dict(getattr(self, key)) for key in ("modules", "parameters", "buffers", "lines", "drawn")}
            self.whole = replace(self, **copied, init_statements=list(self.init_statements), traces={})  # type: ignore[arg-type]
        for held in (self.modules, self.parameters, self.buffers):
            held.pop(name, None)

    @property
    def is_sequential(self) -> bool:
        """Whether its `forward` runs the modules one after the other."""
        if self.kind is None:
            return not self.holds
        return self.kind.is_sequential and self.kind.forward is None

    @cached_property
    def seen_by_forward(self) -> Any:
        """What its `forward` sees of it, when it has been constructed: the names of what it has, and its numbers."""
        attributes = ((name, typed(value)) for name, value in self.attributes.items())
        return (self.holds, *((name, _outline(module)) for name, module in self.modules.items()), None,
                *self.parameters, None, *self.buffers, None, *attributes)  # fmt: skip

    def entries(self) -> Iterator[tuple[str, Leaf | Container, int]]:
        """The modules that it runs, with their names and the lines where they are made; the name of an entry of a
        container begins with the container's."""
        for name, module in self.modules.items():
            if isinstance(module, Container) and module.holds:
                yield from ((f"{name}.{inner}", found, line) for inner, found, line in module.entries())
            else:
                yield name, module, self.lines.get(name, self.line)

    def containers(self) -> dict[str, str]:
        """Its containers and their kinds."""
        held = {n: module for n, module in self.modules.items() if isinstance(module, Container) and module.holds}
        inside = {f"{n}.{name}": kind for n, module in held.items() for name, kind in module.containers().items()}
        return {**{n: module.holds for n, module in held.items()}, **inside}


def _outline(module: Leaf | Container) -> Any:
    """What a `forward` sees of a module that it can run: nothing, but for the names in a container."""
    return module.seen_by_forward if isinstance(module, Container) and module.holds else None


def typed(value: Any) -> Any:
    """A value as part of a key: 1, 1.0 and True are three."""
    if isinstance(value, list | tuple):
        return (type(value), *map(typed, value))
    return type(value), value


@dataclass(eq=False)
class Made:
    """One construction of a module; `first` and `last` say when its own construction began and ended."""

    module: Leaf | Container
    first: int
    last: int
    line: int
    owned: bool = False


class InitStatement(NamedTuple):
    """A statement that initialises parameters, and the local names it sees."""

    statement: ast.For | ast.Call
    names: dict[str, Any]


@dataclass(frozen=True, slots=True)
class SymbolicValue:
    """A value of `forward`: the result of application `source`, input number `-1 - source`, or the module's tensor
    `source`.

    `part` is its index if there are several results.
    """

    source: int | str
    part: int | None = None


@dataclass(eq=False)
class Application:
    """A module (`module` is its name) or a function (`target`) applied to values; `args` may hold constants, too."""

    line: int
    module: str | None
    target: str
    args: tuple[Any, ...]
    keywords: Mapping[str, Any] = field(default_factory=dict)
    inplace: bool = False
    parts: int | None = None
    """How many values it must return, if they are unpacked."""

    def __str__(self) -> str:
        head = self.target if self.module is None else f"self.{self.module}"
        given = [*map(_brief, self.args), *(f"{name}={_brief(value)}" for name, value in self.keywords.items())]
        return f"{head}({', '.join(given)}){' in place' * self.inplace}"


def _brief(value: Any) -> str:
    if isinstance(value, SymbolicValue):
        return "…"
    return f"[{', '.join(map(_brief, value))}]" if isinstance(value, list | tuple) else repr(value)


class Returned(NamedTuple):
    """The result of a `forward`: one value (`kind` is empty), or several in a `tuple`, `list`, `dict` or the named
    tuple of this name; `names` are those of a dict's or named tuple's values."""

    kind: str
    names: tuple[str, ...]
    values: tuple[SymbolicValue, ...]


NOTHING: Final = Returned("", (), ())


@dataclass(eq=False)
class Trace:
    """The record of a `forward`: its applications in order, and what it returns."""

    inputs: int
    applications: list[Application]
    returned: Returned = NOTHING
    depends_on_mode: bool = False

    def run_module(
        self, line: int, name: str, args: Sequence[Any], keywords: Mapping[str, Any] = EMPTY
    ) -> SymbolicValue:  # fmt: skip
        """Record the run of a module; returns its value."""
        return self._add(Application(line, name, "", tuple(args), keywords))

    def run_function(
        self, line: int, target: str, args: Sequence[Any], keywords: Mapping[str, Any] = EMPTY, inplace: bool = False
    ) -> SymbolicValue:
        """Record the run of a function; returns its value."""
        given = {name: TRAINING if value is MODE else value for name, value in keywords.items()}
        inplace = bool(given.pop("inplace", inplace))
        frozen = tuple(tuple(arg) if isinstance(arg, list) else arg for arg in args)
        return self._add(Application(line, None, target, frozen, given, inplace))

    def _add(self, application: Application) -> SymbolicValue:
        self.applications.append(application)
        return SymbolicValue(len(self.applications) - 1)
