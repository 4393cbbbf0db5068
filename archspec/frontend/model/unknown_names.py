"""Help for unknown ops and for unknown fields of an op."""

from __future__ import annotations

from typing import Final

from archspec.diagnostics.suggestions import meant
from archspec.frontend.model.field_types import ITEM_KINDS, KEYWORDS
from archspec.ops import Ops

_OTHER_WORDS: Final = {
    "fc": "linear", "dense": "linear", "conv": "conv2d", "bn": "batch_norm2d", "concat": "cat", "swish": "silu",
    "avgpool": "avg_pool2d", "maxpool": "max_pool2d", "gap": "adaptive_avg_pool2d", "view": "rearrange",
    "reshape": "rearrange",
}  # fmt: skip
"""Names of ops in other libraries, and what they are called here."""


_OWN: Final = "ops of your own are passed with --ops, in Python with ops=[…]"


def op_help(op: str, ops: Ops) -> str:
    """Help for an unknown op."""
    if op in ITEM_KINDS:
        return f"'{op}' is a key of its own: write {op}: … in place of op: {op}"
    known = _OTHER_WORDS.get(op.lower())
    return f"did you mean '{known}'?" if known else meant(op, ops) or _OWN


_DECIDED: Final = {
    **dict.fromkeys(("in_channels", "in_features", "num_features", "num_channels", "normalized_shape"),
                    "remove it: it follows from the input"),
    "inplace": "remove it: the compiler decides",
}  # fmt: skip
"""Arguments of torch's modules that are not fields."""


def field_help(op: str, stray: str, fields: list[str]) -> str:
    """Help for a field that an op does not have; `fields` are those that it has."""
    if stray in _DECIDED:
        return _DECIDED[stray]
    known = f"known: {', '.join(fields)}" if fields else f"{op} has no fields"
    return meant(stray, [*fields, *KEYWORDS]) or known
