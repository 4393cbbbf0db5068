"""Memory and work of a network are known before it is built: compared with torch's allocations; and their limits."""

from __future__ import annotations

import itertools
import random
import sys
from pathlib import Path
from typing import Any

import free_networks
import pytest
import random_networks
import torch
from click.testing import CliRunner
from torch import nn
from torch.profiler import ProfilerActivity, profile

import archspec
from archspec.cli.commands import app
from archspec.diagnostics.diagnostic import SpecError
from archspec.frontend.loader import shipped
from archspec.frontend.yaml.writer import dump
from archspec.ir.footprint import footprint
from archspec.ir.graph import Graph
from archspec.ir.limits import MAX_MEMORY, MAX_WORK
from archspec.ops import OPS
from archspec.weights.requirements import build_and_check, compare, parse_bytes, requirements

SAMPLES = 2


def graph_of(layers: list[Any], *, input: list[int] | None = None, **more: Any) -> Graph:
    return archspec.compile(dump({"name": "net", "input": input or [4, 32, 32], "layers": layers, **more}))


@torch.no_grad()
def allocated(graph: Graph) -> int:
    """The most bytes that torch has allocated at once in an evaluation pass."""
    module, x = archspec.build(graph).eval(), torch.randn(SAMPLES, *graph.input_shape)
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as profiled:
        module(x)
    events = [event for event in profiled.profiler.kineto_results.events() if event.name() == "[memory]"]
    assert events
    sizes = [event.nbytes() for event in sorted(events, key=lambda event: event.start_ns())]
    return int(max(itertools.accumulate(sizes)))


TANH: dict[str, Any] = {"op": "tanh"}
TWICE = {"layers": [{"one": TANH}, {"two": TANH}]}
NOTHING = {"layers": [{"one": {**TANH, "when": False}}]}
RESIDUAL = {"layers": [{"one": TANH}, {"two": TANH}, {"op": "add", "from": ["two", "input"]}]}
PASSES = {"inputs": ["a", "b"], "layers": [{"one": {**TANH, "from": "a"}}, {"two": {**TANH, "from": "one"}},
                                            {"op": "add", "from": ["two", "b"]}]}  # fmt: skip

CASES: dict[str, tuple[list[Any], int]] = {
    "one value": ([{"a": TANH}], 1),
    "a chain has its input and its output": ([{f"a{i}": TANH} for i in range(9)], 2),
    "what is read later stays": ([{"a": TANH}, {"b": TANH}, {"c": TANH}, {"op": "mul", "from": ["a", "c"]}], 3),
    "what is never read stays until another takes its register": (
        [{"a": TANH}, {"b": TANH}, {"c": {**TANH, "from": "a"}}, {"d": {**TANH, "from": "a"}}], 3),
    "a cat has its inputs and as much again": (
        [*({f"a{i}": {**TANH, "from": "input"}} for i in range(6)), {"op": "cat", "from": [f"a{i}" for i in range(6)]}],
        12,
    ),
    "a call is a value, too": ([{"a": TANH}, {"call": "a"}, {"call": "a"}], 2),
    "what runs in place is no value": ([{"a": TANH}, {"r": {"op": "relu"}}, {"s": {"op": "relu6"}}], 2),
    "what ran in place holds what it was written over": (
        [{"p": {"op": "avg_pool2d", "kernel_size": 1}}, {"r": {"op": "relu"}}, {"t": TANH}], 2),
    "a seq": ([{"s": {"seq": [{"one": TANH}, {"two": TANH}, {"three": TANH}]}}], 2),
    "a block's input is its caller's": ([{"a": TANH}, {"b": {"block": "Twice"}}], 3),
    "a block's input is held to its end": ([{"a": TANH}, {"b": {"block": "Residual"}}, {"c": TANH}], 3),
    "a block that returns its input": (
        [{"a": TANH}, {"b": {"block": "Nothing"}}, {"c": TANH}, {"op": "mul", "from": ["b", "c"]}], 3),
    "a block lets go of what it does not return": (
        [{"b": {"block": "Residual"}}, {"op": "cat", "from": ["b", "b", "b"]}], 4),
    "a value held beside a block": (
        [{"a": TANH}, {"b": TANH}, {"c": {"block": "Passes", "from": ["b", "a"]}}, {"d": TANH}], 4),
}  # fmt: skip
BLOCKS = {"Twice": TWICE, "Residual": RESIDUAL, "Passes": PASSES, "Nothing": NOTHING}


