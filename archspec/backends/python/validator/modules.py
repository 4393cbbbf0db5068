"""The modules that constructors make and register. Equal ones are one object."""

from __future__ import annotations

import ast
from collections.abc import Callable, Collection, Mapping
from typing import Any, TypeVar

from archspec.backends.python.validator.environment import Environment
from archspec.backends.python.validator.errors import Errors
from archspec.backends.python.validator.initialisers import complete
from archspec.backends.python.validator.values import (
    Class,
    Container,
    Function,
    Leaf,
    Made,
    Name,
    NewTensor,
    OwnBuffer,
    OwnParameter,
    typed,
)

Run = Callable[[list[ast.stmt], Environment], bool]
"""Evaluates the statements of a function; returns whether one of them returned."""

M = TypeVar("M", Made, OwnParameter, NewTensor)


class Modules:
    """Instantiates classes on demand, once for equal arguments."""

    def __init__(self, errors: Errors, run: Run) -> None:
        self.errors = errors
        self.run = run
        self.clock = 0
        """The number of constructions begun and ended so far: the order in which random numbers are drawn."""
        self.instances: dict[Any, Container] = {}
        self.leaves: dict[Any, Leaf] = {}
        self.sequentials: dict[Any, Container] = {}

    def construct(self, kind: Class, args: list[Any], keywords: Mapping[str, Any], node: ast.AST) -> Made:
        """A new instance of a class of the file."""
        bound = self._bind(kind.init, kind.defaults, args, keywords, node)
        key = (kind, *map(typed, bound.values()))
        first = self.clock = self.clock + 1
        module = self.instances.get(key)
        if module is None:
            module = Container(kind, getattr(node, "lineno", 0))
            self._run_constructor(module, kind, bound)
            self.instances[key] = module
        self.clock += 1
        return Made(module, first, self.clock, getattr(node, "lineno", 0))

    def _bind(
        self, function: Function, defaults: Mapping[str, Any], args: list[Any], keywords: Mapping[str, Any],
        node: ast.AST,
    ) -> dict[str, Any]:  # fmt: skip
        """The values of a method's arguments, without `self`."""
        names = function.names()
        given = {**dict(zip(names, args, strict=False)), **keywords}
        if len(args) > len(names) or set(given) - set(names) or set(names[: len(args)]) & set(keywords):
            raise self.errors.at(node, f"the arguments do not fit {names}")
        if missing := [name for name in names if name not in given and name not in defaults]:
            raise self.errors.at(node, f"the arguments {missing} are missing")
        return {name: given[name] if name in given else defaults[name] for name in names}

    def _run_constructor(self, module: Container, kind: Class, names: dict[str, Any]) -> None:
        """Run a constructor."""
        env = Environment(dict(names), kind.init.assigned, module)
        env.made = []
        self.run(kind.init.node.body, env)
        if not env.ready:
            raise self.errors.at(kind.init.node, "the constructor does not call super().__init__")
        for made in env.made:
            if not made.owned:
                what = (
                    "tensor is made but not used"
                    if isinstance(made, NewTensor)
                    else "module is made but not registered"
                )
                raise self.errors.at_line(made.line, f"a {what}", kind.name)

    def register(self, owner: Container, name: Any, made: Any, node: ast.AST, env: Environment | None = None) -> None:
        """Register a module or a tensor in another module under a name."""
        if env is not None and not env.ready:
            raise self.errors.at(node, "a module is registered before super().__init__ is called")
        known = (owner.modules, owner.parameters, owner.buffers, owner.attributes)
        if not isinstance(name, str) or not name or "." in name or any(name in names for names in known):
            raise self.errors.at(node, f"nothing can be registered as {name!r} here")
        if owner.is_finished:
            raise self.errors.at(node, f"{name} is registered after parameters were initialised")
        if isinstance(made, OwnBuffer):
            owner.buffers[name], owner.lines[name] = made, getattr(node, "lineno", 0)
            return
        if not isinstance(made, Made | OwnParameter):
            raise self.errors.at(node, f"{name} is not a module")
        if made.owned:
            raise self.errors.at(node, f"{name} is registered already")
        if made.first <= owner.last and (env is None or _overlaps(made, owner)):
            raise self.errors.at(node, f"{name} is made before, and registered after another module")
        made.owned, owner.drawn[name], owner.lines[name] = True, (made.first, made.last), made.line
        owner.last = max(owner.last, made.last)
        if isinstance(made, OwnParameter):
            owner.parameters[name] = made
        else:
            owner.modules[name] = made.module

    def new_tensor(self, path: str, args: list[Any], keywords: Mapping[str, Any], node: ast.AST) -> NewTensor | None:
        """A tensor with its initial values, or an empty one; `None` if a call makes something else."""
        is_full = path == "torch.full"
        if keywords or len(args) < 1 + is_full or (is_full and (len(args) > 2 or type(args[1]) is not float)):
            return None
        sizes = args[0] if is_full or (len(args) == 1 and isinstance(args[0], tuple | list)) else tuple(args)
        if not isinstance(sizes, tuple | list) or not all(type(size) is int and size >= 0 for size in sizes):
            return None
        self.clock += 1
        value = args[1] if is_full else {"torch.zeros": 0.0, "torch.ones": 1.0}.get(path)
        filled = None if value is None else ("nn.init.constant_", (("val", value),))
        return NewTensor(tuple(sizes), filled, self.clock, getattr(node, "lineno", 0))

    def filled(self, path: str, args: list[Any], keywords: Mapping[str, Any], node: ast.AST) -> NewTensor | None:
        """An empty tensor, filled by an initialiser; `None` if a call does something else."""
        empty = args[0] if args else None
        if not isinstance(empty, NewTensor) or empty.filled is not None or empty.owned:
            return None
        found = complete(path, tuple(args[1:]), keywords)
        if found is None:
            return None
        empty.owned = True
        self.clock += 1
        return NewTensor(empty.shape, found, self.clock, getattr(node, "lineno", 0))

    def sequential(self, args: list[Any], node: ast.AST, into: Container | None = None) -> Container:
        """An `nn.Sequential` of modules, or of an `OrderedDict` of them."""
        found = Container(None, getattr(node, "lineno", 0)) if into is None else into
        entries = args[0] if len(args) == 1 and isinstance(args[0], dict) else _numbered(args)
        self._fill(found, entries, node)
        return found

    def _fill(self, into: Container, entries: Mapping[str, Any], node: ast.AST) -> None:
        for name, made in entries.items():
            self.register(into, name, made, node)

    def made_sequential(self, args: list[Any], node: ast.AST) -> Made:
        """A construction of an `nn.Sequential`."""
        entries = args[0].values() if args and isinstance(args[0], dict) else args
        made = self.sequential(args, node)
        key = (made.line, *((name, id(module), made.lines[name]) for name, module in made.modules.items()))
        return self._around(self.sequentials.setdefault(key, made), entries, node)

    def made_container(self, kind: str, args: list[Any], node: ast.AST) -> Made:
        """A construction of an `nn.ModuleList` of a list, or of an `nn.ModuleDict` of a dict."""
        given = {"ModuleList": list, "ModuleDict": dict}[kind]
        if len(args) != 1 or type(args[0]) is not given or not args[0]:
            raise self.errors.at(node, f"nn.{kind} expects a {given.__name__} of modules")
        entries = args[0] if given is dict else _numbered(args[0])
        held = Container(None, getattr(node, "lineno", 0), kind)
        self._fill(held, entries, node)
        return self._around(held, entries.values(), node)

    def _around(self, module: Container, entries: Collection[Made], node: ast.AST) -> Made:
        """A construction that begins when the first entry is made, and ends when the last is."""
        times = [time for made in entries for time in (made.first, made.last)]
        self.clock += not times
        times = times or [self.clock]
        return Made(module, min(times), max(times), getattr(node, "lineno", 0))

    def _leaf(self, name: Name, args: list[Any], keywords: Mapping[str, Any]) -> Leaf:
        """A module of torch; equal ones are one object."""
        key = (name.path, *map(typed, args), *((word, typed(value)) for word, value in sorted(keywords.items())))
        if key not in self.leaves:
            self.leaves[key] = Leaf(name.path, tuple(args), keywords, name.base)
        return self.leaves[key]

    def remember(self, made: M, env: Environment) -> M:
        """Record an object that a constructor makes, and must use."""
        assert env.made is not None
        env.made.append(made)
        return made

    def made_leaf(self, name: Name, args: list[Any], keywords: Mapping[str, Any], node: ast.AST) -> Made:
        """A construction of a module of torch."""
        self.clock += 1
        return Made(self._leaf(name, args, keywords), self.clock, self.clock, getattr(node, "lineno", 0))


def _overlaps(made: Made | OwnParameter, owner: Container) -> bool:
    """Whether something was made while another module of the same owner was."""
    return any(made.first <= last and first <= made.last for first, last in owner.drawn.values())


def _numbered(entries: list[Any]) -> dict[str, Any]:
    return dict(zip(map(str, range(len(entries))), entries, strict=True))
