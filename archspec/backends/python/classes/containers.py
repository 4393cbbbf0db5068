"""The containers of a class, `nn.ModuleList` and `nn.ModuleDict`: their calls, and how `forward` reads them."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import groupby

from archspec.backends.python.classes.class_source import Assignment
from archspec.backends.python.classes.sequential import Entry as SeqEntry
from archspec.backends.python.classes.sequential import Sequentials, run_lengths
from archspec.backends.python.formatter import Bracketed, Code, flat
from archspec.backends.python.instances.anti_unification import AntiUnifier, NoCommonForm
from archspec.backends.python.instances.sites import Loop, NotMergeable, Occurrence, Site
from archspec.ir.container import Container, Entry, leaves
from archspec.ir.module import Step


class Containers:
    """Writes the containers of a class, given all of its sites."""

    def __init__(self, unifier: AntiUnifier, sequentials: Sequentials, sites: Sequence[Site]) -> None:
        self.unifier = unifier
        self.sequentials = sequentials
        self.sites = {id(step): site for site in sites for _, step in site.occurrences}
        """The site of each step."""

    def assignment(self, first: Site) -> Assignment:
        """The assignment of the outermost container that a site's module is in."""
        name = str(first.name).partition(".")[0]
        container = first.occurrences[0].host.module.tree[name]
        assert isinstance(container, Container)
        guards = {self.sites[id(step)].guard for step in self._entries(name)}
        guard = guards.pop()
        if guards:
            raise NotMergeable("entries of a container under different conditions")
        condition = None if guard is None else self.unifier.condition(guard.condition)
        code = self.written(container)
        return Assignment(name, code, code.head if condition is not None else "", condition)

    def _entries(self, name: str) -> Iterator[Step]:
        """The modules in a container in all instances, of which some may have more than others."""
        hosts = {id(o.host): o.host for site in self.sites.values() if site.container for o in site.occurrences}
        for host in hosts.values():
            container = host.module.tree.get(name)
            if isinstance(container, Container):
                yield from leaves(container.entries)

    def written(self, container: Container[Step]) -> Bracketed:
        """The call of a container with its entries."""
        if container.is_list:
            return Bracketed("nn.ModuleList", (self.listed([*container.entries.values()]),))
        pairs = tuple(_pair(name, self.entry(entry)) for name, entry in container.entries.items())
        return Bracketed("nn.ModuleDict", (Bracketed("", pairs, explode=len(pairs) > 1, brackets="{}"),))

    def entry(self, entry: Entry[Step]) -> Code:
        """The call of one entry."""
        if isinstance(entry, Container):
            return self.written(entry)
        site = self.sites[id(entry)]
        return self.call(site, site.occurrences, strict=False)

    def call(self, site: Site, occurrences: Sequence[Occurrence], strict: bool) -> Code:
        """The call of a module in several instances or rounds."""
        try:
            return self.sequentials.target(occurrences, site.item, re.sub(r"\W", "_", str(site.name)), strict)
        except NoCommonForm:
            raise NotMergeable(f"{site.name} differs") from None

    # -- lists ------------------------------------------------------------------------------------------------

    def listed(self, entries: Sequence[Entry[Step]]) -> Bracketed:
        """The entries of a list in brackets; one comprehension is the list itself."""
        found: list[Code] = []
        for _, group in groupby(entries, self._item):
            found += self.alike([*group])
        loop = found[0]
        if len(found) == 1 and isinstance(loop, Bracketed) and loop.head == "*":
            return replace(loop, head="")
        return Bracketed("", tuple(found), explode=len(found) > 1, brackets="[]")

    def _item(self, entry: Entry[Step]) -> object:
        """A key that is equal for entries from the same item."""
        return id(entry) if isinstance(entry, Container) else self.sites[id(entry)].item

    def alike(self, entries: Sequence[Entry[Step]]) -> list[Code]:
        """Rounds of one item: as a comprehension if possible, otherwise separately, with equal rounds grouped again."""
        steps = [entry for entry in entries if isinstance(entry, Step)]
        sites = [*dict.fromkeys(self.sites[id(step)] for step in steps)]
        if not sites:
            return [self.entry(entry) for entry in entries]
        found = self.of_loop(sites[0], sites[0].loop) if sites[0].loop is not None else self.of_rounds(sites)
        return [code for _, _, code, _ in found]

    def of_loop(self, site: Site, loop: Loop) -> list[SeqEntry]:
        """All entries of a list that `forward` runs in a loop."""
        rounds = [[o for o in site.occurrences if o.host is host] for host, _ in loop.counts]
        count = self.sequentials.count(loop.counts)
        found = self.sequentials.in_rounds(site.item, rounds, loop.index, count, names=False)
        if found is not None:
            return found
        if len({*map(len, rounds)}) > 1:
            raise NotMergeable(f"{site.name} differs")
        return self.each(site, [list(column) for column in zip(*rounds, strict=True)])

    def of_rounds(self, sites: Sequence[Site]) -> list[SeqEntry]:
        """Entries made by one item in successive rounds, which `forward` runs one by one."""
        index = _index_of(sites)
        if len(sites) > 1 and index:
            rounds = [[*column] for column in zip(*(site.occurrences for site in sites), strict=True)]
            count = ast.Constant(len(sites))
            found = self.sequentials.in_rounds(sites[0].item, rounds, index, count, names=False)
            if found is not None:
                return found
        return run_lengths([entry for site in sites for entry in self.each(site, [site.occurrences])])

    def each(self, site: Site, rounds: Sequence[Sequence[Occurrence]]) -> list[SeqEntry]:
        """Rounds as separate entries."""
        return run_lengths([(None, None, self.call(site, occurrences, strict=False), "") for occurrences in rounds])


