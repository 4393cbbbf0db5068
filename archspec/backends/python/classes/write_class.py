"""A variant as the text of one class: the assignments of its constructor, and its arguments.

Four objects work on a class: an `AntiUnifier` (one expression for all instances), `ConstructorCalls` (ops and blocks),
`Sequentials` (entries of an `nn.Sequential`) and `Functions` (what `forward` calls). They are combined here.
"""

from __future__ import annotations

import ast
from collections.abc import Container, Iterable, Sequence
from typing import Any

from archspec.backends.python.classes.attributes import Attributes
from archspec.backends.python.classes.calls import ConstructorCalls, is_op
from archspec.backends.python.classes.class_source import Assignment, ClassSource
from archspec.backends.python.classes.containers import Containers, kinds_of
from archspec.backends.python.classes.functions import Functions
from archspec.backends.python.classes.initialisation import written_rules
from archspec.backends.python.classes.local_names import add_local_names
from archspec.backends.python.classes.registration import in_order, removals
from archspec.backends.python.classes.sequential import Entry, Sequentials, is_seq, sequential_call
from archspec.backends.python.formatter import Bracketed
from archspec.backends.python.instances.anti_unification import AntiUnifier, NoCommonForm
from archspec.backends.python.instances.merge import Body
from archspec.backends.python.instances.sites import Host, Loop, NotMergeable, Site
from archspec.backends.python.instances.variants import ConstructorArgument, MustBeFixed, Variant, Variants
from archspec.expressions.rewrite import names_in
from archspec.ir.definition import LAST
from archspec.ir.module import Ref
from archspec.ops.base import Op


def write_class(variant: Variant, variants: Variants, kept: Iterable[Ref] = ()) -> ClassSource:
    """Plan a class, which also returns the values `kept`. The classes it uses must have been written before, since
    their arguments are needed."""
    unifier = AntiUnifier(variant, variants)
    collects = any(LAST in host.steps for host in unifier.hosts)
    runs_itself = collects or variant.body.entries is not None
    if variant.body.is_sequential and not runs_itself:
        text = _sequential_class(unifier)
    elif variant.body.is_sequential and not _has_attributes(unifier.hosts):
        text = _sequential_class_with_forward(unifier)
    else:
        text = _module_class(unifier, kept)
    text.removed = removals(text)
    text.rules = written_rules(unifier)
    add_local_names(text, unifier)
    variant.parameters = _parameters(text, unifier)
    return text


def _has_attributes(hosts: Sequence[Host]) -> bool:
    """Whether all entries of a seq have names that a type checker can follow once they are assigned."""
    return all(str(step.name).isidentifier() for host in hosts for step in host.module.registered)


def _module_class(unifier: AntiUnifier, kept: Iterable[Ref]) -> ClassSource:
    """A class derived from `nn.Module`."""
    variant = unifier.variant
    body = Body(variant.body, unifier.hosts, kept, unifier.variants.unrolled(variant))
    text = ClassSource(variant, body)
    _add_sites(text, body, _Assignments(unifier), range(len(body.sites)))
    in_order(text, unifier)
    return text


def _add_sites(text: ClassSource, body: Body, assignments: _Assignments, assigned: Container[int]) -> None:
    """What the constructor assigns for some sites, and what `forward` calls for all."""
    names = [site.name for site in body.sites if site.name is not None]
    if len(names) > len({*names}):
        raise NotMergeable("items of one name, of which conditions leave one")
    attributes = Attributes(assignments.unifier, text)
    functions = Functions(attributes, text)
    containers = Containers(assignments.unifier, assignments.sequentials, body.sites)
    text.containers = kinds_of(body.sites)
    for number, site in enumerate(body.sites):
        assignments.calls.flattened = _flattened_shape(body, site)
        if number not in assigned:
            pass
        elif site.container:
            if all(known.name != str(site.name).partition(".")[0] for known in text.assignments):
                text.assignments.append(containers.assignment(site))
        elif site.name is not None:
            text.assignments.append(assignments.of_site(site))
        if site.dropped:
            pass
        elif site.name is not None or site.calls is not None:
            functions.add_module_call(number, site)
        else:
            functions.add(number, site)
    attributes.add_flags()


def _sequential_class(unifier: AntiUnifier) -> ClassSource:
    """A class derived from `nn.Sequential`, whose `forward` it has."""
    text = ClassSource(unifier.variant, None, is_sequential=True)
    text.assignments = [_own_entries(_Assignments(unifier))]
    return text


def _sequential_class_with_forward(unifier: AntiUnifier) -> ClassSource:
    """A class derived from `nn.Sequential` that does more than to run its entries: it has a `forward` of its own."""
    body = Body(unifier.variant.body, unifier.hosts, unroll=True)
    text = ClassSource(unifier.variant, body, is_sequential=True)
    assignments = _Assignments(unifier)
    text.assignments = [_own_entries(assignments)]
    if any(site.guard is not None for site in text.entries):
        raise NotMergeable("entries under a condition, whose numbers vary")
    entries = {id(site) for site in text.entries}
    _add_sites(text, body, assignments, [n for n, site in enumerate(body.sites) if id(site) not in entries])
    in_order(text, unifier)
    return text


