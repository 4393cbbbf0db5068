"""The module to compare with, as the user gives it: `package.module:name`, a callable, or the module itself.

This runs code that the user names on the command line or in Python. A spec cannot name code.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from torch import nn
from torch.nn.parameter import is_lazy

from archspec.diagnostics.diagnostic import Diagnostic, TargetError
from archspec.diagnostics.suggestions import meant
from archspec.diagnostics.user_code import UserCodeError, described, imported


class AgainstError(TargetError):
    """The module to compare with cannot be imported or constructed; `diagnostics` say why."""


class Against(NamedTuple):
    """The module to compare with, before it is constructed."""

    title: str
    found: nn.Module | Callable[..., Any]
    arguments: Mapping[str, Any]
    option: str = "--against-args"
    """The option of the command that gives it arguments."""

    @property
    def is_instance(self) -> bool:
        """Whether it is a module already, whose weights do not depend on our seed."""
        return isinstance(self.found, nn.Module)

    def make(self) -> nn.Module:
        """The module; a new one unless it is an instance. Raises `AgainstError`."""
        made = self.found if isinstance(self.found, nn.Module) else self._call(self.found)
        if not isinstance(made, nn.Module):
            raise _error(self.title, f"calling it returned {_kind(made)}, not a torch.nn.Module")
        tensors = [*made.parameters(), *made.buffers()]
        if any(map(is_lazy, tensors)):
            raise _error(self.title, "it has lazy parameters", "run one batch through it first")
        if any(tensor.is_meta for tensor in tensors):
            raise _error(self.title, "its tensors are on the meta device, without values")
        if any(tensor.is_inference() for tensor in tensors):
            raise _error(self.title, "its tensors were created in inference mode and cannot be set")
        return made

    def _call(self, maker: Callable[..., Any]) -> Any:
        try:
            return maker(**self.arguments)
        except (Exception, SystemExit) as error:
            help = f"{self.option} NAME=VALUE gives it arguments" if isinstance(error, TypeError) else ""
            raise _error(self.title, f"calling it raised {described(error)}", help) from None


def find(given: Any, arguments: Mapping[str, Any], option: str = "--against-args") -> Against:
    """The module, or maker of one, that a string or an object denotes; nothing is constructed. `option` is that of the
    command which gives it arguments. Raises `AgainstError`."""
    found, title = (_imported(given), given) if isinstance(given, str) else (given, _title(given))
    if not isinstance(found, nn.Module) and not callable(found):
        raise _error(title, f"expected a torch.nn.Module, or a function or class that returns one, got {_kind(found)}")
    if isinstance(found, nn.Module) and arguments:
        raise _error(title, "it is a module, which takes no arguments")
    return Against(title, found, arguments, option)


def _imported(given: str) -> Any:
    path, colon, name = given.partition(":")
    if not (path and colon and name):
        raise _error(given, "expected package.module:name", "for example torchvision.models:resnet18")
    found, so_far = _module(given, path), f"module '{path}'"
    for part in name.split("."):
        if not hasattr(found, part):
            raise _error(given, f"{so_far} has no attribute '{part}'", meant(part, dir(found)))
        found, so_far = getattr(found, part), f"'{part}'"
    return found


def _module(given: str, path: str) -> Any:
    try:
        return imported(path)
    except UserCodeError as error:
        raise _error(given, str(error), error.help) from None


def _title(given: Any) -> str:
    named = given if isinstance(given, type) or not isinstance(given, nn.Module) else type(given)
    return str(getattr(named, "__qualname__", type(given).__name__))


def _kind(value: Any) -> str:
    return "None" if value is None else f"a value of type {type(value).__name__}"


def _error(title: str, message: str, help: str = "") -> AgainstError:
    return AgainstError([Diagnostic("usage", message, where=title, help=help)])
