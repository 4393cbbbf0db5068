"""A source (a path, the name of a shipped spec, YAML text) → a validated spec.

text ─yaml─▶ data ─model / families─▶ spec ─desugar─▶ core network
"""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from numbers import Number
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Union

from archspec.diagnostics.diagnostic import Diagnostic, DocumentError, SchemaError, SpecError
from archspec.diagnostics.diagnostic import Path as SpecPath
from archspec.diagnostics.suggestions import meant, nearest
from archspec.diagnostics.validation import validate
from archspec.expressions.parse import is_expression
from archspec.frontend.content import Content, read_file, yaml_files
from archspec.frontend.families import FAMILIES, FamilySpec, family
from archspec.frontend.model.network import Network
from archspec.frontend.spec_names import help_for
from archspec.frontend.suffixes import CHECKPOINTS, SAVED
from archspec.frontend.yaml.document import Document
from archspec.frontend.yaml.reader import MAX_DEPTH, parse
from archspec.frontend.yaml.syntax_errors import SURROGATE
from archspec.frontend.yaml.writer import dump
from archspec.ir.graph import Graph
from archspec.ir.notebook_display import Explorable
from archspec.ops import OPS, Ops

if TYPE_CHECKING:
    from archspec.frontend.own_ops import Given

PACKAGE: Final = Path(__file__).parent.parent

OVERRIDE = "override"
"""The file name in errors about an override."""


@dataclass(frozen=True)
class Spec(Explorable):
    """A validated spec: `model` is a family's model or a network in the core language."""

    document: Document
    model: FamilySpec | Network
    overrides: Mapping[str, Any]
    ops: Ops = OPS
    """The ops that it may use."""

    @property
    def name(self) -> str:
        """The network's name."""
        return self.model.name

    @property
    def absent_heads(self) -> tuple[str, ...]:
        """Training-only modules that the family has and this spec switches off: checkpoints may hold them."""
        return self.model.absent_heads() if isinstance(self.model, FamilySpec) else ()

    @cached_property
    def network(self) -> Network:
        """The network in the core language: what a family spec desugars to."""
        return self.model if isinstance(self.model, Network) else self.model.desugar(self.ops)

    @property
    def overridable(self) -> list[str]:
        """The names of what can be overridden: fields and parameters."""
        return [*_fields(type(self.model)), *_params(self.document.data)]

    def locate(self, diagnostic: Diagnostic) -> Diagnostic:
        """A diagnostic with its place in the text; one about a family's network points at the field it came from."""
        if isinstance(self.model, FamilySpec):
            diagnostic = replace(diagnostic, path=self._origin(diagnostic.path))
        return _locate(self.document, self.overrides, diagnostic)

    def _origin(self, path: SpecPath) -> SpecPath:
        assert isinstance(self.model, FamilySpec)
        origins = self.model.origins()
        for part in path:
            if isinstance(part, str) and part in origins:
                return origins[part]
        return ("family",)

    def __repr__(self) -> str:
        changed = "".join(f", {name}={value!r:.40}" for name, value in self.overrides.items())
        return f"Spec({self.name}{changed})"


@dataclass(frozen=True)
class WithOps:
    """A source with own ops that it may use, each a class or a module that defines ops."""

    source: Source
    ops: Given

    def __str__(self) -> str:
        return str(self.source)


Source = Union[str, "os.PathLike[str]", Spec, Graph, Content, WithOps]
"""A path, the name of a shipped spec, YAML text, a loaded spec, a compiled graph, the content of a file; or one of
these with own ops."""


def specs_folder() -> Path:
    """Where the shipped specs are: inside the installed package, or beside it in a checkout."""
    installed = PACKAGE / "specs"
    return installed if installed.is_dir() else PACKAGE.parent / "specs"


def shipped() -> dict[str, Path]:
    """The shipped specs by name."""
    return yaml_files(specs_folder())


def specs() -> list[str]:
    """The names of the specs that archspec ships; any function that takes a spec takes them.

    >>> "resnet101" in specs()
    True
    """
    return list(shipped())


Recover = Callable[[dict[str, Any], Iterable[Diagnostic], Ops], list[Diagnostic]]
"""A function that finds further errors in the data of a core-language network with these ops, whose form has the given
errors."""


def load(source: Source, overrides: Mapping[str, Any], recover: Recover) -> Spec:
    """The spec of a source, validated. Raises `SpecError` with every error found."""
    _require_usable(overrides)
    given, ops = (source.source, _table(source)) if isinstance(source, WithOps) else (source, None)
    if isinstance(given, Graph):
        given = _spec_of(given)
    if isinstance(given, Spec):
        if not overrides and ops in (None, given.ops):
            return given
        return _validated(given.document, {**given.overrides, **overrides}, ops or given.ops, recover)
    text, file = _read(given)
    return _validated(parse(text, file), overrides, ops or OPS, recover)


def _table(source: WithOps) -> Ops:
    """archspec's ops, and those given with a source."""
    from archspec.frontend.own_ops import own_ops  # few specs have any

    return OPS.with_own(own_ops(source.ops))


