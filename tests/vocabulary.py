"""How many of timm's architectures archspec's ops cover: `python -m tests.vocabulary`. It also lists what is missing.

Each architecture is built on the meta device, without weights, and run on two samples in evaluation and in training.
Recorded are the modules of `torch.nn` that run, and the functions that other modules call. An architecture is covered
if for each of them there is an op of the same semantics: initial values, names and the order of keys are not compared.

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

FUNCTIONS: Final = {
    "add": "add", "add_": "add", "__add__": "add", "__radd__": "add", "sub": "sub", "sub_": "sub", "rsub": "sub",
    "mul": "mul", "mul_": "mul", "div": "div", "div_": "div", "neg": "neg", "pow": "pow", "square": "square",
    "sqrt": "sqrt", "rsqrt": "rsqrt", "exp": "exp", "log": "log", "abs": "abs", "sin": "sin", "cos": "cos",
    "erf": "erf", "reciprocal": "reciprocal", "clamp": "clamp", "clamp_": "clamp", "clamp_min": "clamp",
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
"""The op for each function: its name, with a remark in parentheses where it depends on the arguments."""

MODULES: Final = {str(op.module): kind for kind, op in OPS.items() if op.module is not None} | {
    "nn.Flatten": "flatten", "nn.Unflatten": "rearrange", "nn.ZeroPad2d": "pad", "nn.ConstantPad2d": "pad",
    "nn.ReflectionPad2d": "pad",
    "nn.UpsamplingNearest2d": "upsample", "nn.AdaptiveAvgPool2d": "adaptive_avg_pool2d", "nn.Softmax2d": "softmax",
}  # fmt: skip
"""The op for each module of torch."""


class Recorder(TorchFunctionMode):
    """Records what runs outside torch's own modules, and which of these run."""

    def __init__(self) -> None:
        super().__init__()
        self.found: set[str] = set()
        self._inside = 0

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Called for each function of torch."""
        kwargs = kwargs or {}
        if not self._inside and (name := _name(func, args, kwargs)):
            self.found.add(name)
        return func(*args, **kwargs)

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


def _name(func: Any, args: Any, kwargs: Any) -> str:
    """What a call is recorded as; empty if it computes nothing."""
    full = resolve_name(func) or getattr(func, "__name__", str(func))
    short = full.removeprefix("torch.").removeprefix("functional.")
    if short in NOTHING or short.endswith((".__get__", ".__set__")):
        return ""
    name = short.rpartition(".")[2]
    remark = {"__getitem__": _of_index, "linear": _of_weight, "conv1d": _of_weight, "conv2d": _of_weight,
              "conv3d": _of_weight, "batch_norm": _of_statistics, "max": _of_reduction, "min": _of_reduction,
              "unfold": _of_unfold}.get(name)  # fmt: skip
    said = "" if remark is None else remark(short, args, kwargs)
    return ("index" if name == "__getitem__" else name) + said


def _of_index(short: str, args: Any, kwargs: Any) -> str:
    parts = args[1] if isinstance(args[1], tuple) else (args[1],)
    tensors = [part for part in parts if isinstance(part, Tensor)]
    if not tensors and not any(isinstance(part, list) for part in parts):
        return "(plain)"
    if len(tensors) == 1 and not tensors[0].is_floating_point() and tensors[0].dtype is not torch.bool:
        return "(rows)" if len(parts) == 1 else "(constant)"
    return "(mask)" if any(tensor.dtype is torch.bool for tensor in tensors) else "(several)"


def _of_weight(short: str, args: Any, kwargs: Any) -> str:
    weight = args[1] if len(args) > 1 else kwargs["weight"]
    bias = args[2] if len(args) > 2 else kwargs.get("bias")
    if not isinstance(weight, nn.Parameter):
        return "(computed weight)"
    return "" if bias is None or isinstance(bias, nn.Parameter) else "(computed bias)"


def _of_statistics(short: str, args: Any, kwargs: Any) -> str:
    mean = args[1] if len(args) > 1 else kwargs.get("running_mean")
    return "" if mean is not None else "(of a weight)" if not args[0].shape[0] > 1 else "(no statistics)"


def _of_reduction(short: str, args: Any, kwargs: Any) -> str:
    return "(dim)" if (len(args) > 1 and not isinstance(args[1], Tensor)) or "dim" in kwargs else "(all)"


def _of_unfold(short: str, args: Any, kwargs: Any) -> str:
    return "(windows)" if short.startswith("Tensor.") else ""


def record(name: str) -> set[str]:
    """What an architecture of timm calls."""
    import timm

    with torch.device("meta"):
        model: Any = timm.create_model(name, pretrained=False)
    size: tuple[int, ...] = model.default_cfg["input_size"]
    x, recorder = torch.empty(2, *size, device="meta"), Recorder()
    with torch.no_grad(), recorder.modules(), recorder:
        model.eval()(x)
        model.train()(x)
    return recorder.found


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
