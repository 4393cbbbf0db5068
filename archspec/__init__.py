"""A compiler for neural-network architectures: one YAML spec → analysis, image, PyTorch source, module.

    import archspec

    net = archspec.compile("resnet101")        # names, shapes, parameters, MACs; no torch
    model = archspec.build("resnet101")        # torch.nn.Module
    code = archspec.codegen("resnet101")       # readable PyTorch source
    image = archspec.render("resnet101")       # SVG
    report = archspec.verify("resnet101")      # runs source and module, and compares them
    changes = archspec.diff("resnet50", "resnet101")
    archspec.project("resnet101", "flowers/")  # a project that trains it
    spec = archspec.from_module(my_module, input=(3, 224, 224))  # the reverse

Each name is imported on first use, so that `import archspec` costs nothing. Only `build`,
`from_module` and `verify` load torch.

The stages, in the order in which a spec passes them: `frontend` (text → model, with `expressions`), `passes` (model →
graph), `ir` (the graph), `backends` (graph → outputs), `weights`; `ops` has a class for each operation. `driver` runs
several of them; `verification`, `changes` and `importer` compare and import networks; `diagnostics` are the errors of
all. `api` and `cli` are what users call.
"""

# Not typing.TYPE_CHECKING: importing typing would take longer than everything else here.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from archspec.api import build, codegen, diff, explore, from_module, project, render, summary, verify
    from archspec.backends.diagram.image import Image
    from archspec.changes.diff import Diff
    from archspec.diagnostics.budget import step_limit
    from archspec.diagnostics.diagnostic import SpecError
    from archspec.frontend.loader import Spec, specs
    from archspec.ir.graph import Graph
    from archspec.passes.pipeline import compile, expand, load
    from archspec.passes.specialize.specializer import node_limit
    from archspec.verification.report import Report

__version__ = "0.1.0"

__all__ = [
    "Diff", "Graph", "Image", "Report", "Spec", "SpecError", "build", "codegen", "compile", "diff", "expand", "explore",
    "from_module", "load", "node_limit", "project", "render", "specs", "step_limit", "summary", "verify",
]  # fmt: skip

_HOMES = {
    "Diff": "archspec.changes.diff",
    "Graph": "archspec.ir.graph",
    "Image": "archspec.backends.diagram.image",
    "Report": "archspec.verification.report",
    "Spec": "archspec.frontend.loader",
    "SpecError": "archspec.diagnostics.diagnostic",
    "build": "archspec.api",
    "codegen": "archspec.api",
    "compile": "archspec.passes.pipeline",
    "diff": "archspec.api",
    "expand": "archspec.passes.pipeline",
    "explore": "archspec.api",
    "from_module": "archspec.api",
    "load": "archspec.passes.pipeline",
    "node_limit": "archspec.passes.specialize.specializer",
    "project": "archspec.api",
    "render": "archspec.api",
    "specs": "archspec.frontend.loader",
    "step_limit": "archspec.diagnostics.budget",
    "summary": "archspec.api",
    "verify": "archspec.api",
}


if not TYPE_CHECKING:  # hidden from type checkers, which would accept any name because of it

    def __getattr__(name: str) -> object:
        if name not in _HOMES:
            raise AttributeError(f"module 'archspec' has no attribute '{name}'")
        from importlib import import_module

        value = globals()[name] = getattr(import_module(_HOMES[name]), name)
        return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