def _spec_of(graph: Graph) -> Spec:
    """The spec that a graph was compiled from; raises `SpecError` if the graph is another network than the spec's."""
    if graph.features:
        names = ", ".join(feature.name for feature in graph.features)
        message = f"{graph.name} was cut down to {names}, but its spec is that of the whole network"
        help = "summary, render and build accept such a graph; other functions need the spec"
        raise SpecError([Diagnostic("usage", message, help=help)])
    if not isinstance(graph.spec, Spec):
        ends = "ends at the layer that fails" if graph.is_partial else "was not compiled from a spec"
        help = "render draws it" if graph.is_partial else "pass a graph that was compiled from a spec"
        raise SpecError([Diagnostic("usage", f"the graph of {graph.name} {ends}", help=help)])
    return graph.spec


def path_of(source: str) -> Path:
    """The file of a path or of a shipped spec's name; a path that ends in `.yaml` need not exist.

    Raises `DocumentError` if there is no such file and no such shipped spec.
    """
    path = Path(source)
    return path if path.suffix in (".yaml", ".yml") or _is_name_of_file(source) else _shipped(source)


def text(spec: Spec) -> str:
    """A spec as YAML that compiles on its own: as it was written, or with its overrides applied."""
    if not spec.overrides:
        return spec.document.text
    return dump(_overridden(type(spec.model), spec.document.data, spec.overrides))


def _read(source: str | os.PathLike[str] | Content | WithOps) -> tuple[str, str]:
    """The text of a source, and its name in messages."""
    if isinstance(source, Content):
        return source.text, source.name
    if isinstance(source, str) and "\n" in source and not _is_name_of_file(source):
        return source, "<text>"
    if not isinstance(source, str | os.PathLike) or isinstance(os.fspath(source), bytes):
        wanted = "a path, the name of a shipped spec, YAML text, a loaded spec, or a graph"
        raise DocumentError([Diagnostic("usage", f"expected {wanted}, got {source!r:.60} ({type(source).__name__})")])
    path = path_of(source) if isinstance(source, str) else Path(source)
    _require_text(path)
    return _content(path).text, str(path)


def _is_name_of_file(text: str) -> bool:
    """Whether a text names something to read from: a file, a pipe, a device."""
    return os.path.exists(text) and not os.path.isdir(text)


def _content(path: Path) -> Content:
    try:
        return read_file(path)
    except (OSError, ValueError) as error:  # ValueError: a name with a null character
        message = f"cannot be read: {getattr(error, 'strerror', None) or error}"
        help = _file_like(path) if isinstance(error, FileNotFoundError) else ""
        raise DocumentError([Diagnostic("file", message, file=str(path), help=help)]) from None


def _file_like(path: Path) -> str:
    """Help for a file that does not exist: that its folder does not, or the name that was probably meant."""
    if not path.parent.is_dir():
        return f"folder '{path.parent}' does not exist"
    if path.parent == Path() and path.stem in shipped():
        return f"archspec ships '{path.stem}': give its name without '{path.suffix}'"
    found = [Path(name) for name in os.listdir(path.parent)]
    close = meant(path.stem, [other.stem for other in found if other.suffix == path.suffix])
    return close.replace("'?", f"{path.suffix}'?")


def _require_text(path: Path) -> None:
    suffix = path.suffix.lower()
    if suffix in SAVED:
        kind = "a checkpoint" if suffix in CHECKPOINTS else "an exported program"
        help = f"'archspec build' reads the spec in a {', '.join(CHECKPOINTS)} file that archspec wrote"
        raise DocumentError([Diagnostic("file", f"is {kind}, not a spec", file=str(path), help=help)])


def _shipped(name: str) -> Path:
    known = shipped()
    if name not in known:
        message = f"no file or shipped spec is named '{name[:100]}'"
        if os.path.isdir(name):
            raise DocumentError([Diagnostic("file", "is a folder", file=name, help="name the specs in it")])
        raise DocumentError([Diagnostic("file", message, help=help_for(name, known))])
    return known[name]


def _validated(doc: Document, overrides: Mapping[str, Any], ops: Ops, recover: Recover) -> Spec:
    problems: list[Diagnostic] = []
    try:
        model = _model(doc.data)
        problems += _wrong_overrides(model, doc.data, overrides)
        validated = validate(model, _overridden(model, doc.data, overrides), context=ops)
        spec = Spec(doc, validated, dict(overrides), ops)
    except SchemaError as error:
        problems += error.diagnostics
        if isinstance(doc.data, dict) and "layers" in doc.data and "family" not in doc.data:
            problems += recover(_overridden(Network, doc.data, overrides), error.diagnostics, ops)
    if problems:
        raise SchemaError(_locate(doc, overrides, problem) for problem in problems)
    return spec


