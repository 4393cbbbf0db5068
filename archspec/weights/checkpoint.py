"""Checkpoints: read without running anything in them, memory-mapped where their format allows it, and written.

`.safetensors` files hold tensors and text, nothing else. `.pt` and `.pth` files are pickles; torch's restricted
reader (`weights_only`) refuses everything but tensors and plain data.
"""

from __future__ import annotations

import json
import os
import re
import struct
import warnings
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from archspec.backends import output_file
from archspec.diagnostics.diagnostic import Diagnostic, TargetError
from archspec.frontend.metadata import CHECKPOINTS, Provenance, damaged
from archspec.ops.base import Shape

_ATTRIBUTE = "_archspec"
"""Where a pickled state_dict holds its metadata: an attribute of the mapping, which `load_state_dict` ignores."""


_IMPOSTORS = (
    (b"<", "is a web page", "its address leads to a page about the file; download the file itself"),
    (b"version https://git-lfs", "is a Git LFS pointer, not the file itself", "git lfs pull"),
)
"""What is often downloaded in place of a checkpoint: how it begins, what it is, and what to do."""


@dataclass(frozen=True)
class Checkpoint:
    """Tensors by their keys, and the spec they were saved with, if archspec saved them."""

    file: str
    tensors: Mapping[str, Tensor]
    provenance: Provenance | None = None

    @property
    def shapes(self) -> dict[str, Shape]:
        """The shape of each tensor."""
        return {key: tuple(tensor.shape) for key, tensor in self.tensors.items()}


def read(path: str | os.PathLike[str]) -> Checkpoint:
    """Read a checkpoint; raises `TargetError` for anything but a mapping of names to tensors.

    Tensors of `.safetensors` and of today's `.pt` files stay on disk until they are used: the file must not be
    changed in place meanwhile. What archspec writes replaces a file and leaves the old one to whoever reads it.
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
        found, metadata = _read_safetensors(file) if suffix == ".safetensors" else _read_pickle(file)
    except (OSError, ValueError) as error:  # ValueError: a name with a null character
        raise _unreadable(file, f"cannot be read: {getattr(error, 'strerror', None) or error}") from None
    except Exception as error:  # the readers of both formats raise whatever a damaged file leads them to
        raise _refused(file, error) from None
    return Checkpoint(file, _tensors(file, found), Provenance.from_metadata(metadata, file))


def _read_safetensors(file: str) -> tuple[dict[str, Any], Mapping[str, Any]]:
    with open(file, "rb"):  # raises the system's own error, which is clearer than that of safetensors
        pass
    with safe_open(file, framework="pt") as opened:
        return {key: opened.get_tensor(key) for key in opened.keys()}, opened.metadata() or {}  # noqa: SIM118


def _read_pickle(file: str) -> tuple[Any, Mapping[str, Any]]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of other pickles, which it refuses then
        found = torch.load(file, map_location="cpu", weights_only=True, mmap=zipfile.is_zipfile(file))
    metadata = getattr(found, _ATTRIBUTE, {})
    return found, metadata if isinstance(metadata, dict) else {}


def _refused(file: str, error: Exception) -> TargetError:
    with open(file, "rb") as opened:
        start = opened.read(64).lstrip()
    for begins, what, help in _IMPOSTORS:
        if start.startswith(begins):
            return _unreadable(file, what, help)
    reason = str(error) or type(error).__name__
    if "Unsupported operand" in reason:
        reason = "torch.save did not write it"
    if "Weights only load failed" in reason:
        unsafe = re.search(r"GLOBAL ([\w.]+)", reason)
        return _unreadable(file, f"holds Python objects other than tensors{f': {unsafe[1]}' if unsafe else ''}",
                           "it is not read, since that could run code; save the state_dict alone")  # fmt: skip
    first = reason.splitlines()[0].split(". ")[0]
    return damaged(file, f"is damaged, truncated or of another format: {first[:200]}")


def _tensors(file: str, found: Any) -> dict[str, Tensor]:
    if not isinstance(found, Mapping):
        raise _unreadable(file, f"holds one {type(found).__name__}, not a state_dict")
    if not found:
        raise _unreadable(file, "holds no tensors")
    fine = (isinstance(key, str) and isinstance(value, Tensor) for key, value in found.items())
    strange = [str(key)[:60] for key, fits in zip(found, fine, strict=True) if not fits]
    if strange:
        inner = [str(key) for key, value in found.items() if isinstance(value, Mapping) and value]
        help = f"the weights seem to be under '{inner[0][:60]}'; save that part alone" if inner else ""
        raise _unreadable(file, f"is not a state_dict: {', '.join(strange[:4])} are not tensors", help)
    for key, tensor in found.items():
        if tensor.layout != torch.strided or tensor.is_quantized or tensor.is_meta or tensor.is_complex():
            raise _unreadable(file, f"'{key}' is not a dense tensor of real numbers")
    return {key: tensor.detach() for key, tensor in found.items()}


def _unreadable(file: str, message: str, help: str = "") -> TargetError:
    return TargetError([Diagnostic("weights", message, file=file, help=help)])


def write(module: nn.Module, path: str | os.PathLike[str], provenance: Provenance) -> None:
    """Write a module's state_dict with its spec, whole or not at all; raises `TargetError` if it cannot be written.

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
            with open(draft, "wb") as opened:  # given a path, torch writes its name into the file
                torch.save(state, opened)


@contextmanager
def _system_errors() -> Iterator[None]:
    """Raise the system's error (the disk is full) in place of those that torch and safetensors make of it."""
    try:
        yield
    except (RuntimeError, SafetensorError) as error:
        if isinstance(error.__context__, OSError):
            raise error.__context__ from None
        raise OSError(str(error).partition("\n")[0]) from None


def _order_metadata(file: Path) -> None:
    """Sort the texts in the header of a `.safetensors` file. Their order is random, and files would differ."""
    with open(file, "r+b") as opened:
        (size,) = struct.unpack("<Q", opened.read(8))
        header = json.loads(opened.read(size))
        ordered = {**header, "__metadata__": dict(sorted(header["__metadata__"].items()))}
        text = json.dumps(ordered, ensure_ascii=False, separators=(",", ":")).encode()
        if len(text) <= size:  # true while both writers escape alike; the format pads with spaces
            opened.seek(8)
            opened.write(text.ljust(size))
