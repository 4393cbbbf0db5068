"""`diff`: the reported layers, totals and weights agree with the two networks."""

from __future__ import annotations

import json
import os
from collections.abc import Container, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import torch
from command import run
from exhaustive import first
from free_networks import free_network
from network_fixtures import FIXTURES, is_refused
from random_networks import network
from spec_edits import edited
from tensor_networks import tensor_network
from torch import nn

import archspec
from archspec import Diff, Graph
from archspec.changes import alignment
from archspec.changes.alignment import align
from archspec.changes.digest import Part
from archspec.changes.layer import Layer
from archspec.changes.tree import Node
from archspec.diagnostics import budget
from archspec.frontend.loader import shipped
from archspec.frontend.yaml.writer import dump
from archspec.ir.module import Module
from archspec.weights.build import Options, build, save
from archspec.weights.mismatch import places

REFRESH = "ARCHSPEC_REFRESH=1 pytest tests/test_diff.py"
GOLDEN = Path(__file__).parent / "fixtures" / "diff"

# -- pairs of networks --------------------------------------------------------------------------------------------


@cache
def texts(kind: str, seed: int) -> tuple[str, str]:
    """A random network, and a slightly altered one."""
    data = {"network": network, "free": free_network, "tensor": tensor_network}[kind](seed)
    return dump(data), edited(data, seed)


RANDOM = [(kind, seed) for seed in range(120) for kind in ("network", "free", "tensor")]
SHIPPED = [*zip([*shipped()], [*shipped()][1:], strict=False)]


@cache
def compiled(source: str) -> Graph:
    return archspec.compile(source)


def pair(kind: str, seed: int) -> tuple[Graph, Graph]:
    one, other = texts(kind, seed)
    return compiled(one), compiled(other)


def same_network(a: Graph, b: Graph) -> bool:
    """Whether two networks are equal as graphs, if they had one name."""
    root = replace(kept(b.root), definition=a.root.definition)
    names = {name: getattr(a, name) for name in ("name", "class_name", "description", "reference")}
    return replace(a, root=kept(a.root)) == replace(b, root=root, **names)


def kept(module: Module) -> Module:
    """A module without what a cut leaves out: that is constructed for its random numbers only."""
    steps = [replace(s, target=kept(s.target)) if isinstance(s.target, Module) else s for s in module.steps]
    return replace(module, steps=tuple(steps), dropped=(), construction=None)


# -- what holds of every difference -------------------------------------------------------------------------------


def check(a: Graph, b: Graph) -> Diff:
    diff = archspec.diff(a, b)
    if not diff.equal:
        assert not same_network(a, b)
    elif not same_network(a, b):  # they differ in the names of values, or in what does nothing
        report = archspec.verify(a, against=lambda: build(b, Options()).module)
        assert report.ok, str(report)
    assert diff.equal == (diff.changes == ())
    adds_up(diff.root)
    if renamed(diff) != set(places(b)):
        assert set(places(b)) - idle(b) <= renamed(diff)
        assert renamed(diff, idle(a)) <= set(places(b))
    assert mirrored(archspec.diff(b, a)) == facts(diff)
    json.loads(diff.to_json())
    assert str(diff)
    assert diff.to_markdown()
    return diff


def adds_up(node: Node) -> None:
    """The numbers of a block differ by what those of its parts do."""
    if node.a is None or node.b is None or not node.inside:
        return
    for name in ("params", "buffers", "macs"):
        if name != "macs" or node.a.train_only == node.b.train_only is False:
            assert delta(node, name) == sum(delta(part, name) for part in node.inside), (node.a.name, name)
    for part in node.inside:
        adds_up(part)


def delta(node: Node, name: str) -> int:
    one, other = (0 if layer is None else getattr(layer, name) for layer in (node.a, node.b))
    return int(other - one)


def idle(graph: Graph) -> set[str]:
    """The modules that do nothing: differences leave them out."""
    return {name for name, module in build(graph, Options()).module.named_modules()
            if isinstance(module, nn.Identity) or getattr(module, "p", None) == 0 or is_empty(module)}  # fmt: skip


def is_empty(module: nn.Module) -> bool:
    is_block = isinstance(module, nn.Sequential) or not type(module).__module__.startswith("torch.")
    return is_block and not any(True for _ in module.children())


