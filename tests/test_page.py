"""The page: its data about a network agrees with the graph, the spec and the source. See also test_browser."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from functools import cache
from hashlib import sha256
from html import unescape
from pathlib import Path
from typing import Any

import pytest
from command import fine, run

import archspec
from archspec.backends.html.page import FOLDER, Page
from archspec.backends.summary.rows import totals

HOSTILE = """
name: net
description: "</script><script>window.ran = 1</script><img src=x onerror='window.ran = 1'> \\u202e"
class_name: Net
input: [3, 8, 8]
layers:
- relu: {op: relu}  # </script><script>window.ran = 1</script>
"""

NAMES = ["resnet18", "googlenet", "densenet121", "swin_t", "maxvit_t"]

Node = tuple[str, dict[str, Any], dict[str, Any] | None]
"""A path, a step, and the module that it makes."""


def data_of(page: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(page.partition('id="data">')[2].partition("</script>")[0])
    return found


@cache
def page_of(name: str) -> dict[str, Any]:
    return data_of(archspec.explore(name))


def walk(data: dict[str, Any], module: dict[str, Any] | None = None, prefix: str = "") -> Iterator[Node]:
    """All uses of steps, in the order in which the page counts them."""
    for step in (data["modules"][-1] if module is None else module)["steps"]:
        made = data["modules"][step["module"]] if "module" in step and "calls" not in step else None
        yield prefix + step["name"], step, made
        if made is not None:
            yield from walk(data, made, f"{prefix}{step['name']}.")


def listed(data: dict[str, Any], what: str) -> list[Any]:
    """What each use has of a table."""
    return [data[what]["different"][number] for number in data[what]["which"]]


def test_one_file_without_addresses(tmp_path: Path) -> None:
    assert "net.html" in run("render", "googlenet", "-o", tmp_path / "net.html").stderr
    page = (tmp_path / "net.html").read_text(encoding="utf-8")
    assert page == archspec.explore("googlenet", path=tmp_path / "other.html")
    assert page == (tmp_path / "other.html").read_text(encoding="utf-8")
    assert len(page.encode()) <= 300_000
    assert "default-src 'none'" in page
    assert not re.findall(r"<(?:link|img|iframe|object|embed|script src|base)", page)
    assert fine("render", "googlenet", "--format", "html", "-o", "-") == page


def test_the_options_of_images_are_not_for_a_page(tmp_path: Path) -> None:
    result = run("render", "lenet", "-o", tmp_path / "net.html", "--depth", "2")
    assert result.exit_code == 2
    assert "--depth is for images: a page has controls for what it shows" in result.output
    assert list(tmp_path.iterdir()) == []


def test_a_network_that_fails_has_no_page(tmp_path: Path) -> None:
    result = run("render", "lenet", "--input", "1x8x8", "-o", tmp_path / "net.html")
    assert result.exit_code == 1
    assert list(tmp_path.iterdir()) == []


def test_nothing_in_a_spec_ends_the_data() -> None:
    page = archspec.explore(HOSTILE)
    assert page.count("<script") == 2
    assert data_of(page)["texts"][0]["text"] == HOSTILE
    assert "\u202e" not in page


def test_the_library_is_the_published_one() -> None:
    """`dist/dagre.min.js` of the package that npm has under this name and version."""
    digest = sha256((FOLDER / "vendor" / "dagre.min.js").read_bytes()).hexdigest()
    assert digest == "54a503e346f93ca0bb10abe7999587e037262935687aca45eb4e4b0f64bbb578"
    assert "@dagrejs/dagre` 3.1.3" in (FOLDER / "vendor" / "README.md").read_text(encoding="utf-8")


def test_every_script_is_in_a_page() -> None:
    page = archspec.explore("lenet") + archspec.diff("lenet", num_classes=5).to_html()
    for path in (FOLDER / "assets").glob("*.js"):
        assert path.read_text(encoding="utf-8") in page, path.name


@pytest.mark.parametrize("name", NAMES)
def test_the_numbers_are_those_of_the_graph(name: str) -> None:
    net, data = archspec.compile(name), page_of(name)
    found = totals(net)
    assert (data["params"], data["macs"], data["activations"]) == (found.params, found.macs, found.activations)
    nodes = {path: step for path, step, _ in walk(data)}
    assert data["layers"] == [layer.name for layer in net.layers]
    for layer in net.layers:
        step = nodes[layer.name]
        counts = tuple(step.get(what, 0) for what in ("params", "buffers"))
        assert (step["type"].lower(), *counts) == (
            layer.type.lower().replace("seq", "sequential"),
            layer.params,
            layer.buffers,
        )
        if layer.calls == 1 and not layer.train_only:  # of which the page says so
            assert (step.get("macs", 0), step.get("activations", 0)) == (layer.macs, layer.activations)


@pytest.mark.parametrize("name", NAMES)
def test_the_keys_are_those_of_the_state_dict(name: str) -> None:
    found = {
        f"{path}.{tensor}".rstrip("."): shape
        for path, step, _ in walk(page_of(name))
        for tensor, shape in step.get("tensors", {}).items()
    }
    expected = archspec.compile(name).state_dict_shapes()
    assert found == {key: "×".join(map(str, shape)) or "scalar" for key, shape in expected.items()}


@pytest.mark.parametrize("name", NAMES)
def test_receptive_fields_are_those_of_the_layers(name: str) -> None:
    data = page_of(name)
    paths = [path for path, _, _ in walk(data)]
    assert len(paths) == len(data["receptive_fields"]["which"]) == len(data["init"]["which"])
    found = dict(zip(paths, listed(data, "receptive_fields"), strict=True))
    for layer in archspec.compile(name).layers:
        pairs = [pair for pair in (layer.receptive_field, layer.output_stride) if pair is not None]
        assert found[layer.name] == [f"{a:g}" if a == b else f"{a:g}×{b:g}" for a, b in pairs], layer.name


@pytest.mark.parametrize("name", NAMES)
def test_the_lines_are_those_of_the_layers(name: str) -> None:
    """The core spec names each layer where it is marked, the source makes and runs it there."""
    data = page_of(name)
    texts = {column: text["text"].split("\n") for text in data["texts"] for column in text["lines"]}
    for path, step, _ in walk(data):
        marked = dict(zip(("spec", "core", "made", "run"), step["at"], strict=True))
        own = step["name"].rpartition(".")[2]
        if "function" not in step and not own.isdecimal() and not re.search(r"\d$", own):  # as in a loop
            assert re.search(rf"\b{own}\b", texts["core"][marked["core"] - 1]), (path, marked)
            assert own in "\n".join(texts["made"][marked["made"] - 3 : marked["made"] + 2]), (path, marked)
        assert 0 < marked["spec"] <= len(texts["spec"]), path
        assert 0 <= marked["run"] <= len(texts["run"]), path
        if marked["run"] and "function" not in step and not own.isdecimal() and not re.search(r"\d$", own):
            runs = texts["run"][marked["run"] - 1]
            assert own in runs, (path, runs)


@pytest.mark.parametrize("name", NAMES)
def test_repeats_are_equal(name: str) -> None:
    """Uses that are drawn as one have the same shapes and costs; the layers of a dense block the same outputs."""
    data = page_of(name)
    found = 0
    for module in data["modules"]:
        for first, count, period in module["runs"]:
            steps = module["steps"][first + period - 1 : first + count * period : period]
            assert len(steps) == count > 1
            same = {(step["output"], step["type"], *([step["params"], step["macs"]] * (period == 1))) for step in steps}
            assert len(same) == 1
            found += 1
    assert found > 0 or name == "googlenet"  # whose modules all differ


NESTED_RULES = """
name: net
input: [4]
blocks:
  Inner:
    init: [{op: linear, weight: {constant: {val: 0.5}}, bias: 0.25}]
    layers:
    - one: {op: linear, out_features: 4}
    - two: {op: linear, out_features: 4}
