"""The parts of a class to print: assignments of its constructor, local names, rules, functions of `forward`."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace

from archspec.backends.python.classes.initialisation import WrittenRule
from archspec.backends.python.formatter import Code, map_trees, trees
from archspec.backends.python.instances.merge import Body
from archspec.backends.python.instances.sites import Site
from archspec.backends.python.instances.variants import Variant


@dataclass(frozen=True)
class Assignment:
    """`self.name = code`; if it has a condition that is false, the attribute is `None`."""

    name: str
    code: Code
    annotation: str = ""
    condition: ast.expr | None = None
    prepare: tuple[tuple[ast.expr | None, Code], ...] = ()
    """For a seq with conditional entries: the entries of its list, each with its condition."""
    loop: tuple[str, ast.expr] | None = None
    """For modules made in a loop: the index and the count; `name` is then an expression over the index."""
    is_local: bool = False
    """Whether a local variable is assigned, since the module is made before another, and registered after it."""
    is_raw: bool = False
    """Whether it is a parameter or buffer of the module itself."""

    def changed(self, change: Callable[[ast.expr], ast.expr]) -> Assignment:
        """The assignment with every expression changed."""
        condition = None if self.condition is None else change(self.condition)
        prepare = tuple((None if c is None else change(c), map_trees(code, change)) for c, code in self.prepare)
        loop = None if self.loop is None else (self.loop[0], change(self.loop[1]))
        code = map_trees(self.code, change)
        return replace(self, code=code, condition=condition, prepare=prepare, loop=loop)

    def expressions(self) -> Iterator[ast.expr]:
        """All expressions of the assignment."""
        yield from trees(self.code)
        if self.condition is not None:
            yield self.condition
        if self.loop is not None:
            yield self.loop[1]
        for condition, code in self.prepare:
            if condition is not None:
                yield condition
            yield from trees(code)


@dataclass
class ClassSource:
    """Everything that is printed of a class."""

    variant: Variant
    body: Body | None
    """Its sites; `None` if it has the `forward` of `nn.Sequential`."""
    is_sequential: bool = False
    """Whether it is derived from `nn.Sequential`."""
    assignments: list[Assignment] = field(default_factory=list)
    removed: list[str] = field(default_factory=list)
    """The statements that remove what is dropped, at the end of the constructor."""
    lets: list[tuple[str, ast.expr]] = field(default_factory=list)
    rules: list[WrittenRule] = field(default_factory=list)
    functions: dict[int, Code] = field(default_factory=dict)
    flags: dict[int, str] = field(default_factory=dict)
    """The attribute that holds a guard's condition, by the guard's identity."""
    containers: Mapping[str, bool] = field(default_factory=dict)
    """Its containers, and whether each is a list."""

    @property
    def sites(self) -> list[Site]:
        """The sites of its body."""
        return [] if self.body is None else self.body.sites

    @property
    def entries(self) -> list[Site]:
        """The sites of the entries of an `nn.Sequential`."""
        count = self.variant.body.entries
        own = [site for site in self.sites if count is None or site.step.position[0] < count]
        return own if self.is_sequential else []

    def change(self, change: Callable[[ast.expr], ast.expr]) -> None:
        """Change every expression of the class except those of its local names."""
        self.assignments = [assignment.changed(change) for assignment in self.assignments]
        self.functions = {number: map_trees(code, change) for number, code in self.functions.items()}
        self.rules = [rule.changed(change) for rule in self.rules]

    def expressions(self) -> Iterator[ast.expr]:
        """All expressions of the class except those of its local names."""
        for assignment in self.assignments:
            yield from assignment.expressions()
        for code in self.functions.values():
            yield from trees(code)
        for rule in self.rules:
            yield from rule.trees
