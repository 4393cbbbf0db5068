"""The classes of built modules: one for each name of a block; the parameters of its `forward` are the block's inputs.

PyTorch's tools use the class of a module: summaries show its name, wrapping policies select by it, and `torch.fx` and
`torch.export` read the signature of its `forward`. The computation of a block is a program of the instance: two
instances of a block have the same class, even if conditions in the block gave them different programs.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache
from keyword import iskeyword
from threading import Lock
from typing import Any, ClassVar, NamedTuple, TypeVar
from weakref import WeakValueDictionary

from torch import nn

from archspec.backends.torch.program import define, program_of, runner
from archspec.ir.graph import Feature, Outputs
from archspec.ir.module import Module, Ref


class Named(nn.Module):
    """A module whose class is made for the name of a block, by `class_of`."""

    _key: ClassVar[tuple[Any, ...]]

    def __reduce_ex__(self, protocol: Any) -> Any:
        """Pickle and copy by the arguments that its class was made from, unless it is a derived class."""
        key = vars(type(self)).get("_key")
        return super().__reduce_ex__(protocol) if key is None else (_blank, key, self.__getstate__())  # type: ignore[no-untyped-call]


class SequentialBlock(Named, nn.Sequential):
    """An instance of a block in the form of a `seq`. It runs like any `nn.Sequential`, also after it is modified."""


class Block(Named):
    """An instance of a block: its submodules, and the program that runs them."""

    FINISH: ClassVar = "{run}"
    """The result of `forward`, from the result of the program."""

    def __init__(self, module: Module, results: tuple[Ref, ...]) -> None:
        super().__init__()
        program, run = program_of(module, results)
        # Set directly: nn.Module's __setattr__ is slow.
        vars(self).update(_program=program, _run=run)

    def __getstate__(self) -> dict[str, Any]:
        """The state without the function that was compiled from the program, which cannot be pickled."""
        return {key: value for key, value in self.__dict__.items() if key != "_run"}

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)  # type: ignore[no-untyped-call]
        vars(self)["_run"] = runner(state["_program"])


class Network(Block):
    """A network with several outputs. It returns them always, or in training only, and then its first in evaluation."""

    FINISH = "self._finish({run})"

    _returns: tuple[str, tuple[str, ...], bool]
    _tuple: Any

    def __init__(self, module: Module, outputs: Outputs) -> None:
        super().__init__(module, (module.result, *(() if outputs.always else outputs.fields.values())))
        self._return((outputs.type, tuple(outputs.fields), outputs.always))

    def _return(self, returns: tuple[str, tuple[str, ...], bool]) -> None:
        kind, names, _ = returns
        made = named_tuple(kind, names) if kind not in ("tuple", "list", "dict") else None
        vars(self).update(_returns=returns, _tuple=made)

    def _finish(self, found: Any) -> Any:
        kind, names, always = self._returns
        if not always and not self.training:
            return found[0]
        values = found if always else found[1:]
        if self._tuple is not None:
            return self._tuple(*values)
        if kind == "dict":
            return dict(zip(names, values, strict=True))
        return list(values) if kind == "list" else values

    def __getstate__(self) -> dict[str, Any]:
        return {key: value for key, value in super().__getstate__().items() if key != "_tuple"}

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)
        self._return(self._returns)


class FeatureNetwork(Network):
    """A network cut down to some of its values; returns them as a dict.

    `feature_info` gives the shape, stride and receptive field of each, and so does `features`. A submodule of one of
    these names takes precedence.
    """

    def __init__(self, module: Module, outputs: Outputs, features: tuple[Feature, ...]) -> None:
        super().__init__(module, outputs)
        vars(self)["_features"] = features

    def __getattr__(self, name: str) -> Any:
        try:
            return super().__getattr__(name)
        except AttributeError:
            if name not in ("feature_info", "features"):
                raise
            return self._features


Kind = TypeVar("Kind", bound=Named)

_CLASSES: WeakValueDictionary[tuple[Any, ...], type[Named]] = WeakValueDictionary()
_LOCK = Lock()


def class_of(kind: type[Kind], name: str, inputs: tuple[str, ...]) -> type[Kind]:
    """The class of blocks with this name and these inputs. It is one object as long as it is referenced.

    >>> import inspect
    >>> residual = class_of(Block, "Residual", ("x", "skip"))
    >>> residual.__name__, str(inspect.signature(residual.forward))
    ('Residual', '(self, x: torch.Tensor, skip: torch.Tensor)')
    >>> residual is class_of(Block, "Residual", ("x", "skip"))
    True
    """
    key = (kind, name, inputs)
    with _LOCK:
        found: Any = _CLASSES.get(key)
        if found is None:
            content: dict[str, Any] = {"__module__": kind.__module__, "_key": key}
            if issubclass(kind, Block):
                content["forward"] = _forward(kind, inputs)
            found = _CLASSES[key] = type(name, (kind,), content)
        return found  # type: ignore[no-any-return]


def _forward(kind: type[Block], inputs: Sequence[str]) -> Callable[..., Any]:
    """A separate `forward` for each class, since `torch.compile` limits how often it compiles one function."""
    if not all(name.isidentifier() and not iskeyword(name) for name in (name.removeprefix("*") for name in inputs)):
        raise ValueError(f"{', '.join(map(repr, inputs))} cannot be parameters of a function")
    parameters = ", ".join(f"{name}: Tensor" for name in inputs)
    result = kind.FINISH.format(run=f"self._run(self, {', '.join(inputs)})")
    return define(f"def forward(self, {parameters}):\n    return {result}")


def _blank(kind: type[Named], name: str, inputs: tuple[str, ...]) -> Named:
    """A block without its state, for `pickle` and `copy`."""
    made = class_of(kind, name, inputs)
    return made.__new__(made)


@lru_cache(maxsize=256)
def named_tuple(name: str, fields: tuple[str, ...]) -> Any:
    """The class of a network's outputs. They can be pickled, though their class is not in any module."""
    made: Any = NamedTuple(name, [(field, Any) for field in fields])  # type: ignore[misc]
    setattr(made, "__reduce__", _reduce_outputs)  # noqa: B010 - mypy takes it for a method of every class
    return made


def _reduce_outputs(outputs: Any) -> Any:
    return _outputs, (type(outputs).__name__, outputs._fields, tuple(outputs))


def _outputs(name: str, fields: tuple[str, ...], values: tuple[Any, ...]) -> Any:
    return named_tuple(name, fields)(*values)
