"""What public models call: the leaf modules and functions that each architecture of timm runs, recorded on meta.

A word stands for a module or a function with what matters of its arguments: `Conv2d`, `pad reflect`, `conv2d computed`.
What is computed from constants alone is the word `constant`; a function of parameters alone says `of parameters`.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import oracle  # noqa: F401  # torchvision, which timm imports, cannot be imported before it
import timm
import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode, resolve_name

CONTAINERS: Final = (nn.Sequential, nn.ModuleList, nn.ModuleDict)
WEIGHTED: Final = frozenset({
    "conv1d", "conv2d", "conv3d", "conv_transpose1d", "conv_transpose2d", "conv_transpose3d", "linear", "batch_norm",
    "layer_norm", "group_norm", "instance_norm", "rms_norm", "prelu", "embedding",
})  # fmt: skip
"""Functions that take a weight: a parameter, or one that is computed."""


class Recorder(TorchFunctionMode):
    """Notes the words of everything that is called outside of torch's own modules."""

    def __init__(self, given: Tensor) -> None:
        super().__init__()
        self.words: set[str] = set()
        self.depth = 0
        """How many of torch's modules are running."""
        self.values: dict[int, Tensor] = {id(given): given}
        """What depends on the input; held, so that no other tensor gets its place in memory."""
        self.learned: dict[int, Tensor] = {}
        """What depends on parameters only."""

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: tuple[Any, ...] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        given = kwargs or {}
        result = func(*args, **given)
        if self.depth == 0:
            self.note(func, args, given, result)
        return result

    def note(self, func: Callable[..., Any], args: tuple[Any, ...], given: Mapping[str, Any], result: Any) -> None:
        tensors = list(_tensors((args, dict(given))))
        produced = list(_tensors(result))
        if not tensors and not produced:
            return
        if any(id(tensor) in self.values for tensor in tensors):
            self.values.update({id(tensor): tensor for tensor in produced})
            word = _word(func, args, given, self.learned)
        elif any(isinstance(tensor, nn.Parameter) or id(tensor) in self.learned for tensor in tensors):
            self.learned.update({id(tensor): tensor for tensor in produced})
            word = _word(func, args, given, self.learned)
            word = word and f"{word} of parameters"
        else:
            word = "constant" if produced and not _is_free(func) else ""
        if word:
            self.words.add(word)

    @contextmanager
    def modules(self) -> Iterator[None]:
        """Notes torch's modules, and not what they call."""
        hooks = [nn.modules.module.register_module_forward_pre_hook(self.enter),
                 nn.modules.module.register_module_forward_hook(self.leave, always_call=True)]  # fmt: skip
        try:
            yield
        finally:
            for hook in hooks:
                hook.remove()

    def enter(self, module: nn.Module, args: Any) -> None:
        if not _is_leaf(module):
            return
        if self.depth == 0:
            self.words.add(_module_word(module))
        self.depth += 1

    def leave(self, module: nn.Module, args: Any, output: Any) -> None:
        if _is_leaf(module):
            self.depth -= 1
            self.values.update({id(tensor): tensor for tensor in _tensors(output)})


def _is_leaf(module: nn.Module) -> bool:
    return type(module).__module__.startswith("torch.nn.") and not isinstance(module, CONTAINERS)


def _tensors(value: Any) -> Iterator[Tensor]:
    if isinstance(value, Tensor):
        yield value
    elif isinstance(value, dict):
        yield from _tensors(list(value.values()))
    elif isinstance(value, list | tuple):
        for part in value:
            yield from _tensors(part)


FREE: Final = frozenset({
    "shape", "size", "dim", "ndim", "numel", "dtype", "device", "is_floating_point", "contiguous", "to", "type",
    "float", "half", "stride", "is_contiguous", "requires_grad", "data", "type_as", "detach", "clone", "is_cuda",
    "__len__",
    "item", "layout", "is_mkldnn", "is_sparse", "grad_fn", "is_complex", "names", "itemsize", "element_size",
    "get_device",
    "is_meta", "nelement", "cuda", "is_nested", "is_quantized", "__bool__", "__format__", "__hash__", "_is_view",
    "has_names", "storage_offset", "bfloat16", "double", "is_inference", "is_same_size", "tolist", "__contains__",
})  # fmt: skip
"""What computes nothing."""


