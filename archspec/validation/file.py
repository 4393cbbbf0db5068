"""A generated file, evaluated symbolically: which modules its classes register, and what each `forward` does."""

from __future__ import annotations

import ast
import math
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

from archspec.errors import ValidationError
from archspec.expressions import make_divisible
from archspec.validation.expressions import BUILTINS, IMPORTS, MODE, Expressions, Scope
from archspec.validation.values import (
    Application,
    Bound,
    Class,
    Container,
    Filled,
    Filling,
    Function,
    Leaf,
    Made,
    Name,
    Parameter,
    Record,
    Special,
    Trace,
    Value,
)

_SUPER: Final = Special("super()")


class File(Expressions):
    """The definitions of a generated file. Classes are instantiated when asked for, once for equal arguments."""

    def __init__(self, text: str, name: str, helpers: Mapping[str, str]) -> None:
        super().__init__(name)
        self.text = text
        self.helpers = helpers
        """What the file may hold of archspec's own, by name, as the dumps of trees."""
        self.classes: dict[str, Class] = {}
        self.records: dict[str, Record] = {}
        self.factory: ast.FunctionDef | None = None
        self.clock = 0
        self.instances: dict[Any, Container] = {}
        self.leaves: dict[Any, Leaf] = {}
        self.assigned: dict[int, frozenset[str]] = {}
        for statement in ast.parse(text).body:
            self.define(statement)

    # -- definitions ------------------------------------------------------------------------------------------

    def define(self, node: ast.stmt) -> None:
        """Take up a statement of the file's top level."""
        if isinstance(node, ast.Import | ast.ImportFrom):
            self.import_names(node)
        elif isinstance(node, ast.ClassDef | ast.FunctionDef) and node.name in self.helpers:
            self.globals[node.name] = self.helper(node)
        elif ast.dump(node) in self.helpers.values():
            pass  # a constant that a helper reads
        elif isinstance(node, ast.ClassDef):
            self.define_class(node)
        elif isinstance(node, ast.FunctionDef) and self.factory is None and not node.decorator_list:
            self.factory = node
            self.globals[node.name] = Function(node)
        elif not _is_docstring(node):
            raise self.error(node, "a statement that is no import, class or factory")

    def import_names(self, node: ast.Import | ast.ImportFrom) -> None:
        """Bind the names of an import; only what generated files need may be imported."""
        source = node.module or "" if isinstance(node, ast.ImportFrom) else ""
        for alias in node.names:
            where, name = source, alias.asname or alias.name
            if not source and alias.asname:
                where = alias.name
            if where == "math" and name in ("ceil", "floor", "sqrt"):
                self.globals[name] = getattr(math, name)
            elif (where, name) in IMPORTS:
                self.globals[name] = IMPORTS[where, name]
            else:
                raise self.error(node, f"'{ast.unparse(node)}' is not understood")

    def helper(self, node: ast.ClassDef | ast.FunctionDef) -> Any:
        """What archspec ships beside torch; its text must be what is shipped."""
        if ast.dump(node) != self.helpers[node.name]:
            raise self.error(node, f"{node.name} is not as archspec ships it")
        if node.name == "make_divisible":
            return make_divisible
        bases = node.bases if isinstance(node, ast.ClassDef) else []
        return Name(node.name, ast.unparse(bases[0]) if bases else "")

    def define_class(self, node: ast.ClassDef) -> None:
        """Take up a class of modules, or a named tuple."""
        bases = [self.value(base, Scope({})) for base in node.bases]
        if node.keywords or node.decorator_list or len(bases) != 1 or node.name in self.globals:
            raise self.error(node, f"class {node.name} is not understood")
        if bases[0] == Special("NamedTuple"):
            found = Record(node.name, tuple(self.fields(node)))
            self.globals[node.name] = self.records[node.name] = found
            return
        if bases[0] not in (Name("nn.Module"), Name("nn.Sequential")):
            raise self.error(node, f"class {node.name} is derived from {ast.unparse(node.bases[0])}")
        methods = dict(self.methods(node))
        if "__init__" not in methods:
            raise self.error(node, f"class {node.name} has no constructor")
        init = methods["__init__"]
        defaults = dict(self.defaults(init))
        sequential = bases[0] == Name("nn.Sequential")
        kind = Class(node.name, sequential, init, methods.get("forward"), defaults)
        self.globals[node.name] = self.classes[node.name] = kind

    def fields(self, node: ast.ClassDef) -> Iterator[str]:
        """The fields of a named tuple."""
        for statement in node.body:
            if isinstance(statement, ast.AnnAssign) and isinstance(statement.target, ast.Name) and not statement.value:
                yield statement.target.id
            elif not _is_docstring(statement):
                raise self.error(statement, "a field of a named tuple is 'name: type'")

    def methods(self, node: ast.ClassDef) -> Iterator[tuple[str, ast.FunctionDef]]:
        """The constructor and the forward of a class."""
        for statement in node.body:
            if isinstance(statement, ast.FunctionDef) and statement.name in ("__init__", "forward"):
                given = statement.args
                names = [argument.arg for argument in given.args]
                odd = given.vararg or given.kwarg or given.kwonlyargs or given.posonlyargs or len({*names}) < len(names)
                if statement.decorator_list or odd or names[:1] != ["self"]:
                    raise self.error(statement, f"the signature of {statement.name} is not understood")
                yield statement.name, statement
            elif not _is_docstring(statement):
                raise self.error(statement, f"class {node.name} holds more than __init__ and forward")

    def defaults(self, function: ast.FunctionDef) -> Iterator[tuple[str, Any]]:
        """The arguments of a function that have a default."""
        given = function.args
        for argument, tree in zip(given.args[len(given.args) - len(given.defaults) :], given.defaults, strict=True):
            yield argument.arg, self.value(tree, Scope({}))

    # -- modules ----------------------------------------------------------------------------------------------

    def network(self, factory: str, root: str, arguments: Mapping[str, Any]) -> Container:
        """The module that the file's factory makes, which must be what the class of the network makes itself."""
        if root not in self.classes:
            raise ValidationError(self.file, 0, "", f"there is no class {root}")
        kind = self.classes[root]
        made = self.construct(kind, [], arguments, kind.init)
        if self.factory is None and factory != root:
            raise ValidationError(self.file, 0, "", f"there is no function {factory}")
        if self.factory is not None:
            self.check_factory(factory, kind, made, arguments)
        assert isinstance(made.module, Container)
        return made.module

    def check_factory(self, name: str, kind: Class, made: Made, arguments: Mapping[str, Any]) -> None:
        """Check that the factory passes its arguments on to the class, and has the same defaults."""
        node = self.factory
        assert node is not None
        defaults = dict(self.defaults(node))
        if node.name != name or defaults != dict(kind.defaults) or len(node.args.args) != len(defaults):
            raise self.error(node, f"the factory is not {name} with the arguments of {kind.name}")
        scope = Scope({**defaults, **arguments}, self.locals_of(node))
        scope.made = []
        self.run(node.body, scope)
        if not isinstance(scope.returned, Made) or scope.returned.module is not made.module:
            raise self.error(node, f"{name} does not make what {kind.name} makes")

    def construct(self, kind: Class, args: list[Any], keywords: Mapping[str, Any], node: ast.AST) -> Made:
        """A new instance of a class of the file."""
        bound = self.bind(kind.init, kind.defaults, args, keywords, node)
        key = (kind, *map(_key, bound.values()))
        first = self.clock = self.clock + 1
        module = self.instances.get(key)
        if module is None:
            module = Container(kind, getattr(node, "lineno", 0))
            self.fill(module, kind, bound)
            self.instances[key] = module
        self.clock += 1
        return Made(module, first, self.clock, getattr(node, "lineno", 0))

    def bind(
        self, function: ast.FunctionDef, defaults: Mapping[str, Any], args: list[Any], keywords: Mapping[str, Any],
        node: ast.AST,
    ) -> dict[str, Any]:  # fmt: skip
        """The values of a method's arguments, without `self`."""
        names = [argument.arg for argument in function.args.args[1:]]
        given = {**dict(zip(names, args, strict=False)), **keywords}
        if len(args) > len(names) or set(given) - set(names) or set(names[: len(args)]) & set(keywords):
            raise self.error(node, f"the arguments do not fit {names}")
        if missing := [name for name in names if name not in given and name not in defaults]:
            raise self.error(node, f"the arguments {missing} are missing")
        return {name: given[name] if name in given else defaults[name] for name in names}

    def fill(self, module: Container, kind: Class, names: dict[str, Any]) -> None:
        """Run a constructor."""
        scope = Scope(dict(names), self.locals_of(kind.init), module)
        scope.made = []
        self.run(kind.init.body, scope)
        if not scope.ready:
            raise self.error(kind.init, "the constructor does not call super().__init__")
        for made in scope.made:
            if not made.owned:
                raise ValidationError(self.file, made.line, kind.name, "a module is made and not registered")

    def register(self, owner: Container, name: Any, made: Any, node: ast.AST, scope: Scope | None = None) -> None:
        """Put a module or a parameter under a name into another one."""
        if scope is not None and not scope.ready:
            raise self.error(node, "a module is registered before super().__init__ is called")
        known = owner.modules.keys() | owner.parameters.keys() | owner.attributes.keys()
        if not isinstance(name, str) or not name or "." in name or name in known:
            raise self.error(node, f"nothing can be registered as {name!r} here")
        if owner.fillings:
            raise self.error(node, f"{name} is registered after parameters were initialised")
        if isinstance(made, Parameter):
            owner.parameters[name] = made
            return
        if not isinstance(made, Made) or made.owned:
            raise self.error(node, f"{name} is {'registered already' if isinstance(made, Made) else 'no module'}")
        if made.first <= owner.last:
            raise self.error(node, f"{name} is made before, and registered after another module")
        made.owned, owner.last, owner.lines[name] = True, made.last, made.line
        owner.modules[name] = made.module

    def sequential(self, args: list[Any], node: ast.AST, into: Container | None = None) -> Container:
        """An `nn.Sequential` of modules, or of an `OrderedDict` of them."""
        found = Container(None, getattr(node, "lineno", 0)) if into is None else into
        entries = (
            args[0]
            if len(args) == 1 and isinstance(args[0], dict)
            else dict(zip(map(str, range(len(args))), args, strict=True))
        )
        for name, made in entries.items():
            self.register(found, name, made, node)
        return found

    # -- forward ----------------------------------------------------------------------------------------------

    def trace(self, module: Container, training: bool) -> Trace:
        """What a module's `forward` does."""
        found = module.traces.get(training)
        if found is None:
            found = _chain(module) if module.is_sequential else self.traced(module, training)
            module.traces[training] = found
            if not found.depends_on_mode:
                module.traces[not training] = found
        return found

    def traced(self, module: Container, training: bool) -> Trace:
        """Run a `forward` on symbolic tensors."""
        assert module.kind is not None
        node = module.kind.forward
        if node is None:
            raise self.error(module.kind.init, f"class {module.kind.name} has no forward")
        inputs = [argument.arg for argument in node.args.args[1:]]
        if node.args.defaults:
            raise self.error(node, "an input of forward has a default")
        scope = Scope({name: Value(-1 - number) for number, name in enumerate(inputs)}, self.locals_of(node), module)
        scope.trace, scope.mode = Trace(len(inputs), []), training
        self.run(node.body, scope)
        self.finish(scope.trace, scope.returned, node, scope)
        return scope.trace

    def finish(self, trace: Trace, returned: Any, node: ast.AST, scope: Scope) -> None:
        """Take up what a `forward` returns: a tensor, several, a named tuple, or a mapping."""
        if isinstance(returned, tuple) and len(returned) == 2 and isinstance(returned[0], Record):
            trace.record = returned
            return
        if isinstance(returned, dict):
            trace.names, values = tuple(returned), tuple(returned.values())
            if not values or not all(isinstance(value, Value) for value in values):
                raise self.error(node, "forward returns a mapping of what are no tensors")
            trace.result = self.applied(node, scope, "collect", [values], {}, False)
        else:
            trace.result = self.tensor(returned, node, scope)

    def tensor(self, value: Any, node: ast.AST, scope: Scope) -> Value:
        """A value of `forward`; a tuple of several is one value, too."""
        if isinstance(value, Value):
            return value
        if not isinstance(value, tuple) or not value or not all(isinstance(part, Value) for part in value):
            raise self.error(node, "forward returns no tensor")
        sources = {part.source for part in value}
        if len(sources) == 1 and [part.part for part in value] == list(range(len(value))):
            self.parts(Value(value[0].source), len(value), node, scope)
            return Value(value[0].source)
        return self.applied(node, scope, "collect", [value], {}, False)

    # -- statements -------------------------------------------------------------------------------------------

    def run(self, statements: list[ast.stmt], scope: Scope) -> bool:
        """Run statements; whether one of them returned."""
        return any(self.statement(node, scope) for node in statements)

    def statement(self, node: ast.stmt, scope: Scope) -> bool:
        """Run one statement; whether it returned."""
        if isinstance(node, ast.Assign) and len(node.targets) == 1:
            self.assign(node.targets[0], self.value(node.value, scope), scope)
        elif isinstance(node, ast.Expr):
            self.expression(node.value, scope)
        elif isinstance(node, ast.Return) and node.value is not None:
            scope.returned = self.value(node.value, scope)
            return True
        elif isinstance(node, ast.If):
            return self.run(node.body if self.truth(node.test, scope) else node.orelse, scope)
        elif isinstance(node, ast.For) and not node.orelse:
            return self.loop(node, scope)
        elif isinstance(node, ast.AugAssign) and isinstance(node.target, ast.Name):
            self.augment(node, node.target, scope)
        elif isinstance(node, ast.AnnAssign) and node.value is not None:
            self.assign(node.target, self.value(node.value, scope), scope)
        elif not isinstance(node, ast.Pass):
            raise self.error(node, f"'{ast.unparse(node)[:80]}' is not understood")
        return False

    def expression(self, node: ast.expr, scope: Scope) -> None:
        """A statement that is an expression: a docstring, or a call for its effect."""
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            return
        if not isinstance(node, ast.Call):
            raise self.error(node, f"'{ast.unparse(node)}' has no effect")
        if _is_initialiser(node.func) and scope.made is not None:
            scope.owner.fillings.append(Filling(node, dict(scope.names)))
        else:
            self.value(node, scope)

    def loop(self, node: ast.For, scope: Scope) -> bool:
        """Run a loop; one over `self.modules()` is kept for when parameters are initialised."""
        if scope.made is not None and _is_walk(node.iter):
            scope.owner.fillings.append(Filling(node, dict(scope.names)))
            return False
        for item in self.items(node.iter, scope):
            self.assign(node.target, item, scope)
            if self.run(node.body, scope):
                return True
        return False

    def augment(self, node: ast.AugAssign, target: ast.Name, scope: Scope) -> None:
        """`x += y` on a tensor overwrites it, on a list extends it."""
        before = self.lookup(ast.copy_location(ast.Name(target.id, ast.Load()), target), scope)
        if isinstance(before, list) and isinstance(node.op, ast.Add):
            before.extend(self.items(node.value, scope))
            return
        value = self.value(node.value, scope)
        scope.names[target.id] = self.calculated(node.op, before, value, node, scope, isinstance(before, Value))

    def set_attribute(self, target: ast.expr, value: Any, scope: Scope) -> None:
        """Register a module or a parameter, or keep a number, under an attribute of `self`."""
        owner = scope.owner
        if not isinstance(target, ast.Attribute) or scope.made is None or self.value(target.value, scope) is not owner:
            raise self.error(target, f"'{ast.unparse(target)}' cannot be assigned here")
        name = target.attr
        if isinstance(value, Made | Parameter):
            if owner.attributes.get(name, ...) is None:
                del owner.attributes[name]
            self.register(owner, name, value, target, scope)
        elif not scope.ready or name in owner.modules or name in owner.parameters or owner.fillings:
            raise self.error(target, f"self.{name} cannot be set here")
        elif isinstance(value, bool | int | float | str | tuple | list | None):
            owner.attributes[name] = value
        else:
            raise self.error(target, f"self.{name} is no module, number, text or list")

    # -- what calls and attributes come to ----------------------------------------------------------------------

    def of_module(self, owner: Any, name: str, node: ast.AST, scope: Scope) -> Any:
        """An attribute of `self`, or a method of it."""
        if owner is not scope.owner or not isinstance(owner, Container):
            raise self.error(node, f"'.{name}' of a module inside another one")
        if name == "training" and scope.trace is not None:
            return MODE
        if name in owner.attributes:
            return owner.attributes[name]
        if scope.trace is not None:
            if name in owner.modules:
                return Bound(owner, f"modules.{name}")
            if name in owner.parameters:
                return Value(name)
            if name in ("children", "named_children", "get_submodule", "get_parameter"):
                return Bound(owner, name)
        elif scope.made is not None and name in ("add_module", "register_module", "register_parameter"):
            return Bound(owner, name)
        raise self.error(node, f"self has no '{name}' here")

    def of_entry(self, owner: Container, index: Any, node: ast.AST, scope: Scope) -> Any:
        """`self[0]` in the `forward` of an `nn.Sequential`."""
        names = list(owner.modules)
        is_own = owner is scope.owner and owner.kind is not None and owner.kind.is_sequential
        if not is_own or scope.trace is None or type(index) is not int or not 0 <= index < len(names):
            raise self.error(node, f"'{ast.unparse(node)}' is not understood")
        return Bound(owner, f"modules.{names[index]}")

    def of_other(self, owner: Any, name: str, node: ast.AST) -> Any:
        """An attribute of what is looked at when parameters are initialised."""
        found = getattr(owner, "attribute", None)
        if found is None:
            raise self.error(node, f"'.{name}' is not understood")
        return found(name, node)

    def apply(self, callee: Any, args: list[Any], keywords: dict[str, Any], node: ast.Call, scope: Scope) -> Any:
        """What a call yields."""
        if isinstance(callee, Bound):
            return self.method(callee, args, keywords, node, scope)
        if isinstance(callee, Special):
            return self.special(callee.name, args, keywords, node, scope)
        if isinstance(callee, Class) and scope.made is not None:
            return self.remember(self.construct(callee, args, keywords, node), scope)
        if isinstance(callee, Record) and scope.trace is not None:
            return self.record(callee, args, keywords, node)
        if isinstance(callee, Name):
            return self.of_torch(callee, args, keywords, node, scope)
        if not _is_function(callee):
            raise self.error(node, f"'{ast.unparse(node.func)}' cannot be called here")
        try:
            return callee(*args, **keywords)
        except (TypeError, ValueError, ArithmeticError) as error:
            raise self.error(node, f"'{ast.unparse(node)}': {error}") from None

    def record(self, kind: Record, args: list[Any], keywords: dict[str, Any], node: ast.AST) -> Any:
        """A named tuple of values."""
        values = dict(zip(kind.fields, args, strict=False)) | keywords
        if len(args) > len(kind.fields) or tuple(values) != kind.fields:
            raise self.error(node, f"the arguments do not fit {kind.name}")
        return kind, tuple(values.values())

    def of_torch(self, name: Name, args: list[Any], keywords: dict[str, Any], node: ast.AST, scope: Scope) -> Any:
        """A function of torch's on tensors, or a module."""
        path = name.path
        if scope.filled is not None and path.startswith("nn.init."):
            scope.filled.append((path, tuple(args), keywords))
            return None
        if scope.trace is not None:
            return self.applied(node, scope, path, args, keywords, False)
        if path == "torch.full" and len(args) == 2 and isinstance(args[0], tuple) and isinstance(args[1], float):
            return Filled(args[0], args[1])
        if path == "nn.Parameter" and len(args) == 1 and isinstance(args[0], Filled) and not keywords:
            return Parameter(args[0])
        if scope.made is None or not (name.base or re.fullmatch(r"nn\.[A-Z]\w*", path)):
            raise self.error(node, f"{path} cannot be called here")
        if path == "nn.Sequential" and not keywords:
            return self.remember(self.made_of(self.sequential(args, node), args, node), scope)
        self.clock += 1
        return self.remember(Made(self.leaf(name, args, keywords, node), self.clock, self.clock, node.lineno), scope)  # type: ignore[attr-defined]

    def made_of(self, module: Container, args: list[Any], node: ast.AST) -> Made:
        """A sequence is made when its first and its last entry are."""
        entries = args[0].values() if args and isinstance(args[0], dict) else args
        times = [time for made in entries for time in (made.first, made.last)]
        self.clock += not times
        times = times or [self.clock]
        return Made(module, min(times), max(times), getattr(node, "lineno", 0))

    def leaf(self, name: Name, args: list[Any], keywords: dict[str, Any], node: ast.AST) -> Leaf:
        """A module of torch's; equal ones are one object."""
        key = (name.path, *map(_key, args), *((word, _key(value)) for word, value in sorted(keywords.items())))
        if key not in self.leaves:
            self.leaves[key] = Leaf(name.path, tuple(args), keywords, name.base)
        return self.leaves[key]

    def remember(self, made: Made, scope: Scope) -> Made:
        """Note what a constructor makes: it must register it."""
        assert scope.made is not None
        scope.made.append(made)
        return made

    def special(self, name: str, args: list[Any], keywords: dict[str, Any], node: ast.Call, scope: Scope) -> Any:
        """`super()`, `OrderedDict(…)`, `isinstance(…)`, `getattr(self, …)`."""
        if name == "super" and not args and scope.made is not None:
            return _SUPER
        if name == "OrderedDict" and len(args) <= 1 and not (args and keywords):
            entries = [*(args[0] if args else ()), *keywords.items()]
            if not all(type(entry) is tuple and len(entry) == 2 for entry in entries):
                raise self.error(node, "an OrderedDict of what are no pairs")
            if len({key for key, _ in entries}) < len(entries):
                raise self.error(node, "a name is given twice")
            return dict(entries)
        if name == "isinstance" and len(args) == 2 and hasattr(args[0], "is_a"):
            return args[0].is_a(args[1] if type(args[1]) is tuple else (args[1],))
        if name == "getattr" and len(args) == 2 and args[0] is scope.owner and isinstance(args[1], str):
            return self.of_module(args[0], args[1], node, scope)
        raise self.error(node, f"'{ast.unparse(node)}' is not understood")

    def method(self, bound: Bound, args: list[Any], keywords: dict[str, Any], node: ast.Call, scope: Scope) -> Any:
        """What a method yields."""
        owner, name = bound.owner, bound.name
        if isinstance(owner, Value):
            return self.applied(node, scope, f"Tensor.{name}", [owner, *args], keywords, False)
        if isinstance(owner, list | str):
            return getattr(owner, name)(*args, **keywords)
        if name.startswith("modules."):
            return self.run_module(name.removeprefix("modules."), args, keywords, node, scope)
        if keywords and name != "__init__":
            raise self.error(node, f"'{ast.unparse(node)}' is not understood")
        if name == "__init__" and owner == _SUPER and not scope.ready:
            return self.initialise(args, keywords, node, scope)
        if name in ("add_module", "register_module", "register_parameter") and len(args) == 2:
            return self.register(owner, args[0], args[1], node, scope)
        return self.of_children(owner, name, args, node, scope)

    def initialise(self, args: list[Any], keywords: dict[str, Any], node: ast.AST, scope: Scope) -> None:
        """`super().__init__(…)`: that of `nn.Sequential` takes the modules."""
        scope.ready = True
        if keywords or (args and not scope.owner.kind.is_sequential):
            raise self.error(node, "super().__init__ takes no arguments here")
        self.sequential(args, node, scope.owner)

    def of_children(self, owner: Container, name: str, args: list[Any], node: ast.AST, scope: Scope) -> Any:
        """What `self.children()` and its like yield."""
        modules = {key: Bound(owner, f"modules.{key}") for key in owner.modules}
        if name == "children" and not args:
            return list(modules.values())
        if name == "named_children" and not args:
            return list(modules.items())
        if name == "get_submodule" and len(args) == 1 and args[0] in modules:
            return modules[args[0]]
        if name == "get_parameter" and len(args) == 1 and args[0] in owner.parameters:
            return Value(args[0])
        raise self.error(node, f"self.{name} of {args} is not understood")

    def run_module(self, name: str, args: list[Any], keywords: dict[str, Any], node: ast.AST, scope: Scope) -> Value:
        """Run a module of this one on values; all parts of one, in their order, are that value."""
        assert scope.trace is not None
        args = [self.tensor(arg, node, scope) if isinstance(arg, tuple) else arg for arg in args]
        if keywords or not all(isinstance(arg, Value) for arg in args):
            raise self.error(node, f"self.{name} takes tensors")
        scope.trace.applications.append(Application(getattr(node, "lineno", 0), name, "", tuple(args)))
        return Value(len(scope.trace.applications) - 1)

    def locals_of(self, function: ast.FunctionDef) -> frozenset[str]:
        """The names that a function assigns anywhere."""
        found = self.assigned.get(id(function))
        if found is None:
            found = self.assigned[id(function)] = frozenset(_assigned(function.body))
        return found


