"""A generated file, evaluated symbolically: the network that it makes, and what each `forward` does.

    text ─definitions─▶ classes ─modules─▶ the network ─forwards─▶ traces

`statements` and `expressions` evaluate the body of a function, `objects` the modules and torch's functions in it.
"""

from __future__ import annotations

import ast
from collections.abc import Mapping
from typing import Any

from archspec.backends.python.validator.definitions import Definitions
from archspec.backends.python.validator.environment import Environment
from archspec.backends.python.validator.errors import Errors
from archspec.backends.python.validator.expressions import Expressions
from archspec.backends.python.validator.forwards import Forwards
from archspec.backends.python.validator.modules import Modules
from archspec.backends.python.validator.objects import ModuleObjects
from archspec.backends.python.validator.statements import Statements
from archspec.backends.python.validator.values import Class, Container, Made, Trace


class File:
    """A generated file called `name`; `helpers` are archspec's definitions that it may contain, as dumps of trees."""

    def __init__(self, text: str, name: str, helpers: Mapping[str, str]) -> None:
        self.errors = Errors(name)
        self.modules = Modules(self.errors, self._run)
        self.expressions = Expressions(self.errors, ModuleObjects(self.errors, self.modules))
        self.statements = Statements(self.errors, self.expressions)
        self.forwards = Forwards(self.errors, self._run)
        self.definitions = Definitions(self.errors, self.expressions, helpers)
        for statement in ast.parse(text).body:
            self.definitions.define(statement)

    def _run(self, statements: list[ast.stmt], env: Environment) -> bool:
        return self.statements.run(statements, env)

    def trace(self, module: Container, training: bool, inputs: int) -> Trace:
        """The trace of a module's `forward` with `inputs` inputs."""
        return self.forwards.trace(module, training, inputs)

    def network(self, factory: str, root: str, arguments: Mapping[str, Any]) -> Container:
        """The module that the file's factory makes, which must equal the one that the network's class makes."""
        if root not in self.definitions.classes:
            raise self.errors.at_line(0, f"missing class {root}")
        kind = self.definitions.classes[root]
        made = self.modules.construct(kind, [], arguments, kind.init.node)
        if self.definitions.factory is None and factory != root:
            raise self.errors.at_line(0, f"missing function {factory}")
        if self.definitions.factory is not None:
            self._check_factory(factory, kind, made, arguments)
        assert isinstance(made.module, Container)
        return made.module

    def _check_factory(self, name: str, kind: Class, made: Made, arguments: Mapping[str, Any]) -> None:
        """Check that the factory passes its arguments on to the class, and has the same defaults."""
        factory = self.definitions.factory
        assert factory is not None
        defaults, node = dict(self.definitions.defaults(factory)), factory.node
        if node.name != name or defaults != dict(kind.defaults) or len(node.args.args) != len(defaults):
            raise self.errors.at(node, f"the factory is not {name} with the arguments of {kind.name}")
        env = Environment({**defaults, **arguments}, factory.assigned)
        env.made = []
        self.statements.run(node.body, env)
        if not isinstance(env.returned, Made) or env.returned.module is not made.module:
            raise self.errors.at(node, f"{name} does not make what {kind.name} makes")