ALIASES: Final = {
    "radd": "add", "iadd": "add", "rsub": "sub", "isub": "sub", "rmul": "mul", "imul": "mul", "multiply": "mul",
    "true_divide": "div", "truediv": "div", "rtruediv": "div", "divide": "div", "itruediv": "div", "rdiv": "div",
    "rpow": "pow", "concat": "cat", "subtract": "sub", "negative": "neg", "arctan": "atan",
}  # fmt: skip
"""Other names of functions."""


def _name(func: Callable[..., Any]) -> str:
    """The plain name of a function: `add` for `Tensor.__radd__` and `torch.add`."""
    path = str(resolve_name(func) or getattr(func, "__name__", func))
    parts = [part for part in path.split(".") if part not in ("__get__", "__set__")]
    name = parts[-1]
    name = name if not name.startswith("__") or name in FREE else name.strip("_")
    name = name.removesuffix("_") if name != "_" else name
    return ALIASES.get(name, name)


def _is_free(func: Callable[..., Any]) -> bool:
    return _name(func) in FREE


def _word(func: Callable[..., Any], args: Any, given: Mapping[str, Any], learned: Mapping[int, Tensor]) -> str:
    name = _name(func)
    if name in FREE:
        return ""
    if name in WEIGHTED:
        weights = [t for t in _tensors((args[1:], dict(given))) if not isinstance(t, nn.Parameter)]
        return f"{name} computed" if any(id(t) in learned for t in weights) else f"{name} weight"
    if name in ("getitem", "setitem"):
        index = args[1] if isinstance(args[1], tuple) else (args[1],)
        return f"{name} {' '.join(sorted({_kind(part) for part in index}))}"
    if name in ("interpolate", "pad", "gelu"):
        mode = given.get("mode", given.get("approximate", next((a for a in args[1:] if isinstance(a, str)), "default")))
        numbers = [n for n in (args[1] if len(args) > 1 and name == "pad" else ()) if isinstance(n, int)]
        return f"{name} {mode}{' negative' if any(n < 0 for n in numbers) else ''}"
    return name


def _kind(part: Any) -> str:
    return "tensor" if isinstance(part, Tensor) else type(part).__name__


def _module_word(module: nn.Module) -> str:
    """A module's class, with arguments that only some ops have."""
    name = type(module).__name__
    more = [str(getattr(module, key)) for key, usual in (("padding_mode", "zeros"), ("approximate", "none"))
            if getattr(module, key, usual) != usual]  # fmt: skip
    if isinstance(getattr(module, "padding", None), str) and name.startswith("Conv"):
        more.append("same")
    return " ".join([name, *more])


def words_of(name: str) -> list[str]:
    """The words of one architecture, in evaluation."""
    with torch.device("meta"):
        model = timm.create_model(name, pretrained=False).eval()
        settings: Any = model.default_cfg
        x = torch.empty(1, *settings["input_size"])
        recorder = Recorder(x)
        with torch.no_grad(), recorder.modules(), recorder:
            model(x)
    return sorted(recorder.words)


def record(names: list[str], path: Path) -> dict[str, list[str]]:
    """The words of architectures; those recorded earlier are read from a file, which is written every now and then."""
    found: dict[str, list[str]] = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    missing = [name for name in names if name not in found]
    for number, name in enumerate(missing, 1):
        try:
            found[name] = words_of(name)
        except Exception as error:  # an architecture that meta tensors cannot run
            found[name] = [f"error {type(error).__name__}: {str(error)[:100]}"]
        if number % 20 == 0 or number == len(missing):
            path.write_text(json.dumps(found, indent=0), encoding="utf-8")
            print(f"\r{number} of {len(missing)}", end="", file=sys.stderr)
    return {name: found[name] for name in names}
