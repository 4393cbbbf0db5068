"""The public functions: what they take, what they cost to import, and that every error is a `SpecError`."""

from __future__ import annotations

import inspect
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from click.testing import CliRunner

import archspec
from archspec.cli.commands import app
from archspec.diagnostics.diagnostic import ElaborationError
from archspec.ir.graph import Graph
from archspec.passes.features import extract
from archspec.passes.specialize.specializer import specialize

ROOT = Path(__file__).parent.parent
LENET = ROOT / "specs" / "lenet.yaml"


def python(code: str) -> str:
    """The output of a fresh interpreter."""
    command = [sys.executable, "-W", "error", "-c", code]
    return subprocess.run(command, capture_output=True, text=True, check=True, cwd=ROOT).stdout.strip()


def test_import_loads_nothing() -> None:
    before = set(python("import sys; print(*sys.modules)").split())
    after = set(python("import sys, archspec; print(*sys.modules)").split())
    assert after - before <= {"archspec", "__future__"}


def test_only_build_loads_torch() -> None:
    calls = "a.compile('lenet'); a.codegen('lenet'); a.render('lenet', 'dot'); a.summary('lenet'); a.expand('lenet')"
    assert python(f"import archspec as a, sys; {calls}; print('torch' in sys.modules)") == "False"


@pytest.mark.parametrize(
    "first",
    [
        "import archspec.frontend.loader, archspec.api, archspec.cli.commands, archspec.ir.graph",
        "from archspec.passes import pipeline; from archspec import compile",
        "from archspec import *",
        "import archspec.backends.python.generate, archspec.backends.summary, archspec.backends.diagram",
        "import archspec; archspec.codegen",
    ],
)
def test_names_stay_functions_whatever_is_imported(first: str) -> None:
    names = "archspec.compile, archspec.load, archspec.build, archspec.codegen, archspec.render, archspec.expand"
    assert python(f"{first}\nimport archspec, types; print({{type(f).__name__ for f in ({names})}})") == "{'function'}"


def test_names() -> None:
    assert set(archspec.__all__) <= set(dir(archspec))
    assert all(getattr(archspec, name) is not None for name in archspec.__all__)
    with pytest.raises(AttributeError, match="no attribute 'complie'"):
        getattr(archspec, "complie")  # noqa: B009


def test_version_is_the_distribution_s() -> None:
    version = re.search(r'^version = "(.*)"$', (ROOT / "pyproject.toml").read_text(encoding="utf-8"), re.MULTILINE)
    assert version is not None
    assert version[1] == archspec.__version__


SOURCES = {
    "path": LENET,
    "path as text": str(LENET),
    "shipped name": "lenet",
    "YAML text": LENET.read_text(encoding="utf-8"),
    "loaded spec": archspec.load("lenet"),
    "compiled graph": archspec.compile("lenet"),
}

FUNCTIONS: dict[str, Callable[..., Any]] = {
    "compile": lambda source, **overrides: archspec.compile(source, **overrides).output_shape,
    "codegen": archspec.codegen,
    "render": lambda source, **overrides: archspec.render(source, format="dot", **overrides),
    "expand": archspec.expand,
    "summary": archspec.summary,
    "build": lambda source, **overrides: repr(archspec.build(source, **overrides)),
    "verify": lambda source, **overrides: str(archspec.verify(source, **overrides)),
}


@pytest.mark.parametrize("function", FUNCTIONS)
@pytest.mark.parametrize("source", SOURCES)
def test_every_function_takes_every_source(function: str, source: str) -> None:
    call = FUNCTIONS[function]
    given = call(SOURCES[source], num_classes=7)
    assert given == call(SOURCES[source], overrides={"num_classes": 7}) == call("lenet", num_classes=7)
    assert given != call(SOURCES[source]) == call("lenet")


@pytest.mark.parametrize("function", FUNCTIONS)
@pytest.mark.parametrize(
    ("source", "overrides", "message"),
    [
        ("lenett", {}, "did you mean 'lenet'"),
        (Path("no/such.yaml"), {}, "no/such.yaml: cannot be read"),
        ("x" * 5000, {}, "no file or shipped spec is named"),
        ("x" * 5000 + ".yaml", {}, "cannot be read: File name too long"),
        ("x\0.yaml", {}, "cannot be read: embedded null byte"),
        ("lenet", {"num_clases": 3}, "did you mean 'num_classes'"),
        ("resnet18", {"num_classes": 0}, "num_classes"),
        ("resnet18", {"input": (3, 0, 8)}, "input"),
        ("name: x\ninput: [3, 8, 8]\n", {}, "needs a family, or layers"),
    ],
)
def test_every_error_is_a_spec_error(function: str, source: Any, overrides: dict[str, Any], message: str) -> None:
    with pytest.raises(archspec.SpecError, match=re.escape(message)):
        FUNCTIONS[function](source, **overrides)


