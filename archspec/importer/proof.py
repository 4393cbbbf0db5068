"""The check of a spec against its model: the built module and the generated file are compared with it."""

from __future__ import annotations

from typing import Any

from archspec.importer.report import ImportReport
from archspec.ir.limits import MAX_MEMORY
from archspec.verification.reference_module import Against
from archspec.verification.verify import Notify, Options, verify


def prove(
    text: str, against: Against, notify: Notify, max_memory: int | str = MAX_MEMORY, force: bool = False
) -> ImportReport:
    """Compare what a spec builds with a model, and with the generated file."""
    limits: dict[str, Any] = {"max_memory": max_memory, "force": force}
    theirs = Options(against.found, against.arguments, **limits)
    known: dict[Any, Any] = {}  # the built module is run once for both
    original = verify(text, theirs, None, notify, known)
    return ImportReport(original, verify(text, Options(**limits), None, notify, known))
