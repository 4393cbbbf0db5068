"""Specs are untrusted: whatever they contain, they compile or give a printable error, and no text breaks out."""

from __future__ import annotations

import ast
import builtins
import copy
import csv
import io
import json
import random
import re
import time
import xml.etree.ElementTree as ElementTree
from pathlib import Path
from typing import Any, Final

import pytest
from checks import Case, check_network, drawn, expanded, generated, inferred, interpreted
from click.testing import CliRunner
from exhaustive import first, one_of_each_family
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from torch import nn

import archspec
from archspec.cli.check import Findings
from archspec.cli.commands import app
from archspec.diagnostics.diagnostic import Diagnostic, SpecError
from archspec.diagnostics.json_text import json_text
from archspec.frontend.loader import shipped
from archspec.frontend.yaml.reader import parse
from archspec.frontend.yaml.writer import dump

HANG: Final = 10.0
"""Seconds of CPU that no spec of ordinary size takes, on a busy machine either; what does not end takes more."""

MAX_NODES: Final = 20_000
SMALL: Final = 400
"""Networks of more steps in all their blocks are analysed, and not written as source, to keep the tests short."""

TEXTS: Final = (
    "", " ", "'", '"', '"""', "'''", "\\", '\\"""', "a\nb", "a\r\nimport os", '"""\nimport os\n"""', "{{ 7 * 7 }}",
    "{% for x in y %}", "{0}", "%s", "${HOME}", "`id`", "$(id)", "<b>", "</text><script>x</script>", "<!--", "-->",
    "]]>",
    "&amp;", "&#0;", "\\G", "\\N", "|", "a|b", "*a*", "[a](b)", "#", "=1+1", "+1", "-1", "@a", "=cmd|' /C calc'!A0",
    "\t=1", "\x1b[31m", "\u202e\u2066", "\u2028", "\x85", "\ufeff", "\U0001f600", "é" * 50, "x" * 3000, "a'b, c'd",
    "a'+__import__('os').getcwd()+'b", "__class__", "forward", "1e999", "0x10", "=", "==", "=x", "={i}", "{", "}",
    "{i}",
    "{__import__}", "input", "input.0", "features.99999999999999999999", "=input.__class__", "='a' * 9", "\\u0041",
)  # fmt: skip

SCALARS: Final[tuple[Any, ...]] = (
    *TEXTS, None, True, False, 0, -1, 1, 2, 7, 2**31, 2**31 - 1, 2**62, 10**17, 0.5, -0.5, 1e308, 5e-324, [], {}, [[]],
    [1, 2], [0, 0], {"op": "relu"}, {"normal": {"std": -1}}, "=1/0", "=2**64", "=10**17*10**17", "=[1]*9", "=9**9**9",
    "=sum([1,2])", "=1 if 2 else x", "=" + "(" * 60 + "1" + ")" * 60, "=" + "-" * 300 + "1", "=" + "1+" * 240 + "1",
)  # fmt: skip


# -- what must hold ---------------------------------------------------------------------------------------------


def outcome(source: Any) -> Any:
    """The graph of a spec, or `None` if it is refused, as a refusal should be."""
    begun = time.process_time()
    try:
        graph = archspec.compile(source, max_nodes=MAX_NODES)
    except SpecError as error:
        check_refusal(error)
        graph = None
    assert time.process_time() - begun < HANG, "a hang"
    return graph


def check_refusal(error: SpecError) -> None:
    """A refusal is located, and printable."""
    text = str(error)
    assert text.startswith("error[")
    assert all(character == "\n" or character.isprintable() for character in text)
    for diagnostic in error.diagnostics:
        assert diagnostic.line or diagnostic.kind in ("file", "limit", "syntax", "schema"), diagnostic
        assert diagnostic.message