def renamed(diff: Diff, apart: Container[str] = ()) -> set[str]:
    """The names of the modules of `b`, derived from those of `a`, but some, by the reported differences."""
    names = {
        change.a: change.after.name
        for change in diff.changes
        if "name" in change.facts and is_module(change.before) and change.after is not None
    }
    removed = tuple(
        f"{change.a}." for change in diff.changes if is_module(change.before) and not is_module(change.after)
    )
    added = tuple(f"{change.b}." for change in diff.changes if is_module(change.after) and not is_module(change.before))
    known = places(diff.a)
    kept = [name for name in known if not f"{name}.".startswith(removed) and name not in apart]
    found = {".".join(names.get(prefix, last) for prefix, last in prefixes(name, known)) for name in kept}
    return found | {name for name in places(diff.b) if f"{name}.".startswith(added)}


def is_module(layer: Layer | None) -> bool:
    return layer is not None and layer.is_module


def prefixes(name: str, known: Container[str]) -> Iterator[tuple[str, str]]:
    """The modules around one and it itself, each with its name in the one around it: `convs.0` in a container."""
    around = ""
    parts = name.split(".")
    for prefix in (".".join(parts[:count]) for count in range(1, len(parts) + 1)):
        if prefix in known:
            yield prefix, prefix.removeprefix(around)
            around = f"{prefix}."


def facts(diff: Diff) -> list[str]:
    return sorted(
        repr((change.kind, change.a, change.b, change.before, change.after, *map(ordered, change[5:])))
        for change in diff.changes
    )


def mirrored(diff: Diff) -> list[str]:
    kinds = {"added": "removed", "removed": "added", "changed": "changed"}
    return sorted(
        repr((kinds[change.kind], change.b, change.a, change.after, change.before, *map(swapped, change[5:])))
        for change in diff.changes
    )


def ordered(facts: Mapping[str, Any]) -> Any:
    return sorted((name, tuple(values)) for name, values in facts.items())


def swapped(facts: Mapping[str, Any]) -> Any:
    return sorted((name, tuple(values[::-1])) for name, values in facts.items())


@pytest.mark.parametrize("case", first(RANDOM, 40, 160), ids=lambda case: f"{case[0]}{case[1]}")
def test_random_networks(case: tuple[str, int]) -> None:
    check(*pair(*case))


@pytest.mark.parametrize("seed", range(10))
def test_random_networks_that_have_nothing_in_common(seed: int) -> None:
    check(compiled(texts("network", seed)[0]), compiled(texts("free", seed + 1)[0]))


def test_random_alterations_alter() -> None:
    """The test above must see networks that differ, of every kind of change, and some that do not."""
    found = [archspec.diff(*pair(kind, seed)) for kind, seed in RANDOM[:30]]
    assert sum(not diff.equal for diff in found) > 25
    changes = [change for diff in found for change in diff.changes]
    assert {change.kind for change in changes} == {"added", "removed", "changed"}
    assert {"name", "input_shapes", "output_shape", "params", "macs", "from"} <= {
        name for change in changes for name in change.facts}  # fmt: skip
    assert any(change.fields for change in changes)


@pytest.mark.parametrize("names", first(SHIPPED, 8, 48), ids="-".join)
def test_shipped_networks(names: tuple[str, str]) -> None:
    check(*map(compiled, names))


@pytest.mark.parametrize("name", first([*shipped()][::5], 8))
def test_a_network_does_not_differ_from_itself(name: str) -> None:
    diff = check(compiled(name), compiled(archspec.expand(name)))
    assert diff.equal
    assert diff.weights.complete
    assert archspec.diff(name, name).equal


def test_names_and_descriptions_of_networks_do_not_matter() -> None:
    text = archspec.expand("lenet")
    renamed = text.replace("name: lenet", "name: other", 1).replace("LeNet", "Other")
    assert renamed != text
    assert archspec.diff(text, renamed).equal


def test_class_names_of_blocks_do_not_matter() -> None:
    """They are no part of what is computed; they are shown where something else of a block differs."""
    text = archspec.expand("resnet18")
    renamed = text.replace("BasicBlock", "Residual")
    assert renamed != text
    assert archspec.diff(text, renamed).equal
    changed = renamed.replace("3, stride: =stride, padding: 1", "5, stride: =stride, padding: 2")
    assert changed != renamed
    found = {change.b: change.facts for change in archspec.diff(text, changed).changes}
    assert found["layer1.0"]["type"] == ("BasicBlock", "Residual")


