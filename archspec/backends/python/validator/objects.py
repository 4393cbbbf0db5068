"""Evaluates the attributes, methods and calls of modules, classes and torch in a generated file."""

from __future__ import annotations

import ast
import math
import re
from collections.abc import Callable
from typing import Any, Final

from archspec.backends.python.validator.environment import Environment
from archspec.backends.python.validator.errors import Errors
from archspec.backends.python.validator.expressions import BUILTINS, IMPORTS, whole
from archspec.backends.python.validator.modules import Modules
from archspec.backends.python.validator.values import (
    MODE,
    Bound,
    Class,
    ComputedTensor,
    Container,
    Leaf,
    Made,
    Name,
    NewTensor,
    OwnBuffer,
    OwnParameter,
    Partial,
    Record,
    Special,
    SymbolicValue,
)
from archspec.expressions.functions import make_divisible

_SUPER: Final = Special("super()")

_NEW_TENSORS: Final = ("torch.empty", "torch.full", "torch.ones", "torch.zeros")

_TEXT_METHODS: Final = ("endswith", "startswith")

_NO_LEAVES: Final = ("nn.Buffer", "nn.ModuleDict", "nn.ModuleList", "nn.Parameter", "nn.Sequential")
"""Classes of torch that are not modules, or whose modules contain others."""

_LIST_METHODS: Final = ("append", "extend")