def check_outputs(source: Any, graph: Any) -> None:
    """Outputs of a network that compiles contain parts of the spec only as text."""
    if sum(len(module.steps) for module in graph.root.modules) > SMALL:
        return
    begun = time.process_time()
    try:
        check_source(archspec.codegen(source))
    except SpecError as error:
        check_refusal(error)
    check_summaries(source)
    check_dot(archspec.render(source, format="dot", overrides={}).decode())
    assert time.process_time() - begun < 2 * HANG, "a hang"


EXPECTED: Final = (ast.Import, ast.ImportFrom, ast.ClassDef, ast.FunctionDef)
"""The content of a generated file after its docstring."""


def check_source(text: str) -> None:
    docstring, *rest = ast.parse(text).body
    assert isinstance(docstring, ast.Expr)
    assert all(isinstance(node, EXPECTED) for node in rest)
    calls = {node.func.id for node in ast.walk(ast.Module(rest, [])) if isinstance(node, ast.Call)
             and isinstance(node.func, ast.Name)}  # fmt: skip
    assert not calls & {"eval", "exec", "open", "__import__", "compile", "getattr", "globals"}
    assert all(line.isprintable() for line in text.split("\n"))


def check_summaries(source: Any) -> None:
    assert json.loads(archspec.summary(source, format="json", overrides={}))["params"] >= 0
    rows = list(csv.reader(io.StringIO(archspec.summary(source, format="csv", overrides={}))))
    assert len({len(row) for row in rows}) == 1
    assert not any(cell.startswith(tuple("=+-@\t\r")) for row in rows for cell in row)
    table = [
        line for line in archspec.summary(source, format="markdown", overrides={}).splitlines() if line.startswith("|")
    ]
    assert len({len(re.findall(r"(?<!\\)\|", line)) for line in table}) == 1
    assert all(line.isprintable() for line in archspec.summary(source).splitlines())


_STRING = re.compile(r'"(?:[^"\\]|\\.)*"', re.DOTALL)


def check_dot(text: str) -> None:
    """Without what stands in quotes and in markup, nothing is left of a DOT file but its own words."""
    bare = without_markup(_STRING.sub("", text))
    assert not re.search(r"[^\w\s{}\[\]=,;.>#-]", bare), bare


def without_markup(text: str) -> str:
    """DOT without the labels in markup: they stand in angle brackets, which are balanced."""
    kept, depth = [], 0
    for before, character in zip(" " + text, text, strict=False):
        depth += character == "<"
        if depth == 0 or (character == ">" and before == "-"):
            kept.append(character)
        depth -= character == ">" and depth > 0
    assert depth == 0
    return "".join(kept)


# -- arbitrary input --------------------------------------------------------------------------------------------

QUICK = settings(
    max_examples=150, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True, database=None
)

WORDS = st.sampled_from([
    "name", "input", "layers", "op", "conv2d", "relu", "seq", "blocks", "block", "params", "let", "from", "when",
    "else",
    "repeat", "index", "call", "as", "append", "init", "output", "outputs", "register", "family", "resnet", "vgg",
    "stages",
    "cfg", "a", "b", "kernel_size", "out_channels", "type", "fields", "train_only", "description", "weight",
])  # fmt: skip
DATA = st.recursive(
    st.sampled_from(SCALARS) | st.integers() | st.text(max_size=20) | WORDS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(WORDS | st.text(max_size=5), inner, max_size=4),
    max_leaves=25,
)


@QUICK
@given(st.binary(max_size=200))
def test_arbitrary_bytes(tmp_path_factory: pytest.TempPathFactory, data: bytes) -> None:
    path = tmp_path_factory.getbasetemp() / "hostile.yaml"
    path.write_bytes(data)
    outcome(path)


@QUICK
@given(st.text(max_size=300))
def test_arbitrary_text(text: str) -> None:
    outcome(f"{text}\n")


@QUICK
@given(DATA)
def test_arbitrary_yaml(data: Any) -> None:
    outcome(f"{dump(data)}\n")


