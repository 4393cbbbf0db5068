"""The top-level definitions of a generated file: imports, helpers, classes, and the factory."""

from __future__ import annotations

import ast
import math
from collections.abc import Iterator, Mapping
from typing import Any

from archspec.backends.python.validator.environment import Environment
from archspec.backends.python.validator.errors import Errors
from archspec.backends.python.validator.expressions import IMPORTS, Expressions
from archspec.backends.python.validator.values import Class, Function, Name, Record, Special
from archspec.expressions.functions import make_divisible


class Definitions:
    """The definitions of a file, which are also the global names of its expressions."""

    def __init__(self, errors: Errors, expressions: Expressions, helpers: Mapping[str, str]) -> None:
        self.errors = errors
        self.expressions = expressions
        self.helpers = helpers
        """archspec's helpers that the file may contain, by name, as dumps of their trees."""
        self.classes: dict[str, Class] = {}
        self.records: dict[str, Record] = {}
        self.factory: Function | None = None

    def define(self, node: ast.stmt) -> None:
        """Process a statement of the file's top level."""
        if isinstance(node, ast.Import | ast.ImportFrom):
            self._import_names(node)
        elif isinstance(node, ast.ClassDef | ast.FunctionDef) and node.name in self.helpers:
            self.expressions.globals[node.name] = self._helper(node)
        elif isinstance(node, ast.Assign | ast.AnnAssign) and ast.dump(node) in self.helpers.values():
            pass  # a constant that a helper reads
        elif isinstance(node, ast.ClassDef):
            self._define_class(node)
        elif isinstance(node, ast.FunctionDef) and self.factory is None and not node.decorator_list:
            self.factory = self.expressions.globals[node.name] = Function(node)
        elif not _is_docstring(node):
            raise self.errors.at(node, "a statement that is not an import, a class or the factory")

    def _import_names(self, node: ast.Import | ast.ImportFrom) -> None:
        """Bind the names of an import; only what generated files need may be imported."""
        source = node.module or "" if isinstance(node, ast.ImportFrom) else ""
        for alias in node.names:
            where, name = source, alias.asname or alias.name
            if not source and alias.asname:
                where = alias.name
            if where == "math" and name in ("ceil", "floor", "sqrt"):
                self.expressions.globals[name] = getattr(math, name)
            elif (where, name) in IMPORTS:
                self.expressions.globals[name] = IMPORTS[where, name]
            else:
                raise self.errors.at(node, f"'{ast.unparse(node)}' is not understood")

    def _helper(self, node: ast.ClassDef | ast.FunctionDef) -> Any:
        """A helper that archspec ships; its text must be the shipped one."""
        if ast.dump(node) != self.helpers[node.name]:
            raise self.errors.at(node, f"{node.name} differs from the helper that archspec ships")
        if node.name == "make_divisible":
            return make_divisible
        bases = node.bases if isinstance(node, ast.ClassDef) else []
        return Name(node.name, ast.unparse(bases[0]) if bases else "")

    def _define_class(self, node: ast.ClassDef) -> None:
        """Process a class of modules, or a named tuple."""
        bases = [self.expressions.value(base, Environment({})) for base in node.bases]
        if node.keywords or node.decorator_list or len(bases) != 1 or node.name in self.expressions.globals:
            raise self.errors.at(node, f"class {node.name} is not understood")
        if bases[0] == Special("NamedTuple"):
            found = Record(node.name, tuple(self._fields(node)))
            self.expressions.globals[node.name] = self.records[node.name] = found
            return
        if bases[0] not in (Name("nn.Module"), Name("nn.Sequential")):
            raise self.errors.at(node, f"class {node.name} is derived from {ast.unparse(node.bases[0])}")
        methods = dict(self._methods(node))
        if "__init__" not in methods:
            raise self.errors.at(node, f"class {node.name} has no constructor")
        init = methods["__init__"]
        defaults = dict(self.defaults(init))
        sequential = bases[0] == Name("nn.Sequential")
        kind = Class(node.name, sequential, init, methods.get("forward"), defaults)
        self.expressions.globals[node.name] = self.classes[node.name] = kind

    def _fields(self, node: ast.ClassDef) -> Iterator[str]:
        """The fields of a named tuple."""
        for statement in node.body:
            if isinstance(statement, ast.AnnAssign) and isinstance(statement.target, ast.Name) and not statement.value:
                yield statement.target.id
            elif not _is_docstring(statement):
                raise self.errors.at(statement, "a field of a named tuple is 'name: type'")

    def _methods(self, node: ast.ClassDef) -> Iterator[tuple[str, Function]]:
        """The constructor and the forward of a class."""
        for statement in node.body:
            if isinstance(statement, ast.FunctionDef) and statement.name in ("__init__", "forward"):
                given = statement.args
                names = [argument.arg for argument in given.args]
                more = given.vararg is not None and statement.name != "forward"
                odd = more or given.kwarg or given.kwonlyargs or given.posonlyargs or len({*names}) < len(names)
                if statement.decorator_list or odd or names[:1] != ["self"]:
                    raise self.errors.at(statement, f"the signature of {statement.name} is not understood")
                yield statement.name, Function(statement)
            elif not _is_docstring(statement):
                raise self.errors.at(statement, f"class {node.name} has more than __init__ and forward")

    def defaults(self, function: Function) -> Iterator[tuple[str, Any]]:
        """The arguments of a function that have a default, with these defaults."""
        given = function.node.args
        for argument, tree in zip(given.args[len(given.args) - len(given.defaults) :], given.defaults, strict=True):
            yield argument.arg, self.expressions.value(tree, Environment({}))


def _is_docstring(node: ast.stmt) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)
