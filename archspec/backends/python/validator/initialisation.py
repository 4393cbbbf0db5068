"""Compares the initialisation of parameters in a constructor, including its order, with the rules of the graph."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple, NoReturn

from archspec.backends.python.validator.environment import Environment
from archspec.backends.python.validator.file import File
from archspec.backends.python.validator.initialisers import complete, with_defaults
from archspec.backends.python.validator.values import Bound, Container, InitStatement, Leaf, Name
from archspec.diagnostics.diagnostic import ValidationError
from archspec.expressions.parse import is_expression, parse
from archspec.ir.container import Container as Held
from archspec.ir.container import Entry
from archspec.ir.module import Module, Step
from archspec.ops.base import Op
from archspec.ops.initialisers import INITIALISERS, parse_initialiser
from archspec.ops.shapes import Shape

InitCall = tuple[str, str, str, tuple[tuple[str, Any], ...]]
"""The module's name, the parameter's, torch's function, and its arguments, defaults included."""


class Slot(NamedTuple):
    """A parameter of a module."""

    module: str
    name: str


@dataclass(eq=False)
class View:
    """A module as the statements that initialise parameters see it."""

    file: File
    path: str
    found: Leaf | Container
    op: Op | None = None
    shapes: tuple[Shape, ...] = ()
    children: dict[str, View] = field(default_factory=dict)
    asked: bool = False
    """Whether one of its numbers was read."""

    @property
    def kind(self) -> Any:
        """A key that is equal for modules whose parameters are initialised alike."""
        if isinstance(self.found, Leaf):
            assert self.op is not None
            return self.found.target, *self.op.parameters(*self.shapes)
        return self.found.kind, self.found.holds

    def is_a(self, kinds: tuple[Any, ...]) -> bool:
        """The result of `isinstance`."""
        if isinstance(self.found, Leaf):
            return any(isinstance(kind, Name) and kind.path in (self.found.target, self.found.base) for kind in kinds)
        own = self.found.kind
        held = self.found.holds or ("Sequential" if own is None or own.is_sequential else "")
        names = ["nn.Module", *([f"nn.{held}"] if held else [])]
        return any(kind is own or (isinstance(kind, Name) and kind.path in names) for kind in kinds)

    def attribute(self, name: str, node: ast.AST) -> Any:
        """A parameter, a number, or a module inside."""
        if name in self.children:
            return self.children[name]
        if name == "get_parameter":
            return Bound(self, name)
        if self.op is not None:
            if name in self.op.parameters(*self.shapes):
                return Slot(self.path, name)
            if name in self.op.holds and type(self.op).parameters is not Op.parameters:
                return None
            found = self.op.attribute_values(*self.shapes)
            if name in found:
                self.asked = True
                return found[name]
        raise self.file.errors.at(node, f"{self.path or 'the module itself'} has no '{name}'")

    def parameter(self, path: str, node: ast.AST) -> Any:
        """A parameter by its name, which may begin with the names of modules."""
        found: Any = self
        for name in path.split("."):
            found = found.attribute(name, node) if isinstance(found, View) else None
        if not isinstance(found, Slot):
            raise self.file.errors.at(node, f"there is no parameter '{path}'")
        return found


def check_initialisation(file: File, module: Module, made: Container, where: str) -> None:
    """Compare the parameters that a constructor initialises with the rules of its block."""
    if not module.init and not made.init_statements:
        return
    if _is_one_loop(made.init_statements) and not any(rule.path not in (None, "*") for rule in module.init):
        done: set[Any] = set()
        for view in _distinct(file, module, made, set()):
            _check_kind(file, module, made, view, where, done)
        return
    root = _view(file, module, made, "")
    views = list(_walk(root))
    _compare(file, made, _found(file, made.init_statements, root, views), _wanted(module.init, views), where)


def _check_kind(file: File, module: Module, made: Container, view: View, where: str, done: set[Any]) -> None:
    """Compare what a loop does with one module. It does the same with others of its kind, unless it reads numbers."""
    if view.kind in done:
        return
    found = _found(file, made.init_statements, view, [view])
    _compare(file, made, found, _wanted(module.init, [view]), where)
    if not view.asked and not _asks(module.init, view):
        done.add(view.kind)


def _compare(file: File, made: Container, found: list[InitCall], wanted: list[InitCall], where: str) -> None:
    for left, right in zip([*found, None], [*wanted, None], strict=False):
        if left != right:
            text = f"the file fills {_text(left)}, the network {_text(right)}"
            raise ValidationError(file.errors.file, made.line, where or "the constructor", text)


def _text(call: InitCall | None) -> str:
    if call is None:
        return "nothing more"
    module, parameter, function, arguments = call
    return f"{module}.{parameter} by {function}({', '.join(f'{name}={value}' for name, value in arguments)})"


def _view(file: File, module: Module, made: Container, path: str) -> View:
    return View(file, path, made, children=_children(file, module, module.tree, made, path))