@QUICK
@given(st.lists(DATA, max_size=3), st.dictionaries(WORDS, DATA, max_size=3))
def test_arbitrary_layers(layers: list[Any], more: dict[str, Any]) -> None:
    data = {**more, "name": "net", "input": [3, 8, 8], "layers": layers}
    source = dump(data)
    graph = outcome(source)
    if graph is not None:
        check_outputs(source, graph)


# -- mutations of the shipped specs -----------------------------------------------------------------------------


def mutated(data: Any, chance: random.Random) -> Any:
    """A spec with a few places changed."""
    data = copy.deepcopy(data)
    for _ in range(chance.randint(1, 3)):
        parent, key = chance.choice(list(places(data)))
        mutate(parent, key, chance)
    return data


def places(data: Any) -> Any:
    """Every place in some data, as the collection and the key or index in it."""
    keys: Any = list(data) if isinstance(data, dict) else range(len(data)) if isinstance(data, list) else ()
    for key in keys:
        yield data, key
        yield from places(data[key])


def mutate(parent: Any, key: Any, chance: random.Random) -> None:
    match chance.randrange(7):
        case 0:
            del parent[key]
        case 1 if isinstance(parent, list):
            parent.insert(chance.randrange(len(parent) + 1), copy.deepcopy(parent[key]))
        case 2:
            other = chance.choice(list(parent) if isinstance(parent, dict) else range(len(parent)))
            parent[key], parent[other] = parent[other], parent[key]
        case 3 if isinstance(parent, dict):
            parent[chance.choice([*TEXTS, "when", "repeat", "from", "as", "op"])] = parent.pop(key)
        case 4:
            parent[key] = [parent[key]] * chance.choice((1, 2, 50))
        case 5:
            parent[key] = nested(parent[key], chance.choice((3, 40, 100)))
        case _:
            parent[key] = chance.choice(SCALARS)


def nested(data: Any, depth: int) -> Any:
    for _ in range(depth):
        data = {"a": data}
    return data