@pytest.mark.parametrize("arguments", [{"format": "bmp"}, {"direction": "up"}])
def test_render_checks_its_arguments(arguments: dict[str, str]) -> None:
    with pytest.raises(archspec.SpecError, match=re.escape(next(iter(arguments.values())))):
        archspec.render("lenet", **arguments)  # type: ignore[arg-type]


@pytest.mark.parametrize("name", ["source", "spec", "max_nodes"])
def test_overrides_are_never_taken_for_arguments(name: str) -> None:
    given: Any = {name: 3}
    with pytest.raises(archspec.SpecError, match=f"unknown parameter '{name}'"):
        archspec.load("lenet", **given)


OPTIONS: dict[str, dict[str, Any]] = {
    "compile": {"max_nodes": 9},
    "codegen": {"features": (), "fold_batch_norm": False},
    "render": {"format": "dot", "depth": 1, "direction": "LR", "show": "macs", "theme": "dark", "path": None},
    "explore": {"path": None},
    "summary": {"format": "csv", "depth": 1},
    "build": {"weights": None, "allow_mismatch": (), "freeze": (), "features": (), "fold_batch_norm": False,
              "initialise": True, "seed": 5, "max_memory": 10_000, "max_params": 10_000, "force": True, "ops": ()},
    "load": {"ops": ()},
}  # fmt: skip
"""Every option of every function that takes overrides, with a value it may have."""


def test_these_are_all_options() -> None:
    for function in ("compile", "codegen", "explore", "render", "summary", "build", "expand", "load"):
        parameters = inspect.signature(getattr(archspec, function)).parameters
        assert set(parameters) == {"source", "overrides", "keywords", *OPTIONS.get(function, {})}
        assert parameters["overrides"].kind is inspect.Parameter.KEYWORD_ONLY


def spec_with(parameter: str) -> str:
    """A spec whose number of channels is a parameter of this name."""
    conv = f"{{op: conv2d, out_channels: ={parameter}, kernel_size: 1}}"
    return f"name: net\ninput: [3, 8, 8]\nparams: {{{parameter}: 4}}\nlayers:\n- conv: {conv}\n"


EACH_OPTION = [(function, option) for function, options in OPTIONS.items() for option in options]


@pytest.mark.parametrize(("function", "option"), EACH_OPTION)
@pytest.mark.parametrize("source", [str, archspec.load, archspec.compile])
def test_a_keyword_that_means_an_option_or_the_spec_is_refused(function: str, option: str, source: Any) -> None:
    call, given = getattr(archspec, function), {option: OPTIONS[function][option]}
    with pytest.raises(archspec.SpecError) as caught:
        call(source(spec_with(option)), **given)
    assert str(caught.value) == (
        f"error[usage]: '{option}' is an option of {function} and a field or parameter of net\n"
        f"   = help: overrides={{'{option}': …}} overrides the spec; with overrides={{}}, {option}=… is the option"
    )


@pytest.mark.parametrize(("function", "option"), EACH_OPTION)
def test_with_overrides_a_keyword_is_the_option(function: str, option: str) -> None:
    call, given = getattr(archspec, function), {option: OPTIONS[function][option]}
    plain = call(spec_with("own_name"), overrides={}, **given)
    wider = call(spec_with("own_name"), overrides={"own_name": 6}, **given)
    assert shown(call(spec_with(option), overrides={}, **given)) == shown(plain).replace("own_name", option)
    assert shown(call(spec_with(option), overrides={option: 6}, **given)) == shown(wider).replace("own_name", option)
    assert shown(plain) != shown(wider)


def shown(result: Any) -> str:
    """What a function returned, as text."""
    return result if isinstance(result, str) else result.decode() if isinstance(result, bytes) else repr(result)


def test_a_name_is_overridden_once() -> None:
    with pytest.raises(archspec.SpecError, match="'num_classes' is given twice: as a keyword, and in overrides"):
        archspec.load("lenet", num_classes=3, overrides={"num_classes": 3})
    assert archspec.load("lenet", num_classes=3, overrides={"input": [3, 40, 40]}).overrides == {
        "num_classes": 3, "input": [3, 40, 40],
    }  # fmt: skip


@pytest.mark.parametrize("overrides", [3, "num_classes", [("num_classes", 3)], {3: 3}])
@pytest.mark.parametrize("function", FUNCTIONS)
def test_overrides_are_a_mapping(function: str, overrides: Any) -> None:
    with pytest.raises(archspec.SpecError, match="overrides: expected a mapping of names to values"):
        FUNCTIONS[function]("lenet", overrides=overrides)


def test_a_parameter_called_overrides() -> None:
    assert archspec.compile(spec_with("overrides"), overrides={"overrides": 6}).output_shape == (6, 8, 8)
    with pytest.raises(archspec.SpecError, match=re.escape("overrides={'overrides': …}")):
        archspec.compile(spec_with("overrides"), overrides=6)  # type: ignore[arg-type]


