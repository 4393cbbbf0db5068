"""Calls of modules and functions as steps: the op, its fields, and the values that it takes and yields."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

import torch
from torch import Tensor, nn

from archspec.importer.buffers import Buffers
from archspec.importer.constants import tensors_in
from archspec.importer.layout import BATCH, Axis, View, arranged, computed, reordered, reshaped, whole
from archspec.importer.layouts import LAYOUTS, shapes_of
from archspec.importer.operands import Operands
from archspec.importer.source_lines import where
from archspec.importer.trace import Call, Value
from archspec.importer.vocabulary import Meaning, made, op_of, spelled
from archspec.ops import OPS
from archspec.ops.base import Op, Unsupported
from archspec.ops.shapes import ChannelsLast, ShapeError

if TYPE_CHECKING:
    from archspec.importer.record import Recording

STATISTICS: Final = ("running_mean", "running_var")
_ARITHMETIC: Final = ("add", "sub", "mul", "truediv", "matmul", "pow", "div")
_PROMOTING: Final = (*_ARITHMETIC[:4], "pow", "div", "maximum", "minimum")
"""Functions that turn integers into real numbers where another operand holds such."""

_OTHER_NAMES: Final = {"true_divide": "div", "divide": "div", "subtract": "sub", "swish": "silu", "absolute": "abs"}


class Calls:
    """Notes calls in a recording."""

    def __init__(self, recording: Recording) -> None:
        self.recording = recording
        self.tensors = recording.tensors
        self._pending: Call | None = None
        self._is_one = False
        """Whether the module that is running acts on one sample, without a batch."""
        self.values = recording.values
        self.operands = Operands(self.tensors)
        self.buffers = Buffers(recording)

    def _note(self, op: str, fields: dict[str, Any], inputs: list[Value], outputs: list[Value], **more: Any) -> Call:
        call = Call(op, fields, inputs, outputs, where=where(), **more)
        self.recording.note(call)
        return call

    def one(self, op: str, fields: dict[str, Any], inputs: Sequence[Value], output: Value, **more: Any) -> None:
        """Note an op that yields one value."""
        self._note(op, made(OPS[op], fields), list(inputs), [output], **more)

    def checked(self, op: str, fields: dict[str, Any], inputs: Sequence[Value], output: Value) -> None:
        """The same; raises `Unsupported` if it does not take these values or yields another shape."""
        _check(OPS[op](**made(OPS[op], fields)), list(inputs), [output])
        self.one(op, fields, inputs, output)

    # -- functions

    def with_constants(self, name: str, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> tuple[Any, Any]:
        """The arguments of a function with constants as numbers, or as values of the module that is running."""
        base = _base(name)[0]
        promotes = base in _PROMOTING and any(
            tensor.is_floating_point() for tensor in tensors_in((args, kwargs)) if self.tensors.find(tensor) is not None
        )
        return self.buffers.arguments(args, kwargs, base in _ARITHMETIC[:4], promotes)

    def function(self, name: str, args: tuple[Any, ...], kwargs: Mapping[str, Any], results: list[Tensor]) -> None:
        """Note a call of a function; raises `Unsupported` if no op does this."""
        name, is_reversed = _base(name)
        if name in ("max", "min") and len(results) == 2:
            results, (positions,) = results[:1], results[1:]
            self.recording.constants.varies(positions)
        if name == "chunk" and len({tensor.shape for tensor in results}) > 1:
            name, args, kwargs = _split(args, kwargs, results)
        reasons: list[tuple[bool, str]] = []
        for meaning in spelled(name, args[::-1] if is_reversed else args, kwargs):
            try:
                self._as(meaning, results)
                return
            except Unsupported as reason:
                reasons.append((bool(meaning.unread), str(reason)))
        first = min(reasons, key=lambda found: found[0], default=(False, "no op does this"))
        raise Unsupported(first[1])  # that of a form whose arguments were all read, if there is one

    def _as(self, meaning: Meaning, results: list[Tensor]) -> None:
        op, given = meaning.op, meaning.given
        if meaning.unread:
            raise Unsupported(", ".join(meaning.unread))
        held = {name: value for name, value in given.items()
                if name in (*op.holds, *STATISTICS) and isinstance(value, Tensor)}  # fmt: skip
        tensors = [leaf for name, value in given.items() if name not in held for leaf in tensors_in(value)]
        path = self._owner(held)
        fields = {**op.of_call(given), **self._zeros(op, held)}
        if op.kind == "matmul" and self.operands.is_transposed(tensors[1]):
            fields["transpose_b"] = True
            last, view = tensors[1].ndim - 1, self.tensors.view(tensors[1])
            tensors[1] = tensors[1].transpose(-2, -1)
            self.tensors.set(tensors[1], reordered(view, [*range(last - 1), last, last - 1]))
        is_batched = op.kind == "interpolate" and self.tensors.view(tensors[0]).value.is_batched
        if is_batched and (other := self._as_large_as(given.get("size"))) is not None:
            fields, tensors = {**fields, "size": None}, [*tensors, other]
        self.step(op, fields, tensors, results, path)

    def _as_large_as(self, size: Any) -> Tensor | None:
        """The value of this module from whose shape a size was taken, rather than given in numbers."""
        if not isinstance(size, torch.Size):
            return None
        scope = self.recording.scope
        here = {*scope.inputs, *(value for step in scope.steps for value in step.outputs)}
        for tensor in reversed(self.recording.sized):
            view = self.tensors.find(tensor)
            if view and view.is_whole and view.value in here and view.value.is_batched and view.value.sizes[1:] == size:
                return tensor
        return None

    def _owner(self, held: Mapping[str, Tensor]) -> str | None:
        """The module that the parameters of a function belong to."""
        owned = {name: self.tensors.owned(tensor) or self.tensors.copied(tensor) for name, tensor in held.items()}
        paths = {found.path if found and found.name == name else None for name, found in owned.items()}
        if not paths:
            return None
        if len(paths) > 1 or None in paths:
            raise Unsupported("its parameters are calculated, or not those of one module under torch's names")
        return paths.pop()

    def _zeros(self, op: type[Op], held: Mapping[str, Tensor]) -> dict[str, Any]:
        """The field for a bias that is zero for some features."""
        found = {name: self.tensors.zeroed(tensor) for name, tensor in held.items()}
        known = {name: zeroed for name, zeroed in found.items() if zeroed is not None}
        if not known:
            return {}
        if list(known) != ["bias"] or "zero_bias" not in op.model_fields:
            raise Unsupported("its parameters are calculated")
        return {"zero_bias": [known["bias"].start, known["bias"].stop]}

    def step(
        self, op: type[Op], fields: dict[str, Any], tensors: list[Tensor], results: list[Tensor], path: str | None
    ) -> None:
        """Note an op that takes some tensors and makes others; as the module `path`, or as a function."""
        try:
            self._step(op, fields, tensors, results, path)
        except Unsupported:
            if not self.operands.has_window(tensors):
                raise
            self.operands.without_windows(tensors)
            self._step(op, fields, tensors, results, path)

    def _step(
        self, op: type[Op], fields: dict[str, Any], tensors: list[Tensor], results: list[Tensor], path: str | None
    ) -> None:
        if op.idle and not fields.get("p"):
            self.tensors.set(results[0], self.tensors.view(tensors[0]))  # a dropout of nothing
            return
        if op.kind == "pad" and not any(fields["pad"]):
            self.tensors.set(results[0], self.tensors.view(tensors[0]))
            return
        if op.concatenates and any(not tensor.numel() for tensor in tensors):
            tensors = [tensor for tensor in tensors if tensor.numel()]  # no prefix, for example: its slice is not read
            if len(tensors) == 1:
                self.tensors.set(results[0], self.tensors.view(tensors[0]))
                return
        if op.elementwise:
            if len(tensors) == len(results) == 1 and self.operands.squeezed(tensors[0]) is not tensors[0]:
                self._unbatched(op, fields, tensors[0], results[0], path)
                return
            tensors = self.operands.without_ones(tensors)
        if fields.get("keepdim") is False and self.operands.reduces_in_front(fields["dim"], tensors[0]):
            fields, tensors = {**fields, "dim": [1]}, [self.operands.turned(tensors[0])]
        values = self.values.taken_by(op, tensors)
        if op.elementwise and any(len(value.sizes) == 3 and value.layout is tuple for value in values):
            tensors = [self._as_row(tensor) for tensor in tensors]
            values = self.values.taken_by(op, tensors)
        views = [self.tensors.view(tensor) for tensor in tensors]
        like = next((view for view in views if view.value.is_batched), views[0])
        self._check_batch(op, [view for view in views if view.value.is_batched])
        if op.kind == "stack" and fields.get("dim") == 0 and like.value.is_batched:
            fields, outputs = {}, [self._in_front(results[0], like)]
        else:
            outputs = [_output(tensor, like, self.tensors.batch) for tensor in results]
        fields = made(op, _with_dims(fields, like))
        _check(op(**fields), values, [view.value for view in outputs])
        if path is not None:
            _require_parameters(op(**fields), values, self.recording.root.module.get_submodule(path))
        has_parts = op.kind in ("chunk", "split")
        self._note(op.kind, fields, values, [view.value for view in outputs], path=path, has_parts=has_parts)
        for tensor, view in zip(results, outputs, strict=True):
            self.tensors.set(tensor, view)

    def _as_row(self, tensor: Tensor) -> Tensor:
        """A vector without a batch as a map of one channel and one row: that it acts on the width must be said."""
        view = self.tensors.view(tensor)
        if view.value.is_batched or tensor.ndim != 1 or len(tensor) == 1:
            return tensor
        with torch._C.DisableTorchFunction():
            row = tensor.reshape(1, 1, -1)
        self.tensors.set(row, reshaped(view, row.shape, self.tensors.batch))
        return row

    def _unbatched(
        self, op: type[Op], fields: dict[str, Any], tensor: Tensor, result: Tensor, path: str | None
    ) -> None:
        """The same for the only operand of an op."""
        squeezed = self.operands.squeezed(tensor)
        with torch._C.DisableTorchFunction():
            made = result.reshape(squeezed.shape)
        self.step(op, fields, [squeezed], [made], path)
        view, ones = self.tensors.view(made), tensor.ndim - squeezed.ndim
        self.tensors.set(result, view._replace(dims=(*((),) * ones, *view.dims)))

    @staticmethod
    def _in_front(tensor: Tensor, like: View) -> View:
        """A tensor whose first dimension is that of the parts that were stacked, before the batch: in the value that is
        dimension 1."""
        if like.dims[0] != (BATCH,):
            raise Unsupported("the batch is not dimension 0")
        view = whole(Value((tensor.shape[0], *tensor.shape[2:])))
        return reordered(view, [1, 0, *range(2, tensor.ndim)])

    def _check_batch(self, op: type[Op], views: list[View]) -> None:
        """Raise `Unsupported` if the batch is where the op cannot have it."""
        if all(view.value.folded and view.is_whole for view in views):
            return
        places = {(view.batch_dim, tuple(_sizes(view.dims[view.batch_dim]))) for view in views}
        if not places or places == {(0, (0,))}:
            return
        if len(places) > 1 or (op.needs_batch and not op.elementwise):
            raise Unsupported("the batch is not dimension 0, or folded with another one")
        if not (op.elementwise or op.concatenates) and places.pop()[0] != 0:
            raise Unsupported("the batch is not dimension 0")

    # -- modules

    def module_begins(
        self, module: nn.Module, path: str, op: type[Op], args: tuple[Any, ...], kwargs: Mapping[str, Any]
    ) -> None:
        """A module that is an op begins to run."""
        self._pending = None
        try:
            args, kwargs = self.buffers.arguments(args, kwargs, is_broadcast=False)
            tensors = list(op.of_module_call(args, kwargs))
            self._require_plain(module)
            self._is_one = self._is_one_sample(op, tensors[0])
            tensors = [self._sample(tensors[0]), *tensors[1:]] if self._is_one else tensors
            if op.needs_batch and not op.elementwise:
                self.operands.without_windows(tensors)
            values = self.values.taken_by(op, tensors)
            self._views = [self.tensors.view(tensor) for tensor in tensors]
            self._check_batch(op, [view for view in self._views if view.value.is_batched])
            like = next((view for view in self._views if view.value.is_batched), self._views[0])
            fields = made(op, _with_dims(op.of_module(module), like))
            self._pending = Call(op.kind, fields, values, [], path, where=where())
            self._taken = tensors
        except Unsupported as reason:
            self._problem(module, path, str(reason))

    def _is_one_sample(self, op: type[Op], tensor: Tensor) -> bool:
        """Whether a tensor is one sample, computed from no input, for a layer that takes it without the dimension 0."""
        is_single = tensor.ndim == op.rank + 2 and tensor.shape[0] == 1
        return op.role == "convolution" and is_single and not self.tensors.view(tensor).value.is_batched

    def _sample(self, tensor: Tensor) -> Tensor:
        """A tensor without its dimension 0, whose size is 1."""
        view = self.tensors.view(tensor)
        with torch._C.DisableTorchFunction():
            sample = tensor.squeeze(0)
        self.tensors.set(sample, view._replace(dims=view.dims[1:]))
        return sample

    def _problem(self, module: nn.Module, path: str, reason: str) -> None:
        recording = self.recording
        recording.problems.add(path, module, where(), type(module).__name__, reason)

    def _require_plain(self, module: nn.Module) -> None:
        """Raise `Unsupported` if a module has hooks or parametrizations, which its op does not have."""
        if len(module._forward_hooks) + len(module._forward_pre_hooks) > 2:
            raise Unsupported("it has hooks")
        if hasattr(module, "parametrizations"):
            raise Unsupported("it has parametrizations")

    def module_ends(self, module: nn.Module, result: Any) -> Any:
        """Such a module has run; a result that is its input is replaced by an alias, so that the two can be told
        apart."""
        tensor = result[0] if isinstance(result, tuple) else result
        if self._pending is None:
            for leaf in tensors_in(result):
                self.tensors.unknown(leaf)
            return None
        call, views = self._pending, self._views
        replacement = None
        if any(tensor is taken for taken in self._taken) and not getattr(module, "inplace", False):
            with torch._C.DisableTorchFunction():
                replacement = tensor = torch.ops.aten.alias(tensor)
        like = next((view for view in views if view.value.is_batched), views[0])
        output = _output(tensor[0] if self._is_one else tensor, like, self.tensors.batch)
        call.outputs = [output.value]
        op = op_of(module)
        assert op is not None
        try:
            _check(op(**call.fields), call.inputs, call.outputs)
            _require_parameters(op(**call.fields), call.inputs, module)
        except Unsupported as reason:
            self._problem(module, call.path or "", str(reason))
        self.recording.note(call)
        self.tensors.set(tensor, output._replace(dims=((), *output.dims)) if self._is_one else output)
        return replacement


def _split(args: tuple[Any, ...], kwargs: Mapping[str, Any], parts: list[Tensor]) -> tuple[str, Any, Any]:
    """The call of `split` that does what one of `chunk` into unequal parts does."""
    dim = args[2] if len(args) > 2 else kwargs.get("dim", 0)
    return "split", (args[0], [part.shape[dim] for part in parts], dim), {}


def _base(name: str) -> tuple[str, bool]:
    """A function's name without its in-place suffix, and whether its operands are reversed."""
    if name.startswith("__"):
        core = name.strip("_")
        if core[:1] == "i" and core[1:] in _ARITHMETIC:
            return core[1:], False
        if core[:1] == "r" and core[1:] in _ARITHMETIC:
            return core[1:], True
        return core, False
    name = name.rstrip("_") if not name.startswith("_") else name
    return ("sub", True) if name == "rsub" else (_OTHER_NAMES.get(name, name), False)