@pytest.mark.parametrize("case", CASES)
def test_memory_is_what_torch_allocates(case: str) -> None:
    layers, values = CASES[case]
    used = {name: block for name, block in BLOCKS.items() if f"'{name}'" in str(layers)}
    more: dict[str, Any] = {"blocks": used} if used else {}
    graph = graph_of(layers, **more)
    size = 4 * 32 * 32
    assert footprint(graph).live == values * size
    assert allocated(graph) == 4 * SAMPLES * values * size


def test_a_part_holds_the_whole_while_it_is_in_a_register() -> None:
    halves = [{"a": TANH}, {"op": "chunk", "chunks": 2, "as": "c"}, {"part1": {**TANH, "from": "c.0"}}]
    graph = graph_of([*halves, {"op": "cat", "from": ["part1", "part1"]}, {"x": TANH}, {"y": TANH}])
    assert allocated(graph) == 4 * SAMPLES * 3 * 4 * 32 * 32
    assert footprint(graph).live >= 3 * 4 * 32 * 32


def test_named_outputs_are_held_to_the_end() -> None:
    layers = [{"a": TANH}, {"b": TANH}, {"c": TANH}, {"d": TANH}]
    graph = graph_of(layers, outputs={"type": "Outputs", "fields": {"first": "a", "second": "b", "last": "d"}})
    assert footprint(graph).live == 4 * 4 * 32 * 32
    assert allocated(graph) == 4 * SAMPLES * footprint(graph).live


def test_training_only_items_are_kept_and_not_run_in_evaluation() -> None:
    aux = {"aux": {"op": "upsample", "scale_factor": 4, "train_only": True, "from": "a"}}
    outputs = {"type": "Outputs", "fields": {"main": "b", "other": "aux"}}
    alone = graph_of([{"a": TANH}, {"b": TANH}])
    graph = graph_of([{"a": TANH}, aux, {"b": {**TANH, "from": "a"}}], outputs=outputs)
    assert footprint(graph)[::2] == footprint(alone)[::2]
    assert footprint(graph).kept == (2 + 16) * 4 * 32 * 32
    assert allocated(graph) == 4 * SAMPLES * footprint(graph).live


@pytest.mark.parametrize("views", [False, True])
def test_random_values_take_what_is_said(views: bool) -> None:
    """Each of a network's values reads one or two of those before it; what may be a view is counted as a copy."""
    chance = random.Random(0)
    for _ in range(20):
        names, layers = ["input"], []
        for number in range(chance.randint(3, 12)):
            sources = chance.choices(names[-5:], k=chance.randint(1, 2))
            op = "add" if len(sources) == 2 else chance.choice(["tanh", "identity", "chunk"] if views else ["tanh"])
            layers += _item(f"v{number}", op, sources)
            names.append(f"v{number}")
        graph = graph_of(layers)
        taken, said = allocated(graph), 4 * SAMPLES * footprint(graph).live
        assert taken <= said if views else taken == said


def _item(name: str, op: str, sources: list[str]) -> list[dict[str, Any]]:
    if op == "add":
        return [{"op": "add", "from": sources, "as": name}]
    if op == "chunk":
        parts = {"op": "chunk", "chunks": 2, "from": sources[0], "as": f"{name}_parts"}
        return [parts, {"op": "cat", "from": [f"{name}_parts.1"] * 2, "as": name}]
    return [{name: {"op": op, "from": sources[0]}}]


@pytest.mark.parametrize("name", ["resnet18", "googlenet"])
def test_shipped_specs_take_what_is_said(name: str) -> None:
    graph = archspec.compile(name)
    assert allocated(graph) == pytest.approx(4 * SAMPLES * footprint(graph).live, rel=0.1)


@pytest.mark.parametrize("make", [random_networks.network, free_networks.free_network])
def test_random_networks_have_values(make: Any) -> None:
    """Every run takes memory and work, and training keeps at least what evaluation holds at once."""
    for seed in range(30):
        graph = archspec.compile(dump(make(seed)))
        found = footprint(graph)
        assert 0 < found.live <= found.kept + 1
        assert found.work > graph.macs


# -- work -----------------------------------------------------------------------------------------------------------


def test_work_is_macs_and_numbers_read_and_written() -> None:
    graph = graph_of([{"c": {"op": "conv2d", "out_channels": 8, "kernel_size": 1}}])
    assert footprint(graph).work == graph.macs + (4 + 8) * 32 * 32


