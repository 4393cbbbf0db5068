"""Reading and writing checkpoints. Nothing in them is executed; they are memory-mapped if their format allows it.

`.safetensors` files hold tensors and text, nothing else. `.pt` and `.pth` files are pickles: `unpickle` supports
tensors and plain data, and imports nothing. A file is read correctly or refused, and only a limited part of it is read
before its tensors are used.
"""

from __future__ import annotations

import json
import os
import stat
import struct
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from archspec.backends import output_file
from archspec.diagnostics.diagnostic import Diagnostic, TargetError, UnlocatedError
from archspec.frontend.metadata import Provenance
from archspec.frontend.suffixes import CHECKPOINTS
from archspec.ir.limits import MAX_KEY
from archspec.ops.shapes import Shape
from archspec.weights import safetensors_header, torch_file
from archspec.weights.errors import WeightsFileError, WeightsLimitError
from archspec.weights.unpickle import Ordered, Other, StoredTensor

_ATTRIBUTE = "_archspec"
"""The attribute of a pickled state_dict that holds its metadata; `load_state_dict` ignores it."""


_IMPOSTORS = (
    (b"<", "is a web page", "its address leads to a page about the file; download the file itself"),
    (b"version https://git-lfs", "is a Git LFS pointer, not the file itself", "git lfs pull"),
)
"""Files that are often downloaded instead of a checkpoint: how they begin, what they are, and what to do."""


@dataclass(frozen=True)
class Checkpoint:
    """Tensors by key, and the spec they were saved with, if archspec saved them."""

    file: str
    shapes: Mapping[str, Shape]
    tensor: Callable[[str], Tensor]
    """The tensor of a key."""
    provenance: Provenance | None = None


def read(path: str | os.PathLike[str]) -> Checkpoint:
    """Read a checkpoint; raises `TargetError` for anything but a mapping of names to tensors.

    Tensors of `.safetensors` and of `.pt` files since PyTorch 1.6 stay on disk until they are used: the file must not
    be changed in place meanwhile. archspec itself replaces files, so that a reader keeps the old one.
    """
    if not isinstance(path, str | os.PathLike):
        help = "a state_dict goes into a module that is built: module.load_state_dict(state)"
        message = f"weights: expected a path, got {type(path).__name__}"
        raise TargetError([Diagnostic("usage", message, help=help if isinstance(path, Mapping) else "")])
    file = os.fspath(path)
    suffix = Path(file).suffix.lower()
    if suffix not in CHECKPOINTS:
        raise _unreadable(file, "is not a checkpoint", f"checkpoints are {', '.join(CHECKPOINTS)} files")
    try:
        _require_file(file)
        found, metadata = _read_safetensors(file) if suffix == ".safetensors" else _read_torch(file)
    except (OSError, ValueError, RuntimeError) as error:  # ValueError: a name with a null character
        reason = getattr(error, "strerror", None) or str(error).partition("\n")[0]
        raise _unreadable(file, f"cannot be read: {reason}") from None
    except UnlocatedError as error:
        raise _refused(file, error) from None
    return replace(found, provenance=Provenance.from_metadata(metadata, file))


def _require_file(file: str) -> None:
    """Refuse a device, a pipe or a socket, which may never end or may block."""
    mode = os.stat(file).st_mode
    if not stat.S_ISREG(mode) and not stat.S_ISDIR(mode):  # opening a directory gives the system's own error
        raise _unreadable(file, "is not a regular file")


def _read_safetensors(file: str) -> tuple[Checkpoint, Mapping[str, Any]]:
    safetensors_header.check(file)
    try:
        with safe_open(file, framework="pt") as opened:
            tensors = {key: opened.get_tensor(key) for key in opened.keys()}  # noqa: SIM118
            metadata = opened.metadata() or {}
    except Exception as error:  # not only its own: torch raises a TypeError for a size of 2^63
        first = str(error).partition("\n")[0]
        raise WeightsFileError(f"is damaged, truncated or of another format: {first[:200]}") from None
    _check_keys(tensors)
    shapes = {key: tuple(tensor.shape) for key, tensor in tensors.items()}
    return Checkpoint(file, shapes, tensors.__getitem__), metadata


