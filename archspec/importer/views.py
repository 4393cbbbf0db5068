"""Functions of torch that rearrange, select or copy: views, which become ops only where something reads them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from torch import Tensor

from archspec.importer.einsum import einsum
from archspec.importer.layout import BATCH, Axis, Group, View, arranged, computed, reordered, reshaped, whole
from archspec.importer.trace import Value
from archspec.ops.base import Unsupported

if TYPE_CHECKING:
    from archspec.importer.record import Recording

Handler = Callable[..., None]
"""Notes what a function yields: it is given the recording, that, and the arguments by position."""


class Function(NamedTuple):
    """A function of torch whose results are views."""

    spelling: str
    """Its signature, as `positional` reads it."""
    note: Handler


def _reshape(recording: Recording, result: Tensor, tensor: Tensor) -> None:
    view = recording.tensors.view(tensor)
    recording.tensors.set(result, reshaped(view, result.shape, recording.tensors.batch))
    _settle(recording, result)


def _same(recording: Recording, result: Tensor, tensor: Tensor) -> None:
    view = recording.tensors.view(tensor)
    if result.dtype != tensor.dtype:
        raise Unsupported(f"a conversion to {str(result.dtype).removeprefix('torch.')}")
    recording.tensors.set(result, view)


def _contiguous(recording: Recording, result: Tensor, tensor: Tensor) -> None:
    """A copy in another layout: an op where each view is one, since how layers round may depend on the layout. That of
    tensors on the meta device is not always as it is elsewhere."""
    view = recording.tensors.view(tensor)
    if not recording.eager or (view.value.is_batched and view.dims[0] != (BATCH,)):
        _same(recording, result, tensor)
        return
    value = recording.values.whole(tensor)
    made = Value(value.sizes, value.is_batched, value.is_integer)
    recording.calls.one("contiguous", {}, [value], made)
    recording.tensors.set(result, recording.tensors.view(tensor)._replace(value=made))


def _permute(recording: Recording, result: Tensor, tensor: Tensor, order: Sequence[int]) -> None:
    _reorder(recording, result, tensor, [int(dim) % tensor.ndim for dim in order])


def _reorder(recording: Recording, result: Tensor, tensor: Tensor, order: list[int]) -> None:
    recording.tensors.set(result, reordered(recording.tensors.view(tensor), order))
    _settle(recording, result)


def _settle(recording: Recording, result: Tensor) -> None:
    """Make an op of a view at once, if that is wanted and the batch stands before all other dimensions."""
    view = recording.tensors.view(result)
    if not recording.eager or not view.dims or view.dims[0][:1] != (BATCH,):
        return
    if view.dims[0] == (BATCH,):
        recording.values.whole(result)
    elif len(view.dims) > 1:
        recording.values.in_batch(result)


def _transpose(recording: Recording, result: Tensor, tensor: Tensor, first: int, second: int) -> None:
    order = list(range(tensor.ndim))
    order[first], order[second] = order[second], order[first]
    _reorder(recording, result, tensor, order)


def _matrix_transpose(recording: Recording, result: Tensor, tensor: Tensor) -> None:
    last = tensor.ndim - 1
    _reorder(recording, result, tensor, [*range(last - 1), last, last - 1])


def _movedim(recording: Recording, result: Tensor, tensor: Tensor, source: Any, target: Any) -> None:
    moved = dict(zip(_listed(target, tensor.ndim), _listed(source, tensor.ndim), strict=True))
    rest = iter(dim for dim in range(tensor.ndim) if dim not in moved.values())
    _reorder(recording, result, tensor, [moved[dim] if dim in moved else next(rest) for dim in range(tensor.ndim)])


def _listed(dims: Any, rank: int) -> list[int]:
    return [dim % rank for dim in ([dims] if isinstance(dims, int) else dims)]


# -- parts


def _select(recording: Recording, result: Tensor, tensor: Tensor, dim: int, position: int) -> None:
    recording.tensors.set(result, _selected(recording, tensor, dim % tensor.ndim, position))


def _unbind(recording: Recording, result: Sequence[Tensor], tensor: Tensor, dim: int) -> None:
    for position, part in enumerate(result):
        recording.tensors.set(part, _selected(recording, tensor, dim % tensor.ndim, position))


def _selected(recording: Recording, tensor: Tensor, dim: int, position: int) -> View:
    """One position of a dimension."""
    view, place = _along(recording, tensor, dim)
    if not view.source[place]:
        return _without(view, dim)  # of size 1
    sizes = view.value.sizes
    value = Value((*sizes[:place], *sizes[place + 1 :]), view.value.is_batched, view.value.is_integer)
    fields = {"dim": place + view.value.is_batched, "position": int(position)}
    recording.calls.one("select", fields, [view.value], value)
    made = _without(view, dim)
    return made._replace(value=value, source=(*view.source[:place], *view.source[place + 1 :]))


def _without(view: View, dim: int) -> View:
    return view._replace(dims=(*view.dims[:dim], *view.dims[dim + 1 :]))


def _along(recording: Recording, tensor: Tensor, dim: int) -> tuple[View, int]:
    """A tensor as a view in which a dimension is one of the value; and which."""
    recording.values.whole(tensor)
    view = recording.tensors.view(tensor)
    if BATCH in view.dims[dim]:
        raise Unsupported("it takes a part of the batch")
    _, places = arranged(view)
    return view, places.index(dim)


def _sliced(recording: Recording, tensor: Tensor, dim: int, part: slice) -> View:
    """Some positions of a dimension."""
    view, place = _along(recording, tensor, dim)
    sizes = list(view.value.sizes)
    start, stop, step = part.indices(sizes[place])
    sizes[place] = len(range(start, stop, step))
    fields: dict[str, Any] = {"dim": place + view.value.is_batched, "start": start, "step": step}
    fields |= {} if stop == view.value.sizes[place] else {"stop": stop}
    value = Value(tuple(sizes), view.value.is_batched, view.value.is_integer)
    recording.calls.one("slice", fields, [view.value], value)
    new: Group = (Axis(sizes[place]),) if sizes[place] != 1 else ()
    source = (*view.source[:place], new, *view.source[place + 1 :])
    return View(value, source, (*view.dims[:dim], new, *view.dims[dim + 1 :]))


def _getitem(recording: Recording, result: Tensor, tensor: Tensor, index: Any) -> None:
    parts = list(index) if isinstance(index, tuple) else [index]
    dim = _indexed_dim(parts, tensor.ndim)
    if dim is not None:
        _rows(recording, tensor, next(part for part in parts if isinstance(part, Tensor)), dim, result)
        return
    if any(not (part is None or part is Ellipsis or type(part) in (int, slice)) for part in parts):
        raise Unsupported("an index that is no number and no slice")
    used = sum(part is not None and part is not Ellipsis for part in parts)
    if Ellipsis in parts:
        at = parts.index(Ellipsis)
        parts[at : at + 1] = [slice(None)] * (tensor.ndim - used)
    _indexed(recording, tensor, parts, result)
    recording.parts.note(result, tensor, index)


def _indexed_dim(parts: list[Any], rank: int) -> int | None:
    """The dimension that a tensor is the index of; `None` unless all others are taken whole."""
    places = [place for place, part in enumerate(parts) if isinstance(part, Tensor)]
    others = [part for part in parts if not isinstance(part, Tensor)]
    if len(places) != 1 or any(not (part is Ellipsis or part == slice(None)) for part in others):
        return None
    (place,) = places
    return place - len(parts) + rank if any(part is Ellipsis for part in parts[:place]) else place


def _indexed(recording: Recording, tensor: Tensor, parts: list[Any], result: Tensor) -> None:
    current, dim = tensor, 0
    stand_in = tensor.detach()
    recording.tensors.set(stand_in, recording.tensors.view(tensor))
    for part in parts:
        view = recording.tensors.view(stand_in)
        if part is None:
            current, view = current.unsqueeze(dim), view._replace(dims=(*view.dims[:dim], (), *view.dims[dim:]))
        elif isinstance(part, slice):
            if part.indices(current.shape[dim]) != (0, current.shape[dim], 1):
                view = _sliced(recording, stand_in, dim, part)
                whole_dims = [slice(None)] * dim
                current = current[tuple([*whole_dims, part])]  # noqa: C409
        else:
            view = _selected(recording, stand_in, dim, part)
            current = current.select(dim, part)
            dim -= 1
        stand_in = current.detach()
        recording.tensors.set(stand_in, view)
        dim += 1
    recording.tensors.set(result, recording.tensors.view(stand_in))


def _rows(recording: Recording, tensor: Tensor, index: Tensor, dim: int, result: Tensor) -> None:
    """Positions of a dimension of a table, which is made the first one, as they are those of `index`."""
    table = tensor.movedim(dim, 0)
    others = [place for place in range(tensor.ndim) if place != dim]
    recording.tensors.set(table, reordered(recording.tensors.view(tensor), [dim, *others]))
    values = recording.values.whole(table), _positions(recording, index)
    if any(value.is_batched for value in values):
        raise Unsupported("an index of a value that depends on the input")
    made = Value((*values[1].sizes, *table.shape[1:]), is_batched=False)
    recording.calls.checked("index", {}, values, made)
    first = range(index.ndim)
    order = [*range(index.ndim, index.ndim + dim), *first, *range(index.ndim + dim, index.ndim + tensor.ndim - 1)]
    rows = reshaped(whole(made), (*index.shape, *table.shape[1:]), recording.tensors.batch)
    recording.tensors.set(result, reordered(rows, order))


def _positions(recording: Recording, index: Tensor) -> Value:
    """The value of an index; of one that was reshaped, that which it was before: the rows are reshaped instead."""
    view = recording.tensors.view(index)
    if [axis for group in view.dims for axis in group] == [axis for group in view.source for axis in group]:
        return view.value
    return recording.values.whole(index)


# -- padding


def _pad(recording: Recording, result: Tensor, tensor: Tensor, sides: Sequence[int], mode: str, value: Any) -> None:
    """Padding; of what a slice keeps if a number is negative, which removes positions."""
    if min(sides) < 0 and mode == "constant":
        last_first = [slice(max(0, -before), tensor.shape[-1 - n] - max(0, -behind))
                      for n, (before, behind) in enumerate(zip(sides[::2], sides[1::2], strict=True))]  # fmt: skip
        index = (Ellipsis, *reversed(last_first))
        before, tensor = tensor, tensor[index]
        _getitem(recording, tensor, before, index)
        sides = [max(0, side) for side in sides]
    recording.calls.function("pad", (tensor, sides, mode, value), {}, [result])


# -- copies


def _expand(recording: Recording, result: Tensor, tensor: Tensor) -> None:
    if tensor.shape == result.shape:
        return _same(recording, result, tensor)
    view = recording.tensors.view(tensor)
    is_batched, batch = view.value.is_batched, recording.tensors.batch
    place = next((place for place, size in enumerate(result.shape) if size == batch), 0)
    if not is_batched and place and tensor.ndim == result.ndim and tensor.shape[place] == 1:
        return _expand_behind(recording, tensor, place, result)
    becomes = not is_batched and result.shape[0] == batch
    if becomes and (tensor.ndim != result.ndim or tensor.shape[0] != 1):
        stand_in = tensor.reshape(*[1] * (result.ndim - tensor.ndim), *tensor.shape)
        recording.tensors.set(stand_in, reshaped(view, stand_in.shape, batch))
        tensor = stand_in
    if tensor.ndim != result.ndim:
        raise Unsupported("copies along a new dimension")
    if any(a not in (1, b) for a, b in zip(tensor.shape, result.shape, strict=True)):
        return _tile(recording, tensor, result)
    value = recording.values.whole(tensor)
    if is_batched:
        return _expand_batched(recording, tensor, value, result)
    sizes = tuple(result.shape[becomes:])
    old = tuple(tensor.shape[becomes:])
    made = Value(sizes, becomes)
    fields = {} if sizes == old else {"size": [-1 if a == b else b for a, b in zip(old, sizes, strict=True)]}
    like = recording.batched_input() if becomes else None
    recording.calls.one("expand", fields, [value], made, like=like)
    recording.tensors.set(result, whole(made))
    return None


def _expand_behind(recording: Recording, tensor: Tensor, place: int, result: Tensor) -> None:
    """A value without a batch that becomes one for each sample, with the batch in another dimension than the first."""
    others = [dim for dim in range(tensor.ndim) if dim != place]
    moved, made = tensor.movedim(place, 0), result.movedim(place, 0)
    recording.tensors.set(moved, reordered(recording.tensors.view(tensor), [place, *others]))
    _expand(recording, made, moved)
    order = [*range(1, place + 1), 0, *range(place + 1, tensor.ndim)]
    recording.tensors.set(result, reordered(recording.tensors.view(made), order))


def _tile(recording: Recording, tensor: Tensor, result: Tensor) -> None:
    """Copies of dimensions that are not 1."""
    value, view = recording.values.whole(tensor), recording.tensors.view(tensor)
    made = computed(result.shape, view, view.batch_dim if value.is_batched else 0, recording.tensors.batch)
    times = [new // old for old, new in zip(value.sizes, made.value.sizes, strict=True)]
    recording.calls.checked("tile", {"repeats": times}, [value], made.value)
    recording.tensors.set(result, made)


def _expand_batched(recording: Recording, tensor: Tensor, value: Value, result: Tensor) -> None:
    """The same for a value with a batch, which may be in any dimension but those that are expanded."""
    view = recording.tensors.view(tensor)
    made = computed(result.shape, view, view.batch_dim, recording.tensors.batch)
    sizes = [-1 if old == new else new for old, new in zip(value.sizes, made.value.sizes, strict=True)]
    recording.calls.checked("expand", {"size": sizes}, [value], made.value)
    recording.tensors.set(result, made)


def _repeated(recording: Recording, result: Tensor, tensor: Tensor, times: Any, dim: int | None, _: Any) -> None:
    """Each sample several times in a row: copies along a dimension that the batch is folded with."""
    view = recording.tensors.view(tensor)
    if dim not in (0, -tensor.ndim) or not isinstance(times, int) or view.dims[:1] != ((BATCH,),):
        along = () if dim is None else (dim,)
        return recording.calls.function("repeat_interleave", (tensor, times, *along), {}, [result])
    stand_in = tensor.unsqueeze(1)
    recording.tensors.set(stand_in, view._replace(dims=(view.dims[0], (), *view.dims[1:])))
    value = recording.values.whole(stand_in)
    made = Value((times, *value.sizes[1:]))
    recording.calls.checked("repeat_interleave", {"repeats": times, "dim": 1}, [value], made)
    source = whole(made).source
    recording.tensors.set(result, View(made, source, ((BATCH, *source[0]), *source[1:])))
    return None


def _zero(recording: Recording, result: Tensor, tensor: Tensor) -> None:
    recording.tensors.zero(result)


# -- functions


def _table(rows: Mapping[Handler, tuple[str, ...]]) -> Mapping[str, Function]:
    """The functions by their names; of those that are spelled with `...` the handler reads nothing but the tensor."""
    return {spelling.partition("(")[0]: Function(spelling, note) for note, own in rows.items() for spelling in own}


_OF_ALL: Mapping[str, Function] = _table({
    _reshape: (
        "reshape(input, ...)", "view(input, ...)", "flatten(input, ...)", "unflatten(input, ...)",
        "unsqueeze(input, ...)", "squeeze(input, ...)", "view_as(input, ...)", "reshape_as(input, ...)",
    ),
    _same: (
        "clone(input, ...)", "detach(input, ...)", "float(input, ...)", "to(input, ...)", "type_as(input, ...)",
        "requires_grad_(input, ...)", "type(input, ...)",
    ),
    _permute: ("permute(input, *dims)",),
    _transpose: ("transpose(input, dim0, dim1)", "swapaxes(input, axis0, axis1)", "swapdims(input, dim0, dim1)"),
    _matrix_transpose: ("mT(input)", "t(input)"),
    _movedim: ("movedim(input, source, destination)", "moveaxis(input, source, destination)"),
})  # fmt: skip
"""Functions that keep all numbers."""

BATCH_STAYS = _OF_ALL.keys()
"""Functions whose result may have the batch of their input, whatever it holds beside samples."""

VIEWS: Mapping[str, Function] = {**_OF_ALL, **_table({
    _contiguous: ("contiguous(input, ...)",),
    _select: ("select(input, dim, index)",),
    _unbind: ("unbind(input, dim=0)",),
    _getitem: ("__getitem__(input, index)",),
    _zero: ("zero_(input)",),
    _repeated: ("repeat_interleave(input, repeats, dim=None, output_size=None)",),
    einsum: ("einsum(equation, *operands)",),
    _pad: ("pad(input, pad, mode='constant', value=None)",),
    _expand: ("expand(input, ...)", "expand_as(input, ...)", "repeat(input, ...)", "tile(input, ...)",
              "broadcast_to(input, ...)"),
})}  # fmt: skip
"""All functions, by their names."""
