"""The parts of the README files that are generated from the code; `python tests/reference.py` updates them.

Such a part is between `<!-- begin: name -->` and `<!-- end: name -->`. `test_docs.py` compares it with the code.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, Final

from pydantic import BaseModel

import archspec
from archspec.expressions.functions import FUNCTIONS
from archspec.expressions.grammar import MAX_DEPTH, MAX_EXPONENT, MAX_INT, MAX_LENGTH, MAX_LIST, SHAPE_ATTRIBUTES
from archspec.expressions.rewrite import MAX_TERMS
from archspec.frontend import library
from archspec.frontend.families import FAMILIES, FamilySpec, family
from archspec.frontend.loader import shipped
from archspec.frontend.model.block import Block
from archspec.frontend.model.item import Item
from archspec.frontend.model.network import Header, Network
from archspec.frontend.model.outputs import OutputSpec
from archspec.frontend.schema import described
from archspec.frontend.yaml import reader
from archspec.frontend.yaml.scalars import MAX_DIGITS
from archspec.frontend.yaml.writer import dump
from archspec.ir.limits import MAX_MEMORY, MAX_NODES, MAX_STEPS, MAX_WORK
from archspec.ops import OPS
from archspec.ops.base import Op
from archspec.ops.initialisers import INITIALISERS
from archspec.passes.specialize.specializer import MAX_BLOCK_DEPTH

ROOT: Final = Path(__file__).parent.parent
FILES: Final = (ROOT / "README.md", ROOT / "specs" / "README.md")
REFRESH: Final = "refresh it with: python tests/reference.py"

_MARKED = re.compile(r"(<!-- begin: (\w+) -->\n).*?(<!-- end: \2 -->)", re.DOTALL)

Form = dict[str, Any]


def refreshed(text: str) -> str:
    """A document with every marked part generated again."""
    return _MARKED.sub(lambda found: f"{found[1]}{PARTS[found[2]]()}\n{found[3]}", text)


def table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    """A Markdown table."""
    lines = [head, tuple("---" for _ in head), *rows]
    return "\n".join(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in line)} |" for line in lines)


# -- fields of models -------------------------------------------------------------------------------------------


def fields(model: type[BaseModel], without: Iterable[str] = ()) -> list[tuple[str, str, str, str]]:
    """Name, values, default and meaning of each field of a model."""
    definitions = described(model)
    made = definitions[model.__name__]
    forms = {name: form for name, form in made.get("properties", {}).items() if name not in set(without)}
    required = {name: name in made.get("required", []) for name in forms}
    return [
        (f"`{name}`", _field_values(required[name], form, definitions), default(required[name], form),
         form.get("description", ""))
        for name, form in forms.items()
    ]  # fmt: skip


def _field_values(required: bool, form: Form, definitions: dict[str, Form]) -> str:
    """The values of a field; null is listed only if it differs from leaving the field out."""
    optional = not required and "default" not in form
    parts = [part for part in form.get("anyOf", [form]) if not (optional and part == {"type": "null"})]
    return values({"anyOf": parts}, definitions)


def default(required: bool, form: Form) -> str:
    if required:
        return "required"
    given = form.get("default")
    if given is None or given in ([], {}):
        return "–"
    return f"`{_plain(given)}`"


def values(form: Form, definitions: dict[str, Form]) -> str:
    """The values of a field, in words."""
    if "$ref" in form:
        return named(form["$ref"].rsplit("/", 1)[-1], definitions)
    if "anyOf" in form:
        return " or ".join(dict.fromkeys(values(part, definitions) for part in form["anyOf"]))
    if "enum" in form:
        return " or ".join(f"`{word}`" for word in form["enum"])
    if "const" in form:
        return f"`{form['const']}`"
    return simple(form, definitions)


def named(name: str, definitions: dict[str, Form]) -> str:
    known = {"InitRule": "an [init rule](#initialisation)", "Item": "an [item](#items)", "Block": "a block",
             "OutputSpec": "[outputs](#outputs)", "Value": "a value",
             "Expression": "an [expression](#expressions)"}  # fmt: skip
    keys = ", ".join(f"`{key}`" for key in definitions.get(name, {}).get("properties", {}))
    return known.get(name) or f"a mapping of {keys}"


def simple(form: Form, definitions: dict[str, Form]) -> str:
    match form.get("type"):
        case "integer" | "number":
            return number(form)
        case "array" if form.get("maxItems") == 2 == form.get("minItems"):
            return "`[height, width]`"
        case "array" if "prefixItems" in form:
            return f"tuple ({', '.join(values(part, definitions) for part in form['prefixItems'])})"
        case "array":
            exactly = f"{form['maxItems']} " if form.get("maxItems") == form.get("minItems", -1) else ""
            return f"list of {exactly}{_plural(values(form.get('items', {}), definitions))}"
        case "object":
            inner = next(iter(form.get("patternProperties", {}).values()), form.get("additionalProperties"))
            return f"mapping of names to {_plural(values(inner if isinstance(inner, dict) else {}, definitions))}"
    words = {"boolean": "true or false", "string": "text", "null": "null"}
    return words.get(form.get("type", ""), "a value")


def _plural(what: str) -> str:
    words = {"a value": "values", "a block": "blocks", "text": "names", "integer": "integers", "number": "numbers",
             "list": "lists", "tuple": "tuples", "mapping": "mappings"}  # fmt: skip
    for word, words_ in words.items():
        what = re.sub(rf"^{word}\b", words_, what)
    return what.replace("an [item]", "[items]").replace("an [init rule]", "[init rules]")


def number(form: Form) -> str:
    what = str(form["type"])
    least, most = form.get("minimum"), form.get("maximum")
    if "exclusiveMinimum" in form:
        return f"{what} > {form['exclusiveMinimum']:g}"
    if least is not None and most is not None and most < 10_000:
        return f"{what} from {least:g} to {most:g}"
    return what if least is None else f"{what} ≥ {least:g}"


_HEAD = ("field", "values", "default", "meaning")


# -- the parts --------------------------------------------------------------------------------------------------


def header() -> str:
    return table(_HEAD, fields(Header))


def network() -> str:
    return table(_HEAD, fields(Network, Header.model_fields))


def block() -> str:
    return table(_HEAD, fields(Block))


def outputs() -> str:
    return table(_HEAD, fields(OutputSpec))


def items() -> str:
    rows = fields(Item, ("name", "arguments"))
    return table(("field", "meaning"), [(name, about) for name, _, _, about in rows])


def families() -> str:
    return "\n\n".join(_family(name) for name in FAMILIES)


def _family(name: str) -> str:
    model = family(name)
    users = [
        f"`{spec}`" for spec, path in shipped().items() if f"\nfamily: {name}\n" in path.read_text(encoding="utf-8")
    ]
    about = " ".join((model.__doc__ or "").split())
    rows = fields(model, [*Header.model_fields, "family", "num_classes", "params", "init"])
    return f"### `family: {name}`\n\n{about} Shipped: {', '.join(users)}.\n\n{table(_HEAD, rows)}"


def common() -> str:
    rows = fields(FamilySpec, Header.model_fields)
    return table(_HEAD, rows)


def blocks() -> str:
    return table(("block", "parameters", "description"), map(_block, library.names()))


def _block(name: str) -> tuple[str, str, str]:
    found = library.block(name)
    assert found is not None
    given = [f"`{key}`" if value is None else f"`{key}: {_plain(value)}`" for key, value in found.params.items()]
    return f"`{name}`", ", ".join(given) or "–", found.description or ""


def _plain(value: object) -> str:
    """A value as YAML on one line, however deep its lists go: a cell of a table has no second line.

    >>> _plain([["MBConv", 1], ["MBConv", 6]])
    '[[MBConv, 1], [MBConv, 6]]'
    """
    if isinstance(value, list):
        return f"[{', '.join(map(_plain, value))}]"
    return dump({"x": value}).removeprefix("x: ").strip()


def ops() -> str:
    return "\n".join(_ops())


def _ops() -> Iterator[str]:
    for kind, op in OPS.items():
        yield f"- **`{kind}`** ({_arity(op)}{_naming(op)}): {' '.join((op.__doc__ or '').split())}"
        for name, given, value, about in fields(op):
            given = "an [initialiser](#initialisation)" if name.strip("`") in op.initialised_by else given
            stated = "required" if value == "required" else "optional" if value == "–" else f"default {value}"
            yield f"  - {name} ({given}; {stated}): {about}"
        if op.open_fields:
            yield f"  - any other name (integer ≥ 1; optional): {op.open_fields}"


def _naming(op: type[Op]) -> str:
    """Whether an op is a module, a function or either."""
    if op.raw or op.function is Op.function:
        return ", name required"
    return "" if op.module else ", never a module"


def _arity(op: type[Op]) -> str:
    least, most = op.arity
    if most is None:
        return f"{least} or more inputs"
    inputs = {0: "no input", 1: "1 input"}.get(least, f"{least} inputs")
    return inputs if least == most else f"{least} to {most} inputs"


def functions() -> str:
    return " ".join(f"`{name}`" for name in FUNCTIONS)


def attributes() -> str:
    return " ".join(f"`.{name}`" for name in SHAPE_ATTRIBUTES)


def initialisers() -> str:
    rows = []
    for name, known in INITIALISERS.items():
        given = [f"`{key}` (required)" for key in known.required]
        given += [f"`{key}` = `{value}`" for key, value in known.defaults.items()]
        rows.append((f"`{name}`", ", ".join(given) or "–", f"`torch.{known.function}`"))
    return table(("initialiser", "arguments", "torch"), rows)


def limits() -> str:
    rows = [
        ("size of a file", f"{reader.MAX_BYTES >> 20} MiB"),
        ("nesting of YAML", f"{reader.MAX_DEPTH} levels"),
        ("values in a file, aliases counted at every use", f"{reader.MAX_VALUES:,}"),
        ("characters in one value", f"{reader.MAX_SCALAR:,}"),
        ("digits of an integer", f"{MAX_DIGITS}"),
        ("characters in an expression", f"{MAX_LENGTH}"),
        ("nesting of an expression", f"{MAX_DEPTH}"),
        ("an integer in an expression", f"2^{MAX_INT.bit_length() - 1}"),
        ("an exponent", f"{MAX_EXPONENT}"),
        ("values of a list", f"{MAX_LIST:,}"),
        (
            "nodes of a network, blocks counted at every use; `--max-nodes` sets another limit",
            f"{MAX_NODES:,}",
        ),
        ("nesting of blocks", f"{MAX_BLOCK_DEPTH} levels"),
        ("steps of work of one command; `--max-steps` sets another limit", f"{MAX_STEPS:,}"),
        (
            "memory that `build`, `verify` and `import` may take; `--max-memory` sets another limit",
            f"{MAX_MEMORY >> 30} GiB",
        ),
        ("operations of what they run; `--force` lifts both limits", f"10^{len(str(MAX_WORK)) - 1}"),
        (
            "terms of the expression for a size in generated source; beyond, all sizes are numbers",
            f"{MAX_TERMS}",
        ),
    ]
    return table(("quantity", "limit"), rows)


def zoo() -> str:
    rows = []
    for name in shipped():
        net = archspec.compile(name)
        shape = "×".join(map(str, net.input_shape))
        rows.append((f"[`{name}`]({shipped()[name].name})", shape, f"{net.params:,}", f"{net.macs:,}", net.description))
    return table(("spec", "input", "parameters", "MACs", "description"), rows)


PARTS: Final[dict[str, Callable[[], str]]] = {
    part.__name__: part
    for part in (header, common, network, block, outputs, items, families, blocks, ops, functions, attributes,
                 initialisers, limits, zoo)
}  # fmt: skip


def main() -> None:
    """Update the marked parts."""
    for path in FILES:
        path.write_text(refreshed(path.read_text(encoding="utf-8")), encoding="utf-8")


if __name__ == "__main__":
    main()
