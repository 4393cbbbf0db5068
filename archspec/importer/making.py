"""The model that is imported, and how its constructor computed its constants: those that no field of `buffer`
describes are computed again."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from archspec.importer.buffers import is_described
from archspec.importer.constants import Constants, tensors_in
from archspec.importer.function_names import name_of
from archspec.verification.reference_module import Against


class Made(NamedTuple):
    """A model."""

    module: nn.Module
    constants: Constants
    """How tensors were made that its constructor computed."""
    odd_buffers: list[tuple[str, str, Tensor]]
    """The buffers that are not saved, and that no field of buffer describes: module, name and tensor."""


def make(against: Against) -> Made:
    """The model, a new one unless it is given as an instance. Raises `AgainstError`."""
    watch = _Watch()
    with watch:
        module = against.make()
    return Made(module, watch.constants, list(_odd_buffers(module)))


def _odd_buffers(model: nn.Module) -> Iterator[tuple[str, str, Tensor]]:
    for path, module in model.named_modules():
        for name in sorted(module._non_persistent_buffers_set):
            tensor = module._buffers.get(name)
            if tensor is not None and not is_described(tensor):
                yield path, name, tensor


class _Watch(TorchFunctionMode):
    """Notes the calls that make constants."""

    def __init__(self) -> None:
        super().__init__()
        self.constants = Constants()

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        result = func(*args, **kwargs)
        tensors = tensors_in((args, kwargs, result))
        if tensors and not any(isinstance(tensor, nn.Parameter) or tensor.is_meta for tensor in tensors):
            self.constants.follow(name_of(func), func, args, kwargs, result)
        return result