NET = """
name: net
input: [3, 8, 8]
layers:
- a: {op: conv2d, out_channels: 300, kernel_size: 1}
- {op: relu, as: kept}
- n: {op: batch_norm2d}
- {op: add, from: [n, kept]}
- pool: {op: max_pool2d, kernel_size: 2}
- mean: {op: adaptive_avg_pool2d, output_size: 1}
- {op: flatten}
- fc: {op: linear, out_features: 7}
init:
- {op: conv2d, weight: {kaiming_normal: {mode: fan_out}}, bias: 0}
- {op: linear, weight: {uniform: {a: -0.5, b: 0.5}}, bias: {trunc_normal: {std: 0.01}}}
"""

SAME = [
    ("kept", "other"),
    ("- n: {", "- nothing: {seq: []}\n- n: {"),
    ("- n: {", "- nothing: {op: identity}\n- n: {"),
    ("- {op: flatten}", "- {op: flatten}\n- nothing: {op: dropout, p: 0.0}"),
    ("{mode: fan_out}", "{mode: fan_out, nonlinearity: relu}"),
    ("bias: 0}", "bias: zeros}"),
    ("kaiming_normal: {mode: fan_out}", "normal: {std: =sqrt(2 / out_channels)}"),
    ("trunc_normal", "normal"),
    ("init:", "init:\n- {op: batch_norm2d, weight: 1, bias: 0}"),
    ("op: linear, weight", "path: fc, weight"),
    ("init:", "register: [pool]\ninit:"),
    ("kernel_size: 2}", "kernel_size: [2, 2], stride: 2}"),
    ("kernel_size: 1}", "kernel_size: [1, 1], stride: [1, 1]}"),
    ("{uniform: {a: -0.5, b: 0.5}}", "{xavier_uniform: {gain: =0.5 * sqrt((in_features + out_features) / 6)}}"),
]  # fmt: skip

OTHER = [
    ("bias: 0}", "bias: 1}"),
    ("{mode: fan_out}", "{mode: fan_in}"),
    ("{mode: fan_out}", "{mode: fan_out, nonlinearity: tanh}"),
    ("kaiming_normal: {mode: fan_out}", "kaiming_uniform: {mode: fan_out}"),
    ("init:", "init:\n- {op: batch_norm2d, weight: 0}"),
    ("init:", "init:\n- {path: a, weight: {uniform: {a: 0, b: 1}}}"),
    ("a: -0.5", "a: -0.25"),
    ("{std: 0.01}", "{std: 0.01, a: -0.02}"),
    ("op: linear, weight", "op: conv2d, path: fc, weight"),
]


def test_functions_whose_costs_differ_are_listed() -> None:
    """What only has other shapes, since its input has, is left out; what has other MACs explains the total."""
    text = """
name: net
input: [16, 8]
params: {n: 4}
layers:
- {op: rearrange, pattern: "(a b) c -> a b c", a: =n, as: x}
- {op: einsum, equation: "aic,ajc->aij", from: [x, x]}
- {op: mean, dim: [1, 2, 3], keepdim: true}
- {op: rearrange, pattern: "a b c -> (a b c)"}
"""
    lines = str(archspec.diff(text, archspec.load(text, n=2))).splitlines()
    assert [line.split()[1] for line in lines if line.startswith("~")] == ["x", "einsum"]
    assert any("MACs 512 → 1,024" in line for line in lines)


@pytest.mark.parametrize(("old", "new"), SAME)
def test_what_makes_no_difference(old: str, new: str) -> None:
    """How equal things are written, and what does nothing: weights for a seed, and outputs, are the same."""
    changed = NET.replace(old, new)
    assert changed != NET
    assert archspec.diff(NET, changed).equal
    report = archspec.verify(NET, against=lambda: build(changed, Options()).module, tolerance=1e-6)
    assert report.ok, str(report)


HEADS = """
name: heads
input: [4, 12]
layers:
- {op: split, as: parts, sections: 3, dim: -1}
"""
ROWS = [f"- {{op: rearrange, from: parts.{n}, as: {name}, pattern: t (h d) -> h t d, h: 2}}\n"
        for n, name in enumerate("qkv")]  # fmt: skip
SCORES = "- {op: matmul, from: [q, k], transpose_b: true}\n- {op: softmax, as: weights, dim: -1}\n"
SUM = "- {op: matmul, from: [weights, v]}\n"


