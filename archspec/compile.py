"""Moved to `archspec.driver`; this stands in until everything imports that."""

from archspec.driver import *  # noqa: F403
from archspec.driver import compile, compile_with_expressions, expand, load  # noqa: F401