def test_windows_that_overlap_are_work() -> None:
    graph = graph_of([{"p": {"op": "max_pool2d", "kernel_size": [31, 1], "stride": 1}}])
    assert footprint(graph).work == 4 * 2 * 32 * (1 + 31)


def test_adaptive_windows_are_no_more_work_than_is_said() -> None:
    for size, output in itertools.product(([1, 60], [60, 1], [7, 9], [30, 30]), ([60, 1], [1, 60], [4, 5], [31, 29])):
        op = OPS["adaptive_max_pool2d"].model_validate({"output_size": output})
        ranges = [[-(-(i + 1) * n // m) - i * n // m for i in range(m)] for n, m in zip(size, output, strict=True)]
        read = sum(rows * columns for rows in ranges[0] for columns in ranges[1])
        assert read <= op.work(((1, *size),), (1, *output)) <= 9 * max(read, 1)


def test_work_of_a_block_counts_as_often_as_it_runs() -> None:
    once, often = (
        graph_of([{"b": {"block": "Twice"}}] + [{"call": "b"}] * calls, blocks={"Twice": TWICE}) for calls in (0, 9)
    )
    assert footprint(often).work == 10 * footprint(once).work
    assert footprint(often).kept == 10 * footprint(once).kept


# -- limits ---------------------------------------------------------------------------------------------------------

WIDE = dump({"name": "wide", "input": [100_000], "layers": [{"fc": {"op": "linear", "out_features": 10**6}}]})
MANY = dump({"name": "many", "input": [4096], "layers": [{"repeat": 600, "index": "i", "layers": [
    {"fc{i}": {"op": "linear", "out_features": 4096}}]}]})  # fmt: skip
HELD = dump({"name": "held", "input": [64, 1024, 1024], "layers": [
    *({f"t{i}": TANH} for i in range(20)), {"op": "cat", "from": [f"t{i}" for i in range(20)]}]})  # fmt: skip
SLOW = dump({"name": "slow", "input": [512, 512, 512], "layers": [{"repeat": 40, "index": "i", "layers": [
    {"c{i}": {"op": "conv2d", "out_channels": 512, "kernel_size": 3, "padding": 1}}]}]})  # fmt: skip


def refused(*arguments: str, file: Path, text: str) -> str:
    file.write_text(text, encoding="utf-8")
    done = CliRunner().invoke(app, [*arguments, str(file)])
    assert done.exit_code == 1, done.output
    assert done.stdout == ""
    return done.stderr


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A file for a spec, where no module may be made."""
    monkeypatch.setattr(nn.Module, "__init__", None)
    return tmp_path / "net.yaml"


def test_an_error_says_what_a_network_takes_and_how_to_go_on(path: Path) -> None:
    assert refused("build", file=path, text=WIDE) == (
        "error[limit]: wide takes about 372.5 GiB of memory, more than 16.0 GiB\n"
        "   = wide holds 100,001,000,000 numbers (372.5 GiB of float32)\n"
        "   = the values of a pass on 2 samples take 16.0 MiB\n"
        "   = help: --max-memory 373GiB (max_memory='373GiB') allows that much, --force (force=True) anything\n"
    )


@pytest.mark.parametrize("command", ["build", "verify"])
@pytest.mark.parametrize("text", [MANY, HELD], ids=["weights", "values"])
def test_sums_are_bounded_and_not_only_each_value(command: str, text: str, path: Path) -> None:
    assert "of memory, more than 16.0 GiB" in refused(command, file=path, text=text)


@pytest.mark.parametrize("command", ["build", "verify"])
def test_work_is_bounded(command: str, path: Path) -> None:
    said = refused(command, "--max-memory", "900GiB", file=path, text=SLOW)
    assert "error[limit]: running slow takes about" in said
    assert "operations, more than 1e+13" in said
    assert "--force" in said


@pytest.mark.parametrize("option", [["--max-memory", "3MiB"], ["--force", "--max-memory", "1"]])
def test_the_limit_is_raised(option: list[str], tmp_path: Path) -> None:
    done = CliRunner().invoke(app, ["build", "lenet", *option], catch_exceptions=False)
    assert done.exit_code == 0, done.output


def test_a_file_is_counted(tmp_path: Path) -> None:
    size = requirements(archspec.compile("lenet"), build_and_check()).memory
    arguments = ["build", "lenet", "--max-memory", str(size), "-o"]
    assert CliRunner().invoke(app, [*arguments, str(tmp_path / "lenet.pt")]).exit_code == 0
    done = CliRunner().invoke(app, [*arguments, str(tmp_path / "lenet.pt2")])
    assert done.exit_code == 1
    assert "= lenet holds 121,182 numbers (473.4 KiB of float32), 4 copies\n" in done.stderr
    assert [file.name for file in tmp_path.iterdir()] == ["lenet.pt"]


def test_training_takes_the_values_it_keeps_gradients_and_more_work() -> None:
    graph = graph_of([{f"a{i}": TANH} for i in range(50)])
    evaluated, trained = (requirements(graph, compare(SAMPLES, training)) for training in (False, True))
    assert trained.values - evaluated.values == 4 * SAMPLES * 50 * 4 * 32 * 32
    assert trained.work == 3 * evaluated.work
    lenet = archspec.compile("lenet")
    found = [requirements(lenet, compare(SAMPLES, training)).weights for training in (False, True)]
    assert found == [2 * 4 * 121_182, 4 * 4 * 121_182]


def test_functions_have_the_limits() -> None:
    size = 4 * 121_182
    assert archspec.build("lenet", max_memory=size)
    assert archspec.build("lenet", max_memory="1B", max_params=1, force=True)
    with pytest.raises(SpecError, match="lenet takes about"):
        archspec.build("lenet", max_memory=size - 1)
    with pytest.raises(SpecError, match="lenet takes about"):
        archspec.build("lenet", max_memory=size, fold_batch_norm=True)
    with pytest.raises(SpecError, match="lenet takes about"):
        archspec.verify("lenet", max_memory=3 * size)
    assert archspec.verify("lenet", max_memory=3 * size, force=True, skip="training").ok


def test_what_is_built_counts_and_not_what_it_is_cut_from() -> None:
    assert archspec.build(WIDE.replace("- fc", "- act: {op: relu}\n- fc"), features="act", max_memory="1KiB")


def test_weights_that_are_loaded_count(tmp_path: Path) -> None:
    torch.save(archspec.build("lenet").state_dict(), tmp_path / "lenet.pt")
    with pytest.raises(SpecError, match="lenet takes about"):
        archspec.build("lenet", weights=tmp_path / "lenet.pt", max_memory=4 * 121_181)


@pytest.mark.parametrize("name", list(shipped()))
def test_no_shipped_spec_needs_force(name: str) -> None:
    graph = archspec.compile(name)
    uses = [build_and_check(suffix) for suffix in ("", ".pt2", ".onnx")] + [compare(2, training=True)]
    for use in uses:
        needed = requirements(graph, use)
        assert needed.memory <= MAX_MEMORY
        assert needed.work <= MAX_WORK


def test_the_estimate_is_in_time_that_grows_with_the_spec() -> None:
    """Blocks that use the next twice, 40 deep, are 40 modules."""
    blocks: dict[str, Any] = {f"B{i}": {"layers": [{"a": {"block": f"B{i + 1}"}}, {"b": {"block": f"B{i + 1}"}}]}
                              for i in range(14)}  # fmt: skip
    graph = graph_of([{"b": {"block": "B0"}}], blocks={**blocks, "B14": {"layers": [{"t": TANH}]}}, input=[2, 2, 2])
    steps = 0

    def counted(frame: Any, event: str, argument: Any) -> None:
        nonlocal steps
        steps += event == "call"

    sys.setprofile(counted)
    try:
        found = footprint(graph)
    finally:
        sys.setprofile(None)
    assert found.kept == 2**14 * 8
    assert steps < 2_000


@pytest.mark.parametrize(
    ("given", "size"),
    [("16GiB", 16 << 30), ("1.5 MiB", 3 << 19), ("2K", 2048), ("7", 7), ("7B", 7), ("1T", 1 << 40), (5, 5)],
)
def test_sizes(given: str | int, size: int) -> None:
    assert parse_bytes(given) == size


@pytest.mark.parametrize(
    "given", ["", "GiB", "-1", "0", "0.0GiB", "1e9", "16 gib", "1PiB", "٣", 0, -3, 1.5, True, None]
)
def test_what_is_no_size(given: Any) -> None:
    with pytest.raises(SpecError, match="max_memory: expected bytes or a size such as '64GiB', got "):
        parse_bytes(given)
    if isinstance(given, str):
        done = CliRunner().invoke(app, ["build", "lenet", "--max-memory", given])
        assert done.exit_code == 2
        assert "Invalid value for '--max-memory': expected bytes or a size such as '64GiB'" in done.stderr
