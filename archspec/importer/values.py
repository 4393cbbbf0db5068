"""The values that tensors stand for: views become ops where something reads them, and so do changes of the batch."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from torch import Tensor

from archspec.importer.layout import BATCH, View, arranged, into_batch, out_of_batch, settled, size_of, whole
from archspec.importer.patterns import arranging
from archspec.importer.source_lines import where
from archspec.importer.trace import Call, Value
from archspec.ops.base import Op

if TYPE_CHECKING:
    from archspec.importer.record import Recording


class Values:
    """Finds the values of tensors in a recording, and notes the ops that compute them from others."""

    def __init__(self, recording: Recording) -> None:
        self.recording = recording
        self.tensors = recording.tensors
        self._made: dict[Any, tuple[Value, Any]] = {}
        """What views of values became, and the modules that they were made in."""
        self._in_batch: dict[Value, tuple[Value, Any]] = {}
        """The values whose batches hold the first dimension of others, and where they were made."""
        self._out_of_batch: dict[Value, tuple[Value, Any]] = {}
        """The reverse."""

    def whole(self, tensor: Tensor) -> Value:
        """The value of a tensor; a view becomes an op that computes it."""
        return self.value(tensor, self.tensors.view(tensor))

    def value(self, tensor: Tensor, view: View) -> Value:
        """The same for a view of a value; the tensor is noted as that value."""
        if view.value.folded:
            view = self._moved_out(view)
            self.tensors.set(tensor, view)
        if view.is_whole:
            return view.value
        groups, _ = arranged(view)
        if groups == view.source:
            return view.value
        key = (view.value, tuple(tuple(map(id, group)) for group in groups))
        value, scope = self._made.get(key, (None, None))
        if value is None or scope not in self.recording.stack:
            sizes = tuple(size_of(group, self.tensors.batch) for group in groups)
            value = Value(sizes, view.value.is_batched, view.value.is_integer)
            op, fields = arranging(view, groups, self.recording.eager)
            self._note(op, fields, view.value, value)
            self._made[key] = value, self.recording.scope
        self.tensors.set(tensor, settled(view, value))
        return value

    def in_batch(self, tensor: Tensor) -> Value:
        """The value of a tensor whose batch is folded with other dimensions, which are in the batch of the value, too;
        raises `Unsupported` if it is folded with none, or in another way."""
        view = self.tensors.view(tensor)
        if view.value.folded and view.dims[0] == (BATCH, *view.value.folded):
            return view.value if view.is_whole else self._arranged_in_batch(tensor, view)
        before = self.whole(tensor)
        view = self.tensors.view(tensor)
        known = self._in_batch.get(before)
        if known is not None and known[1] is self.recording.scope:
            made = View(known[0], view.source[1:], view.dims)
        else:
            made = into_batch(view)
            self._note("flatten_batch", {}, before, made.value)
            self._in_batch[before] = made.value, self.recording.scope
        self.tensors.set(tensor, made)
        return made.value

    def _arranged_in_batch(self, tensor: Tensor, view: View) -> Value:
        """The value of a tensor that has the dimensions of another value, whose batch holds more than samples, in
        another order or form."""
        groups = view.dims[1:]
        value = Value(tuple(size_of(group, 1) for group in groups), folded=view.value.folded)
        op, fields = arranging(view, groups, self.recording.eager)
        self._note(op, fields, view.value, value)
        self.tensors.set(tensor, whole(value))
        return value

    def _moved_out(self, view: View) -> View:
        """The view of a value that has the dimensions which are in the batch of another."""
        known = self._out_of_batch.get(view.value)
        if known is not None and known[1] in self.recording.stack:
            return View(known[0], (view.value.folded, *view.source), view.dims)
        made = out_of_batch(view)
        self._note("unflatten_batch", {}, view.value, made.value)
        self._out_of_batch[view.value] = made.value, self.recording.scope
        self._in_batch[made.value] = view.value, self.recording.scope
        return made

    def taken_by(self, op: type[Op], tensors: list[Tensor]) -> list[Value]:
        """The values that an op takes for some tensors. What their batches are folded with is in the batches of the
        values if the op acts on whole samples, or if it is there already."""
        views = [view for view in map(self.tensors.view, tensors) if view.value.is_batched]
        is_there = any(view.value.folded and view.is_whole for view in views)
        if not is_there and not acts_on_samples(op):
            return [self.whole(tensor) for tensor in tensors]
        # How many parts of a sample each batch holds; False if the batch is not in front.
        batches = {view.dims[0][:1] == (BATCH,) and size_of(view.dims[0], 1) for view in views if view.dims}
        if len(batches) > 1 or batches <= {False, 1}:
            return [self.whole(tensor) for tensor in tensors]
        return [
            self.in_batch(tensor) if self.tensors.view(tensor).value.is_batched else self.whole(tensor)
            for tensor in tensors
        ]

    def _note(self, op: str, fields: dict[str, Any], value: Value, made: Value) -> None:
        self.recording.note(Call(op, fields, [value], [made], where=where()))


def acts_on_samples(op: type[Op]) -> bool:
    """Whether what it takes is a whole sample: it does not act on dimensions counted from the last."""
    return op.role == "convolution" or (op.needs_batch and not op.elementwise)