def _read_torch(file: str) -> tuple[Checkpoint, Mapping[str, Any]]:
    saved = torch_file.read(file)
    found = saved.value
    _check_keys(found)
    _check_tensors(found)
    for stored in found.values():
        saved.check(stored)
    metadata = found.attributes.get(_ATTRIBUTE) if isinstance(found, Ordered) else None
    shapes = {key: stored.shape for key, stored in found.items()}
    return Checkpoint(file, shapes, lambda key: saved.tensor(found[key])), metadata if isinstance(
        metadata, dict
    ) else {}


def _check_keys(found: Any) -> None:
    if not isinstance(found, Mapping):
        raise WeightsFileError(f"contains one {_kind(found)}, not a state_dict")
    if not found:
        raise WeightsFileError("contains no tensors")
    longest = max(len(str(key)) for key in found)
    if longest > MAX_KEY:
        raise WeightsLimitError(f"has a key of {longest:,} characters; the limit is {MAX_KEY:,}")


def _kind(value: Any) -> str:
    return {StoredTensor: "Tensor", Ordered: "OrderedDict"}.get(type(value), type(value).__name__)


def _check_tensors(found: Mapping[Any, Any]) -> None:
    """Refuse a mapping of anything but names to dense tensors of real numbers."""
    tensors = StoredTensor | Other
    strange = [str(k) for k, v in found.items() if not isinstance(k, str) or not isinstance(v, tensors)]
    if strange:
        inner = [str(key) for key, value in found.items() if isinstance(value, Mapping) and value]
        help = f"the weights seem to be under '{inner[0][:60]}'; save that part alone" if inner else ""
        shown = ", ".join(key[:60] for key in strange[:4])
        verb = "is not a tensor" if len(strange) == 1 else "are not tensors"
        raise WeightsFileError(f"is not a state_dict: {shown} {verb}", help)
    for key, stored in found.items():
        if isinstance(stored, Other) or stored.dtype.startswith(("complex", "q")):
            kind = f" but a {stored.name}" if isinstance(stored, Other) else ""
            raise WeightsFileError(f"'{key[:60]}' is not a dense tensor of real numbers{kind}")


def _refused(file: str, error: UnlocatedError) -> TargetError:
    """The error for a file; it may be one of those that are often downloaded instead of a checkpoint."""
    with open(file, "rb") as opened:
        start = opened.read(64).lstrip()
    for begins, what, help in _IMPOSTORS:
        if start.startswith(begins):
            return _unreadable(file, what, help)
    return TargetError([replace(error.diagnostic, file=file)])


def _unreadable(file: str, message: str, help: str = "") -> TargetError:
    return TargetError([Diagnostic("weights", message, file=file, help=help)])


def write(module: nn.Module, path: str | os.PathLike[str], provenance: Provenance) -> None:
    """Write a module's state_dict with its spec, completely or not at all; raises `TargetError` if that fails.

    Any reader of the format can read it: `torch.load(path)` and `safetensors.torch.load_file(path)` give a plain
    state_dict.
    """
    state = module.state_dict()
    metadata = provenance.to_metadata()
    with output_file.replacing(path) as draft, _system_errors():
        if Path(path).suffix.lower() == ".safetensors":
            dense = {key: tensor.contiguous() for key, tensor in state.items()}
            save_file(dense, draft, metadata={"format": "pt", **metadata})
            _order_metadata(draft)
        else:
            setattr(state, _ATTRIBUTE, metadata)
            with open(draft, "wb") as opened:  # if given a path, torch writes its name into the file
                torch.save(state, opened)


@contextmanager
def _system_errors() -> Iterator[None]:
    """Raise the system's error (the disk is full) instead of the one that torch or safetensors wraps it in."""
    try:
        yield
    except (RuntimeError, SafetensorError) as error:
        if isinstance(error.__context__, OSError):
            raise error.__context__ from None
        raise OSError(str(error).partition("\n")[0]) from None


def _order_metadata(file: Path) -> None:
    """Sort the texts in the header of a `.safetensors` file. Their order is random, so equal files would differ."""
    with open(file, "r+b") as opened:
        (size,) = struct.unpack("<Q", opened.read(8))
        header = json.loads(opened.read(size))
        ordered = {**header, "__metadata__": dict(sorted(header["__metadata__"].items()))}
        text = json.dumps(ordered, ensure_ascii=False, separators=(",", ":")).encode()
        if len(text) <= size:  # true if both writers escape in the same way; the format pads with spaces
            opened.seek(8)
            opened.write(text.ljust(size))
