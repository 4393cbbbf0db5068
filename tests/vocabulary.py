"""How many of timm's architectures archspec's ops cover: `python -m tests.vocabulary`. It also lists what is missing.

Each architecture is built on the meta device, without weights, and run on two samples in evaluation and in training.
Recorded are the modules of `torch.nn` that run, and the functions that other modules call. An architecture is covered
if for each of them there is an op of the same semantics: initial values, names and the order of keys are not compared.
What is computed from neither the input nor parameters is recorded as `constant`: a `buffer` holds the same numbers.

    python -m tests.vocabulary                  # all 1,371: about half an hour of one core
    python -m tests.vocabulary --every 10       # every tenth of a fixed random order
    python -m tests.vocabulary --names 'swin*'  # some of them

Records are kept in `--records FILE` (a line of JSON for each architecture), which a later run goes on from.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
import time
import warnings
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, Final

import torch
from torch import Tensor, nn
from torch.nn.modules import module as hooks
from torch.overrides import TorchFunctionMode, resolve_name

sys.path.insert(0, str(Path(__file__).parent))
import oracle  # what torchvision needs before timm imports it on CPU torch

from archspec.ops import OPS

_HOLDERS: Final = (nn.Sequential, nn.ModuleList, nn.ModuleDict)

NOTHING: Final = frozenset({
    "_assert", "_set_grad_enabled", "Tensor.contiguous", "Tensor.size", "Tensor.dim", "Tensor.numel", "Tensor.detach",
    "Tensor.is_contiguous", "Tensor.stride", "Tensor.to", "Tensor.type_as", "Tensor.float", "Tensor.clone",
    "Tensor.type", "is_tensor", "is_floating_point", "Tensor.is_floating_point", "Tensor.__len__",
    "Tensor.requires_grad_", "is_autocast_enabled", "numel", "Tensor.item", "Tensor.is_complex",
})  # fmt: skip
"""What computes nothing where all is float32, or is about shapes only. So do all attributes of tensors."""

RANDOM: Final = frozenset({"rand", "randn", "randint", "randperm", "empty", "bernoulli", "uniform", "normal", "dropout",
                           "trunc_normal", "multinomial", "exponential"})  # fmt: skip
"""Functions whose results are no constants, though computed from none."""

FUNCTIONS: Final = {
    "constant": "buffer", "conv1d(computed weight)": "functional_conv1d",
    "conv2d(computed weight)": "functional_conv2d", "conv3d(computed weight)": "functional_conv3d",
    "linear(computed weight)": "functional_linear", "batch_norm(of a weight)": "functional_instance_norm",
    "addcmul": "addcmul", "einsum": "einsum", "flip": "flip", "cumsum": "cumsum", "unfold(windows)": "sliding_window",
    "norm(dim)": "vector_norm", "__rpow__": "pow", "__rsub__": "sub", "__setitem__(plain)": "cat",
    "add": "add", "add_": "add", "__add__": "add", "__radd__": "add", "sub": "sub", "sub_": "sub", "rsub": "sub",
    "mul": "mul", "mul_": "mul", "div": "div", "div_": "div", "neg": "neg", "pow": "pow", "square": "square",
    "sqrt": "sqrt", "rsqrt": "rsqrt", "exp": "exp", "log": "log", "abs": "abs", "sin": "sin", "cos": "cos",
    "erf": "erf", "sign": "sign", "reciprocal": "reciprocal", "clamp": "clamp", "clamp_": "clamp", "clamp_min": "clamp",
    "clamp_max": "clamp", "mean": "mean", "sum": "sum", "amax": "max", "amin": "min", "var": "var", "std": "std",
    "logsumexp": "logsumexp", "matmul": "matmul", "bmm": "matmul", "cat": "cat", "concat": "cat", "stack": "stack",
    "chunk": "chunk", "split": "split", "unbind": "select", "select": "select", "narrow": "slice", "roll": "roll",
    "expand": "expand", "expand_as": "expand", "broadcast_to": "expand", "reshape": "rearrange",
    "reshape_as": "rearrange", "view": "rearrange", "view_as": "rearrange", "flatten": "flatten",
    "unflatten": "rearrange", "permute": "permute", "transpose": "permute", "swapaxes": "permute", "t": "permute",
    "movedim": "permute", "unsqueeze": "rearrange", "squeeze": "rearrange", "softmax": "softmax",
    "log_softmax": "log_softmax", "sigmoid": "sigmoid", "sigmoid_": "sigmoid", "tanh": "tanh", "relu": "relu",
    "relu_": "relu", "relu6": "relu6", "gelu": "gelu", "silu": "silu", "mish": "mish", "elu": "elu", "selu": "selu",
    "celu": "celu", "leaky_relu": "leaky_relu", "softplus": "softplus", "hardswish": "hardswish",
    "hardsigmoid": "hardsigmoid", "hardtanh": "hardtanh", "hardtanh_": "hardtanh", "glu": "glu", "prelu": "prelu",
    "dropout": "dropout", "layer_norm": "layer_norm", "group_norm": "group_norm", "rms_norm": "rms_norm",
    "batch_norm": "batch_norm2d", "normalize": "normalize", "max_pool2d": "max_pool2d", "avg_pool2d": "avg_pool2d",
    "adaptive_avg_pool2d": "adaptive_avg_pool2d", "adaptive_max_pool2d": "adaptive_max_pool2d", "pad": "pad",
    "interpolate": "interpolate", "unfold": "unfold", "fold": "fold", "pixel_shuffle": "pixel_shuffle",
    "pixel_unshuffle": "pixel_unshuffle", "scaled_dot_product_attention": "scaled_dot_product_attention",
    "conv1d": "conv1d", "conv2d": "conv2d", "conv3d": "conv3d", "linear": "linear", "index(rows)": "index",
    "index(constant)": "index", "index(plain)": "slice", "max(dim)": "max", "maximum": "maximum", "minimum": "minimum",
    "tile": "tile", "repeat": "tile", "repeat_interleave": "repeat_interleave", "__pow__": "pow",
    "new_empty": "stochastic_depth", "bernoulli_": "stochastic_depth",
}  # fmt: skip
"""The op for each function: its name, with a remark in parentheses where it depends on the arguments. `__setitem__` is
several ops, and puts parts side by side."""

MODULES: Final = {str(op.module): kind for kind, op in OPS.items() if op.module is not None} | {
    "nn.Flatten": "flatten", "nn.Unflatten": "rearrange", "nn.ZeroPad2d": "pad", "nn.ConstantPad2d": "pad",
    "nn.ReflectionPad2d": "pad",
    "nn.UpsamplingNearest2d": "upsample", "nn.AdaptiveAvgPool2d": "adaptive_avg_pool2d", "nn.Softmax2d": "softmax",
}  # fmt: skip
"""The op for each module of torch."""


CONSTANT, WEIGHT, INPUT = range(3)
"""What a tensor is computed from, at most: nothing that is learned, parameters, or the network's input."""


