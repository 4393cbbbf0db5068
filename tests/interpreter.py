"""An independent interpreter of core-language specs, which shares nothing with the compiler except its YAML reader.

It reads the plain data of a spec item by item, as specs/README.md says, and runs torch: shapes are what torch makes of
meta tensors, names are looked up in dicts, `repeat` is a Python loop, and every use of a block is read anew. It checks
and refuses nothing: its results for invalid specs are meaningless.

    Reading   the items of one body, in the order they run → steps of a `Body`
    Net       a body as an `nn.Module`: submodules in registration order, and the steps run one after the other
"""

from __future__ import annotations

import ast
import math
import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from functools import cache
from pathlib import Path
from typing import Any, Final

import torch
import torch.nn.functional as F
from buffer_values import Fixed, buffer
from oracle import models  # noqa: F401  # torchvision cannot be imported before it
from torch import Tensor, nn
from torchvision.ops import Permute, StochasticDepth

import archspec
from archspec.frontend.yaml.reader import parse

Data = dict[str, Any]
META: Final = torch.device("meta")

# -- ops ----------------------------------------------------------------------------------------------------------


class ChannelNorm(nn.LayerNorm):
    """Layer norm over the channels of a map."""

    def forward(self, x: Tensor) -> Tensor:
        return F.layer_norm(x.movedim(1, -1), self.normalized_shape, self.weight, self.bias, self.eps).movedim(-1, 1)


class Attention(nn.MultiheadAttention):
    """Attention of one value or of three, with a mask or without."""

    def forward(self, *values: Tensor) -> Tensor:  # type: ignore[override]
        query, key, value = values[:3] if len(values) > 1 else values * 3
        mask = values[3] if len(values) == 4 else None
        return super().forward(query, key, value, need_weights=False, attn_mask=mask)[0]


class PartlyBiased(nn.Linear):
    """A linear layer with no bias for a part of its features."""

    def __init__(self, features: int, zero_bias: tuple[int, int], **given: Any) -> None:
        super().__init__(features, **given)
        self.part = slice(*zero_bias)

    def forward(self, x: Tensor) -> Tensor:
        factor = torch.ones_like(self.bias)
        factor[self.part] = 0
        return F.linear(x, self.weight, self.bias * factor)


class Transposed(nn.Linear):
    """A linear layer whose weight is laid out the other way round."""

    def __init__(self, features: int, **given: Any) -> None:
        super().__init__(features, **given)
        self.weight = nn.Parameter(torch.stack([*self.weight.detach()], 1))

    def forward(self, x: Tensor) -> Tensor:
        product = torch.matmul(x, self.weight)
        return product if self.bias is None else product + self.bias


def _linear(given: Data) -> type[nn.Linear]:
    return PartlyBiased if given.get("zero_bias") else Transposed if given.get("transposed") else nn.Linear


Maker = Callable[[tuple[int, ...], Data], nn.Module]
"""Makes the module of an op from the shape of its input, with the batch, and its fields."""


def _plain(kind: type[nn.Module]) -> Maker:
    """The maker of a module that does not depend on the shape of its input."""
    return lambda shape, given: kind(**given)


def _of_channels(kind: Callable[..., nn.Module]) -> Maker:
    """The maker of a module that depends on the channels of its input."""
    return lambda shape, given: kind(shape[1], **given)


def _last(kind: type[nn.Module]) -> Maker:
    """The maker of a norm over the last dimensions."""
    return lambda shape, given: kind(shape[-given.get("num_dims", 1) :], **_without(given, "num_dims"))


def _without(given: Data, name: str) -> Data:
    return {key: value for key, value in given.items() if key != name}


OPS: Final[dict[str, Maker]] = {
    **{kind: _of_channels(made) for kind, made in {
        "conv1d": nn.Conv1d, "conv2d": nn.Conv2d, "conv3d": nn.Conv3d, "conv_transpose1d": nn.ConvTranspose1d,
        "conv_transpose2d": nn.ConvTranspose2d, "conv_transpose3d": nn.ConvTranspose3d,
        "batch_norm1d": nn.BatchNorm1d, "batch_norm2d": nn.BatchNorm2d, "batch_norm3d": nn.BatchNorm3d,
        "instance_norm1d": nn.InstanceNorm1d, "instance_norm2d": nn.InstanceNorm2d,
        "instance_norm3d": nn.InstanceNorm3d,
    }.items()},
    "multi_head_attention": lambda shape, given: Attention(shape[-1], batch_first=True, **given),
    "linear": lambda shape, given: _linear(given)(shape[-1], **_without(given, "transposed")),
    "group_norm": lambda shape, given: nn.GroupNorm(num_channels=shape[1], **given),
    "embedding": lambda shape, given: nn.Embedding(**given),
    "layer_norm": _last(nn.LayerNorm),
    "rms_norm": _last(nn.RMSNorm),
    "layer_norm2d": lambda shape, given: ChannelNorm(shape[1], **given),
    "stochastic_depth": lambda shape, given: StochasticDepth(**{"mode": "row", **given}),
    "softmax": lambda shape, given: nn.Softmax(**{"dim": 1, **given}),
    "log_softmax": lambda shape, given: nn.LogSoftmax(**{"dim": 1, **given}),
    "permute": lambda shape, given: Permute(**given),
    **{kind: _plain(made) for kind, made in {
        "dropout": nn.Dropout, "dropout2d": nn.Dropout2d, "relu": nn.ReLU, "relu6": nn.ReLU6, "silu": nn.SiLU,
        "leaky_relu": nn.LeakyReLU, "elu": nn.ELU, "gelu": nn.GELU, "hardswish": nn.Hardswish,
        "hardsigmoid": nn.Hardsigmoid, "sigmoid": nn.Sigmoid, "tanh": nn.Tanh, "max_pool2d": nn.MaxPool2d,
        "avg_pool2d": nn.AvgPool2d, "adaptive_avg_pool2d": nn.AdaptiveAvgPool2d,
        "adaptive_max_pool2d": nn.AdaptiveMaxPool2d, "upsample": nn.Upsample, "prelu": nn.PReLU, "flatten": nn.Flatten,
        "identity": nn.Identity, "channel_shuffle": nn.ChannelShuffle, "max_pool1d": nn.MaxPool1d,
        "max_pool3d": nn.MaxPool3d, "avg_pool1d": nn.AvgPool1d, "avg_pool3d": nn.AvgPool3d,
        "adaptive_avg_pool1d": nn.AdaptiveAvgPool1d, "adaptive_avg_pool3d": nn.AdaptiveAvgPool3d,
        "adaptive_max_pool1d": nn.AdaptiveMaxPool1d, "adaptive_max_pool3d": nn.AdaptiveMaxPool3d,
        "lp_pool1d": nn.LPPool1d, "lp_pool2d": nn.LPPool2d, "lp_pool3d": nn.LPPool3d, "dropout1d": nn.Dropout1d,
        "dropout3d": nn.Dropout3d, "alpha_dropout": nn.AlphaDropout, "mish": nn.Mish, "selu": nn.SELU, "celu": nn.CELU,
        "softplus": nn.Softplus, "softsign": nn.Softsign, "log_sigmoid": nn.LogSigmoid, "hardtanh": nn.Hardtanh,
        "glu": nn.GLU, "unfold": nn.Unfold, "fold": nn.Fold, "pixel_shuffle": nn.PixelShuffle,
        "pixel_unshuffle": nn.PixelUnshuffle,
    }.items()},
}  # fmt: skip
"""Ops that are modules if they have a name; torch's constructors know their fields and defaults."""