def _model(data: Any) -> type[FamilySpec] | type[Network]:
    """The model a spec is validated against: its family's, or the core language's."""
    if not isinstance(data, dict):
        raise SchemaError([Diagnostic("schema", "a spec is a mapping: name, input, and a family or layers",
                                      help="begin with 'name: …'; a list of items goes under 'layers:'")])  # fmt: skip
    if "family" not in data:
        if "layers" in data:
            return Network
        near = (meant(str(key), ("family", "layers")) for key in data if key not in Network.model_fields)
        help = next(filter(None, near), f"families: {', '.join(FAMILIES)}")
        raise SchemaError([Diagnostic("schema", "a spec needs a family, or layers in the core language", help=help)])
    name = data["family"]
    if not isinstance(name, str):
        help = f"families: {', '.join(FAMILIES)}"
        raise SchemaError([Diagnostic("schema", "expected the name of a family", ("family",), help=help)])
    if name not in FAMILIES:
        message = f"unknown family '{name}'"
        raise SchemaError([Diagnostic("schema", message, ("family",), help=nearest(name, FAMILIES))])
    return family(name)


def _overridden(model: type[FamilySpec] | type[Network], data: dict[str, Any], overrides: Mapping[str, Any]) -> Any:
    """The data of a spec with overrides applied to its fields and parameters."""
    if not overrides:
        return data
    params = _params(data)
    fields = _fields(model)
    changed = dict(data)
    for name, value in overrides.items():
        if name in params:
            params[name] = value
        elif name in fields:
            changed[name] = list(value) if isinstance(value, tuple) else value
    return {**changed, "params": params} if params else changed


def _wrong_overrides(
    model: type[FamilySpec] | type[Network], data: dict[str, Any], overrides: Mapping[str, Any]
) -> Iterator[Diagnostic]:
    """The overrides of unknown fields and parameters, and those that are not a number where the spec has one."""
    params = _params(data)
    known = [*_fields(model), *params]
    for name, value in overrides.items():
        if name in ("family", "params", "layers", "blocks"):
            yield Diagnostic("usage", f"'{name}' cannot be overridden", (name,), about_key=True,
                             help="edit the spec; parameters are overridden by their own names")  # fmt: skip
        elif name not in known:
            message = f"unknown parameter '{name}'"
            yield Diagnostic("usage", message, (name,), help=nearest(name, known), about_key=True)
        elif _is_number(params.get(name)) and not (_is_number(value) or value is None or is_expression(value)):
            message = f"expected a number, like the {params[name]} in the spec, got {value!r:.60}"
            yield Diagnostic("schema", message, (name,))


def _require_usable(overrides: Mapping[str, Any]) -> None:
    """Refuse overrides with values that no spec can contain."""
    found = [(name, problem) for name, value in overrides.items() if (problem := _unusable(value))]
    if found:
        raise SchemaError(Diagnostic("schema", problem, (name,), file=OVERRIDE) for name, problem in found)


def _unusable(value: Any, depth: int = 0) -> str:
    """Why no spec can contain a Python value; empty if one can. The models check the types that are not named here."""
    if depth > MAX_DEPTH:
        return f"nested more than {MAX_DEPTH} levels deep"
    if isinstance(value, float) and not math.isfinite(value):
        return f"expected a finite number, got {value}"
    if isinstance(value, str) and not value.isascii() and (surrogate := SURROGATE.search(value)):
        return f"the character U+{ord(surrogate[0]):04X} is a lone surrogate, which is not allowed in text"
    parts = [*value, *value.values()] if isinstance(value, dict) else value if isinstance(value, list | tuple) else ()
    return next(filter(None, (_unusable(part, depth + 1) for part in parts)), "")


def _is_number(value: Any) -> bool:
    return isinstance(value, Number) and not isinstance(value, bool)


def _fields(model: type[FamilySpec] | type[Network]) -> list[str]:
    """The fields that can be overridden."""
    if model is Network:
        return ["input", "tokens"]
    return [name for name in model.model_fields if name not in ("family", "params")]


def _params(data: dict[str, Any]) -> dict[str, Any]:
    params = data.get("params")
    return dict(params) if isinstance(params, dict) else {}


def _locate(doc: Document, overrides: Mapping[str, Any], diagnostic: Diagnostic) -> Diagnostic:
    """A diagnostic with its place: in the text, or in the override that its value comes from."""
    path = diagnostic.path
    if path[:1] == ("params",) and len(path) > 1 and path[1] in overrides:
        path = path[1:]
    if path and path[0] in overrides:
        place = _as_document(str(path[0]), overrides[str(path[0])])
        diagnostic = replace(diagnostic, path=path)
        return place.locate_diagnostic(diagnostic) if place else replace(diagnostic, file=OVERRIDE)
    return doc.locate_diagnostic(diagnostic)


def _as_document(name: str, value: Any) -> Document | None:
    """An override as it would be written in a spec; `None` if YAML cannot express it."""
    value = list(value) if isinstance(value, tuple) else value
    try:
        return parse(dump({name: value}), OVERRIDE) if _is_plain(value) else None
    except DocumentError:
        return None


def _is_plain(value: Any) -> bool:
    if isinstance(value, list | dict):
        return all(map(_is_plain, value.values() if isinstance(value, dict) else value))
    return value is None or type(value) in (bool, int, float, str)