@pytest.mark.parametrize("order", [(1, 0, 2), (2, 0, 1), (1, 2, 0), (2, 1, 0)])
def test_equal_functions_are_paired_by_what_they_read(order: tuple[int, ...]) -> None:
    """In whatever order they stand; if what they read is exchanged, that is a difference."""
    net = "".join([HEADS, *ROWS, SCORES, SUM])
    assert archspec.diff(net, "".join([HEADS, *(ROWS[n] for n in order), SCORES, SUM])).equal
    assert archspec.diff(net, "".join([HEADS, ROWS[1], ROWS[0], SCORES, ROWS[2], SUM])).equal
    others = [row.replace(f"parts.{n}", f"parts.{order[n]}") for n, row in enumerate(ROWS)]
    found = archspec.diff(net, "".join([HEADS, *others, SCORES, SUM]))
    assert {name for change in found.changes for name in change.facts} == {"from"}


@pytest.mark.parametrize(("old", "new"), OTHER)
def test_other_initial_weights_are_a_difference(old: str, new: str) -> None:
    changed = NET.replace(old, new)
    assert changed != NET
    (change,) = archspec.diff(NET, changed).changes
    assert change.facts.keys() == {"init"}


# -- weights ------------------------------------------------------------------------------------------------------


def check_loading(a: Graph, b: Graph, folder: Path) -> Diff:
    """The reported keys agree with loading a file with the weights of `a` into `b`."""
    file = folder / "a.safetensors"
    built = build(a, Options(seed=0))
    save(built, file)
    diff = archspec.diff(a, b)
    if not built.module.state_dict():  # a file without tensors is no checkpoint
        assert not diff.weights.match.taken
        return diff
    if diff.weights.complete:
        loaded = build(b, Options(weights=file))
    else:
        with pytest.raises(archspec.SpecError):
            build(b, Options(weights=file))
        loaded = build(b, Options(weights=file, allow_mismatch=diff.weights.allow))
    assert loaded.loaded is not None
    assert loaded.loaded.taken == diff.weights.match.taken
    assert loaded.loaded.left == diff.weights.match.left
    theirs, ours = built.module.state_dict(), loaded.module.state_dict()
    assert set(ours) == set(diff.weights.b)
    assert all(torch.equal(ours[key], theirs[other]) for key, other in diff.weights.match.taken.items())
    return diff


@pytest.mark.parametrize("case", first(RANDOM, 20, 80), ids=lambda case: f"{case[0]}{case[1]}")
def test_keys_fit_as_loading_finds(case: tuple[str, int], tmp_path: Path) -> None:
    check_loading(*pair(*case), tmp_path)


def test_keys_of_shipped_networks(tmp_path: Path) -> None:
    fit = check_loading(compiled("resnet18"), compiled("resnet34"), tmp_path).weights
    assert (len(fit.loaded), fit.allow) == (122, ("layer1.2", "layer2", "layer3", "layer4.2"))
    assert len(check_loading(compiled("lenet"), archspec.compile("lenet", num_classes=3), tmp_path).weights.loaded) == 8
    fit = check_loading(compiled("squeezenet1_0"), compiled("squeezenet1_1"), tmp_path).weights
    assert (len(fit.loaded), len(fit.b), fit.allow) == (28, 52, ("features",))


def test_heads_that_run_in_training_only_may_be_absent(tmp_path: Path) -> None:
    """As where weights are loaded: of a checkpoint without the auxiliary heads, or into a network without them."""
    with_heads, without = compiled("googlenet"), archspec.compile("googlenet", aux_logits=False)
    for a, b in ((with_heads, without), (without, with_heads)):
        fit = check_loading(a, b, tmp_path).weights
        assert fit.complete
        assert fit.match.notes


# -- alignment ----------------------------------------------------------------------------------------------------


def parts(*names: str) -> list[Part]:
    """Parts that are equal if what follows the colon is: `conv1:a`."""
    return [Part(name, True, "op", "op", text, ((), ()), text) for name, _, text in (n.partition(":") for n in names)]


class Aligned(NamedTuple):
    """Two lists of parts, and their corresponding elements."""

    left: Sequence[str]
    right: Sequence[str]
    pairs: Sequence[tuple[int, int]]