class Origins:
    """What the tensors of a network are computed from."""

    def __init__(self, model: nn.Module, x: Tensor) -> None:
        self._known: dict[int, tuple[Tensor, int]] = {}  # the tensors themselves, too: an id is unique while one lives
        for buffer in model.buffers():
            self.note(buffer, CONSTANT)
        self.note(x, INPUT)

    def note(self, value: Any, origin: int) -> None:
        """Say what the tensors of a value are computed from."""
        for tensor in _tensors(value):
            self._known[id(tensor)] = (tensor, origin)

    def of(self, *values: Any) -> int:
        """What the tensors of some values are computed from; constant if there are none. Unknown ones are weights."""
        return max((self._known.get(id(tensor), (tensor, WEIGHT))[1] for tensor in _tensors(values)), default=CONSTANT)


def _tensors(value: Any) -> Iterator[Tensor]:
    if isinstance(value, Tensor):
        yield value
    elif isinstance(value, dict):
        yield from _tensors(list(value.values()))
    elif isinstance(value, list | tuple):
        for part in value:
            yield from _tensors(part)


class Recorder(TorchFunctionMode):
    """Records what runs outside torch's own modules, and which of these run."""

    def __init__(self, origins: Origins) -> None:
        super().__init__()
        self.found: set[str] = set()
        self.origins = origins
        self._inside = 0

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Called for each function of torch."""
        kwargs = kwargs or {}
        name, origin = _full_name(func), self.origins.of(args, kwargs)
        is_random = name.rpartition(".")[2].removesuffix("_like").removesuffix("_") in RANDOM
        if not self._inside and not _is_nothing(name):
            is_constant = origin == CONSTANT and not is_random
            self.found.add("constant" if is_constant else _name(name, args, kwargs, self.origins))
        result = func(*args, **kwargs)
        self.origins.note(result, max(origin, WEIGHT) if is_random else origin)
        if name.endswith("__setitem__"):
            self.origins.note(args[0], origin)
        return result

    @contextmanager
    def modules(self) -> Iterator[None]:
        """Also record the modules of torch."""
        handles = [
            hooks.register_module_forward_pre_hook(self._enter),
            hooks.register_module_forward_hook(self._leave, always_call=True),
        ]
        try:
            yield
        finally:
            for handle in handles:
                handle.remove()

    def _enter(self, module: nn.Module, inputs: Any) -> None:
        if _is_leaf(module):
            if not self._inside:
                self.found.add(f"nn.{type(module).__name__}")
            self._inside += 1

    def _leave(self, module: nn.Module, inputs: Any, output: Any) -> None:
        self._inside -= _is_leaf(module)


def _is_leaf(module: nn.Module) -> bool:
    return type(module).__module__.startswith("torch.nn.") and not isinstance(module, _HOLDERS)


def _full_name(func: Any) -> str:
    """A function's name, such as `Tensor.add_`, `conv2d` or `_assert`."""
    full = str(resolve_name(func) or getattr(func, "__name__", func))
    return full.removeprefix("torch.").removeprefix("functional.").removeprefix("nn.functional.")


