"""The result of `archspec.verify`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from archspec.diagnostics.formatting import printable
from archspec.ir.notebook_display import NotebookDisplay

if TYPE_CHECKING:
    from archspec.ops.shapes import Shape


@dataclass(frozen=True)
class Check:
    """The result of one comparison.

    `ok` is whether both are equal, or `None` if they were not compared; `detail` is the result, or why there is none.
    Its first line is a summary, further lines list the places that differ.

    >>> print(Check("state_dict keys", True, "62, all equal"))
    ✓ state_dict keys: 62, all equal
    """

    name: str
    ok: bool | None
    detail: str

    def __str__(self) -> str:
        mark = "–" if self.ok is None else "✓" if self.ok else "✗"
        first, *others = map(printable, self.detail.split("\n"))
        return "\n".join([f"{mark} {self.name}: {first}", *(f"    {line}" for line in others)])


@dataclass(frozen=True)
class Report(NotebookDisplay):
    """The result of `archspec.verify`: a `Check` for each comparison, in order.

    `name` is that of the network, `other` describes what its built module was compared with, and `input_shape` is that
    of one sample; `batch` samples were run, with weights and inputs determined by `seed`. `ok` is whether nothing
    differs; `str()` is the text that the command prints.

    >>> report = Report("net", "the generated file", 0, 2, (3, 8, 8), (Check("state_dict keys", False, "2, not 4"),))
    >>> report.ok
    False
    >>> print(report)
    net: the built module and the generated file, input 2×3×8×8, seed 0
    ✗ state_dict keys: 2, not 4
    """

    name: str
    other: str
    seed: int
    batch: int
    input_shape: Shape
    checks: tuple[Check, ...]

    @property
    def ok(self) -> bool:
        """Whether nothing that was compared differs."""
        return all(check.ok is not False for check in self.checks)

    def to_data(self) -> dict[str, Any]:
        """The facts as plain data, for JSON."""
        checks = [{"name": check.name, "ok": check.ok, "detail": check.detail} for check in self.checks]
        return {
            "name": self.name, "other": self.other, "ok": self.ok, "seed": self.seed, "batch": self.batch,
            "input_shape": [int(size) for size in self.input_shape], "checks": checks,
        }  # fmt: skip

    def to_json(self) -> str:
        """The facts as JSON text, indented."""
        from archspec.diagnostics.json_text import json_text

        return json_text(self.to_data(), indent=2)

    def __str__(self) -> str:
        from archspec.ops.shapes import format_shape

        shape = format_shape((self.batch, *self.input_shape))
        head = f"{self.name}: the built module and {self.other}, input {shape}, seed {self.seed}"
        return "\n".join([printable(head), *map(str, self.checks)])