ALIGNED = {
    "nothing": Aligned([], [], []),
    "added in the middle": Aligned(["0:a", "1:b"], ["0:a", "1:x", "2:b"], [(0, 0), (1, 2)]),
    "equal ones are paired before others": Aligned(["0:a", "1:b", "2:c"], ["0:a", "1:c"], [(0, 0), (2, 1)]),
    "names before fields": Aligned(["conv1:a", "conv2:b"], ["conv1:b", "conv2:a"], [(0, 0), (1, 1)]),
    "moved": Aligned(["x:a", "y:b", "z:c"], ["z:c", "x:a", "y:b"], [(0, 1), (1, 2), (2, 0)]),
    "more rounds": Aligned(["0:a", "1:b", "2:b"], ["0:a", "1:b", "2:b", "3:b"], [(0, 0), (1, 1), (2, 2)]),
}  # fmt: skip


@pytest.mark.parametrize("name", ALIGNED)
def test_alignment(name: str) -> None:
    case = ALIGNED[name]
    assert align(parts(*case.left), parts(*case.right)) == [*case.pairs]


def test_what_is_too_long_for_a_table_is_aligned_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(alignment, "MAX_CELLS", 0)
    one = parts("a:1", "b:2", "c:3", "d:4", "e:5", "6:6", "7:7")
    other = parts("x:0", "b:9", "a:8", "d:7", "8:6", "9:7")
    assert align(one, other) == [(0, 2), (1, 1), (3, 3), (5, 4), (6, 5)]


def chain(*counts: int) -> str:
    items = "".join(
        f"- {{op: {op}, repeat: {count}}}\n" for op, count in zip(("relu", "tanh") * 3, counts, strict=False)
    )
    return f"name: n\ninput: [4]\nlayers:\n- body:\n    seq:\n{items.replace('- ', '    - ')}"


def test_work_is_bounded() -> None:
    """A table would have 36 million cells."""
    diff = archspec.diff(chain(3_000, 3_000), chain(3_000, 2_990, 20))
    assert len(diff.changes) < 4_000
    assert budget.current.get() is None
    with archspec.step_limit(20_000), pytest.raises(archspec.SpecError, match="steps of work"):
        archspec.diff(chain(1_000), chain(1_001))


# -- goldens ------------------------------------------------------------------------------------------------------

A = """
name: a
class_name: Net
input: [3, 16, 16]
params: {num_classes: 10}
blocks:
  Residual:
    params: {channels: }
    layers:
    - conv: {op: conv2d, out_channels: =channels, kernel_size: 3, padding: 1}
    - act: {op: relu}
    - {op: add, from: [act, input]}
    - call: act
layers:
- stem: {op: conv2d, out_channels: 8, kernel_size: 3, padding: 1}
- body: {seq: [{block: Residual, channels: 8, repeat: 3}]}
- aux: {op: conv2d, out_channels: 2, kernel_size: 1, from: stem, train_only: true}
- {op: adaptive_avg_pool2d, output_size: 1, from: body}
- {op: flatten}
- drop: {op: dropout, p: 0.5}
- fc: {op: linear, out_features: =num_classes}
init:
- {op: conv2d, weight: {normal: {std: 0.1}}}
outputs: {type: Outputs, fields: {logits: fc, aux: aux}}
"""

B = """
name: b
class_name: Net
input: [3, 16, 16]
params: {num_classes: 10}
blocks:
  Residual:
    params: {channels: }
    layers:
    - conv: {op: conv2d, out_channels: =channels, kernel_size: 5, padding: 2, bias: false}
    - norm: {op: batch_norm2d}
    - act: {op: gelu}
    - {op: add, from: [act, input]}
    - call: conv
layers:
- stem: {op: conv2d, out_channels: 8, kernel_size: 3, padding: 1}
- body: {seq: [{block: Residual, channels: 8, repeat: 5}]}
- aux: {op: conv2d, out_channels: 2, kernel_size: 1, from: body, train_only: true}
- drop: {op: dropout, p: 0.2, from: body}
- {op: adaptive_avg_pool2d, output_size: 1}
- {op: flatten}
- head: {seq: [{op: relu}, {op: linear, out_features: =num_classes}]}
init:
- {op: conv2d, weight: {normal: {std: 0.2}}}
outputs: {type: Outputs, fields: {logits: head, auxiliary: aux}}
"""

