"""The weights of a built module: seeded, loaded from a checkpoint, frozen.

If weights are given, nothing is initialised: the module is made without memory for its parameters, then gets the
checkpoint's tensors, which stay in the memory-mapped file until they are used.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from archspec.backends.torch import build as target
from archspec.diagnostics.diagnostic import TargetError
from archspec.expressions.sizes import is_whole
from archspec.ir.graph import Graph
from archspec.ir.module import Module, Step, is_buffer
from archspec.ops.base import Op
from archspec.ops.shapes import is_integer
from archspec.passes.fold_batch_norm import LayerSource
from archspec.weights.match import require_use, selects


def seed(number: int) -> None:
    """Seed torch's generators, so that the initial weights are the same each time."""
    if not is_whole(number) or not 0 <= number < 1 << 63:
        raise TargetError(f"seed: expected an integer from 0 to 2^63 - 1, got {number!r:.60}")
    torch.manual_seed(number)


def build_with(graph: Graph, tensors: Mapping[str, Tensor], left: Collection[str] = ()) -> nn.Module:
    """Build the network with the given tensors; those whose keys are in `left` are initialised by the spec's rules.

    `tensors` and `left` together have every key of the network. A tensor is used without copying, unless its type or
    layout differs from the module's or it shares memory with another.
    """
    module = skeleton(graph)
    if left:
        _initialise_left(graph.root, module, "", set(left))
    _assign(module, tensors)
    device = torch.get_default_device()
    return module if device.type == "cpu" else module.to(device)


def build_empty(graph: Graph) -> nn.Module:
    """The network with uninitialised weights, to be filled by the caller."""
    device = torch.get_default_device()
    with torch.device("cpu"):
        made = skeleton(graph).to_empty(device=device)
    with device:
        _compute(graph.root, made, saved=True)
    return made


def freeze(module: nn.Module, patterns: Sequence[str]) -> list[str]:
    """Mark the parameters that match a pattern (`layer1.*`, or a layer's name) as not to be trained; their names.

    Raises `TargetError` for a pattern that matches none. Batch norm's statistics are not parameters: call `eval()` on
    frozen modules to keep them.
    """
    parameters = dict(module.named_parameters())
    require_use("freeze", patterns, parameters)
    chosen = [name for name in parameters if any(selects(pattern, name) for pattern in patterns)]
    for name in chosen:
        parameters[name].requires_grad_(False)
    return chosen


def integers(module: Module, prefix: str = "") -> dict[str, Tensor]:
    """The integer buffers whose values in a checkpoint must be those of the network, which are returned."""
    found: dict[str, Tensor] = {}
    for step in module.registered if module.computes else ():
        name, op = f"{prefix}{step.name}", step.target
        if isinstance(op, Module):
            found |= integers(op, f"{name}.")
        elif isinstance(op, Op) and is_integer(step.output) and op.saved():
            found[name] = target.computed(op.tensor(), op)
    return found


@torch.no_grad()
def fold(tensors: Mapping[str, Tensor], sources: Mapping[str, LayerSource]) -> dict[str, Tensor]:
    """The tensors of the folded network, computed from those of the original network.

    y = γ (W x + b − μ) / √(σ² + ε) + β is a convolution again; its numbers are computed in float64, then rounded.
    """
    folded: dict[str, Tensor] = {}
    for layer, source in sources.items():
        for name in source.tensors:
            if source.norm is None:
                key = f"{source.layer}.{name}".rstrip(".")
                folded[f"{layer}.{name}".rstrip(".")] = tensors[key]
        if source.norm is not None:
            folded[f"{layer}.weight"], folded[f"{layer}.bias"] = _folded_layer(tensors, source)
    return folded


def _folded_layer(tensors: Mapping[str, Tensor], source: LayerSource) -> tuple[Tensor, Tensor]:
    weight, norm = tensors[f"{source.layer}.weight"], f"{source.norm}."
    mean, variance = tensors[f"{norm}running_mean"].double(), tensors[f"{norm}running_var"].double()
    scale = (variance + source.eps).rsqrt()
    shift = -mean
    if f"{source.layer}.bias" in tensors:
        shift = shift + tensors[f"{source.layer}.bias"].double()
    if source.affine:
        scale = scale * tensors[f"{norm}weight"].double()
    shift = shift * scale
    if source.affine:
        shift = shift + tensors[f"{norm}bias"].double()
    return (weight.double() * scale.view(-1, *[1] * (weight.dim() - 1))).to(weight.dtype), shift.to(weight.dtype)


# -- construction without initialisation --------------------------------------------------------------------------


