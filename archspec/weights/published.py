"""A setting that torchvision's published weights need but do not contain: `transform_input`.

GoogLeNet's and Inception v3's were trained on another range of input. torchvision sets the argument whenever it loads
them; archspec recognises them by their digest, whose first digits are in the names of the files.
"""

from __future__ import annotations

import hashlib
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

from archspec.diagnostics.diagnostic import SpecError
from archspec.frontend.loader import Spec
from archspec.frontend.metadata import Provenance
from archspec.passes.pipeline import load

_DIGESTS: Final = ("1378be20", "0cc3c7bd", "1a9a5a14")
"""The first digits of the SHA-256 of GoogLeNet's weights, Inception v3's, and earlier ones of Inception v3."""

_FIELD: Final = "transform_input"


def with_input_of(spec: Spec, file: str, provenance: Provenance | None) -> tuple[Spec, tuple[str, ...]]:
    """The spec with `transform_input` as the weights in a file need it, and notes for the user.

    An override decides; then the spec that was saved with the weights; then whether they are torchvision's own.
    """
    if _FIELD not in type(spec.model).model_fields or _FIELD in spec.overrides:
        return spec, ()
    now: bool = getattr(spec.model, _FIELD)
    if provenance is not None:
        saved = _saved(provenance)
        if saved in (None, now):
            return spec, ()
        return _changed(spec, saved, "as in the spec that was saved with these weights")
    if now:
        return spec, ()
    if _is_published(Path(file)):
        return _changed(spec, True, "as torchvision has it for these weights")
    return spec, (f"{_FIELD} is off; if these are torchvision's own weights in another file, set it to true",)


def _changed(spec: Spec, value: bool, why: str) -> tuple[Spec, tuple[str, ...]]:
    return load(spec, overrides={_FIELD: value}), (f"{_FIELD} is {'on' if value else 'off'}, {why}",)


def _saved(provenance: Provenance) -> Any:
    """The field in the spec of a checkpoint; `None` if it has none, or cannot be read by this version."""
    with suppress(SpecError):
        return getattr(load(f"{provenance.spec}\n").model, _FIELD, None)
    return None


def _is_published(file: Path) -> bool:
    """Whether a file is one of torchvision's, judging by its name, as torchvision itself does, or by its content."""
    return any(digest in file.name for digest in _DIGESTS) or _digest(file).startswith(_DIGESTS)


def _digest(file: Path) -> str:
    found = hashlib.sha256()
    with open(file, "rb") as opened:
        while part := opened.read(1 << 20):
            found.update(part)
    return found.hexdigest()
