"""The errors of code that reads a weights file without knowing its name, which `checkpoint.read` adds."""

from __future__ import annotations

from archspec.diagnostics.diagnostic import UnlocatedError


class WeightsFileError(UnlocatedError):
    """The file is damaged, or is not a state_dict."""

    kind = "weights"


class WeightsLimitError(UnlocatedError):
    """Reading the file would take more work or memory than a weights file may."""

    kind = "limit"