def _is_nothing(name: str) -> bool:
    return name in NOTHING or name.endswith((".__get__", ".__set__"))


def _name(full: str, args: Any, kwargs: Any, origins: Origins) -> str:
    """What a call is recorded as: the function's name, and in parentheses what tells its uses apart."""
    name = full.rpartition(".")[2]
    remark = {"__getitem__": _of_index, "__setitem__": _of_index, "linear": _of_weight, "conv1d": _of_weight,
              "conv2d": _of_weight, "conv3d": _of_weight, "batch_norm": _of_statistics, "max": _of_reduction,
              "min": _of_reduction, "norm": _of_reduction, "unfold": _of_unfold,
              "einsum": _of_equation}.get(name)  # fmt: skip
    said = "" if remark is None else remark(full, args, kwargs, origins)
    return ("index" if name == "__getitem__" else name) + said


def _of_index(full: str, args: Any, kwargs: Any, origins: Origins) -> str:
    parts = args[1] if isinstance(args[1], tuple) else (args[1],)
    tensors = [part for part in parts if isinstance(part, Tensor)]
    if not tensors and not any(isinstance(part, list) for part in parts):
        return "(plain)"
    if any(tensor.dtype is torch.bool for tensor in tensors):
        return "(mask)"
    if len(tensors) != 1 or tensors[0].is_floating_point():
        return "(several)"
    if origins.of(tensors) != CONSTANT or origins.of(args[0]) == INPUT:
        return "(of the input)"
    return "(rows)" if len(parts) == 1 else "(constant)"


def _of_weight(full: str, args: Any, kwargs: Any, origins: Origins) -> str:
    weight = args[1] if len(args) > 1 else kwargs["weight"]
    bias = args[2] if len(args) > 2 else kwargs.get("bias")
    if all(part is None or isinstance(part, nn.Parameter) for part in (weight, bias)):
        return ""
    return "(weight of the input)" if origins.of(weight, bias) == INPUT else "(computed weight)"


def _of_statistics(full: str, args: Any, kwargs: Any, origins: Origins) -> str:
    mean = args[1] if len(args) > 1 else kwargs.get("running_mean")
    if mean is not None:
        return ""
    return "(of a weight)" if origins.of(args[0]) != INPUT and args[0].shape[0] == 1 else "(no statistics)"


def _of_reduction(full: str, args: Any, kwargs: Any, origins: Origins) -> str:
    place = 2 if full.endswith("norm") else 1
    return "(dim)" if (len(args) > place and not isinstance(args[place], Tensor)) or "dim" in kwargs else "(all)"


