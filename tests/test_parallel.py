"""One task for many specs, in this process and in several."""

from __future__ import annotations

import multiprocessing
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from archspec.cli import parallel
from archspec.diagnostics.diagnostic import Diagnostic, SpecError
from archspec.frontend.loader import shipped

SOURCES = [str(number) for number in range(20)]

Each = Callable[[Callable[[str], str], list[str]], list[str]]


@pytest.fixture(params=["each", "each_on_all_cores"])
def each(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Each:
    monkeypatch.setattr(parallel, "_cores", lambda: 2)
    monkeypatch.setattr(parallel, "_may_fork", lambda: sys.platform == "linux")
    found: Each = getattr(parallel, request.param)
    return found


def _process(source: str) -> str:
    return str(os.getpid())


def _strict(source: str) -> str:
    if int(source) % 7 == 3:
        raise SpecError([Diagnostic("schema", f"{source} is wrong", ("a", 1), file=source, line=2)])
    return source


def _fragile(source: str) -> str:
    if source == "5" and os.getpid() != _PARENT:
        os.kill(os.getpid(), signal.SIGKILL)
    return source


_PARENT = os.getpid()


def test_results_are_in_the_order_of_the_sources(each: Each) -> None:
    assert each(_strict, ["2", "1", *"4567890"]) == ["2", "1", *"4567890"]


def test_errors_of_all_come_in_one_error(each: Each) -> None:
    with pytest.raises(SpecError) as caught:
        each(_strict, SOURCES)
    assert [(d.message, d.path, d.line) for d in caught.value.diagnostics] == [
        (f"{number} is wrong", ("a", 1), 2) for number in ("10", "17", "3")
    ]


@pytest.mark.skipif(sys.platform != "linux", reason="only there are processes copied")
def test_many_are_done_by_other_processes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parallel, "_cores", lambda: 2)
    monkeypatch.setattr(parallel, "_may_fork", lambda: True)
    assert str(_PARENT) not in parallel.each_on_all_cores(_process, SOURCES)
    assert set(parallel.each_on_all_cores(_process, SOURCES[:3])) == {str(_PARENT)}


@pytest.mark.parametrize("count", [3, 10])
def test_progress_begins_when_the_processes_have_started(monkeypatch: pytest.MonkeyPatch, count: int) -> None:
    """It has a thread, which a forked process would lack, and whose locks it would wait for."""
    monkeypatch.setattr(parallel, "_cores", lambda: 2)
    monkeypatch.setattr(parallel, "_may_fork", lambda: sys.platform == "linux")
    children: list[int] = []
    steps: list[str] = []

    @contextmanager
    def shown() -> Iterator[parallel.Notify]:
        children.append(len(multiprocessing.active_children()))
        yield steps.append

    specs = [str(number * 7) for number in range(count)]
    assert parallel.each_on_all_cores(_strict, specs, shown()) == specs
    assert children == [2 if count >= parallel._WORTH_IT and sys.platform == "linux" else 0]
    assert steps == [""] * count


def test_work_of_a_killed_process_is_done_again(each: Each) -> None:
    assert each(_fragile, SOURCES) == SOURCES


def test_sources_are_the_same_from_one_process_and_from_several(tmp_path: Path) -> None:
    """`archspec codegen` with torch loaded stays in one process."""
    names = sorted(shipped())[:: len(shipped()) // parallel._WORTH_IT]
    command = (
        f"import sys, {{}} archspec.cli.commands; archspec.cli.commands.app(['codegen', *{names}, '-o', sys.argv[1]])"
    )
    texts = []
    for also in ("", "torch,"):
        folder = tmp_path / f"nets{also}"
        subprocess.run(
            [sys.executable, "-c", command.format(also), str(folder), *names], check=True, cwd=Path(__file__).parents[1]
        )
        texts.append({path.name: path.read_text(encoding="utf-8") for path in folder.iterdir()})
    assert texts[0] == texts[1]
    assert len(texts[0]) >= parallel._WORTH_IT