def _children(
    file: File, module: Module, tree: Mapping[str, Entry[Step]], made: Container, path: str
) -> dict[str, View]:  # fmt: skip
    """The modules of a module, or in a container of it, as views."""
    children: dict[str, View] = {}
    for name, entry in tree.items():
        found, inside = made.modules.get(name), f"{path}.{name}".strip(".")
        if isinstance(entry, Held):
            if isinstance(found, Container):
                below = _children(file, module, entry.entries, found, inside)
                children[name] = View(file, inside, found, children=below)
        elif isinstance(entry.target, Module) and isinstance(found, Container):
            children[name] = _view(file, entry.target, found, inside)
        elif isinstance(entry.target, Op) and isinstance(found, Leaf):
            children[name] = _leaf_view(file, inside, found, entry.target, module.shapes(entry))
    return children


def _leaf_view(file: File, path: str, found: Leaf, op: Op, shapes: tuple[Shape, ...]) -> View:
    """A torch module, with the inner modules that rules can match."""
    inner = op.inner_modules(*shapes).items()
    children = {
        name: View(file, f"{path}.{name}".strip("."), Leaf(str(of.module), (), {}, ""), of, (shape,))
        for name, (of, shape) in inner
    }
    return View(file, path, found, op, shapes, children)


def _walk(view: View) -> Iterator[View]:
    """The modules in the order of `modules()`."""
    yield view
    for child in view.children.values():
        yield from _walk(child)


def _distinct(file: File, module: Module, made: Container, seen: set[int]) -> Iterator[View]:
    """The same, with equal modules once: a loop does the same with all of them."""
    if id(made) in seen:
        return
    seen.add(id(made))
    yield View(file, "", made)
    modules = {name: found for name, found, _ in made.entries()}
    for step in module.registered:
        found, target = modules.get(str(step.name)), step.target
        if isinstance(found, Container):
            yield from _distinct(file, target, found, seen)  # type: ignore[arg-type]
        elif found is not None and id(found) not in seen:
            seen.add(id(found))
            yield from _walk(_leaf_view(file, "", found, target, module.shapes(step)))  # type: ignore[arg-type]


def _is_one_loop(init_statements: list[InitStatement]) -> bool:
    """Whether everything is done in one loop that does not use names."""
    return len(init_statements) == 1 and isinstance(init_statements[0].statement, ast.For) and isinstance(
        init_statements[0].statement.target, ast.Name)  # fmt: skip


# -- the graph's rules ---------------------------------------------------------------------------------------------


def _asks(rules: tuple[Any, ...], view: View) -> bool:
    """Whether the rule that matches a module reads numbers of it."""
    rule = _rule(rules, view) if view.op is not None else None
    given = () if rule is None else rule.parameters.values()
    return any(is_expression(value) for how in given for value in parse_initialiser(how)[1].values())


def _wanted(rules: tuple[Any, ...], views: list[View]) -> list[InitCall]:
    return [call for view in views if view.op is not None for call in _by_rules(rules, view)]


def _rule(rules: tuple[Any, ...], view: View) -> Any:
    """The first rule that matches a module, if one does."""
    return next((rule for rule in rules if rule.matches(view.path, view.op)), None)


def _by_rules(rules: tuple[Any, ...], view: View) -> Iterator[InitCall]:
    """The initialisations by the first rule that matches a module."""
    rule, op = _rule(rules, view), view.op
    if rule is None or op is None:
        return
    there = op.saved(*view.shapes)
    for parameter, given in rule.parameters.items():
        if parameter in there:
            yield _call_of_rule(view, parameter, given)


def _call_of_rule(view: View, parameter: str, given: Any) -> InitCall:
    name, arguments = parse_initialiser(given)
    assert view.op is not None
    known = view.op.attribute_values(*view.shapes)
    numbers = {key: parse(value).evaluate(known) if is_expression(value) else value for key, value in arguments.items()}
    return view.path, parameter, *with_defaults(INITIALISERS[name].function, numbers)


# -- the file's statements------------------------------------------------------------------------------------------


def _found(file: File, init_statements: list[InitStatement], root: View, views: list[View]) -> list[InitCall]:
    found: list[InitCall] = []
    for node, names in init_statements:
        env = Environment(dict(names), frozenset(), root)
        env.init_calls = []
        if isinstance(node, ast.Call):
            file.expressions.value(node, env)
        else:
            _loop(file, node, views, env)
        found += [_call(file, node, *call) for call in env.init_calls]
    return found


def _loop(file: File, node: ast.For, views: list[View], env: Environment) -> None:
    """A loop over the modules, or over their names and the modules."""
    assert isinstance(node.iter, ast.Call)
    assert isinstance(node.iter.func, ast.Attribute)
    named = node.iter.func.attr == "named_modules"
    if node.iter.args or node.iter.keywords or node.orelse:
        _refuse(file, node)
    for view in views:
        item = (view.path, view) if named else view
        file.expressions.assign(node.target, item, env)
        file.statements.run(node.body, env)


def _call(file: File, node: ast.AST, function: str, args: tuple[Any, ...], keywords: dict[str, Any]) -> InitCall:
    filled = complete(function, args[1:], keywords) if args and isinstance(args[0], Slot) else None
    if filled is None:
        _refuse(file, node)
    return args[0].module, args[0].name, *filled


def _refuse(file: File, node: ast.AST) -> NoReturn:
    raise file.errors.at(node, f"'{ast.unparse(node)[:80]}' is not understood")