init:
- {path: '*.two', bias: 3}
- {op: layer_norm, weight: zeros}
layers:
- first: {block: Inner}
- second: {block: Inner}
- norm: {op: layer_norm}
- scale: {op: parameter, shape: [4], init: {constant: {val: 7}}}
- {op: mul, from: [norm, scale]}
"""


def test_initialisers_are_those_that_run() -> None:
    """The rules of a block, then those around it: the tensors hold what the page says."""
    data, module = data_of(archspec.explore(NESTED_RULES)), archspec.build(NESTED_RULES)
    paths = [path for path, _, _ in walk(data)]
    said = {f"{path}.{tensor}".rstrip("."): way for path, ways in zip(paths, listed(data, "init"), strict=True)
            for tensor, way in ways.items()}  # fmt: skip
    tensors = dict(module.named_parameters())
    assert said.keys() == tensors.keys() - {"norm.bias"}
    for key, way in said.items():
        value = 0.0 if way == "zeros" else float(re.findall(r"val=([^)]+)", way)[0])
        assert bool((tensors[key] == value).all()), (key, way)
    assert said["second.two.bias"] == "constant(val=3)"


def test_large_numbers_stay_exact() -> None:
    spec = "name: wide\ninput: [8]\nlayers:\n" + "".join(
        f"- l{n}: {{op: linear, out_features: 2000000000}}\n" for n in range(2)
    )
    data = page_of_text(spec)
    assert data["params"] == str(archspec.compile(spec).params)
    assert int(data["params"]) > 2**53


def page_of_text(spec: str) -> dict[str, Any]:
    return data_of(archspec.explore(spec))


def test_overrides_have_their_place_in_the_text() -> None:
    data = data_of(archspec.explore("resnet18", num_classes=5))
    assert "num_classes: 5" in data["texts"][0]["text"]
    assert data_of(archspec.compile("resnet18", num_classes=5).explore()) == data
    assert data_of(archspec.load("resnet18", num_classes=5).explore()) == data


def test_a_notebook_shows_the_page_in_a_frame(tmp_path: Path) -> None:
    page = archspec.compile("lenet").explore(path=tmp_path / "net.html")
    assert isinstance(page, Page)
    frame = page._repr_html_()
    assert unescape(frame.partition('srcdoc="')[2].rpartition('">')[0]) == page
    assert 'sandbox="allow-scripts allow-downloads"' in frame  # no access to the notebook around it
    assert repr(page) == f"Page({len(page):,} characters)"
    assert (tmp_path / "net.html").read_text(encoding="utf-8") == page


# -- differences --------------------------------------------------------------------------------------------------


def test_the_page_of_a_difference_marks_what_differs() -> None:
    diff = archspec.diff("resnet50", "resnet101")
    page = diff.to_html()
    data = data_of(page)
    assert "default-src 'none'" in page
    assert not re.findall(r"<(?:link|img|iframe|object|embed|script src|base)", page)
    changes = {(change.a or None, change.b or None): change.kind for change in diff.changes}
    marks = {(a, b): mark for mark, a, b in data["pairs"]}
    assert {pair: kind for pair, kind in changes.items() if pair != ("resnet50", "resnet101")} == {
        pair: "changed" if mark == "derived" else mark for pair, mark in marks.items()
    }
    assert marks["layer3", "layer3"] == "changed"
    assert marks[None, "layer3.6"] == "added"
    assert [(row["mark"], row["a"], row["b"]) for row in data["rows"]] == [("+", "", "layer3.6")]
    for side, net in (("a", diff.a), ("b", diff.b)):
        paths = {path for path, _, _ in walk(data[side])}
        assert data[side]["params"] == net.params
        assert {pair[side == "b"] for pair in marks} - {None} <= paths


def test_a_difference_is_written_in_each_format(tmp_path: Path) -> None:
    diff = archspec.diff("lenet", num_classes=5)
    texts = {"html": diff.to_html(), "json": diff.to_json(), "md": diff.to_markdown(), "txt": diff.to_text()}
    for suffix, text in texts.items():
        path = tmp_path / f"diff.{suffix}"
        result = run("diff", "lenet", "--num-classes", "5", "-o", path)
        assert (result.exit_code, result.stdout) == (1, "")
        assert path.read_text(encoding="utf-8") == f"{text}\n"
    assert run("diff", "lenet", "lenet", "-o", tmp_path / "same.html").exit_code == 0
    for wrong in (["-o", "x.svg"], ["-o", "x.json", "--format", "html"]):
        assert run("diff", "lenet", "--num-classes", "5", *wrong).exit_code == 2