def _index_of(sites: Sequence[Site]) -> str:
    """The loop index that counts these sites from 0 on; empty if there is none."""
    indices = [site.step.indices for site in sites]
    varying = [name for name in indices[0] if len({found.get(name) for found in indices}) > 1]
    counts = len(varying) == 1 and [found[varying[0]] for found in indices] == [*range(len(sites))]
    return varying[0] if counts else ""


def _pair(name: str, code: Code) -> Code:
    """An entry of a dict."""
    return replace(code, head=f'"{name}": {code.head}') if isinstance(code, Bracketed) else f'"{name}": {flat(code)}'


def access(name: str, is_list: Mapping[str, bool]) -> str:
    """How `forward` reads a module: `self.conv`, `self.convs[0]`, `self.towers["left"]`.

    A type checker does not know the entries of a nested container, and a name need not be an identifier.
    """
    first, *inside = name.split(".")
    if len(inside) > 1 or not first.isidentifier():
        return f'self.get_submodule("{name}")'
    return f"self.{first}" + "".join(f"[{part}]" if is_list[first] else f'["{part}"]' for part in inside)


def read_attribute(name: str) -> str:
    """How a tensor of the module itself is read, or a module that may be `None`: `self.table`, `getattr(self, "0")`."""
    return f"self.{name}" if name.isidentifier() else f'getattr(self, "{name}")'


def kinds_of(sites: Sequence[Site]) -> dict[str, bool]:
    """The containers that are not in others, and whether each is a list: the same in all instances."""
    found: dict[str, bool] = {}
    for name, is_list in _kinds(sites):
        if found.setdefault(name, is_list) != is_list:
            raise NotMergeable(f"{name} is a list in some instances only")
    return found


def _kinds(sites: Sequence[Site]) -> Iterator[tuple[str, bool]]:
    seen = {id(o.host): o.host for site in sites if site.container for o in site.occurrences}
    for host in seen.values():
        yield from ((name, e.is_list) for name, e in host.module.tree.items() if isinstance(e, Container))