class _OnMetaDevice(TorchFunctionMode):
    """A mode in which new tensors have a shape but no memory, and initialisers do nothing."""

    FACTORIES = frozenset({torch.empty, torch.zeros, torch.ones, torch.full, torch.tensor})

    def __torch_function__(self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        if func in self.FACTORIES:
            return func(*args, **{**kwargs, "device": "meta"})
        name = func.__name__
        if name.endswith("_") and not name.startswith("_") and name != "requires_grad_":
            return args[0] if args else kwargs["tensor"]
        return func(*args, **kwargs)


def skeleton(graph: Graph) -> nn.Module:
    """The network on the meta device. The first of equal submodules is constructed, the others are copies of it."""
    templates: dict[Any, nn.Module] = {}

    def make(module: Module, step: Step) -> nn.Module:
        key = (id(step.target), *(() if isinstance(step.target, Module) else module.shapes(step)), step.inplace)
        if key in templates:
            return _copy(templates[key])
        made = templates[key] = target.construct(module, step, make)
        return made

    with _OnMetaDevice():
        made = target.build(graph, make)
    _compute(graph.root, made, saved=False)
    return made


def _compute(module: Module, made: nn.Module, saved: bool) -> None:
    """Calculate the buffers that are not in files; if `saved`, also those that are."""
    for step, owner in _computed(module, made):
        assert isinstance(step.target, Op)
        if saved or not step.target.saved():
            target.register_tensor(owner, str(step.name), step.target)


def _computed(module: Module, made: nn.Module) -> Iterator[tuple[Step, nn.Module]]:
    """The steps that are buffers of a block, each with its block."""
    for step in module.registered if module.computes else ():
        if isinstance(step.target, Module):
            yield from _computed(step.target, made.get_submodule(str(step.name)))
        elif is_buffer(step):
            yield step, made


def _copy(module: nn.Module) -> nn.Module:
    """A module of the same class with containers of its own. Its tensors are shared: they are replaced later."""
    made = module.__new__(type(module))
    made.__dict__ = {k: v.copy() if isinstance(v, dict | set) else v for k, v in module.__dict__.items()}
    for name, child in module._modules.items():
        made._modules[name] = None if child is None else _copy(child)
    return made


# -- values -------------------------------------------------------------------------------------------------------


def _assign(module: nn.Module, tensors: Mapping[str, Tensor]) -> None:
    """Do what `load_state_dict(tensors, assign=True)` does, for tensors known to fit, in a tenth of the time.

    Raises `KeyError` for a tensor that is neither given nor in the module already.
    """
    seen: set[int] = set()
    for name, part in module.named_modules():
        prefix = f"{name}." if name else ""
        for key, old in part._parameters.items():
            if old is not None and (old.is_meta or f"{prefix}{key}" in tensors):
                value = _own(tensors[f"{prefix}{key}"], old, seen)
                part._parameters[key] = nn.Parameter(value, requires_grad=old.requires_grad)
        for key, buffer in part._buffers.items():
            if buffer is not None and (buffer.is_meta or f"{prefix}{key}" in tensors):
                part._buffers[key] = _own(tensors[f"{prefix}{key}"], buffer, seen)


def _own(tensor: Tensor, like: Tensor, seen: set[int]) -> Tensor:
    """A tensor of the module's type and layout, in memory that it shares with no other."""
    memory = tensor.untyped_storage().data_ptr()
    shared = memory in seen and tensor.numel() > 0
    seen.add(memory)
    tensor = tensor.to(like.dtype).contiguous()
    return tensor.clone() if shared else tensor


def _initialise_left(module: Module, made: nn.Module, prefix: str, left: set[str]) -> set[nn.Module]:
    """Construct again the layers whose weights are not loaded, and run the rules of the blocks around them."""
    fresh: set[nn.Module] = set()
    for step in module.constructed:
        name = f"{prefix}{step.name}"
        if isinstance(step.target, Module):
            child = made.get_submodule(str(step.name))
            fresh |= _initialise_left(step.target, child, f"{name}.", left)
        elif isinstance(step.target, Op) and step.target.raw:
            if name in left:
                target.register_tensor(made, str(step.name), step.target)
                fresh.add(made)
        elif any(key.startswith(f"{name}.") for key in left):
            assert isinstance(step.target, Op)
            leaf = target.construct_op(step.target, step, module)
            around, _, last = str(step.name).rpartition(".")
            made.get_submodule(around)._modules[last] = leaf
            fresh.update(leaf.modules())
    if fresh:
        target.initialise(made, module.init, fresh)
    return fresh
