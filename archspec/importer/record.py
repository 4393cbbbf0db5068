"""One run of a module, recorded: hooks see its modules, a `TorchFunctionMode` the functions that they call."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from inspect import signature
from typing import Any, Final

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode
from torch.utils._pytree import tree_flatten, tree_map

from archspec.diagnostics.user_code import described
from archspec.importer.calls import Calls
from archspec.importer.constants import ALIKE, CREATING, Constants, tensors_in
from archspec.importer.function_names import name_of
from archspec.importer.layout import whole, without_one_window
from archspec.importer.layouts import note_layouts
from archspec.importer.masks import Masks
from archspec.importer.parts import Parts
from archspec.importer.problems import Problems
from archspec.importer.source_lines import where
from archspec.importer.tensors import Tensors
from archspec.importer.trace import Call, Place, Scope, Value
from archspec.importer.values import Values, acts_on_samples
from archspec.importer.views import BATCH_STAYS, VIEWS
from archspec.importer.vocabulary import op_of, positional
from archspec.ops.base import Unsupported


class Recording(TorchFunctionMode):
    """Records the steps of a module while it runs on a batch; `root` is what was recorded."""

    def __init__(
        self, model: nn.Module, tensors: Tensors, constants: Constants, problems: Problems, eager: bool
    ) -> None:
        super().__init__()
        self.eager = eager
        """Whether each view is an op at once, rather than several together where something reads them."""
        self.tensors = tensors
        self.constants = constants
        self.problems = problems
        self.root = Scope("", model)
        self.stack = [self.root]
        self.silent = 0
        """How many modules are running that are ops: what they call is not recorded."""
        self.paths = {module: path for path, module in model.named_modules()}
        self.values = Values(self)
        self.calls = Calls(self)
        self.parts = Parts(self)
        self.masks = Masks(self)
        self.sized: list[Tensor] = []
        """The tensors whose shapes were read, the last one last."""

    @property
    def scope(self) -> Scope:
        """The module that is running."""
        return self.stack[-1]

    def note(self, call: Call) -> None:
        """Add a step to the module that is running."""
        note_layouts(call)
        self.scope.steps.append(call)

    def begin(self, x: Tensor) -> None:
        """Note the inputs of the model."""
        value = Value(tuple(x.shape[1:]), is_integer=not x.is_floating_point(), layout=tuple)
        self.root.inputs.append(value)
        self.root.arguments.append("input")
        self.tensors.set(x, whole(value))

    # -- functions

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        name = name_of(func)
        if self.silent:
            is_slow = name in _SLOW and args and args[0].is_meta
            return torch.empty_like(args[0]) if is_slow else func(*args, **kwargs)
        if name == "__iter__":
            return iter(torch.unbind(args[0]))
        given = tensors_in((args, kwargs))
        if name in ("__get__shape", "size"):
            self.sized.append(args[0])
        fresh = [leaf for leaf in given if not self.tensors.is_stale(leaf)]
        versions = [(leaf, leaf._version) for leaf in given]
        result = func(*args, **kwargs)
        self.tensors.refresh(fresh)  # what this call changes in place is recorded with it
        made = list(args[:1]) if name == "__setitem__" else tensors_in(result)
        if made and all(any(tensor is leaf and tensor._version == old for leaf, old in versions) for tensor in made):
            if not (self.eager and name == "contiguous" and self.tensors.find(result)):
                return result  # a conversion to what it is
            result = torch.ops.aten.alias(result)  # its layout may be another where it is not on the meta device
            made = [result]
        if self._is_constant(name, given):
            self.constants.follow(name, func, args, kwargs, result)
        elif name not in _SETTERS and made and not name.startswith("__get__"):
            self._function(name, args, kwargs, result, made, versions)
        return result

    def _is_constant(self, name: str, given: list[Tensor]) -> bool:
        """Whether a function looks at the numbers of no tensor but constants."""
        if name in CREATING or not given:
            return True
        looked_at = given[:1] if name in ALIKE else given
        return all(self.tensors.find(leaf) is None for leaf in looked_at)

    def call(self, name: str, args: Any, kwargs: Any, result: Any) -> None:
        """Note a call of a function; raises `Unsupported` if it has no form in a spec."""
        if name == "__setitem__":
            self.parts.assign(*args)
            return
        name, args, kwargs = self.masks.as_sum(name, args, kwargs)
        args, kwargs = self.calls.with_constants(name, args, kwargs)
        if name in VIEWS:
            given = positional(VIEWS[name].spelling, args, kwargs)
            self._out_of_batch(name, tensors_in(given), tensors_in(result))
            VIEWS[name].note(self, result, *given)
        else:
            self.calls.function(name, args, kwargs, tensors_in(result))

    def _out_of_batch(self, name: str, given: list[Tensor], made: list[Tensor]) -> None:
        """Move what batches hold beside samples out of those of the operands of a view, unless each view is an op and
        this one leaves the batch as it is."""
        for tensor in given:
            view = self.tensors.find(tensor)
            if view is None or not view.value.folded:
                continue
            if not self.eager or name not in BATCH_STAYS or made[0].shape[:1] != tensor.shape[:1]:
                self.values.whole(tensor)

    def _function(
        self, name: str, args: Any, kwargs: Any, result: Any, made: list[Tensor], versions: list[tuple[Tensor, int]]
    ) -> None:
        """Note a call; `versions` are those that the tensors it was given had before it."""
        try:
            if any(self.tensors.owned(tensor) for tensor in made):
                _require_counter(made)
                return
            self.call(name, args, kwargs, result)
            self._in_place(versions, made)
        except Exception as reason:
            text = str(reason) if isinstance(reason, Unsupported) else f"an internal error: {described(reason)}"
            self.problems.add(self.scope.path, self.scope.module, where(), name, text)
            for tensor in made:
                self.tensors.unknown(tensor)

    def _in_place(self, versions: list[tuple[Tensor, int]], made: list[Tensor]) -> None:
        """Note that the tensors which a function changed in place are parts of others."""
        for leaf, old in versions:
            if leaf._version != old and any(leaf is tensor for tensor in made):
                self.parts.changed(leaf, old)

    # -- modules

    def enter(self, module: nn.Module, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> None:
        """A module begins to run."""
        if self.silent:
            self.silent += 1
            return
        op = op_of(module)
        if op is not None:
            self.silent += 1
            self.calls.module_begins(module, self.paths[module], op, args, kwargs)
        elif module is not self.root.module:
            self._open(module, args, kwargs)

    def leave(self, module: nn.Module, result: Any) -> Any:
        """A module has run; returns what it is to return instead, or `None`."""
        if self.silent:
            self.silent -= 1
            return self.calls.module_ends(module, result) if not self.silent else None
        if module is self.root.module:
            return None
        self._close(result)
        return None

    def _open(self, module: nn.Module, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> None:
        scope = Scope(self.paths[module], module, where=where())
        given = [(name, tensor, self.calls.buffers.here(tensor)) for name, tensor in _named(module, args, kwargs)]
        for name, _, known in given:
            value = self._value(known, scope, module, _runs_on_samples(module))
            if value is not None and value not in scope.inputs:
                scope.inputs.append(value)
                scope.arguments.append(name)
        self.scope.steps.append(scope)
        self.stack.append(scope)
        for _, tensor, known in given:
            if known is not tensor:
                self.calls.buffers.hand_on(tensor, known)

    def batched_input(self) -> Value:
        """An input with a batch of the module that is running; one of the modules around it is handed on to it."""
        known = [next((value for value in scope.inputs if value.is_batched), None) for scope in self.stack]
        place, value = next((n, value) for n, value in reversed([*enumerate(known)]) if value is not None)
        for scope in self.stack[place + 1 :]:
            scope.inputs.append(value)
            scope.arguments.append("like")
        return value

    def _value(self, tensor: Tensor, scope: Scope, module: nn.Module, in_batch: bool = False) -> Value | None:
        """The value that a module is given or returns; `None` for a constant: what reads it says so.

        What the batch of the tensor is folded with is in that of the value if it was there before or, with `in_batch`,
        if it can be.
        """
        view = self.tensors.find(tensor)
        if view is None:
            return None
        if view.value.is_batched and (in_batch or (view.value.folded and view.is_whole)):
            try:
                return self.values.in_batch(tensor)
            except Unsupported:
                pass
        try:
            return self.values.whole(tensor)
        except Unsupported as reason:
            self.problems.add(scope.path, module, where(), type(module).__name__, str(reason))
            return None

    def _close(self, result: Any) -> None:
        self.end(self.scope, result)
        self.stack.pop()

    def end(self, scope: Scope, result: Any) -> None:
        """Note what a module returned."""
        is_in_batch = any(value.folded for value in scope.inputs)

        def number(leaf: Any) -> Any:
            view = self.tensors.find(leaf) if isinstance(leaf, Tensor) else None
            if scope is self.root and view is not None and not self.tensors.is_stale(leaf):
                self.tensors.set(leaf, without_one_window(view))
            if view is not None and view.value.folded and not is_in_batch:
                self.values.whole(leaf)
            value = self._value(leaf, scope, scope.module) if isinstance(leaf, Tensor) else None
            if value is None:
                self._returned(scope, leaf, is_known=view is not None)
                return leaf
            if value not in scope.outputs:
                scope.outputs.append(value)
            return Place(scope.outputs.index(value))

        scope.returned = tree_map(number, result)

    def _returned(self, scope: Scope, leaf: Any, is_known: bool) -> None:
        """Note what the model returns and a spec cannot; the modules inside may return it to one another."""
        if scope is self.root and leaf is not None and not is_known:
            what = "a constant tensor" if isinstance(leaf, Tensor) else f"a value of type {type(leaf).__name__}"
            self.problems.add("", scope.module, "", scope.kind, f"it returns {what}")


def _runs_on_samples(module: nn.Module) -> bool:
    """Whether a module only runs others in a row, some of which take nothing but samples: maps, for example."""
    ops = [op_of(part) for part in module.modules()] if type(module).forward is nn.Sequential.forward else []
    return any(op is not None and acts_on_samples(op) for op in ops)


def _require_counter(made: list[Tensor]) -> None:
    """Raise `Unsupported` if a module changes tensors of its own, counters of batches excepted."""
    if any(tensor.is_floating_point() for tensor in made):
        raise Unsupported("it changes a parameter or buffer")


def _named(module: nn.Module, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Iterator[tuple[str, Tensor]]:
    """The tensors among the arguments of a module, with the names in its signature."""
    try:
        bound = dict(signature(module.forward).bind(*args, **kwargs).arguments)
    except (TypeError, ValueError):
        bound = {**{f"x{number}": arg for number, arg in enumerate(args)}, **kwargs}
    for name, given in bound.items():
        leaves = [leaf for leaf in tree_flatten(given)[0] if isinstance(leaf, Tensor)]
        for number, leaf in enumerate(leaves):
            yield (name if len(leaves) == 1 else f"{name}{number}"), leaf


_SLOW: Final = frozenset({"batch_norm"})
"""Functions of which torch computes each step in Python on the meta device, and whose result is like their input."""

_SETTERS = frozenset({"__set__", "size", "dim", "stride", "numel", "is_floating_point"})


@contextmanager
def watched(recording: Recording) -> Iterator[None]:
    """Hooks on all modules of a model, which are removed afterwards; what they call themselves is not recorded."""

    def enter(module: nn.Module, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> None:
        with torch._C.DisableTorchFunction():
            recording.enter(module, args, kwargs)

    def leave(module: nn.Module, args: tuple[Any, ...], result: Any) -> Any:
        with torch._C.DisableTorchFunction():
            return recording.leave(module, result)

    handles = []
    for module in recording.paths:
        handles.append(module.register_forward_pre_hook(enter, with_kwargs=True))
        handles.append(module.register_forward_hook(leave))
    try:
        with recording:
            yield
    finally:
        for handle in handles:
            handle.remove()