@pytest.mark.parametrize("name", one_of_each_family(sorted(shipped())))
def test_mutations_of_shipped_specs(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    chance = random.Random(name)
    data = parse(shipped()[name].read_text(encoding="utf-8")).data
    core = parse(archspec.expand(name)).data
    for number in range(12):
        source = dump(mutated(core if number % 3 == 0 else data, chance))
        graph = outcome(f"{source}\n")
        if graph is not None and number % 4 == 0:
            check_outputs(source, graph)
    assert list(tmp_path.iterdir()) == [], "a file was written"


PLACES: Final = (
    "item", "as", "append", "index", "block", "param", "let", "name", "class_name", "field", "path", "filled",
)  # fmt: skip
"""Where a spec says names."""


# -- texts that might break out ---------------------------------------------------------------------------------


def network(**changes: Any) -> dict[str, Any]:
    block = {"description": "block", "layers": [{"conv": {"op": "conv2d", "out_channels": 8, "kernel_size": 3}}]}
    return {"name": "net", "description": "net", "reference": "paper", "input": [3, 8, 8], "blocks": {"Part": block},
            "layers": [{"part": {"block": "Part"}}, {"op": "relu"}], **changes}  # fmt: skip


@pytest.mark.parametrize("text", [text for text in TEXTS if len(text) <= 1000], ids=ascii)
def test_texts_stay_texts(text: str) -> None:
    data = network(description=text, reference=f"a {text}")
    data["blocks"]["Part"]["description"] = text
    source = dump(data)
    check_outputs(source, archspec.compile(source))


INVISIBLE: Final = "\x7f\x80\x85\x9b31m\xa0\u200b\u200f\u202e\u2028\u2066\u3000\ufeff\U000e0001"


@pytest.mark.parametrize("format", ["table", "markdown", "csv", "json"])
def test_summaries_of_invisible_characters(format: str) -> None:
    found = archspec.summary(dump(network(description=f"é{INVISIBLE}", reference=INVISIBLE)), format=format)
    assert all(character == "\n" or character.isprintable() for character in found)
    if format == "json":
        assert json.loads(found)["description"] == f"é{INVISIBLE}"


def test_no_text_that_is_printed_has_invisible_characters(tmp_path: Path) -> None:
    """Names of files, keys, words of a spec and its description, in errors and in what is made of it."""
    fine, wrong = tmp_path / f"fine{INVISIBLE}.yaml", tmp_path / f"wrong{INVISIBLE}.yaml"
    fine.write_text(dump(network(description=INVISIBLE, reference=INVISIBLE)), encoding="utf-8")
    wrong.write_text(dump(network(**{INVISIBLE: 1, "output": INVISIBLE})), encoding="utf-8")
    output = f"out{INVISIBLE}"
    for command in (
        ["check", fine, wrong], ["check", "--format", "json", fine, wrong], ["summary", fine], ["expand", fine],
        ["codegen", fine], ["expand", fine, "-o", tmp_path / f"{output}.yaml"], ["list", INVISIBLE],
        ["codegen", fine, "-o", tmp_path / f"{output}.py"], ["render", fine, "-o", tmp_path / f"{output}.dot"],
        ["codegen", "--check", fine, "-o", tmp_path / f"no{output}.py"],
    ):  # fmt: skip
        done = CliRunner().invoke(app, list(map(str, command)))
        shown = done.stdout + done.stderr
        assert shown
        assert all(character == "\n" or character.isprintable() for character in shown), (command, shown)


def test_json_is_that_of_the_json_module() -> None:
    for text in (*TEXTS, INVISIBLE, "\ud800", "a\udcff", "\U0001f600\U000e0001", "\x1b[31m\x7f"):
        for data in (text, {text: [text, {"a": text}]}, [1, None, True, 0.5]):
            for indent in (None, 2):
                found = json_text(data, indent)
                assert json.loads(found) == data
                assert all(character == "\n" or character.isprintable() for character in found)
    assert json_text({"a": "é×\u4e2d\U0001f600"}) == '{"a": "é×\u4e2d\U0001f600"}'


def test_errors_as_json_have_no_invisible_characters() -> None:
    diagnostic = Diagnostic("schema", INVISIBLE, (INVISIBLE, 1), INVISIBLE, (INVISIBLE,), INVISIBLE, f"a{INVISIBLE}")
    found = Findings((), (diagnostic,)).json()
    assert all(character == "\n" or character.isprintable() for character in found)
    assert json.loads(found)[0]["message"] == INVISIBLE


@pytest.mark.parametrize("text", ["a\"><script>&'\\G --> ]]> {{ x }}", "=cmd|' /C calc'!A0 \x1b[31m \u202e"])
def test_svg_is_well_formed(text: str) -> None:
    svg = archspec.render(dump(network(description=text, reference=text)), format="svg")
    tags = {element.tag.rpartition("}")[2] for element in ElementTree.fromstring(svg).iter()}
    assert not tags & {"script", "image", "foreignObject", "iframe"}


@pytest.mark.parametrize("text", TEXTS, ids=ascii)
@pytest.mark.parametrize("place", PLACES)
def test_names_are_refused_or_harmless(text: str, place: str) -> None:
    source = dump(with_name(place, text))
    graph = outcome(source)
    if graph is not None:
        check_outputs(source, graph)


def with_name(place: str, name: str) -> dict[str, Any]:
    """A network that has something of that name, and uses it."""
    conv = {"op": "conv2d", "out_channels": 8, "kernel_size": 3, "padding": 1}
    norm = {"op": "batch_norm2d"}
    match place:
        case "item":
            return network(layers=[{name: conv}, {"op": "relu"}, {"op": "cat", "from": [name, name]}])
        case "as":
            return network(layers=[{"conv": conv}, {"op": "relu", "as": name}, {"op": "add", "from": ["conv", name]}])
        case "append":
            items = [{"op": "cat", "from": ["input", name]}, {"conv{i}": {**conv, "append": name}}]
            return network(
                layers=[{"layers": items, "repeat": 4, "index": "i"}, {"op": "cat", "from": ["input", name]}]
            )
        case "index":
            return network(layers=[{"conv": conv}, {f"conv{{{name}}}": {**conv, "repeat": 4, "index": name}}])
        case "block":
            return network(blocks={name: {"layers": [{"conv": conv}, norm | {"op": "relu"}]}}, layers=[
                {"part": {"block": name}}, {"parts": {"seq": [{"block": name, "repeat": 3}]}}])  # fmt: skip
        case "param" | "let":
            return network(**_parametric(place, name))
        case "path" | "filled":
            path, filled = (name, "weight") if place == "path" else ("fc", name)
            rules = [{"path": path, filled: 0.5}, {"op": "linear", "weight": 0.25}, {"path": f"*{name}", "bias": 0.125}]
            return network(
                layers=[{"flat": {"op": "flatten"}}, {"fc": {"op": "linear", "out_features": 4}}], init=rules
            )
        case "field":
            outputs = {"type": "Outputs", "fields": {name: "fc"}}
            return network(
                layers=[{"flat": {"op": "flatten"}}, {"fc": {"op": "linear", "out_features": 4}}], outputs=outputs
            )
    return network(**{place: name})


def _parametric(place: str, name: str) -> dict[str, Any]:
    """A block and a network that use a parameter, or a local name, in every way there is."""
    conv = {"op": "conv2d", "out_channels": f"={name}", "kernel_size": 3, "padding": 1}
    items = [{"conv": conv}, {"norm": {"op": "batch_norm2d", "when": f"={name} > 8"}},
             {"seq": {"seq": [dict(conv), {"op": "batch_norm2d", "when": f"={name} > 8"}, {**conv, "repeat": 3}]}},
             {"op": "dropout", "p": f"=1 / {name}"}]  # fmt: skip
    init = [{"op": "batch_norm2d", "path": "*norm", "weight": {"constant": {"val": f"=1 / {name}"}}}]
    given: dict[str, Any] = {"params": {name: 8}} if place == "param" else {"let": {name: 8}}
    uses: list[Any] = [{"a": {"block": "Part"}}, {"b": {"block": "Part", **({name: 16} if place == "param" else {})}}]
    return {"blocks": {"Part": {**given, "layers": items, "init": init}}, "layers": [*uses, {"last": conv}], **given}


CLASHING: Final = (
    *(name for name in dir(builtins) if name.islower()), "Ellipsis", "Exception", "nn", "torch", "F",
    "Tensor", "Callable", "Sequence", "OrderedDict", "NamedTuple", "fnmatchcase",
    "self",
    "Permute", "StochasticDepth", "LayerNorm2d", "make_divisible", "channel_affine", "layer", "layers", "x", "x1",
    "out",
    "module", "name", "modules", "forward", "training", "T_destination", "_modules", "_parameters", "_version",
    "in_channels",
    "i", "part", "Part", "Part2", "Net", "net", "Outputs", "annotations", "conv", "kernel_size", "out_channels",
    "weight",
    "_0", "0", "a-b", "match", "case", "type", "_", "features", "result", "_program", "_run", "_definition", "ceil",
    "use_norm",
)  # fmt: skip


NAMES: Final = (generated, interpreted, inferred, expanded, drawn)
"""The forms of specs in which names are tried."""


PARTS: Final = 8
"""Each place gets one part of the names in the usual run, so that each name is tried in one or two places of twelve."""


@pytest.mark.parametrize("part", first(range(PARTS), 1, 4))
@pytest.mark.parametrize("place", PLACES)
def test_names_that_mean_something_in_python(place: str, part: int) -> None:
    """They are refused with a reason, or the generated module is still the built one."""
    names = dict.fromkeys(name for name in CLASHING if not name.startswith("__"))
    for name in [*names][(PLACES.index(place) + part) % PARTS :: PARTS]:
        source = dump(with_name(place, name))
        if outcome(source) is not None:
            try:
                case = Case(source)
                for check in NAMES:
                    check(case)
            except SpecError as error:  # building can fail where compiling does not: a rule that no module fits
                check_refusal(error)
            except Exception as error:
                raise AssertionError(f"{place} {name}") from error


ATTRIBUTES: Final = frozenset(dir(nn.Sequential()))
"""Those of torch itself, read before other tests run: `torch.compile` adds one to the classes that it meets."""


def test_attributes_of_modules_are_no_names() -> None:
    """Also those that this torch has: registering a module under one of them would fail."""
    built = archspec.build(dump(network()))
    own = {*dir(built), *vars(built)} - {*dir(nn.Module)}
    attributes = ATTRIBUTES | own - {"part"}
    for name in sorted(attributes):
        with pytest.raises(SpecError, match="cannot be a name"):
            archspec.compile(dump(with_name("item", name)))


def test_what_is_too_large_is_refused_before_memory_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    huge = {"name": "huge", "input": [100_000], "layers": [{"fc": {"op": "linear", "out_features": 1_000_000}}]}
    monkeypatch.setattr(nn.Linear, "__init__", None)
    with pytest.raises(SpecError, match=r"huge holds 100,001,000,000 numbers \(372.5 GiB of float32\)"):
        archspec.build(dump(huge))


def test_the_limit_can_be_raised_and_lowered() -> None:
    with pytest.raises(SpecError, match="at most 1,000 unless max_params"):
        archspec.build("lenet", max_params=1000)
    assert archspec.build("lenet", max_params=121_182)


def test_values_that_are_too_large_are_not_run(tmp_path: Path) -> None:
    path = tmp_path / "wide.yaml"
    path.write_text(dump(network(input=[3, 100_000, 100_000])), encoding="utf-8")
    done = CliRunner().invoke(app, ["build", str(path)])
    assert done.exit_code == 1
    assert "of memory, more than 16.0 GiB" in done.output


def test_the_name_of_what_is_left_out_is_read_too() -> None:
    item = {"drop{nowhere}": {"op": "dropout", "when": False}}
    with pytest.raises(SpecError, match="unknown name 'nowhere'"):
        archspec.compile(dump(network(layers=[item, {"op": "relu"}])))


# -- expressions that grow ----------------------------------------------------------------------------------------


def growing(kind: str, rounds: int) -> str:
    """A network whose sizes are expressions that double with each item, or grow by a term."""
    lines = ["name: growing", "input: [1, 1, 1]", "blocks:", "  Grow:"]
    if kind == "lets":
        lines += ["    let:", "      a0: =input.channels + 1"]
        lines += [f"      a{i}: =a{i - 1} + a{i - 1}" for i in range(1, rounds)]
    lines += ["    layers:", "    - {op: relu, as: c0}"]
    if kind != "lets":
        others = [f"c{i}" if kind == "doubled" else "input" for i in range(rounds)]
        lines += [f"    - {{op: cat, from: [c{i}, {other}], as: c{i + 1}}}" for i, other in enumerate(others)]
    return "\n".join([*lines, "layers:", "- one: {block: Grow}", "- two: {block: Grow}", ""])


@pytest.mark.parametrize(("kind", "rounds"), [("doubled", 24), ("a term more", 1200), ("lets", 50)])
def test_sizes_that_are_huge_expressions_are_numbers_in_source(kind: str, rounds: int) -> None:
    text = growing(kind, rounds)
    assert archspec.compile(text).output_shape
    start = time.process_time()
    code = archspec.codegen(text)
    assert time.process_time() - start < HANG
    assert len(code) < 100 * rounds + 5000


@pytest.mark.parametrize(("kind", "rounds"), [("doubled", 8), ("a term more", 280), ("lets", 8)])
def test_sizes_that_are_long_expressions_are_written(kind: str, rounds: int) -> None:
    check_network(growing(kind, rounds))