GOLDENS: dict[str, tuple[str, str | None, dict[str, Any]]] = {
    "small": (A, B, {}),
    "deeper": ("resnet50", "resnet101", {}),
    "batch_norm": ("vgg11", "vgg11_bn", {}),
    "blocks": ("resnet18", "resnet50", {}),
    "larger_images": ("efficientnet_b0", None, {"input": [3, 320, 320]}),
    "other_classes": ("convnext_tiny", None, {"num_classes": 5}),
    "heads": ("googlenet", "googlenet_plain", {}),
    "equal": ("lenet", "lenet", {}),
}


@pytest.mark.parametrize("name", GOLDENS)
def test_the_difference_is_as_recorded(name: str) -> None:
    a, b, overrides = GOLDENS[name]
    diff = archspec.diff(a, b, overrides=overrides)
    recorded(GOLDEN / f"{name}.txt", diff.to_text(width=120) + "\n")
    if name == "small":
        recorded(GOLDEN / f"{name}.json", diff.to_json() + "\n")
        recorded(GOLDEN / f"{name}.md", diff.to_markdown() + "\n")


def recorded(file: Path, found: str) -> None:
    if os.environ.get("ARCHSPEC_REFRESH"):
        file.write_text(found, encoding="utf-8")
    assert found == file.read_text(encoding="utf-8"), f"if this is as it should be: {REFRESH}"


def test_each_record_has_its_networks() -> None:
    assert {path.stem for path in GOLDEN.iterdir()} == {*GOLDENS}


@pytest.mark.parametrize("width", [60, 80, 120])
def test_lines_fit_the_terminal(width: int) -> None:
    lines = archspec.diff("resnet50", "resnet101").to_text(width=width).splitlines()
    assert max(map(len, lines)) <= width


# -- the function and the command ---------------------------------------------------------------------------------


def test_something_must_differ() -> None:
    with pytest.raises(archspec.SpecError, match="nothing to compare with"):
        archspec.diff("lenet")


def test_overrides_are_of_the_second() -> None:
    diff = archspec.diff("resnet50", "resnet101", num_classes=5)
    assert diff.totals["output_shape"] == ((1000,), (5,))
    assert not archspec.diff("lenet", overrides={"num_classes": 10}).changes


COMMANDS = {
    "lenet lenet": 0,
    "lenet --num-classes 10": 0,
    "lenet --num-classes 5": 1,
    "lenet alexnet": 1,
    "lenet": 2,
    "lenet lenet lenet": 2,
    "lenet no_such_spec": 2,
    "lenet --set no_such_field=1": 2,
    "lenet --set num_classes=[": 2,
    "lenet --format xml": 2,
}


@pytest.mark.parametrize("command", COMMANDS)
def test_exit_codes(command: str) -> None:
    result = run("diff", *command.split())
    assert result.exit_code == COMMANDS[command], result.output
    assert bool(result.stdout) == (result.exit_code < 2)
    assert bool(result.stderr) == (result.exit_code == 2)


def test_help_where_a_spec_is_missing() -> None:
    assert "give a second SPEC, or a change" in run("diff", "lenet").stderr


def test_formats() -> None:
    diff = archspec.diff("lenet", num_classes=5)
    for format, text in (("json", diff.to_json()), ("markdown", diff.to_markdown()), ("text", diff.to_text())):
        assert run("diff", "lenet", "--num-classes", "5", "--format", format).stdout == f"{text}\n"
    found = json.loads(diff.to_json())
    assert [change["b"] for change in found["changes"]] == ["lenet", "fc3"]
    assert found["weights"]["allow_mismatch"] == ["fc3"]


def test_colour_adds_nothing_but_colour() -> None:
    import re

    diff = archspec.diff(A, B)
    coloured = diff.to_text(colour=True)
    assert re.sub("\033\\[[0-9;]*m", "", coloured) == diff.to_text()
    assert {"\033[31m", "\033[32m", "\033[33m"} <= {*re.findall("\033\\[[0-9;]*m", coloured)}


@pytest.mark.parametrize("path", [path for path in FIXTURES if not is_refused(path.read_text("utf-8"))][::9],
                         ids=lambda path: path.stem)  # fmt: skip
def test_kept_networks(path: Path) -> None:
    """Each with the first of them, with which it has little in common, and with itself."""
    text = path.read_text(encoding="utf-8")
    check(compiled(text), compiled(A))
    assert archspec.diff(text, text).equal
