"""The errors of a run: each is completed with its place and collected; the first wrong shape also gets its context."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from archspec.diagnostics.budget import HELP, OutOfSteps, spend
from archspec.diagnostics.diagnostic import Diagnostic, Path, UnlocatedError
from archspec.frontend.model.network import Network
from archspec.ir.graph import Graph
from archspec.passes.specialize.partial_network import network_up_to
from archspec.passes.specialize.shape_errors import layers_before

if TYPE_CHECKING:
    from archspec.passes.specialize.value_table import ValueTable


ERROR: Final = 200
"""Steps of the budget that reporting an error costs."""


class ErrorCollector:
    """The errors found so far in a run."""

    def __init__(self, network: Network, max_nodes: int) -> None:
        self.network = network
        self.max_nodes = max_nodes
        self.diagnostics: list[Diagnostic] = []
        self.open_bodies: list[ValueTable] = []
        """The values of the bodies that are being specialised, the innermost last."""
        self.partial: Graph | None = None
        """The network up to the first layer whose inputs have a wrong shape."""
        self.too_small: int | None = None
        """The number of the first error that a larger input might solve."""
        self.is_too_large = False
        self.place: tuple[BodyErrors, Path] | None = None
        """The place that is being read: the body, and the path of the item."""

    def add(self, diagnostic: Diagnostic) -> None:
        """Collect an error. The first wrong shape is shown with the layers before it."""
        spend(ERROR)
        if diagnostic.kind == "shape":
            if not any(found.trail for found in self.diagnostics):
                trail = tuple(layer for values in self.open_bodies for layer in layers_before(values))
                diagnostic = replace(diagnostic, trail=trail)
            if self.partial is None:
                self.partial = network_up_to(self.open_bodies, self.network, diagnostic.message)
        self.diagnostics.append(diagnostic)

    def add_out_of_steps(self, error: OutOfSteps) -> None:
        """Report, at the place that was being read, that the budget is spent."""
        diagnostic = Diagnostic("limit", str(error), help=HELP)
        if self.place is not None:
            body, path = self.place
            diagnostic = replace(diagnostic, path=body.pinned or path, where=body.where)
        self.diagnostics.append(diagnostic)

    def mark_too_small(self) -> None:
        """Record that a larger input might solve the next error."""
        if self.too_small is None:
            self.too_small = len(self.diagnostics)

    def add_help(self, number: int, help: str) -> None:
        """Add an alternative fix to the help of an error."""
        found = self.diagnostics[number]
        self.diagnostics[number] = replace(found, help=f"{found.help}; {help}")


class BodyErrors:
    """Reports the errors of one body, and tracks what they leave unknown (see `passes.recovery`).

    `where` names the module that the body belongs to. Inside blocks of the library every error is shown at `pinned`,
    the item that uses the block, since the block's own text is not the user's.
    """

    def __init__(self, collector: ErrorCollector, path: Path, where: str, pinned: Path | None = None) -> None:
        self.collector = collector
        self.path = path
        self.where = where
        self.pinned = pinned
        self.failed = False
        """Whether something in this body is unknown, so that its module cannot be made."""
        self.has_gaps = False
        """Whether names may be missing because of an error, so that using an unknown name is not reported."""

    def of_seq(self, path: Path, where: str) -> BodyErrors:
        """The errors of the items of a seq in this body."""
        return BodyErrors(self.collector, path, where, self.pinned)

    def enter(self, path: Path) -> None:
        """Record the place that is being read, for an error that ends the run."""
        self.collector.place = (self, path)

    def report(self, kind: str, message: str, path: Path, where: str = "", **more: Any) -> None:
        """Report an error; `more` are further fields of `Diagnostic`."""
        self.add(Diagnostic(kind, message, path, **more), where)

    def report_error(self, error: UnlocatedError, path: Path, **more: Any) -> None:
        """Report an error found in the value at `path` by code that does not know the place."""
        self.add(replace(error.diagnostic.at(path), **more))

    def add(self, diagnostic: Diagnostic, where: str = "") -> None:
        """Complete an error with its place in the network, and collect it."""
        path = self.pinned or diagnostic.path
        self.collector.add(replace(diagnostic, path=path, where=where or self.where))

    def report_too_many(self, what: str, path: Path) -> None:
        """Report that the network is too large, only once: most of the following items would be too large as well."""
        if not self.collector.is_too_large:
            self.collector.is_too_large = True
            help = "raise the limit with archspec.node_limit (--max-nodes)"
            self.report("limit", f"more than {self.collector.max_nodes:,} {what}", path, help=help)