class ModuleObjects:
    """The objects of a file; modules are made and registered by `modules`."""

    def __init__(self, errors: Errors, modules: Modules) -> None:
        self.errors = errors
        self.modules = modules

    def attribute(self, owner: Any, name: str, node: ast.AST, env: Environment) -> Any:
        """An attribute of a module, a method of a value, a list or a text."""
        if isinstance(owner, Container | Leaf):
            return self._of_module(owner, name, node, env)
        if isinstance(owner, NewTensor) and name == "long" and owner.filled is not None and not owner.owned:
            return Bound(_used(owner), name)
        methods = _LIST_METHODS if isinstance(owner, list) else _TEXT_METHODS if isinstance(owner, str) else ()
        if isinstance(owner, SymbolicValue | ComputedTensor) or name in methods or owner == _SUPER:
            return Bound(owner, name)
        return self._of_other(owner, name, node)

    def entry(self, owner: Container, index: Any, node: ast.AST, env: Environment) -> Any:
        """`self[0]` in the `forward` of an `nn.Sequential`."""
        names = list(owner.modules)
        is_own = owner is env.owner and owner.kind is not None and owner.kind.is_sequential
        if not is_own or env.trace is None or type(index) is not int or not 0 <= index < len(names):
            raise self.errors.at(node, f"'{ast.unparse(node)}' is not understood")
        return Bound(owner, f"modules.{names[index]}")

    def set_attribute(self, name: str, value: Any, node: ast.expr, env: Environment) -> None:
        """Register a module or a tensor, or keep a number, under an attribute of `self`."""
        owner = env.owner
        if isinstance(value, Made | OwnParameter | OwnBuffer):
            if owner.attributes.get(name, ...) is None and not isinstance(value, OwnBuffer):
                del owner.attributes[name]
            self.modules.register(owner, name, value, node, env)
        elif not env.ready or name in {**owner.modules, **owner.parameters, **owner.buffers} or owner.is_finished:
            raise self.errors.at(node, f"self.{name} cannot be set here")
        elif isinstance(value, bool | int | float | str | tuple | list | None):
            owner.attributes[name] = value
        else:
            raise self.errors.at(node, f"self.{name} is not a module, number, string or list")

    def remove(self, target: ast.expr, env: Environment) -> None:
        """`del self.fc`, or `del self[5:]` of an `nn.Sequential`."""
        if isinstance(target, ast.Attribute) and _is_self(target.value):
            self._remove([target.attr], target, env)
        elif isinstance(target, ast.Subscript) and _is_self(target.value) and isinstance(target.slice, ast.Slice):
            first, names = target.slice.lower, [*env.owner.modules]
            plain = isinstance(first, ast.Constant) and target.slice.upper is None and target.slice.step is None
            count = first.value if plain and type(first.value) is int else -1  # type: ignore[union-attr]
            if not env.owner.kind.is_sequential or names[:count] != [*map(str, range(count))]:  # it numbers them anew
                raise self.errors.at(target, f"'{ast.unparse(target)}' cannot be removed")
            self._remove(names[count:], target, env)
        else:
            raise self.errors.at(target, f"'{ast.unparse(target)}' cannot be removed")

    def _remove(self, names: list[str], node: ast.AST, env: Environment) -> None:
        owner = env.owner
        known = owner.modules.keys() | owner.parameters.keys() | owner.buffers.keys()
        absent = {name for name, value in owner.attributes.items() if value is None}  # under a condition that is false
        if not names or not (known | absent).issuperset(names):
            raise self.errors.at(node, f"{', '.join(names) or 'nothing'} cannot be removed")
        for name in names:
            if name in known:
                owner.remove(name)
            else:
                del owner.attributes[name]

    def _of_module(self, owner: Any, name: str, node: ast.AST, env: Environment) -> Any:
        """An attribute of `self`, or a method of it."""
        if owner is not env.owner or not isinstance(owner, Container):
            raise self.errors.at(node, f"'.{name}' of a module inside another one")
        if name == "training" and env.trace is not None:
            return MODE
        if name in owner.attributes:
            return owner.attributes[name]
        if env.trace is not None:
            if name in owner.modules:
                return _bound(owner, name, owner.modules[name])
            if name in owner.parameters or name in owner.buffers:
                return SymbolicValue(name)
            if name in ("children", "named_children", "get_submodule", "get_parameter"):
                return Bound(owner, name)
        elif env.made is not None and name in ("add_module", "register_module", "register_parameter"):
            return Bound(owner, name)
        raise self.errors.at(node, f"self has no attribute '{name}' here")

    def _of_other(self, owner: Any, name: str, node: ast.AST) -> Any:
        """An attribute of a module whose parameters are initialised."""
        found = getattr(owner, "attribute", None)
        if found is None:
            raise self.errors.at(node, f"'.{name}' is not understood")
        return found(name, node)

    def call(self, callee: Any, args: list[Any], keywords: dict[str, Any], node: ast.Call, env: Environment) -> Any:
        """The result of a call."""
        if isinstance(callee, Bound):
            return self._method(callee, args, keywords, node, env)
        if isinstance(callee, Special):
            return self._special(callee.name, args, keywords, node, env)
        if isinstance(callee, Class) and env.made is not None:
            return self.modules.remember(self.modules.construct(callee, args, keywords, node), env)
        if isinstance(callee, Record) and env.trace is not None:
            return self._record(callee, args, keywords, node)
        if isinstance(callee, Partial) and env.made is not None and not callee.given_twice(keywords):
            return self._of_torch(callee.of, args, {**dict(callee.given), **keywords}, node, env)
        if isinstance(callee, Name):
            return self._of_torch(callee, args, keywords, node, env)
        if not _is_function(callee):
            raise self.errors.at(node, f"'{ast.unparse(node.func)}' cannot be called here")
        if callee is sum and env.trace is not None:
            return self._sum(args, keywords, node, env)
        try:
            return callee(*args, **keywords)
        except (TypeError, ValueError, ArithmeticError) as error:
            raise self.errors.at(node, f"'{ast.unparse(node)}': {error}") from None

    def _sum(self, args: list[Any], keywords: dict[str, Any], node: ast.Call, env: Environment) -> Any:
        """The sum of tensors in a list, added one after the other to the first."""
        if keywords or len(args) != 2 or not isinstance(args[0], list | tuple) or env.trace is None:
            raise self.errors.at(node, f"'{ast.unparse(node)}' is not understood")
        total = args[1]
        for term in args[0]:
            if not isinstance(total, SymbolicValue) or not isinstance(term, SymbolicValue):
                raise self.errors.at(node, f"'{ast.unparse(node)}' adds something other than tensors")
            total = env.trace.run_function(node.lineno, "operator.add", [total, term])
        return total

    def _record(self, kind: Record, args: list[Any], keywords: dict[str, Any], node: ast.AST) -> Any:
        """A named tuple of values."""
        values = dict(zip(kind.fields, args, strict=False)) | keywords
        if len(args) > len(kind.fields) or tuple(values) != kind.fields:
            raise self.errors.at(node, f"the arguments do not fit {kind.name}")
        return kind, tuple(values.values())

    def _of_torch(self, name: Name, args: list[Any], keywords: dict[str, Any], node: ast.Call, env: Environment) -> Any:
        """A function of torch on tensors, or a module."""
        path = name.path
        if env.init_calls is not None and path.startswith("nn.init."):
            env.init_calls.append((path, tuple(args), keywords))
            return None
        if env.trace is not None:
            return env.trace.run_function(node.lineno, path, args, keywords)
        made = self._of_tensor(path, args, keywords, node, env)
        if made is not None:
            return made
        if path == "nn.Buffer" and env.made is not None:
            return self._buffer(args, keywords, node)
        if env.made is not None and not keywords and (path.startswith("torch.") or _is_helper_function(name)):
            return ComputedTensor(path, tuple(args))
        if env.made is None or not (name.base or re.fullmatch(r"nn\.[A-Z]\w*", path)):
            raise self.errors.at(node, f"{path} cannot be called here")
        if path == "nn.Sequential" and not keywords:
            return self.modules.remember(self.modules.made_sequential(args, node), env)
        if path in ("nn.ModuleList", "nn.ModuleDict") and not keywords:
            return self.modules.remember(self.modules.made_container(path.removeprefix("nn."), args, node), env)
        return self.modules.remember(self.modules.made_leaf(name, args, keywords, node), env)

    def _of_tensor(
        self, path: str, args: list[Any], keywords: dict[str, Any], node: ast.Call, env: Environment
    ) -> Any:  # fmt: skip
        """A tensor that a constructor makes, one that it fills, or a parameter; `None` for anything else."""
        if env.made is None:
            return None
        if path in _NEW_TENSORS:
            new = self.modules.new_tensor(path, args, keywords, node)
            return None if new is None else self.modules.remember(new, env)
        if path.startswith("nn.init."):
            filled = self.modules.filled(path, args, keywords, node)
            return None if filled is None else self.modules.remember(filled, env)
        if path != "nn.Parameter":
            return None
        tensor = args[0] if len(args) == 1 and not keywords else None
        if not isinstance(tensor, NewTensor):
            raise self.errors.at(node, "a parameter is made of one new tensor")
        if tensor.filled is None or tensor.owned:
            raise self.errors.at(node, f"the tensor of a parameter is {'empty' if not tensor.filled else 'used twice'}")
        tensor.owned = True
        return self.modules.remember(OwnParameter(tensor), env)

    def _buffer(self, args: list[Any], keywords: dict[str, Any], node: ast.AST) -> OwnBuffer:
        """A buffer of `self`, made of a tensor that is calculated, or of one number."""
        tensor = args[0] if len(args) == 1 and keywords in ({}, {"persistent": False}) else None
        if isinstance(tensor, NewTensor) and not tensor.owned and tensor.filled is not None:
            tensor = _used(tensor)
        if not isinstance(tensor, ComputedTensor):
            raise self.errors.at(node, "a buffer is made of one new tensor, and persistent=False")
        return OwnBuffer(tensor, not keywords)

    def _special(self, name: str, args: list[Any], keywords: dict[str, Any], node: ast.Call, env: Environment) -> Any:
        """`super()`, `OrderedDict(…)`, `isinstance(…)`, `getattr(self, …)`, `setattr(self, …)`."""
        if name == "super" and not args and env.made is not None:
            return _SUPER
        if name == "OrderedDict" and len(args) <= 1 and not (args and keywords):
            entries = [*(args[0] if args else ()), *keywords.items()]
            if not all(type(entry) is tuple and len(entry) == 2 for entry in entries):
                raise self.errors.at(node, "an OrderedDict expects pairs")
            if len({key for key, _ in entries}) < len(entries):
                raise self.errors.at(node, "a name is given twice")
            return dict(entries)
        if name == "isinstance" and len(args) == 2 and hasattr(args[0], "is_a"):
            return args[0].is_a(args[1] if type(args[1]) is tuple else (args[1],))
        if name == "delattr" and len(args) == 2 and args[0] is env.owner and isinstance(args[1], str) and env.ready:
            return self._remove([args[1]], node, env)
        if name == "setattr" and len(args) == 3 and args[0] is env.owner and isinstance(args[1], str):
            return self.set_attribute(args[1], args[2], node, env)
        if name == "getattr" and len(args) == 2 and args[0] is env.owner and isinstance(args[1], str):
            return self._of_module(args[0], args[1], node, env)
        if name == "partial" and len(args) == 1 and isinstance(args[0], Name) and _is_leaf(args[0]):
            return Partial(args[0], tuple(keywords.items()))
        raise self.errors.at(node, f"'{ast.unparse(node)}' is not understood")

    def _method(self, bound: Bound, args: list[Any], keywords: dict[str, Any], node: ast.Call, env: Environment) -> Any:
        """The result of a method."""
        owner, name = bound.owner, bound.name
        if isinstance(owner, SymbolicValue):
            assert env.trace is not None
            return env.trace.run_function(node.lineno, f"Tensor.{name}", [owner, *args], keywords)
        if isinstance(owner, ComputedTensor) and not keywords:
            return ComputedTensor(f"Tensor.{name}", (owner, *args))
        if isinstance(owner, list | str):
            return getattr(owner, name)(*args, **keywords)
        if name == "get_parameter" and env.init_calls is not None and len(args) == 1 and not keywords:
            return owner.parameter(str(args[0]), node)
        if name.startswith("modules."):
            return self._run_module(name.removeprefix("modules."), args, keywords, node, env)
        if keywords and name != "__init__":
            raise self.errors.at(node, f"'{ast.unparse(node)}' is not understood")
        if name == "__init__" and owner == _SUPER and not env.ready:
            return self._initialise(args, keywords, node, env)
        if name in ("add_module", "register_module", "register_parameter") and len(args) == 2:
            return self.modules.register(owner, args[0], args[1], node, env)
        return self._of_children(owner, name, args, node, env)

    def _initialise(self, args: list[Any], keywords: dict[str, Any], node: ast.AST, env: Environment) -> None:
        """`super().__init__(…)`: that of `nn.Sequential` takes the modules."""
        env.ready = True
        if keywords or (args and not env.owner.kind.is_sequential):
            raise self.errors.at(node, "super().__init__ takes no arguments here")
        self.modules.sequential(args, node, env.owner)

    def _of_children(self, owner: Container, name: str, args: list[Any], node: ast.AST, env: Environment) -> Any:
        """The result of `self.children()` and the like."""
        modules = {key: Bound(owner, f"modules.{key}") for key, *_ in owner.entries()}
        if owner.containers() and name != "get_submodule":
            raise self.errors.at(node, f"self.{name} of a module that has containers")
        if name == "children" and not args:
            return list(modules.values())
        if name == "named_children" and not args:
            return list(modules.items())
        if name == "get_submodule" and len(args) == 1 and args[0] in modules:
            return modules[args[0]]
        if name == "get_parameter" and len(args) == 1 and args[0] in owner.parameters:
            return SymbolicValue(args[0])
        raise self.errors.at(node, f"self.{name} of {args} is not understood")

    def _run_module(
        self, name: str, args: list[Any], keywords: dict[str, Any], node: ast.Call, env: Environment
    ) -> SymbolicValue:
        """Run a submodule on values; all parts of one value, in their order, count as that value."""
        assert env.trace is not None
        args = [whole(self.errors, arg, node, env) or arg for arg in args]
        named = all(isinstance(arg, SymbolicValue | bool | int | float | str) for arg in keywords.values())
        if not named or not all(isinstance(arg, SymbolicValue) for arg in args):
            raise self.errors.at(node, f"self.{name} takes tensors, and constants by name")
        return env.trace.run_module(node.lineno, name, args, keywords)