def _affine(values: list[Tensor], given: Data) -> Tensor:
    scale, shift = (torch.tensor(given[key], device=values[0].device).view(-1, 1, 1) for key in ("scale", "shift"))
    return values[0] * scale + shift


def _joined(operation: Callable[[Any, Any], Any]) -> Callable[[list[Tensor], Data], Tensor]:
    """An operation on values from left to right, or on a value and a number."""

    def run(values: list[Tensor], given: Data) -> Any:
        operands: list[Any] = [*values, *([given["value"]] if given.get("value") is not None else [])]
        first, *others = operands[::-1] if given.get("reverse") else operands
        for other in others:
            first = operation(first, other)
        return first

    return run


def _sliced(values: list[Tensor], given: Data) -> Tensor:
    (x,) = values
    dim = given.get("dim", 1)
    places = range(x.shape[dim])[given.get("start", 0) : given.get("stop") : given.get("step", 1)]
    return x.index_select(dim, torch.tensor(list(places), device=x.device))


def _in_parts(values: list[Tensor], given: Data) -> tuple[Tensor, ...]:
    (x,) = values
    dim = given.get("dim", 1)
    sizes = given.get("sizes") or [x.shape[dim] // given["sections"]] * given["sections"]
    return tuple(x.narrow(dim, sum(sizes[:place]), size) for place, size in enumerate(sizes))


def _expanded(values: list[Tensor], given: Data) -> Tensor:
    x = values[0]
    if len(values) == 2:  # dimension 0 of a parameter becomes the batch
        sizes = given.get("size", x.shape[1:])
        return x.expand(len(values[1]), *sizes)
    return x.expand(*(len(x) for _ in range(x.ndim - len(given["size"]))), *given["size"])


def _product(values: list[Tensor], given: Data) -> Tensor:
    left, right = values
    return torch.matmul(left, right.mT if given.get("transpose_b") else right)


def _attended(values: list[Tensor], given: Data) -> Tensor:
    query, key, value = values[:3]
    scores: Tensor = query @ key.mT * (given.get("scale") or query.shape[-1] ** -0.5)
    if given.get("causal"):
        seen = torch.ones(scores.shape[-2:], dtype=torch.bool, device=scores.device).tril()
        scores = scores.where(seen, -torch.inf)
    weights = (scores + values[3] if len(values) == 4 else scores).softmax(-1)
    return torch.matmul(F.dropout(weights, given.get("dropout", 0.0), given.get("training", False)), value)


def _summed(values: list[Tensor], given: Data) -> Tensor:
    """Values of one letter for each dimension, broadcast to all letters, multiplied, and summed."""
    operands, _, result = given["equation"].replace(" ", "").partition("->")
    letters = sorted({*operands} - {","})
    is_batched = any(value.ndim > len(part) for value, part in zip(values, operands.split(","), strict=True))
    total: Any = 1
    for value, part in zip(values, operands.split(","), strict=True):
        value = value if value.ndim > len(part) or not is_batched else value[None]
        first = value.ndim - len(part)
        order = sorted(range(len(part)), key=lambda place: part[place])
        moved = value.permute(*range(first), *(place + first for place in order))
        missing = [place + first for place, letter in enumerate(letters) if letter not in part]
        for place in missing:
            moved = moved.unsqueeze(place)
        total = total * moved
    first = int(is_batched)
    for place in range(len(letters) - 1, -1, -1):
        total = total if letters[place] in result else total.sum(place + first)
    kept = sorted(result)
    return total.permute([*range(first), *(kept.index(letter) + first for letter in result)])  # type: ignore[no-any-return]


def _filtered(values: list[Tensor], given: Data) -> Tensor:
    """A convolution by a weight that is a value."""
    rank = values[1].ndim - 2
    kind: Any = (nn.Conv1d, nn.Conv2d, nn.Conv3d)[rank - 1]
    groups = given.get("groups", 1)
    outputs, inputs, *kernel = values[1].shape
    made = kind(inputs * groups, outputs, tuple(kernel), bias=len(values) == 3, device=META, **given)
    weights = dict(zip(("weight", "bias"), values[1:], strict=False))
    return torch.func.functional_call(made, weights, (values[0],))  # type: ignore[no-any-return]


def _standardised(values: list[Tensor], given: Data) -> Tensor:
    """Each channel of each instance: dimension 0 is the instances, whether they are samples or not."""
    kind: Any = (nn.InstanceNorm1d, nn.InstanceNorm2d, nn.InstanceNorm3d)[values[0].ndim - 3]
    made = kind(values[0].shape[1], affine=len(values) > 1, device=META, **given)
    zeros = torch.zeros(values[0].shape[1], device=values[0].device)
    weights = dict(zip(("weight", "bias"), [*values[1:], zeros], strict=False)) if len(values) > 1 else {}
    return torch.func.functional_call(made, weights, (values[0],))  # type: ignore[no-any-return]


def _windows(values: list[Tensor], given: Data) -> Tensor:
    (x,) = values
    dim, size, step = given.get("dim", 1), given["size"], given.get("step", 1)
    parts = [x.narrow(dim, start, size) for start in range(0, x.shape[dim] - size + 1, step)]
    return torch.stack([part.movedim(dim, -1) for part in parts], dim % x.ndim)


def _norm(values: list[Tensor], given: Data) -> Tensor:
    found: Tensor = values[0].norm(given.get("ord", 2.0), tuple(given["dim"]), given.get("keepdim", False))
    return found


def _rearranged(values: list[Tensor], given: Data) -> Tensor:
    """Dimensions split, transposed by an einsum, and flattened."""
    (x,) = values
    before, after = ([part[0] or part[1] for part in re.findall(r"\(([^)]*)\)|(\w+)", side)]
                     for side in given["pattern"].split("->"))  # fmt: skip
    before, after = (["batch", *side] if x.ndim > len(before) else side for side in (before, after))
    for place in range(len(before) - 1, -1, -1):
        axes = [axis for axis in before[place].split() if axis != "1"]
        sizes = [given.get(axis, -1) for axis in axes]
        x = x.reshape(*x.shape[:place], *sizes, *x.shape[place + 1 :])
    names = [axis for group in before for axis in group.split() if axis != "1"]
    letters = {axis: chr(ord("a") + number) for number, axis in enumerate(names)}
    order = [axis for group in after for axis in group.split() if axis != "1"]
    x = torch.einsum(f"{''.join(letters.values())}->{''.join(letters[axis] for axis in order)}", x)
    for place, group in enumerate(after):
        axes = [axis for axis in group.split() if axis != "1"]
        x = x.flatten(place, place + len(axes) - 1) if axes else x.unsqueeze(place)
    return x


def _spread(values: list[Tensor], given: Data) -> Tensor:
    """The variance, from squares."""
    (x,) = values
    dims = tuple(given["dim"])
    squares: Tensor = (x - x.mean(dims, keepdim=True)) ** 2
    count = math.prod(x.shape[dim] for dim in dims) - given.get("correction", 1)
    total: Tensor = squares.sum(dims, given.get("keepdim", False)) / count
    return total


def _plainly(kind: str) -> Callable[[list[Tensor], Data], Any]:
    return lambda values, given: getattr(values[0], kind)()


def _tiled(value: Tensor, repeats: Sequence[int]) -> Tensor:
    for dim, times in enumerate(reversed(repeats), 1):
        value = torch.cat([value] * times, -dim)
    return value


def _interleaved(value: Tensor, repeats: int, dim: int) -> Tensor:
    dim %= value.ndim
    return torch.stack([value] * repeats, dim + 1).flatten(dim, dim + 1)


def _resized(values: list[Tensor], given: Data) -> Tensor:
    wanted: Data = {} if len(values) == 1 else {"size": list(values[1].shape[2:])}
    return F.interpolate(values[0], **given, **wanted)


FUNCTIONS: Final[dict[str, Callable[[list[Tensor], Data], Any]]] = {
    "add": _joined(lambda a, b: a + b),
    "sub": _joined(lambda a, b: a - b),
    "mul": _joined(lambda a, b: a * b),
    "div": _joined(lambda a, b: a / b),
    "addcmul": lambda values, given: torch.addcmul(*values, value=given.get("value", 1)),
    "maximum": _joined(lambda a, b: torch.where(a > b, a, b)),
    "minimum": _joined(lambda a, b: torch.where(a < b, a, b)),
    "tile": lambda values, given: _tiled(values[0], given["repeats"]),
    "repeat_interleave": lambda values, given: _interleaved(values[0], given["repeats"], given.get("dim", 1)),
    "matmul": _product,
    "einsum": _summed,
    **{f"functional_conv{rank}d": _filtered for rank in (1, 2, 3)},
    "functional_linear": lambda values, given: F.linear(*values),
    "functional_instance_norm": _standardised,
    "scaled_dot_product_attention": _attended,
    "cat": lambda values, given: torch.cat(values, given.get("dim", 1)),
    "stack": lambda values, given: torch.stack(values, given.get("dim", 1)),
    "chunk": lambda values, given: tuple(torch.chunk(values[0], given["chunks"], 1)),
    "split": _in_parts,
    "index": lambda values, given: torch.stack([*values[0]])[values[1]],
    "select": lambda values, given: values[0].select(given.get("dim", 1), given["position"]),
    "slice": _sliced,
    "expand": _expanded,
    "pad": lambda values, given: F.pad(
        values[0], tuple(given["pad"]), given.get("mode", "constant"), given.get("value", 0.0) or None
    ),
    "rearrange": _rearranged,
    "interpolate": _resized,
    "contiguous": lambda values, given: values[0].contiguous(),
    "flip": lambda values, given: values[0].flip(tuple(given["dims"])),
    "cumsum": lambda values, given: values[0].cumsum(given["dim"]),
    "sliding_window": _windows,
    "roll": lambda values, given: values[0].roll(tuple(given["shifts"]), tuple(given["dims"])),
    "mean": lambda values, given: values[0].mean(tuple(given["dim"]), given.get("keepdim", False)),
    "sum": lambda values, given: values[0].sum(tuple(given["dim"]), given.get("keepdim", False)),
    "max": lambda values, given: values[0].amax(tuple(given["dim"]), given.get("keepdim", False)),
    "min": lambda values, given: values[0].amin(tuple(given["dim"]), given.get("keepdim", False)),
    "vector_norm": _norm,
    "logsumexp": lambda values, given: values[0].logsumexp(tuple(given["dim"]), given.get("keepdim", False)),
    "var": _spread,
    "std": lambda values, given: _spread(values, given).sqrt(),
    **{
        kind: _plainly(kind)
        for kind in ("exp", "log", "sqrt", "rsqrt", "abs", "neg", "sign", "square", "reciprocal", "sin", "cos", "erf")
    },
    "pow": lambda values, given: values[0] ** given["exponent"] if "exponent" in given else given["base"] ** values[0],
    "clamp": lambda values, given: values[0].clamp(given.get("min"), given.get("max")),
    "normalize": lambda values, given: F.normalize(values[0], **{"dim": 1, **given}),
    "channel_affine": _affine,
}
"""Ops that are never modules."""

ATTRIBUTES: Final = frozenset({
    "in_channels", "in_features", "num_features", "out_channels", "out_features", "kernel_size", "stride", "padding",
    "dilation", "groups", "bias", "output_padding", "eps", "momentum", "affine", "track_running_stats", "num_groups",
    "p", "mode", "negative_slope", "alpha", "dim", "ceil_mode", "count_include_pad", "output_size", "scale_factor",
    "dims", "embed_dim", "num_heads", "dropout",
})  # fmt: skip
"""The attributes that init rules may read of the module they initialise."""

# -- expressions --------------------------------------------------------------------------------------------------


def make_divisible(value: float, divisor: int = 8, min_value: int | None = None) -> int:
    """The nearest multiple of the divisor, never less than nine tenths of the value."""
    least = divisor if min_value is None else min_value
    nearest = max(least, math.floor((value + divisor / 2) / divisor) * divisor)
    return nearest if nearest >= 0.9 * value else nearest + divisor


KNOWN: Final[Data] = {
    "int": int, "round": round, "ceil": math.ceil, "floor": math.floor, "min": min, "max": max, "sum": sum, "len": len,
    "abs": abs, "float": float, "sqrt": math.sqrt, "make_divisible": make_divisible, "__builtins__": {},
}  # fmt: skip
WORDS: Final = ("op", "block", "seq", "call", "layers")
KEYS: Final = frozenset((*WORDS, "from", "like", "when", "else", "repeat", "index", "train_only", "as", "append"))


class _Views(ast.NodeTransformer):
    """`conv.channels` is read of the value called conv, whatever else has that name."""

    def visit_Attribute(self, node: ast.Attribute) -> ast.expr:
        return ast.Call(ast.Name("size of", ast.Load()), [self.path(node.value), ast.Constant(node.attr)], [])

    def visit_Subscript(self, node: ast.Subscript) -> ast.expr:
        if not isinstance(node.value, ast.Attribute) or node.value.attr != "shape":
            return self.generic_visit(node)  # type: ignore[return-value]
        arguments = [self.path(node.value.value), self.visit(node.slice)]
        return ast.Call(ast.Name("size of", ast.Load()), arguments, [])

    def path(self, node: ast.expr) -> ast.expr:
        """The name of a value as text: `convs[i]` is `convs.0` in round 0."""
        if isinstance(node, ast.Name):
            return ast.Constant(node.id)
        assert isinstance(node, ast.Attribute | ast.Subscript)
        last = ast.Constant(node.attr) if isinstance(node, ast.Attribute) else self.visit(node.slice)
        parts = [ast.FormattedValue(part, -1) for part in (self.path(node.value), last)]
        return ast.JoinedStr([parts[0], ast.Constant("."), parts[1]])


@cache
def _code(text: str) -> Any:
    tree = ast.parse(text.strip(), mode="eval")
    return compile(ast.fix_missing_locations(_Views().visit(tree)), text, "eval")


@dataclass
class Scope:
    """Parameters, local names and indices, and the shapes of values by name."""

    names: Data = field(default_factory=dict)
    shapes: dict[str, Any] = field(default_factory=dict)

    def copy(self) -> Scope:
        return Scope(dict(self.names), dict(self.shapes))

    def size(self, name: str, attribute: str | int) -> int:
        """`conv.channels`: maps are channels, height, width; sequences length, features; vectors features. Or a size by
        its dimension, the batch being 0."""
        whole, _, part = name.rpartition(".")
        shape = self.shapes[name] if name in self.shapes else self.shapes[whole][int(part)]
        if isinstance(attribute, int):
            return int((shape if isinstance(shape, _OfRaw) else (None, *shape))[attribute])
        if attribute == "parts":
            return len(shape) if isinstance(shape, list) else 1
        if isinstance(shape, list):
            raise ValueError(f"{name} is several values")
        return int(dict(zip(_AXES[len(shape)], shape, strict=True))[attribute])

    def value(self, given: Any) -> Any:
        if isinstance(given, list):
            return [self.value(element) for element in given]
        return self.run(given[1:]) if isinstance(given, str) and given.startswith("=") else given

    def run(self, text: str, more: Data | None = None) -> Any:
        return eval(_code(text), {**KNOWN, **self.names, **(more or {}), "size of": self.size})

    def fill(self, name: str) -> str:
        return re.sub(r"\{([^{}]*)\}", lambda found: str(self.run(found[1])), name)


_AXES: Final = {0: (), 1: ("features",), 2: ("length", "features"), 3: ("channels", "height", "width")}

# -- what reading makes -------------------------------------------------------------------------------------------

Ref = tuple[int, int | None]
"""A value by its number, and the part of it that is meant."""


@dataclass
class Step:
    """Runs a submodule or a function on values, or reads a tensor of the body itself."""

    sources: list[Ref]
    child: str | None
    """The submodule that it runs, or the tensor."""
    function: Callable[[list[Tensor], bool], Any] | None
    train_only: bool


@dataclass
class Body:
    """A body that was read: its number of inputs, its children in order, its steps and its result."""

    inputs: int
    children: dict[str, Callable[[], nn.Module | nn.Parameter | Fixed]]
    steps: list[Step]
    result: Ref
    rules: list[Data]
    scope: Scope
    fields: dict[str, Ref] = field(default_factory=dict)
    """The values returned in training in place of the result."""
    together: list[Ref] = field(default_factory=list)
    """The values always returned in its place."""
    late: list[str] = field(default_factory=list)
    """The children that are made after all others."""
    removed: list[str] = field(default_factory=list)
    """The children that are removed once the parameters are initialised."""

    def cut(self, refs: Sequence[Ref]) -> None:
        """End at the last of these values."""
        self.steps = self.steps[: max(0, *(number + 1 - self.inputs for number, _ in refs))]
        there = {step.child for step in self.steps}
        self.removed = [name for name in self.children if name not in there]


class Net(nn.Module):
    """A body as a module. In training one with named outputs yields all of them."""

    def __init__(self, body: Body) -> None:
        super().__init__()
        self.body = body
        registered = _by_container([*body.children])
        late = [name for entry in body.late for name in registered if f"{name}.".startswith(f"{entry}.")]
        ready = {name: body.children[name]() for name in [n for n in registered if n not in late] + late}
        for name, made in ((name, ready[name]) for name in registered):
            *around, last = name.split(".")
            holder: nn.Module = self
            for part in around:
                holder = holder._modules.setdefault(part, nn.Module())  # type: ignore[assignment]
            if isinstance(made, nn.Parameter):
                holder.register_parameter(last, made)
            elif isinstance(made, Fixed):
                holder.register_buffer(last, made.tensor.clone(), made.persistent)
            else:
                holder._modules[last] = made
        if body.rules:
            _initialise(self, body.rules, body.scope)
        for name in {name.partition(".")[0]: None for name in body.removed}:
            delattr(self, name)

    def forward(self, *inputs: Any) -> Any:
        values: list[Any] = list(inputs)
        for step in self.body.steps:
            values.append(None if step.train_only and not self.training else self.run(step, values))
        if self.training and self.body.fields:
            return tuple(_part(values, ref) for ref in self.body.fields.values())
        if self.body.together:
            return tuple(_part(values, ref) for ref in self.body.together)
        return _part(values, self.body.result)

    def run(self, step: Step, values: list[Any]) -> Any:
        given = [_part(values, ref) for ref in step.sources]
        if step.function is not None:
            return step.function(given, self.training)
        assert step.child is not None
        if step.child in self._parameters or step.child in self._buffers:
            return getattr(self, step.child)
        child: nn.Module = self
        for part in step.child.split("."):
            child = child._modules[part]  # type: ignore[assignment]
        return child(*given)


def _by_container(names: list[str]) -> list[str]:
    """Names in the order of registration: entries of a container together, those of a list by their numbers."""
    below: dict[str, list[str]] = {}
    for name in names:
        first, _, rest = name.partition(".")
        below.setdefault(first, []).append(rest)
    numbers = [str(number) for number in range(len(below))]
    ordered = numbers if set(below) == set(numbers) else [*below]
    return (
        [f"{first}.{rest}" if rest else first for first in ordered for rest in _by_container(below[first])]
        if (names != [""])
        else [""]
    )


def _part(values: list[Any], ref: Ref) -> Any:
    number, part = ref
    return values[number] if part is None else values[number][part]


@torch.no_grad()
def _initialise(net: nn.Module, rules: list[Data], scope: Scope) -> None:
    for name, module in net.named_modules():
        rule = next((rule for rule in rules if _matches(rule, name, module)), {})
        for parameter in rule.keys() - {"op", "path", "when"}:
            if not isinstance(getattr(module, parameter, None), Tensor):
                rule = {key: value for key, value in rule.items() if key != parameter}
        for parameter, given in rule.items():
            if parameter not in ("op", "path", "when"):
                _fill(module, getattr(module, parameter), given, scope)


_KIND_OF: Final = {"layer_norm2d": "layer_norm"}
"""A layer norm of channels is a layer norm, to rules."""


def _matches(rule: Data, name: str, module: nn.Module) -> bool:
    within = {"NonDynamicallyQuantizableLinear": "linear"}.get(type(module).__name__)
    kind = getattr(module, "kind_of_op", within)
    kinds = rule.get("op")
    kinds = kinds if isinstance(kinds, list) else [kinds]
    if kind is None or ("op" in rule and not {kind, _KIND_OF.get(kind)} & {*kinds}):
        return False
    return "path" not in rule or fnmatchcase(name, rule["path"])


def _fill(module: nn.Module, tensor: Tensor, given: Any, scope: Scope) -> None:
    own = {name: getattr(module, name) for name in ATTRIBUTES if hasattr(module, name)}
    _filler(given, scope, own)(tensor)


def _filler(given: Any, scope: Scope, own: Data | None = None) -> Callable[[Tensor], Any]:
    """The initialiser of a tensor; expressions are evaluated at once."""
    if isinstance(given, int | float):
        given = {"constant": {"val": given}}
    if isinstance(given, str):
        given = {"constant": {"val": given}} if given.startswith("=") else {given: {}}
    ((way, arguments),) = given.items()
    filled = {
        key: scope.run(value[1:], own) if isinstance(value, str) and value.startswith("=") else value
        for key, value in (arguments or {}).items()
    }
    return lambda tensor: getattr(nn.init, f"{way}_")(tensor, **filled)


# -- reading ------------------------------------------------------------------------------------------------------


@cache
def _library(name: str) -> Data:
    path = Path(archspec.__file__).parent / "frontend" / "library" / f"{name}.yaml"
    found: Data = parse(path.read_text(encoding="utf-8"), str(path)).data
    return found


class Reading:
    """Reads the items of one body (or seq) in the order they run."""

    def __init__(self, blocks: Mapping[str, Data], scope: Scope, inputs: Mapping[str, Any], in_seq: bool) -> None:
        self.blocks = blocks
        self.scope = scope
        self.in_seq = in_seq
        self.values: list[Any] = list(inputs.values())
        """Each value as a meta tensor, or several."""
        self.names: dict[str, Ref] = {name: (number, None) for number, name in enumerate(inputs)}
        self.previous: Ref = (0, None)
        self.count = len(inputs)
        self.children: dict[str, Callable[[], nn.Module | nn.Parameter | Fixed]] = {}
        self.runs: dict[str, Callable[[list[Any]], Any]] = {}
        """The output of each child for meta tensors."""
        self.parts: dict[int, list[str]] = {}
        """The names of the parts of values, by the numbers of the values."""
        self.parts_of: dict[str, list[str]] = {}
        """The names of the parts of a child's output."""
        self.lists: dict[str, list[Ref]] = {}
        self.steps: list[Step] = []
        self.within = ""
        """The container around, and a dot."""
        self.numbered: Counter[str] = Counter()

    # -- items --

    def items(self, items: Sequence[Data]) -> None:
        for written in items:
            name, item = _split(written)
            for _ in self.rounds(item):
                self.item(name, item)

    def rounds(self, item: Data) -> Iterator[None]:
        if "repeat" not in item:
            yield
            return
        index, names = item.get("index"), self.scope.names
        for k in range(self.scope.value(item["repeat"])):
            if index is not None:
                names[index] = k
            yield
        names.pop(index or "", None)

    def item(self, name: str | None, item: Data) -> None:
        if not self.scope.value(item.get("when", True)):
            self.left_out(name, item)
        elif "layers" in item:
            around = self.within
            if name is not None:
                self.within = f"{around}{self.scope.fill(name)}."
            self.items(item["layers"])
            self.within = around
        else:
            self.place(name, item)

    def left_out(self, name: str | None, item: Data) -> None:
        if "layers" in item:
            return
        stands = self.reference(item["else"]) if "else" in item else self.previous
        label = item["as"] if "as" in item else None if name is None else self.within + name
        if label is not None:
            self.name(self.scope.fill(label), stands)
        if "else" in item:
            self.previous = stands

    def place(self, name: str | None, item: Data) -> None:
        name = self.within + self.scope.fill(name) if name is not None else None
        if self.within and name is None and self.is_module(item):
            name = f"{self.within}{self.numbered[self.within]}"
            self.numbered[self.within] += 1
        label = item.get("as", name)
        if self.in_seq and "call" not in item:
            name = str(self.numbered[""]) if name is None else name
            self.numbered[""] += 1
        raw = item.get("op") in ("parameter", "buffer")
        sources = [] if raw else self.sources(item)
        given = [_part(self.values, ref) for ref in sources]
        child, function, value = self.make(name, item, given)
        value = _in_batch_of(given, value)
        self.steps.append(Step(sources, child, function, item.get("train_only", False)))
        ref = (len(self.values), None)
        self.values.append(value)
        if child in self.parts_of:
            self.parts[ref[0]] = self.parts_of[child]
        if label is not None:
            self.name(label, ref)
        if "append" in item:
            values = self.lists.setdefault(item["append"], [])
            self.scope.shapes[f"{item['append']}.{len(values)}"] = _shape(value)
            values.append(ref)
        if not item.get("train_only") and not raw:
            self.previous = ref

    def is_module(self, item: Data) -> bool:
        """Whether an item is a module if it has a name."""
        return "seq" in item or "block" in item or ("op" in item and self.chosen(item)[0] in OPS)

    def chosen(self, item: Data) -> tuple[str, Data]:
        """The op of an item, and the fields that come with it, if a parameter has it with arguments."""
        found = self.scope.value(item["op"])
        return (found["op"], {key: value for key, value in found.items() if key != "op"}) if isinstance(
            found, dict) else (found, {})  # fmt: skip

    def sources(self, item: Data) -> list[Ref]:
        last = [self.reference(item["like"])] if "like" in item else []
        if "from" not in item:
            return [self.previous, *last]
        given = item["from"] if isinstance(item["from"], list) else [item["from"]]
        found: list[Ref] = []
        for name in given:
            found += self.lists[name] if name in self.lists else [self.reference(name)]
        return [*found, *last]

    def reference(self, name: str) -> Ref:
        name = self.scope.fill(name)
        if name in self.names:
            return self.names[name]
        base, _, part = name.rpartition(".")
        if base in self.lists:
            return self.lists[base][int(part)]
        number, _ = self.names[base]
        return number, int(part) if part.isdecimal() else self.parts[number].index(part)

    def name(self, label: str, ref: Ref) -> None:
        self.names[label] = ref
        self.scope.shapes[label] = _shape(_part(self.values, ref))

    # -- what an item runs --

    def make(self, name: str | None, item: Data, given: list[Any]) -> tuple[str | None, Any, Any]:
        """The child that runs, or the function, and its output."""
        if "call" in item:
            child = self.scope.fill(item["call"])
            return child, None, self.runs[child](given)
        if "seq" in item:
            made, run, parts = self.sequence(item["seq"], given)
            return self.several(name, parts, self.own(name, made, run, given))
        arguments = {key: self.scope.value(value) for key, value in item.items() if key not in KEYS}
        if "block" in item or "spec" in item:
            made, run, parts = self.spec(item, given) if "spec" in item else self.block(item["block"], arguments, given)
            return self.several(name, parts, self.own(name, made, run, given))
        kind, fields = self.chosen(item)
        return self.op(name, kind, {**fields, **arguments}, given)

    def several(
        self, child: str | None, parts: list[str], made: tuple[str | None, Any, Any]
    ) -> tuple[str | None, Any, Any]:
        """Record the value of an item; `names` are those of its parts, if any."""
        if parts:
            self.parts_of[str(child)] = parts
        return made

    def own(self, name: str | None, make: Any, run: Any, given: list[Any]) -> tuple[str | None, Any, Any]:
        assert name is not None
        self.children[name], self.runs[name] = make, run
        return name, None, run(given)

    def op(self, name: str | None, kind: str, given: Data, values: list[Any]) -> tuple[str | None, Any, Any]:
        if kind == "parameter":
            value: Tensor = torch.empty(given["shape"], device=META).as_subclass(_Raw)
            assert name is not None
            fill = _filler(given.get("init", given.get("value", 0.0)), self.scope)
            self.children[name] = lambda: nn.Parameter(fill(torch.empty(given["shape"])))
            return name, None, value
        if kind == "buffer":
            assert name is not None
            fixed = Fixed(buffer(given), given.get("persistent", True))
            self.children[name] = lambda: fixed
            return name, None, fixed.tensor.to(META).as_subclass(_Raw)
        if kind == "unflatten_batch":
            *others, sizes = _folded(values[0])
            return None, _leaving(sizes), _in_batch(_leaving(sizes)(values, True), tuple(others))
        if kind == "flatten_batch":
            many = given.get("dims", 1)
            folded = (*_folded(values[0]), tuple(values[0].shape[1 : many + 1]))
            return None, _joining(many), _in_batch(_joining(many)(values, True), folded)
        if kind in FUNCTIONS:
            return None, _function(kind, given), _meta_function(kind, given, values)
        shape = tuple(values[0].shape)
        if kind == "multi_head_attention":
            own, taken = OPS[kind], values if len(values) > 1 else values * 3
            given = {**given, "kdim": taken[1].shape[-1], "vdim": taken[2].shape[-1]}
            return self.own(name, lambda: _marked(own(shape, given), kind), lambda values: values[0], values)
        run = lambda values: _meta_module(kind, repr(given), tuple(values[0].shape), given, shape)  # noqa: E731
        if name is None:
            made = OPS[kind](shape, given)
            return None, lambda values, training: made.train(training)(*values), run(values)  # type: ignore[no-untyped-call]
        if kind == "embedding" and isinstance(values[0], _Raw):
            plain = run
            run = lambda values: _without_batch(plain, values)  # noqa: E731
        return self.own(name, lambda: _marked(OPS[kind](shape, _tupled(given)), kind), run, values)

    def sequence(self, items: Sequence[Data], given: list[Any]) -> tuple[Any, Any, list[str]]:
        inner = Reading(self.blocks, self.scope.copy(), {"input": given[0]}, True)
        inner.items(items)
        body = Body(1, inner.children, inner.steps, inner.previous, [], inner.scope)
        value = _part(inner.values, inner.previous)
        return lambda: Net(body), lambda values: value, inner.parts.get(inner.previous[0], [])

    def block(self, name: str, arguments: Data, given: list[Any]) -> tuple[Any, Any, list[str]]:
        data = self.blocks[name] if name in self.blocks else _library(name)
        body, value, parts = read(data, self.blocks, arguments, given)
        return lambda: Net(body), lambda values: value, parts

    def spec(self, item: Data, given: list[Any]) -> tuple[Any, Any, list[str]]:
        """A shipped spec, whose blocks have their names to themselves."""
        own = {k: v for k, v in item.items() if k == "block" or k not in {*KEYS, "spec", "features", "submodule"}}
        computed = {key: self.scope.value(value) for key, value in own.items() if str(value).startswith("=")}
        fixed = {key: value for key, value in own.items() if key not in computed}
        data = parse(archspec.expand(item["spec"], overrides=fixed), "<text>").data
        body, value, parts = read(_part_of(data, item), data.get("blocks") or {}, computed, given)
        return lambda: Net(body), lambda values: value, parts


def _part_of(data: Data, item: Data) -> Data:
    """The network of a spec as the block that an item makes of it."""
    found = {key: value for key, value in data.items() if key not in ("input", "blocks", "name")}
    if found.get("outputs") and not put_out(found)[1]:
        found.setdefault("output", next(iter(put_out(found)[0].values())))
        del found["outputs"]
    if "submodule" in item:
        found.update(seq=found["layers"][0][item["submodule"]]["seq"], layers=found["layers"][1:], cut=True)
    if "features" in item:
        found.pop("output", None)
        found["output" if isinstance(item["features"], str) else "outputs"] = item["features"]
        found["cut"] = True
    return found


def read(data: Data, blocks: Mapping[str, Data], arguments: Data, given: list[Any]) -> tuple[Body, Any, list[str]]:
    """A block or network with its arguments, on inputs like these meta tensors: the body, what it yields, and what the
    parts of that are called."""
    scope = Scope()
    declared = data.get("inputs", ["input"])
    rest = declared[-1].removeprefix("*") if declared[-1].startswith("*") else None
    fixed = declared if rest is None else declared[:-1]
    more = [f"{rest}.{number}" for number in range(len(given) - len(fixed))]
    inputs = dict(zip([*fixed, *more], given, strict=True))
    scope.shapes = {name: _shape(value) for name, value in inputs.items()}
    if rest is not None:
        scope.shapes[rest] = [scope.shapes[name] for name in more]
    for name, default in (data.get("params") or {}).items():
        scope.names[name] = arguments[name] if name in arguments else scope.value(default)
    for name, value in (data.get("let") or {}).items():
        scope.names[name] = scope.value(value)
    in_seq = "seq" in data
    reading = Reading(blocks, scope, inputs, in_seq)
    items = [*data.get("seq", []), *data.get("layers", [])]
    reading.lists = {name: [] for name in _lists(items)}
    if rest is not None:
        reading.lists[rest] = [reading.names[name] for name in more]
    reading.items(data.get("seq", []))
    behind_seq, numbered = reading.previous, {name: (len(given) + n, None) for n, name in enumerate(reading.children)}
    reading.names = {**(numbered if in_seq else {}), **reading.names}
    reading.in_seq = in_seq and not data.get("layers")
    reading.items(data.get("layers", []))
    result = reading.reference(data["output"]) if "output" in data else reading.previous
    returned, always = put_out(data)
    if data.get("cut") and "output" not in data and not returned:
        result = behind_seq
    fields = {name: reading.reference(value) for name, value in returned.items()}
    if fields and "output" not in data:
        result = next(iter(fields.values()))
    listed = data.get("register", [])
    last = {name: reading.children.pop(name) for entry in listed for name in [*reading.children]
            if f"{name}.".startswith(f"{entry}.")}  # fmt: skip
    rules = [rule for rule in data.get("init") or [] if scope.value(rule.get("when", True))]
    body = Body(len(inputs), {**reading.children, **last}, reading.steps, result, rules, scope)
    body.late = data.get("construct", [])
    if data.get("cut"):
        body.cut([*fields.values()] or [result])
    if always:
        body.together = [*fields.values()]
        return body, tuple(_part(reading.values, ref) for ref in body.together), [*fields]
    body.fields = fields
    return body, _part(reading.values, result), reading.parts.get(result[0], []) if result[1] is None else []


def put_out(data: Data) -> tuple[dict[str, str], bool]:
    """The outputs of a network or block by their names, and whether they are there in evaluation, too."""
    given = data.get("outputs", {})
    spelt_out = isinstance(given, dict) and "fields" in given and "type" in given
    fields = given["fields"] if spelt_out else given
    named = fields if isinstance(fields, dict) else dict(zip(fields, fields, strict=True))
    return named, bool(given) and (not spelt_out or given.get("when") == "always")


def _lists(items: Sequence[Data]) -> Iterator[str]:
    for written in items:
        _, item = _split(written)
        if "append" in item:
            yield item["append"]
        yield from _lists(item.get("layers", []))


def _split(written: Data) -> tuple[str | None, Data]:
    """An item's name, if it has one, and what it says."""
    if len(written) == 1:
        ((name, item),) = written.items()
        if isinstance(item, dict):
            return name, item
    return None, written


class _Raw(Tensor):
    """A parameter: it has no batch."""


class _OfRaw(tuple[int, ...]):
    """Its shape."""


def _shape(value: Any) -> Any:
    if isinstance(value, tuple):
        return [_shape(part) for part in value]
    return _OfRaw(value.shape) if isinstance(value, _Raw) else tuple(value.shape)[1:]


def _folded(value: Any) -> tuple[tuple[int, ...], ...]:
    """The sizes of the dimensions that a meta tensor has in its batch, for each time that some joined it."""
    return getattr(value, "folded", ())


def _in_batch(value: Tensor, folded: tuple[tuple[int, ...], ...]) -> Tensor:
    """A meta tensor that has dimensions of these sizes in its batch; one that is kept elsewhere stays as it is."""
    made = value.detach()
    made.folded = folded  # type: ignore[attr-defined]
    return made


def _joining(many: int) -> Callable[[list[Tensor], bool], Tensor]:
    return lambda values, training: values[0].reshape(-1, *values[0].shape[many + 1 :])


def _leaving(sizes: tuple[int, ...]) -> Callable[[list[Tensor], bool], Tensor]:
    return lambda values, training: values[0].reshape(-1, *sizes, *values[0].shape[1:])


def _in_batch_of(given: list[Any], value: Any) -> Any:
    """The value of an item that took the given ones, with what they have in their batches unless it says its own."""
    if isinstance(value, tuple):
        return tuple(_in_batch_of(given, part) for part in value)
    if hasattr(value, "folded") or isinstance(value, _Raw):
        return value
    return _in_batch(value, max(map(_folded, given), key=len, default=()))


def _tupled(given: Data) -> Data:
    return {key: tuple(value) if isinstance(value, list) else value for key, value in given.items()}


def _marked(module: nn.Module, kind: str) -> nn.Module:
    module.kind_of_op = kind  # type: ignore[assignment]
    return module


def _function(kind: str, given: Data) -> Callable[[list[Any], bool], Any]:
    """A function of values and the mode, which matters only to those that have a dropout."""
    if "dropout" not in given:
        return lambda values, training: FUNCTIONS[kind](values, given)
    return lambda values, training: FUNCTIONS[kind](values, {**given, "training": training})


def _meta_function(kind: str, given: Data, values: list[Any]) -> Any:
    raw = all(isinstance(value, _Raw) for value in values)
    plain = [value.as_subclass(Tensor) for value in values]
    found = FUNCTIONS[kind](plain, given)
    if isinstance(found, tuple):
        return tuple(part.as_subclass(_Raw) if raw else part for part in found)
    return found.as_subclass(_Raw if raw else Tensor)


def _without_batch(run: Callable[[list[Any]], Tensor], values: list[Any]) -> Tensor:
    """The output of a module for a value without a batch."""
    return run([values[0].as_subclass(Tensor)]).as_subclass(_Raw)


_MADE: dict[Any, Tensor] = {}


def _meta_module(kind: str, key: str, shape: tuple[int, ...], given: Data, made_for: tuple[int, ...]) -> Tensor:
    """The output of an op for a tensor of a shape."""
    known = (kind, key, shape, made_for)
    if known not in _MADE:
        with META:
            module = OPS[kind](made_for, _tupled(given)).eval()
            _MADE[known] = module(torch.empty(shape, dtype=torch.int64 if kind == "embedding" else None))
    return _MADE[known]


def interpret(text: str, **overrides: Any) -> nn.Module:
    """The network of a core-language spec, in training mode, initialised by its rules.

    >>> interpret('''
    ... name: net
    ... input: [3, 8, 8]
    ... params: {width: 4}
    ... layers:
    ... - conv: {op: conv2d, out_channels: =width, kernel_size: 3}
    ... ''', width=2)(torch.zeros(1, 3, 8, 8)).shape
    torch.Size([1, 2, 6, 6])
    """
    data: Data = parse(text, "<text>").data
    shape = overrides.pop("input", data["input"])
    dtype = torch.int64 if "tokens" in data else None
    body, *_ = read(data, data.get("blocks") or {}, overrides, [torch.empty(1, *shape, dtype=dtype, device=META)])
    return Net(body)
