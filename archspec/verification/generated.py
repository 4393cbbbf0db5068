"""The generated file as a module: what `archspec codegen` writes, executed by itself."""

from __future__ import annotations

from types import ModuleType

from torch import nn

from archspec.backends.python import generate as python
from archspec.frontend.loader import Spec
from archspec.passes.pipeline import compile_with_expressions


def write(spec: Spec) -> str:
    """The text that `archspec codegen` writes for a spec."""
    return python.generate(compile_with_expressions(spec))


def construct(text: str, name: str) -> nn.Module:
    """Execute a generated file and construct its network. The text is archspec's own, so exceptions are passed on."""
    module = ModuleType(name)
    exec(compile(text, f"<generated {name}>", "exec"), vars(module))
    made: nn.Module = vars(module)[name]()
    return made