def _chain(module: Container) -> Trace:
    """The `forward` of `nn.Sequential`."""
    steps = [Application(module.line, name, "", (Value(number - 1),)) for number, name in enumerate(module.modules)]
    return Trace(1, steps, Value(len(steps) - 1))


def _assigned(statements: list[ast.stmt]) -> Iterator[str]:
    for node in statements:
        targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
        for target in targets:
            if target is not None:
                yield from (part.id for part in ast.walk(target)
                            if isinstance(part, ast.Name) and isinstance(part.ctx, ast.Store))  # fmt: skip
        for inner in ("body", "orelse"):
            yield from _assigned(getattr(node, inner, []))


def _is_docstring(node: ast.stmt) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)


def _is_initialiser(node: ast.expr) -> bool:
    """Whether something is `nn.init.…`."""
    owner = node.value if isinstance(node, ast.Attribute) else node
    return isinstance(owner, ast.Attribute) and owner.attr == "init" and ast.unparse(owner) == "nn.init"


def _is_walk(node: ast.expr) -> bool:
    """Whether something is `self.modules()` or `self.named_modules()`."""
    return isinstance(node, ast.Call) and ast.unparse(node.func) in ("self.modules", "self.named_modules")


def _is_function(callee: Any) -> bool:
    """Whether something is a function of plain values that files may call."""
    known: tuple[Callable[..., Any], ...] = (
        make_divisible,
        math.sqrt,
        math.ceil,
        math.floor,
        IMPORTS["fnmatch", "fnmatchcase"],
    )
    return any(callee is function for function in (*known, *BUILTINS.values()))


def _key(value: Any) -> Any:
    """A value as part of a key: 1, 1.0 and True are three."""
    if isinstance(value, list | tuple):
        return (type(value), *map(_key, value))
    return type(value), value