def _sizes(group: Sequence[Axis]) -> list[int]:
    return [axis.size for axis in group]


def _output(tensor: Tensor, like: View, batch: int) -> View:
    """A new value for a tensor that an op made, with the batch where it is in its operand."""
    place = like.batch_dim if like.value.is_batched else 0
    if place and len(like.dims) != tensor.ndim:
        raise Unsupported("the batch is not dimension 0")
    if like.value.is_batched and not tensor.ndim:
        raise Unsupported("it reduces the batch")
    return computed(tensor.shape, like, place, batch)


def _with_dims(fields: dict[str, Any], view: View) -> dict[str, Any]:
    """The fields, with dimension numbers that refer to the value instead of the tensor."""
    if not view.value.is_batched or view.value.folded or view.dims[0] == (BATCH,):
        return fields
    changed = dict(fields)
    for name in ("dim", "dims"):
        if name in fields:
            given = fields[name]
            changed[name] = _moved(given, view) if isinstance(given, int) else [_moved(dim, view) for dim in given]
    return changed


def _moved(dim: int, view: View) -> int:
    if dim < 0 and view.batch_dim == 0 and len(view.dims) + dim > 0:
        return dim
    _, places = arranged(view)
    dim %= len(view.dims)
    if dim == view.batch_dim:
        raise Unsupported("it acts on a dimension that the batch is in")
    return places.index(dim) + 1


def _check(op: Op, inputs: list[Value], outputs: list[Value]) -> None:
    """Raise `Unsupported` if the op would not accept these values, or return other shapes."""
    reason = "it yields another shape"
    for layout in LAYOUTS:
        try:
            found = op.yields(*shapes_of(op, inputs, layout))
        except ShapeError as error:
            reason = str(error)
            continue
        parts = found if (outputs and len(outputs) > 1) or (found and isinstance(found[0], tuple)) else (found,)
        if [tuple(part) for part in parts] == [value.sizes for value in outputs]:  # type: ignore[arg-type]
            return
        reason = "it yields another shape"
    raise Unsupported(reason)


def _require_parameters(op: Op, inputs: list[Value], module: nn.Module) -> None:
    """Raise `Unsupported` if a module lacks parameters that the op has: a norm without bias."""
    if not op.has_parameters():
        return
    given = op.parameters(*(ChannelsLast(value.sizes) for value in inputs))
    lacking = [name for name in given if "." not in name and getattr(module, name, None) is None]
    if lacking:
        raise Unsupported(f"it has no {' and no '.join(lacking)}")
