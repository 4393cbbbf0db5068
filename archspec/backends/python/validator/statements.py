"""Statements of a generated file's functions."""

from __future__ import annotations

import ast

from archspec.backends.python.validator.environment import Environment
from archspec.backends.python.validator.errors import Errors
from archspec.backends.python.validator.expressions import Expressions
from archspec.backends.python.validator.values import InitStatement, SymbolicValue


class Statements:
    """Evaluates statements in their order."""

    def __init__(self, errors: Errors, expressions: Expressions) -> None:
        self.errors = errors
        self.expressions = expressions

    def run(self, statements: list[ast.stmt], env: Environment) -> bool:
        """Run statements; returns whether one of them returned."""
        return any(self._statement(node, env) for node in statements)

    def _statement(self, node: ast.stmt, env: Environment) -> bool:
        """Run one statement; returns whether it returned."""
        if isinstance(node, ast.Assign) and len(node.targets) == 1:
            self.expressions.assign(node.targets[0], self.expressions.value(node.value, env), env)
        elif isinstance(node, ast.Expr):
            self._expression(node.value, env)
        elif isinstance(node, ast.Return) and node.value is not None:
            env.returned = self.expressions.value(node.value, env)
            return True
        elif isinstance(node, ast.If):
            return self.run(node.body if self.expressions.truth(node.test, env) else node.orelse, env)
        elif isinstance(node, ast.For) and not node.orelse:
            return self._loop(node, env)
        elif isinstance(node, ast.AugAssign) and isinstance(node.target, ast.Name):
            self._augment(node, node.target, env)
        elif isinstance(node, ast.AnnAssign) and node.value is not None:
            self.expressions.assign(node.target, self.expressions.value(node.value, env), env)
        elif isinstance(node, ast.Delete) and env.made is not None:
            for target in node.targets:
                self.expressions.objects.remove(target, env)
        elif not isinstance(node, ast.Pass):
            raise self.errors.at(node, f"'{ast.unparse(node)[:80]}' is not understood")
        return False

    def _expression(self, node: ast.expr, env: Environment) -> None:
        """A statement that is an expression: a docstring, or a call for its effect."""
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            return
        if not isinstance(node, ast.Call):
            raise self.errors.at(node, f"'{ast.unparse(node)}' has no effect")
        if _is_initialiser(node.func) and env.made is not None:
            self._initialise(node, env)
        else:
            self.expressions.value(node, env)

    def _initialise(self, node: ast.For | ast.Call, env: Environment) -> None:
        """Keep a statement for when parameters are initialised."""
        if env.owner.whole is not None:
            raise self.errors.at(node, "parameters are initialised after modules were removed")
        env.owner.init_statements.append(InitStatement(node, dict(env.names)))

    def _loop(self, node: ast.For, env: Environment) -> bool:
        """Run a loop; one over `self.modules()` is kept for the comparison of initialisation."""
        if env.made is not None and _is_walk(node.iter):
            self._initialise(node, env)
            return False
        for item in self.expressions.items(node.iter, env):
            self.expressions.assign(node.target, item, env)
            if self.run(node.body, env):
                return True
        return False

    def _augment(self, node: ast.AugAssign, target: ast.Name, env: Environment) -> None:
        """`x += y` on a tensor overwrites it, on a list extends it."""
        before = self.expressions.value(ast.copy_location(ast.Name(target.id, ast.Load()), target), env)
        if isinstance(before, list) and isinstance(node.op, ast.Add):
            before.extend(self.expressions.items(node.value, env))
            return
        value = self.expressions.value(node.value, env)
        env.names[target.id] = self.expressions.calculated(
            node.op, before, value, node, env, isinstance(before, SymbolicValue)
        )


def _is_initialiser(node: ast.expr) -> bool:
    """Whether something is `nn.init.…`."""
    owner = node.value if isinstance(node, ast.Attribute) else node
    return isinstance(owner, ast.Attribute) and owner.attr == "init" and ast.unparse(owner) == "nn.init"


def _is_walk(node: ast.expr) -> bool:
    """Whether something is `self.modules()` or `self.named_modules()`."""
    return isinstance(node, ast.Call) and ast.unparse(node.func) in ("self.modules", "self.named_modules")
