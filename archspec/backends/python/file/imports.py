"""The imports of a generated file."""

from __future__ import annotations

import re

_ABSTRACT = ("Callable", "Sequence")
_MATH = ("ceil", "floor", "sqrt")


def imports_of(text: str, signatures: str, has_record: bool) -> list[str]:
    """The imports that a text needs, in the order ruff sorts them; `has_record`: it defines a named tuple.

    `text` is everything except the signatures of constructors, whose annotations need further imports.
    """
    standard = []
    if "OrderedDict(" in text:
        standard.append("from collections import OrderedDict")
    text += signatures
    abstract = [name for name in _ABSTRACT if f"{name}[" in text]
    if abstract:
        standard.append(f"from collections.abc import {', '.join(abstract)}")
    if "fnmatchcase(" in text:
        standard.append("from fnmatch import fnmatchcase")
    if re.search(r"(?<![\w.])partial\(", text):
        standard.append("from functools import partial")
    functions = [name for name in _MATH if re.search(rf"(?<![\w.]){name}\(", text)]
    if functions:
        standard.append(f"from math import {', '.join(functions)}")
    if has_record:
        standard.append("from typing import NamedTuple")
    return [*standard, *([""] if standard else []), *_of_torch(text)]


def _of_torch(text: str) -> list[str]:
    lines = ["import torch"] if re.search(r"\btorch\.", text) else []
    lines += ["import torch.nn.functional as F"] if re.search(r"\bF\.", text) else []
    return [*lines, "from torch import Tensor, nn"]
