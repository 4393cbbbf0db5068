"""What an import found out, and the spec that it made."""

from __future__ import annotations

from dataclasses import dataclass

from archspec.frontend.loader import Spec
from archspec.ir.notebook_display import NotebookDisplay
from archspec.verification.key_pairing import is_renamed
from archspec.verification.report import Check, Report

INITIAL = "initial weights"


@dataclass(frozen=True)
class ImportReport(NotebookDisplay):
    """What was proven of an imported spec, and what was not.

    `original` compares the built module with the model, `generated` with the generated file; each is a
    `Report`. `exact` is whether nothing differs but initial weights, of which `initial_weights` says whether they
    are the model's for the same seed (`ok` is `None` if that is not known). `str()` is what the command prints.
    """

    original: Report
    generated: Report

    @property
    def exact(self) -> bool:
        """Whether the spec, the model and the generated file are the same network, to the bit."""
        return not self.differences

    @property
    def differences(self) -> tuple[Check, ...]:
        """What differs, initial weights excepted."""
        checks = (*self.original.checks, *self.generated.checks)
        return tuple(check for check in checks if is_renamed(check) or (check.ok is False and check.name != INITIAL))

    @property
    def initial_weights(self) -> Check:
        """Whether the model's initial weights are those of the spec for the same seed."""
        found = next((check for check in self.original.checks if check.name == INITIAL), None)
        return found or Check(INITIAL, None, "not compared")

    def __str__(self) -> str:
        differs = [str(check) for check in self.generated.checks if check.ok is False]
        last = "✓ generated file: equal in all of these" if not differs else "✗ generated file:"
        return "\n".join([str(self.original), last, *differs])


@dataclass(frozen=True)
class ImportedSpec(Spec):
    """A spec made of a module. `text` is what the command writes; `report` says what was proven of it."""

    text: str = ""
    report: ImportReport | None = None

    def __repr__(self) -> str:
        return f"ImportedSpec({self.name})"