def _of_unfold(full: str, args: Any, kwargs: Any, origins: Origins) -> str:
    return "(windows)" if full.startswith("Tensor.") else ""


def _of_equation(full: str, args: Any, kwargs: Any, origins: Origins) -> str:
    """Whether an equation has the batch, if a value has one, as the first letter of that value and of the result."""
    operands, _, result = str(args[0]).replace(" ", "").partition("->")
    sides = operands.split(",")
    batched = [side for side, value in zip(sides, args[1:], strict=True) if origins.of(value) == INPUT]
    others = [side for side in sides if side not in batched]
    is_plain = len(sides) <= 2 and "." not in operands and all(len({*side}) == len(side) for side in sides)
    is_first = all(side[0] == result[0] for side in batched) and not any(result[0] in side for side in others)
    return "" if is_plain and (is_first or not batched) else "(other)"


def record(name: str) -> set[str]:
    """What an architecture of timm calls."""
    import timm

    with torch.device("meta"):
        model: Any = timm.create_model(name, pretrained=False)
    size: tuple[int, ...] = model.default_cfg["input_size"]
    found: set[str] = set()
    for training in (False, True):
        model.train(training)
        x = torch.empty(2, *size, device="meta")
        recorder = Recorder(Origins(model, x))
        with torch.no_grad(), recorder.modules(), recorder:
            model(x)
        found |= recorder.found
    return found


def missing(found: Iterable[str]) -> list[str]:
    """What no op of archspec does."""
    table = {**FUNCTIONS, **MODULES}
    return sorted(name for name in found if table.get(name) not in OPS)


def chosen(every: int, pattern: str) -> list[str]:
    """The names of architectures: those that match, in a random order that is always the same; each n-th of them."""
    import timm

    names = [name for name in timm.list_models() if fnmatchcase(name, pattern)]
    random.Random(0).shuffle(names)
    return names[::every]


def run(names: list[str], records: Path | None) -> dict[str, Any]:
    """The record of each architecture, or the error that it raises."""
    found: dict[str, Any] = {}
    if records is not None and records.exists():
        found = dict(json.loads(line) for line in records.read_text(encoding="utf-8").splitlines())
    start = time.monotonic()
    for number, name in enumerate(names, 1):
        if name not in found:
            try:
                found[name] = sorted(record(name))
            except Exception as error:
                found[name] = f"{type(error).__name__}: {error}"[:200]
            if records is not None:
                with records.open("a", encoding="utf-8") as file:
                    file.write(json.dumps([name, found[name]]) + "\n")
        state = found[name] if isinstance(found[name], str) else ", ".join(missing(found[name])) or "covered"
        print(f"{number}/{len(names)} {time.monotonic() - start:.0f} s  {name}: {state}", file=sys.stderr)
    return {name: found[name] for name in names}


def report(found: dict[str, Any]) -> str:
    """How many are covered, and what is missing, by how many architectures need it, and how many need nothing else."""
    lacking = {name: missing(calls) for name, calls in found.items() if not isinstance(calls, str)}
    needed = Counter(part for parts in lacking.values() for part in parts)
    alone = Counter(parts[0] for parts in lacking.values() if len(parts) == 1)
    covered = sum(not parts for parts in lacking.values())
    lines = [f"{covered} of {len(lacking)} architectures are covered ({covered / max(1, len(lacking)):.1%})"]
    lines += [f"{name}: did not run: {calls}" for name, calls in found.items() if isinstance(calls, str)]
    lines += [f"{count:5} need {part}, {alone[part]} nothing else" for part, count in needed.most_common()]
    return "\n".join(lines)


def main() -> None:
    """Record, and print the report."""
    assert oracle is not None
    options = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    options.add_argument("--every", type=int, default=1, metavar="N", help="each n-th architecture only")
    options.add_argument("--names", default="*", metavar="GLOB", help="those whose names match")
    options.add_argument("--records", type=Path, metavar="FILE", help="where records are kept")
    given = options.parse_args()
    warnings.simplefilter("ignore")
    print(report(run(chosen(given.every, given.names), given.records)))


if __name__ == "__main__":
    main()
