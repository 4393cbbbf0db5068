"""The metadata of a checkpoint: the spec of its network, as text that compiles on its own, and its digest."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass

from archspec.diagnostics.diagnostic import Diagnostic, TargetError

_SPEC, _DIGEST, _FEATURES = "archspec.spec", "archspec.spec_sha256", "archspec.passes.features"
_FOLDED = "archspec.fold_batch_norm"


@dataclass(frozen=True)
class Provenance:
    """The spec of a checkpoint's network, overrides included, the features it was cut down to, if any, and whether it
    is the inference form."""

    spec: str
    features: tuple[str, ...] = ()
    folded: bool = False

    def to_metadata(self) -> dict[str, str]:
        """The provenance as a mapping of strings, which every file format can hold.

        >>> Provenance.from_metadata(Provenance("name: x").to_metadata(), "x.pt").spec
        'name: x'
        """
        found = {_SPEC: self.spec, _DIGEST: digest(self.spec)}
        if self.features:
            found[_FEATURES] = json.dumps(self.features)
        return {**found, _FOLDED: "true"} if self.folded else found

    @staticmethod
    def from_metadata(metadata: Mapping[str, object], file: str) -> Provenance | None:
        """The inverse of `to_metadata`; `None` if there is no spec. Raises `TargetError` if it is damaged."""
        spec, features = metadata.get(_SPEC), metadata.get(_FEATURES, "[]")
        if spec is None:
            return None
        if not isinstance(spec, str) or metadata.get(_DIGEST) != digest(spec):
            raise damaged(file, "the spec in it does not match its digest")
        try:
            names = json.loads(str(features))
        except ValueError:
            names = None
        if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
            raise damaged(file, "its list of features cannot be read")
        return Provenance(spec, tuple(names), metadata.get(_FOLDED) == "true")


def digest(text: str) -> str:
    """The SHA-256 of a text, in hexadecimal."""
    import hashlib  # loads OpenSSL, which reading a spec does not need

    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def damaged(file: str, why: str) -> TargetError:
    """The error for a damaged file."""
    return TargetError([Diagnostic("weights", why, file=file)])