def test_the_command_line_tells_options_from_overrides(tmp_path: Path) -> None:
    spec = tmp_path / "net.yaml"
    for option, flags in (("fold_batch_norm", ["--fold-batch-norm"]), ("overrides", [])):
        spec.write_text(spec_with(option), encoding="utf-8")
        arguments = ["codegen", str(spec), *flags, "--set", f"{option}=6"]
        code = CliRunner().invoke(app, arguments, catch_exceptions=False).stdout
        assert f"{option}: int = 6" in code


# -- compiled graphs --------------------------------------------------------------------------------------------


def test_a_graph_stands_for_its_spec() -> None:
    graph = archspec.compile("resnet18", num_classes=5)
    assert archspec.compile(graph) is graph
    assert archspec.load(graph).overrides == {"num_classes": 5}
    assert archspec.compile(graph, input=[3, 64, 64]) == archspec.compile("resnet18", num_classes=5, input=[3, 64, 64])
    with pytest.raises(archspec.SpecError, match="more than 9 nodes"):
        archspec.compile(graph, max_nodes=9)


def test_a_graph_cut_to_features() -> None:
    cut = extract(archspec.compile("resnet18", input=[3, 64, 64]), ["layer1", "layer2"])
    assert archspec.compile(cut) is cut
    assert "layer3" not in archspec.summary(cut, depth=1)
    assert "layer3" not in archspec.render(cut, "dot").decode()
    assert [f.name for f in archspec.build(cut).feature_info] == ["layer1", "layer2"]  # type: ignore[union-attr]
    calls: list[Callable[[Graph], Any]] = [
        archspec.codegen,
        archspec.expand,
        archspec.load,
        lambda graph: archspec.compile(graph, num_classes=5),
    ]
    for call in calls:
        with pytest.raises(archspec.SpecError, match="resnet18 was cut down to layer1, layer2"):
            call(cut)


@pytest.mark.parametrize("function", ["compile", "codegen", "expand", "summary", "build", "load"])
def test_a_graph_that_ends_at_a_error_can_only_be_drawn(function: str) -> None:
    with pytest.raises(ElaborationError) as caught:
        archspec.compile("lenet", input=[1, 8, 8])
    graph = caught.value.partial
    assert graph is not None
    assert "fails" in archspec.render(graph, "dot").decode()
    assert repr(graph) == "Graph(lenet: 1×8×8 → ?)"
    with pytest.raises(archspec.SpecError, match="the graph of lenet ends at the layer that fails"):
        getattr(archspec, function)(graph)


def test_a_graph_without_a_spec() -> None:
    graph = specialize(archspec.load("lenet").network)
    with pytest.raises(archspec.SpecError, match="the graph of lenet was not compiled from a spec"):
        archspec.codegen(graph)


# -- seeds and names --------------------------------------------------------------------------------------------


def test_a_seed_gives_the_weights_of_that_seed() -> None:
    torch.manual_seed(3)
    weights = archspec.build("lenet").state_dict()
    again = archspec.build("lenet", seed=3).state_dict()
    other = archspec.build("lenet", seed=4).state_dict()
    assert all(torch.equal(weights[key], again[key]) for key in weights)
    assert not any(torch.equal(weights[key], other[key]) for key in weights)
    wrong: Any
    for wrong in (-1, 1 << 63, "3", 3.0, True):
        with pytest.raises(archspec.SpecError, match="seed: expected an integer"):
            archspec.build("lenet", seed=wrong)


def test_the_names_of_the_shipped_specs() -> None:
    names = archspec.specs()
    assert sorted(names) == sorted(path.stem for path in (ROOT / "specs").rglob("*.yaml"))
    assert all(archspec.load(name).name == name for name in names)


def test_the_limit_of_nodes_is_the_users_to_set() -> None:
    with archspec.node_limit(3):
        for function in FUNCTIONS.keys() - {"expand"}:  # which needs no graph
            with pytest.raises(archspec.SpecError, match="more than 3 nodes") as caught:
                FUNCTIONS[function]("resnet18")
            assert len(caught.value.diagnostics) == 1
        with pytest.raises(archspec.SpecError, match="more than 4 nodes"):
            archspec.compile("lenet", max_nodes=4)
    assert archspec.compile("lenet").params


def test_arguments_of_another_type_are_usage_errors() -> None:
    text: Any = "a"
    number: Any = 3
    for call in (
        lambda: archspec.render("lenet", depth=text),
        lambda: archspec.summary("lenet", depth=text),
        lambda: archspec.from_module(torch.nn.Identity(), input=number),
    ):
        with pytest.raises(archspec.SpecError) as caught:
            call()
        assert caught.value.diagnostics[0].kind == "usage"
