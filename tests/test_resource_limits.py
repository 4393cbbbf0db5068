"""The cost of specs is bounded: every command ends within seconds and a GiB, with a result or a located error."""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
from pathlib import Path

import pytest
from excessive_specs import EXCESSIVE, excessive
from exhaustive import first

import archspec
from archspec.backends import diagram
from archspec.diagnostics import budget
from archspec.ir.limits import MAX_STEPS

CPU = 25
"""Seconds after which a command is killed; on an idle machine it may take five."""

MEMORY = 1 << 30

COMMANDS = {
    "check": ["check", "--format", "json"],
    "summary": ["summary"],
    "codegen": ["codegen"],
    "expand": ["expand"],
    "render": ["render", "-o", "net.svg"],
    "page": ["render", "-o", "net.html"],
}


PAIRS = [(name, [*COMMANDS][(number + shift) % len(COMMANDS)])
         for shift in range(len(COMMANDS)) for number, name in enumerate(EXCESSIVE)]  # fmt: skip
"""Every spec with every command: first each with one command, in turn, then with the next one."""


def limited() -> None:
    resource.setrlimit(resource.RLIMIT_CPU, (CPU, CPU))
    resource.setrlimit(resource.RLIMIT_DATA, (MEMORY, MEMORY))


def run(command: str, text: str, folder: Path) -> subprocess.CompletedProcess[str]:
    (folder / "excessive.yaml").write_text(text, encoding="utf-8")
    name, *options = COMMANDS[command]
    return subprocess.run(
        [sys.executable, "-m", "archspec", name, "excessive.yaml", *options], cwd=folder, preexec_fn=limited,
        capture_output=True, text=True, check=False, env={**os.environ, "OMP_NUM_THREADS": "1"},
    )  # fmt: skip


def check(command: str, text: str, folder: Path) -> None:
    done = run(command, text, folder)
    assert done.returncode in (0, 1), f"{done.returncode}: {done.stderr[-500:]}"
    assert "Traceback" not in done.stderr
    if done.returncode == 1 and command == "check":
        errors = json.loads(done.stdout)
        assert errors
        assert all(error["file"] for error in errors)


@pytest.mark.parametrize("pair", first(PAIRS, 0, len(EXCESSIVE)), ids="-".join)
def test_every_command_ends(pair: tuple[str, str], tmp_path: Path) -> None:
    name, command = pair
    check(command, EXCESSIVE[name], tmp_path)


@pytest.mark.parametrize("seed", first(range(60), 0, 15))
def test_random_excess_ends(seed: int, tmp_path: Path) -> None:
    check([*COMMANDS][seed % len(COMMANDS)], excessive(seed), tmp_path)


def steps_of(name: str, function: object = archspec.compile) -> int:
    """The steps that a call draws."""
    spent = budget.Budget(1 << 60)
    token = budget.current.set(spent)
    try:
        function(name)  # type: ignore[operator]
    finally:
        budget.current.reset(token)
    return (1 << 60) - spent.left


@pytest.mark.parametrize("name", [name for name, text in EXCESSIVE.items() if len(text) < 20_000])
def test_excess_ends_within_the_budget(name: str) -> None:
    """The quick form of the tests above, in this process and with a tenth of the steps."""
    with archspec.step_limit(MAX_STEPS // 10):
        try:
            ended = archspec.summary(EXCESSIVE[name])
        except archspec.SpecError as error:
            ended = error.diagnostics[0].file
    assert ended


@pytest.mark.parametrize("function", [archspec.compile, archspec.codegen, archspec.expand, archspec.render])
def test_shipped_networks_are_far_from_the_limit(function: object) -> None:
    for name in ("efficientnet_b7", "densenet201", "googlenet", "resnet152"):
        assert steps_of(name, function) < MAX_STEPS // 10


def with_stem(items: str) -> str:
    return f"name: n\ninput: [4, 8, 8]\nlayers:\n- s: {{op: tanh}}\n- {items}\n"


def test_what_is_repeated_costs_more() -> None:
    """Each kind of repetition draws from the budget: twice as much of it takes more steps."""
    for once, twice in (
        (f"{{op: relu, repeat: {k}}}" for k in (1000, 2000)),
        (f"{{op: relu, when: =1 > 2, repeat: {k}}}" for k in (1000, 2000)),
        (f"{{op: cat, from: [{', '.join(['s'] * k)}]}}" for k in (2, 2000)),
    ):
        assert steps_of(with_stem(twice)) >= steps_of(with_stem(once)) + 1000


def test_the_limit_can_be_raised_and_says_how() -> None:
    text = EXCESSIVE["nested repeats of what is left out"]
    with pytest.raises(archspec.SpecError, match="more than 1,000 steps of work") as caught, archspec.step_limit(1000):
        archspec.compile(text)
    (found,) = caught.value.diagnostics
    assert (found.kind, found.line > 5, "--max-steps" in found.help) == ("limit", True, True)
    small = text.replace("10000", "10")
    assert [layer.name for layer in archspec.compile(small).layers] == ["s"]
    with archspec.step_limit(1000), pytest.raises(archspec.SpecError):
        archspec.compile(small)


def test_an_error_behind_the_analysis_names_the_function_and_the_file(tmp_path: Path) -> None:
    path = tmp_path / "net.yaml"
    path.write_text("name: n\ninput: [4, 8, 8]\nlayers:\n- {op: relu, repeat: 200}\n", encoding="utf-8")
    needed = steps_of(str(path))
    with archspec.step_limit(needed + 2000), pytest.raises(archspec.SpecError) as caught:
        archspec.codegen(path)
    (found,) = caught.value.diagnostics
    assert found.message == f"codegen: more than {needed + 2000:,} steps of work"
    assert found.file == str(path)


def test_images_have_a_budget_of_their_own() -> None:
    """The command line draws a graph outside the functions that compile it."""
    graph = archspec.compile("name: n\ninput: [4, 8, 8]\nlayers:\n- {op: relu, repeat: 200}\n")
    with archspec.step_limit(10), pytest.raises(archspec.SpecError, match="more than 10 steps of work"):
        diagram.render(graph)


def test_a_long_chain_is_a_box_of_its_own() -> None:
    """A box that lists each op of a chain is for short chains: this one would take thousands of lines."""
    dot = archspec.render(EXCESSIVE["a chain of blocks"], format="dot").decode()
    assert "B0" in dot
    assert dot.count("relu") < 10
