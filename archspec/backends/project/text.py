"""Facts of a network, its source file and its spec → the texts of a project's files."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from archspec.backends.project.facts import Facts
from archspec.backends.templates import environment
from archspec.diagnostics.formatting import printable

_FOLDER = Path(__file__).parent / "templates"

_WIDTH = 120


def texts(facts: Facts, code: str, spec: str) -> dict[str, str]:
    """The files of a project: names and contents. `code` is `model.py`, `spec` the spec that it was written from."""
    templates, context = environment(_FOLDER), _context(facts)
    written = {
        name.removesuffix(".jinja"): templates.get_template(name).render(context) for name in templates.list_templates()
    }
    return dict(sorted({**written, "model.py": code, "spec.yaml": spec}.items()))


def with_classes(spec: str, num_classes: int) -> str:
    """The text of a spec for another number of classes, as `network.py` makes it."""
    return re.sub(r"\bnum_classes: \d+", f"num_classes: {num_classes}", spec, count=1)


def _context(facts: Facts) -> Mapping[str, Any]:
    mean, std = facts.normalisation
    return {
        "name": facts.name,
        "factory": facts.name,
        "description": " ".join(printable(facts.description).split()) or f"The network {facts.name}.",
        "head": _assigned("HEAD", facts.head),
        "head_names": ", ".join(f"`{name}`" for name in dict.fromkeys(n.rpartition(".")[0] or n for n in facts.head)),
        "logits": facts.logits,
        "auxiliary": facts.auxiliary and _dictionary(facts.auxiliary),
        "auxiliary_text": " and ".join(f"{weight} (`{name}`)" for name, weight in facts.auxiliary.items()),
        "mode": facts.mode,
        "resize": list(facts.resize),
        "crop": list(facts.size),
        "mean": mean,
        "std": std,
        "freeze": facts.first_layer.partition(".")[0],
        "transform_input": facts.transform_input,
    }


def _assigned(name: str, values: Sequence[str]) -> str:
    """A tuple of strings as ruff would lay it out after `name = `."""
    quoted = [_quoted(value) for value in values]
    line = f"({', '.join(quoted)}{',' if len(quoted) == 1 else ''})"
    if len(name) + 3 + len(line) <= _WIDTH:
        return line
    return "\n".join(["(", *(f"    {value}," for value in quoted), ")"])


def _dictionary(values: Mapping[str, float]) -> str:
    return f"{{{', '.join(f'{_quoted(name)}: {weight}' for name, weight in values.items())}}}"


def _quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
