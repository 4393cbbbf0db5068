"""A compiler for neural-network architectures: one YAML spec → analysis, picture, PyTorch source, module.

    import archspec

    net = archspec.compile("resnet101")        # names, shapes, parameters, MACs; no torch
    model = archspec.build("resnet101")        # torch.nn.Module
    code = archspec.codegen("resnet101")       # readable PyTorch source
    image = archspec.render("resnet101")       # SVG
    report = archspec.verify("resnet101")      # is the source the module?

Each name is imported on first use, so that `import archspec` costs nothing. `build` and `verify` alone load torch.
"""

# Not typing.TYPE_CHECKING: importing typing would take longer than everything else here.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from archspec.api import build, codegen, render, summary, verify
    from archspec.driver import Spec, compile, expand, load, specs
    from archspec.elaborate import node_limit
    from archspec.errors import SpecError
    from archspec.graph import Graph
    from archspec.verification.report import Report

__version__ = "0.1.0"

__all__ = [
    "Graph", "Report", "Spec", "SpecError", "build", "codegen", "compile", "expand", "load", "node_limit",
    "render", "specs", "summary", "verify",
]  # fmt: skip

_HOMES = {
    "Graph": "archspec.graph",
    "Report": "archspec.verification.report",
    "Spec": "archspec.driver",
    "SpecError": "archspec.errors",
    "build": "archspec.api",
    "codegen": "archspec.api",
    "compile": "archspec.driver",
    "expand": "archspec.driver",
    "load": "archspec.driver",
    "node_limit": "archspec.elaborate",
    "render": "archspec.api",
    "specs": "archspec.driver",
    "summary": "archspec.api",
    "verify": "archspec.api",
}


if not TYPE_CHECKING:  # a type checker knows the names above, and that there are no others

    def __getattr__(name: str) -> object:
        if name not in _HOMES:
            raise AttributeError(f"module 'archspec' has no attribute '{name}'")
        from importlib import import_module

        value = globals()[name] = getattr(import_module(_HOMES[name]), name)
        return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