def _own_entries(assignments: _Assignments) -> Assignment:
    """The entries of the `nn.Sequential` that a class is itself."""
    definition, hosts = assignments.unifier.variant.body, assignments.unifier.hosts
    try:
        entries = assignments.sequentials.entries(definition.items[: definition.entries], hosts)
        return _entries_assignment("super().__init__", entries, None)
    except NoCommonForm:
        raise NotMergeable("the entries differ") from None


def _flattened_shape(body: Body, site: Site) -> tuple[int, ...] | None:
    """The shape of the feature map whose flattened values a site reads, if it reads such."""
    number = site.inputs[0].site if site.inputs else -1
    source = body.sites[number] if number >= 0 else None
    if source is None or not isinstance(source.step.target, Op) or not source.step.target.flattens:
        return None
    shapes = {host.module.shapes(step)[0] for host, step in source.occurrences}
    shape = shapes.pop()
    return tuple(map(int, shape)) if not shapes and len(shape) == 3 and shape[1:] != (1, 1) else None


class _Assignments:
    """What a constructor assigns for the modules of a class."""

    def __init__(self, unifier: AntiUnifier) -> None:
        self.unifier = unifier
        self.calls = ConstructorCalls(unifier)
        self.sequentials = Sequentials(unifier, self.calls)

    def of_site(self, site: Site) -> Assignment:
        """The assignment of a site's module."""
        assert site.name is not None
        condition = None if site.guard is None else self.unifier.condition(site.guard.condition)
        try:
            if site.loop is not None:
                return self.loop_assignment(site, site.loop)
            if is_seq(site.occurrences):
                hosts = [host.inside(step, site.item) for host, step in site.occurrences]
                entries = self.sequentials.entries(site.item.body, hosts)
                return _entries_assignment(site.name, entries, condition)
            code = self.sequentials.target(site.occurrences, site.item, site.name, strict=False)
        except NoCommonForm:
            raise NotMergeable(f"{site.name} differs") from None
        except MustBeFixed:
            if site.loop is None or not self.unifier.variant.is_root:
                raise
            raise NotMergeable(f"{site.name} differs") from None  # without a loop its parameters may remain arguments
        annotation = code.head if isinstance(code, Bracketed) and condition is not None else ""
        return Assignment(site.name, code, annotation, condition, is_raw=site.is_raw)

    def loop_assignment(self, site: Site, loop: Loop) -> Assignment:
        """The modules of a loop, each under its own name."""
        code = self.sequentials.target(site.occurrences, site.item, site.item.name or site.label, strict=True)
        return Assignment(
            self.unifier.name_expression(loop.name, site.occurrences[0], loop.index),
            code,
            loop=(loop.index, self.unifier.count(loop.counts)),
        )


def _entries_assignment(name: str, entries: list[Entry], condition: ast.expr | None) -> Assignment:
    """A seq; if some of its entries are conditional, they are collected in a list first."""
    own = name == "super().__init__"
    if all(found is None for found, *_ in entries):
        code = sequential_call([(key, entry, note) for _, key, entry, note in entries])
        if own:
            code = Bracketed(name, code.arguments, code.explode, comments=code.comments)
        return Assignment(name, code, "nn.Sequential" if condition is not None else "", condition)
    if condition is not None or any(key is not None for _, key, *_ in entries):
        raise NotMergeable("conditional entries of a seq that has names or a condition itself")
    prepare = tuple((found, entry) for found, _, entry, _ in entries)
    return Assignment(name, Bracketed(name if own else "nn.Sequential", ("*layers",)), prepare=prepare)


def _parameters(text: ClassSource, unifier: AntiUnifier) -> list[ConstructorArgument]:
    """The constructor's arguments: the names that are read, those without a default first."""
    variant, names = unifier.variant, unifier.hosts[0].names
    used = {name for tree in [*text.expressions(), *(t for _, t in text.lets)] for name in names_in(tree)}
    used |= variant.op_names | unifier.in_names
    found: list[ConstructorArgument] = []
    for name in names:
        if name in variant.kept and name in used and name not in variant.body.lets:
            values = {id(host.instance): host.names[name] for host in unifier.hosts}
            found.append(ConstructorArgument(name, values, _default(variant, name, names[name])))
    found += [ConstructorArgument(name, values) for name, values in unifier.extra.items()]
    return sorted(found, key=lambda p: p.default is not ...)


def _default(variant: Variant, name: str, value: Any) -> Any:
    """The default of a constructor's argument; `...` for none."""
    if variant.is_root:
        return value
    given = variant.body.params.get(name, ...)
    if given == "=None":  # an explicit null default: without it the parameter would be required
        return None
    is_expression = isinstance(given, str) and given.startswith("=")
    is_unused = name in variant.op_names and not is_op(given, variant.ops)  # no instance runs this op
    return ... if given is None or is_expression or is_unused else given
