"""Plain scalars: the words of YAML 1.2's core schema, and those that YAML 1.1 reads differently."""

from __future__ import annotations

import re
from typing import Final

MAX_DIGITS: Final = 18
"""No network has a dimension with more digits than this; parsing longer integers would only cost time."""

INT = re.compile(r"[-+]?[0-9]+")
FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
NOT_FINITE = re.compile(r"[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)")
YAML_1_1 = re.compile(r"[-+]?0[0-9]+|[-+]?0[xob][0-9a-fA-F_]+|[-+]?[0-9][0-9_]*_[0-9_]*|[-+]?[0-9]+(:[0-5]?[0-9])+")
NUMERIC: Final = frozenset("+-.0123456789")
"""The first characters of all of these."""
BOOL_1_1: Final[dict[str, str]] = {
    spelling: meaning
    for word, meaning in (("yes", "true"), ("no", "false"), ("on", "true"), ("off", "false"))
    for spelling in (word, word.capitalize(), word.upper())
}
CONSTANTS: Final[dict[str, bool | None]] = {
    "": None, "~": None, "null": None, "Null": None, "NULL": None,
    "true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False,
}  # fmt: skip


def decimal(word: str) -> str:
    """What a number of YAML 1.1 was probably meant to be."""
    plain = word.replace("_", "")
    if re.fullmatch(r"[-+]?0[xob][0-9a-fA-F]+", plain):
        try:
            return str(int(plain, 0))
        except ValueError:
            return "a decimal number"
    return str(int(plain)) if INT.fullmatch(plain) and len(plain) <= MAX_DIGITS else "a decimal number"
