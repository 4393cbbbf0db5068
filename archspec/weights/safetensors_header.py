"""The header of a `.safetensors` file: a length of 8 bytes, then JSON. Checked before safetensors reads the file.

safetensors itself checks that every tensor lies within the file and that none overlap. But it accepts duplicate keys,
using the last one, and headers of up to 100 MB.
"""

from __future__ import annotations

import json
import os
from collections import Counter
from typing import Any

from archspec.ir.limits import MAX_WEIGHTS_HEADER
from archspec.weights.errors import WeightsFileError, WeightsLimitError


def check(file: str) -> None:
    """Raise `WeightsFileError` for a header that cannot be read or names a key twice.

    Raises `WeightsLimitError` for one that is too long, without reading it.
    """
    with open(file, "rb") as opened:
        length = int.from_bytes(opened.read(8), "little")
        size = os.fstat(opened.fileno()).st_size
        if length > size - 8:
            raise WeightsFileError("is damaged, truncated or of another format: its header extends beyond its end")
        if length > MAX_WEIGHTS_HEADER:
            raise WeightsLimitError(f"has a header of {length:,} bytes; the limit is {MAX_WEIGHTS_HEADER:,}")
        text = opened.read(length)
    try:
        json.loads(text, object_pairs_hook=_unique)
    except (ValueError, RecursionError):
        raise WeightsFileError("is damaged, truncated or of another format: its header is not JSON") from None


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        ((twice, _),) = Counter(key for key, _ in pairs).most_common(1)
        raise WeightsFileError(f"has the key '{twice[:60]}' twice")
    return found