def _used(tensor: NewTensor) -> ComputedTensor:
    """A new tensor as a calculated one; it is marked as used, so that nothing else can be made of it."""
    assert tensor.filled is not None
    tensor.owned = True
    return ComputedTensor(tensor.filled[0], (tensor.shape, *tensor.filled[1]))


def _bound(owner: Container, name: str, module: Any) -> Any:
    """A module of another one that can be called; a container, which cannot, as a tuple or a dict of such."""
    if not isinstance(module, Container) or not module.holds:
        return Bound(owner, f"modules.{name}")
    inside = {key: _bound(owner, f"{name}.{key}", inner) for key, inner in module.modules.items()}
    return inside if module.holds == "ModuleDict" else tuple(inside.values())


def _is_self(node: ast.expr) -> bool:
    return isinstance(node, ast.Name) and node.id == "self"


def _is_leaf(name: Name) -> bool:
    """Whether a name is that of a class whose modules contain no others."""
    return name.path not in _NO_LEAVES and bool(name.base or re.fullmatch(r"nn\.[A-Z]\w*", name.path))


def _is_helper_function(name: Name) -> bool:
    """Whether a name is that of a function which the file copies from archspec."""
    return "." not in name.path and not name.base


def _is_function(callee: Any) -> bool:
    """Whether something is a function of plain values that files may call."""
    known: tuple[Callable[..., Any], ...] = (
        make_divisible,
        math.sqrt,
        math.ceil,
        math.floor,
        IMPORTS["fnmatch", "fnmatchcase"],
    )
    return any(callee is function for function in (*known, *BUILTINS.values()))
