"""Which op a module of torch is, or a function: found from the torch names that each op's class declares."""

from __future__ import annotations

import ast
import inspect
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any, Final, NamedTuple

from torch import Tensor

from archspec.diagnostics.diagnostic import SchemaError
from archspec.diagnostics.validation import validate
from archspec.ops import OPS
from archspec.ops.base import Op, Unsupported, fields_of

WINDOWS: Final = ("kernel_size", "stride", "padding", "dilation", "output_padding", "output_size")
"""Fields that may be one number for all axes."""

_UNIMPORTANT: Final = ("inplace", "training", "_stacklevel")
"""Arguments of torch's functions that are not fields of an op: the compiler or the mode decides them."""

_OF_NUMPY: Final = {"axis": "dim", "keepdims": "keepdim"}


@cache
def _modules() -> Mapping[str, type[Op]]:
    found: dict[str, type[Op]] = {}
    for op in OPS.values():
        if op.module is not None and op.module.startswith("nn."):
            found[op.module] = op
        found.update(dict.fromkeys(op.also, op))
        found.update({helper: op for helper in op.helpers if helper.endswith(f":{op.module}")})
    return found


@cache
def _functions() -> Mapping[str, list[tuple[type[Op], inspect.Signature]]]:
    found: dict[str, list[tuple[type[Op], inspect.Signature]]] = {}
    for op in OPS.values():
        for spelling in op.spelled:
            name, signature = _read(spelling)
            found.setdefault(name, []).append((op, signature))
    return found


def _read(spelling: str) -> tuple[str, inspect.Signature]:
    """The name and the signature of `relu(input, inplace=False)`; `*` and `...` are left out."""
    call = ast.parse(spelling, mode="eval").body
    assert isinstance(call, ast.Call)
    assert isinstance(call.func, ast.Name)
    either = inspect.Parameter.POSITIONAL_OR_KEYWORD
    needed = [inspect.Parameter(ast.unparse(arg).lstrip("*"), either) for arg in call.args if not _is_rest(arg)]
    others = [inspect.Parameter(str(arg.arg), either, default=ast.literal_eval(arg.value)) for arg in call.keywords]
    return call.func.id, inspect.Signature([*needed, *others])


def _is_rest(arg: ast.expr) -> bool:
    return isinstance(arg, ast.Constant) and arg.value is ...


@cache
def _read_whole(spelling: str) -> tuple[inspect.Signature, bool, bool]:
    """The signature of a spelling, whether it ends in `*`, and whether in `...`."""
    last = spelling.rpartition(", ")[2]
    return _read(spelling)[1], last.startswith("*"), last == "...)"


def positional(spelling: str, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> tuple[Any, ...]:
    """The arguments of a call in the order of a spelling, defaults included. The last of `permute(input, *dims)` may be
    given one by one or as a list; of `reshape(input, ...)` all others are left out."""
    signature, is_starred, has_rest = _read_whole(spelling)
    count = len(signature.parameters)
    if has_rest:
        args, kwargs = args[:count], {name: kwargs[name] for name in signature.parameters if name in kwargs}
    elif is_starred and len(args) >= count and not isinstance(args[count - 1], list | tuple):
        args = (*args[: count - 1], args[count - 1 :])
    try:
        bound = signature.bind(*args, **_renamed(kwargs))
    except TypeError as error:
        raise Unsupported(str(error)) from None
    bound.apply_defaults()
    return tuple(bound.arguments.values())


def _renamed(kwargs: Mapping[str, Any]) -> dict[str, Any]:
    """Arguments by torch's names; it knows those of NumPy, too."""
    return {_OF_NUMPY.get(name, name): value for name, value in kwargs.items()}


def op_of(module: Any) -> type[Op] | None:
    """The op that a module is: one whose class, or the class it has its `forward` from, is that of an op."""
    for kind in type(module).__mro__:
        op = _modules().get(_name(kind))
        if op is not None:
            return op if vars(kind).get("forward", kind.forward) is type(module).forward else None  # type: ignore[attr-defined]
    return None


def _name(kind: type) -> str:
    if kind.__module__.startswith("torch.nn.modules."):
        return f"nn.{kind.__qualname__}"
    return f"{kind.__module__}:{kind.__qualname__}"


class Meaning(NamedTuple):
    """An op that a call of a function may be."""

    op: type[Op]
    given: dict[str, Any]
    """The arguments by their names, defaults included."""
    unread: list[str]
    """Arguments that the op has no field for, and that differ from torch's default."""


def _unread(op: type[Op], signature: inspect.Signature, bound: inspect.BoundArguments) -> list[str]:
    names = {*bound.arguments} - {*fields_of(op), *op.reads, *_UNIMPORTANT}
    defaults = {name: signature.parameters[name].default for name in names}
    given = {
        name: bound.arguments[name] for name, default in defaults.items() if default is not inspect.Parameter.empty
    }
    return [f"{name}={value!r:.40}" for name, value in given.items()
            if isinstance(value, bool | int | float | str) and value != defaults[name]]  # fmt: skip


def spelled(name: str, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Iterator[Meaning]:
    """The ops that a function may be, each with the arguments of this call by their names."""
    kwargs = {key: value for key, value in _renamed(kwargs).items() if key != "out" or value is not None}
    for op, signature in _functions().get(name, ()):
        try:
            bound = signature.bind(*args, **kwargs)
        except TypeError:
            continue
        bound.apply_defaults()
        yield Meaning(op, dict(bound.arguments), _unread(op, signature, bound))


def is_known(name: str) -> bool:
    """Whether some op has a function of this name."""
    return name in _functions()


def made(op: type[Op], fields: Mapping[str, Any]) -> dict[str, Any]:
    """The fields as a person would write them: those that are not the default, one number where all axes agree."""
    defaults = fields_of(op)
    found = {name: _plain(name, value) for name, value in fields.items()}
    if found.get("stride") == found.get("kernel_size") and "pool" in op.kind:
        found.pop("stride", None)
    kept = {name: value for name, value in found.items() if name not in defaults or not is_equal(value, defaults[name])}
    try:
        validate(op, kept)
    except SchemaError as error:
        first = error.diagnostics[0]
        raise Unsupported(": ".join(filter(None, (".".join(map(str, first.path)), first.message)))) from None
    return kept


def is_equal(value: Any, other: Any) -> bool:
    """Whether two values of a field are the same: 1 and 1.0 are, 1 and true are not."""
    return isinstance(value, bool) == isinstance(other, bool) and bool(value == other)


def _plain(name: str, value: Any) -> Any:
    """A value as YAML has it."""
    if isinstance(value, tuple | list):
        numbers = [_plain("", entry) for entry in value]
        return numbers[0] if name in WINDOWS and len(set(map(repr, numbers))) == 1 else numbers
    if isinstance(value, Tensor):
        raise Unsupported(f"{name} is a tensor, for which the op takes a number")
    if hasattr(value, "item") and not isinstance(value, bool | int | float | str):
        return value.item()
    return value
