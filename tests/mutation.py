"""Mutants of the compiler: whether a test notices when a line of it is wrong. A script, no part of the suite.

    python tests/mutation.py [N] [--seed S] [--only NAME] [--limit SECONDS] [--jobs J] [--known-green]

takes N (20) mutants at random, changes one place of one file in a copy of the tree, and runs `archspec codegen
--check`, as CI does, the tests of that file with -x, and as many random networks as CI tries. A
mutant is *killed* if a test fails or the tests take longer than LIMIT (a loop that does not end), *survives* if all
pass, and is *inconclusive* if the tests cannot be run at all (pytest's own errors: no test was run). Survivors are
printed with their place and their change. `--only ops` takes mutants of one part alone: a key of `TESTS`. What is
mutated: comparisons, + and −, * and //, `and` and `or`, `not`, constants, statements that are dropped, conditions that
hold always or never, and values that are returned; not `strict=` of a `zip`, which guards against what never happens.
First the tests are run without a change, unless they are `--known-green`.
Equivalent mutants (whose change cannot be observed) are not distinguished from survivors: a person must look.
"""

from __future__ import annotations

import argparse
import ast
import copy
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parent.parent

GOLDEN: Final = "tests/test_golden.py"
GRAPHS: Final = (GOLDEN, "tests/test_semantics.py", "tests/test_graph.py", "tests/test_mutants.py")
FILES: Final = ("tests/test_random_networks.py", "tests/test_program.py")
TESTS: Final[dict[str, tuple[str, ...]]] = {
    "archspec/ops": (
        GOLDEN,
        "tests/test_ops.py",
        "tests/test_tensor_ops.py",
        "tests/test_functional_ops.py",
        "tests/test_embedding.py",
        "tests/test_batchless.py",
        "tests/test_receptive_field.py",
        "tests/test_import.py",
        "tests/test_docs.py",
        "tests/test_graph.py",
        "tests/test_mutants.py",
        "tests/test_errors.py",
        *FILES,
    ),
    "archspec/expressions": (
        GOLDEN,
        "tests/test_expressions.py",
        "tests/test_simplify.py",
        "tests/test_errors.py",
        "tests/test_mutants.py",
        *FILES,
    ),
    "archspec/ir/layer.py": (*GRAPHS, *FILES),
    "archspec/passes/specialize": (*GRAPHS, "tests/test_errors.py", "tests/test_partial_network.py", *FILES),
    "archspec/passes/inplace.py": (GOLDEN, "tests/test_mutants.py", *FILES),
    "archspec/passes/fold_batch_norm.py": ("tests/test_mutants.py", "tests/test_folding.py", *FILES),
    "archspec/weights/load.py": ("tests/test_mutants.py", "tests/test_weights.py", "tests/test_folding.py"),
    "archspec/backends/torch/program.py": ("tests/test_program.py", "tests/test_mutants.py", *FILES),
    "archspec/backends/python": (
        GOLDEN,
        "tests/test_mutants.py",
        "tests/test_source_text.py",
        *FILES,
        "tests/test_docs.py",
        "tests/test_cli.py",
    ),
}
"""The parts that are mutated, and the tests that must fail: quick ones first, since the first failure ends the run."""

FEWER: Final = {"ARCHSPEC_NETWORKS": "60", "ARCHSPEC_FREE_NETWORKS": "60"}
"""So many random networks are tried at first, besides the kept ones."""


@dataclass(frozen=True)
class Mutant:
    """One change of one file."""

    part: str
    file: Path
    line: int
    before: str
    after: str
    text: Callable[[], str]
    """The whole file with the change."""


# -- changes ------------------------------------------------------------------------------------------------------

_COMPARE: Final[dict[type[ast.cmpop], type[ast.cmpop]]] = {
    ast.Eq: ast.NotEq, ast.NotEq: ast.Eq, ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE, ast.GtE: ast.Gt,
    ast.Is: ast.IsNot, ast.IsNot: ast.Is, ast.In: ast.NotIn, ast.NotIn: ast.In,
}  # fmt: skip
_BINARY: Final[dict[type[ast.operator], type[ast.operator]]] = {
    ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.FloorDiv, ast.FloorDiv: ast.Mult, ast.Div: ast.Mult,
    ast.BitOr: ast.BitAnd, ast.BitAnd: ast.BitOr,
}  # fmt: skip


def changes(node: ast.AST) -> Iterator[ast.AST]:
    """The nodes that a node may be changed into."""
    match node:
        case ast.Compare(ops=[op]) if type(op) in _COMPARE:
            yield _with(node, ops=[_COMPARE[type(op)]()])
        case ast.BinOp(op=op) if type(op) in _BINARY:
            yield _with(node, op=_BINARY[type(op)]())
        case ast.BoolOp(op=op):
            yield _with(node, op=ast.Or() if isinstance(op, ast.And) else ast.And())
        case ast.UnaryOp(op=ast.Not(), operand=operand):
            yield operand
        case ast.Constant(value=bool(value)):
            yield ast.Constant(not value)
        case ast.Constant(value=int(value)):
            yield ast.Constant(value + 1)
        case ast.IfExp(body=body, orelse=orelse):
            yield from (body, orelse)
        case ast.If(test=test):
            yield _with(node, test=ast.UnaryOp(ast.Not(), test))
        case ast.Return(value=value) if value is not None and not _means_no(value):
            yield ast.Return(ast.Constant(None))
        case ast.Assign() | ast.AugAssign() | ast.Expr() | ast.Raise() | ast.Continue() | ast.Break():
            if not (isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)):
                yield ast.Pass()


def _with(node: ast.AST, **fields: object) -> ast.AST:
    changed = copy.copy(node)
    for name, value in fields.items():
        setattr(changed, name, value)
    return changed


def _means_no(value: ast.expr) -> bool:
    """Whether it is `None`, or `False`, which no caller tells from it."""
    return isinstance(value, ast.Constant) and (value.value is None or value.value is False)


def mutants_of(part: str, file: Path) -> Iterator[Mutant]:
    """All mutants of a file."""
    tree = ast.parse(file.read_text(encoding="utf-8"))
    for parent in _mutable(tree):
        for name, number, node in list(_children(parent)):
            for changed in changes(node):
                text = partial(_text, tree, parent, name, number, node, changed)
                line = getattr(node, "lineno", 0)
                yield Mutant(part, file.relative_to(ROOT), line, ast.unparse(node), ast.unparse(changed), text)


def _text(
    tree: ast.Module, parent: ast.AST, name: str, number: int | None, node: ast.AST, changed: ast.AST
) -> str:  # fmt: skip
    """A file with one node changed; the tree is as it was afterwards."""
    _put(parent, name, number, changed)
    try:
        return ast.unparse(ast.fix_missing_locations(tree))
    finally:
        _put(parent, name, number, node)


def _mutable(tree: ast.Module) -> Iterator[ast.AST]:
    """Every node inside a function; code outside of functions only declares types, names and texts."""
    for function in ast.walk(tree):
        if isinstance(function, ast.FunctionDef):
            for statement in function.body:
                yield from (node for node in ast.walk(statement) if not isinstance(node, ast.FunctionDef))
            yield function


def _children(parent: ast.AST) -> Iterator[tuple[str, int | None, ast.AST]]:
    for name, value in ast.iter_fields(parent):
        if isinstance(parent, ast.FunctionDef) and name != "body":
            continue  # decorators, defaults and annotations
        if isinstance(parent, ast.AnnAssign) and name == "annotation":
            continue
        if isinstance(parent, ast.keyword) and parent.arg == "strict":
            continue
        if isinstance(value, ast.AST):
            yield name, None, value
        elif isinstance(value, list):
            yield from ((name, number, node) for number, node in enumerate(value) if isinstance(node, ast.AST))


def _put(parent: ast.AST, name: str, number: int | None, node: ast.AST) -> None:
    if number is None:
        setattr(parent, name, node)
    else:
        getattr(parent, name)[number] = node


# -- trying them --------------------------------------------------------------------------------------------------


def sample(count: int, seed: int, only: str | None) -> list[Mutant]:
    """Mutants at random, as many of each file as it has, for its length."""
    parts = [part for part in TESTS if only is None or only in part]
    found = [mutant for part in parts for file in _files(ROOT / part) for mutant in mutants_of(part, file)]
    chosen = random.Random(seed).sample(found, min(count, len(found)))
    return [replace(mutant, text=partial(str, mutant.text())) for mutant in chosen]


def _files(path: Path) -> list[Path]:
    """The files of a part; the validator of generated files is no part of what it validates."""
    found = sorted(path.rglob("*.py")) if path.is_dir() else [path]
    return [file for file in found if file.exists() and "validator" not in file.parts]


def copy_of_tree(folder: Path) -> Path:
    """What the tests need of the tree, elsewhere."""
    ignored = shutil.ignore_patterns("__pycache__", ".git", ".venv", "*.pyc", ".mypy_cache", ".ruff_cache")
    target = folder / "tree"
    shutil.copytree(ROOT, target, ignore=ignored)
    return target


def outcome(tree: Path, mutant: Mutant, limit: float) -> str:
    """The outcome of a mutant in a copy of the tree, which is restored afterwards."""
    file = tree / mutant.file
    original = file.read_text(encoding="utf-8")
    file.write_text(mutant.text(), encoding="utf-8")
    try:
        return run_tests(tree, mutant.part, limit)
    finally:
        file.write_text(original, encoding="utf-8")


PYTEST: Final = ("pytest", "-q", "-x", "-p", "no:cacheprovider", "-k", "not free_networks_are_clean")
"""mypy over the files of all random networks takes longer than all else, and is left out."""


def run_tests(tree: Path, part: str, limit: float) -> str:
    """What ends soonest first: the generated files of shipped specs, as CI compares them, and few random networks."""
    tests = [test for test in TESTS[part] if (tree / test).exists()]
    stages: list[tuple[dict[str, str], tuple[str, ...]]] = [
        ({}, ("archspec", "codegen", "--check")),
        (FEWER, (*PYTEST, *tests)),
    ]
    if random_networks := [test for test in tests if "random" in test]:
        stages.append(({}, (*PYTEST, "-m", "not by_hand", *random_networks)))
    for settings, command in stages:
        if (found := run(tree, command, settings, limit)) != "survived":
            return found
    return "survived"


def run(tree: Path, command: Sequence[str], settings: Mapping[str, str], limit: float) -> str:
    """The outcome of a mutant in one command, which is run with `python -m`."""
    own = {"PYTHONPATH": str(tree), "OMP_NUM_THREADS": "1", "PYTHONDONTWRITEBYTECODE": "1"}
    try:
        done = subprocess.run(
            [sys.executable, "-m", *command], cwd=tree, env={**os.environ, **settings, **own}, capture_output=True,
            text=True, timeout=limit, check=False,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        return "killed (time)"
    # 0: all pass; 1: a test failed; 2: a file of tests cannot be imported, which the mutant did; else pytest's own.
    return {0: "survived", 1: "killed", 2: "killed"}.get(done.returncode, "inconclusive")


def main(arguments: list[str]) -> int:
    """Try mutants, print survivors and a total; 1 if the tests fail without any change."""
    parser = argparse.ArgumentParser(prog="python tests/mutation.py")
    parser.add_argument("count", type=int, nargs="?", default=20)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", help="a part of TESTS: ops, specialize, inplace, folding, weights, python, program")
    parser.add_argument("--limit", type=float, default=900, help="seconds for the tests of one mutant")
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--known-green", action="store_true", help="do not run the tests without a change first")
    given = parser.parse_args(arguments)
    chosen = sample(given.count, given.seed, given.only)
    with tempfile.TemporaryDirectory() as folder:
        trees = [copy_of_tree(Path(folder) / str(number)) for number in range(given.jobs)]
        for part in [] if given.known_green else sorted({mutant.part for mutant in chosen}):
            if (found := run_tests(trees[0], part, given.limit)) != "survived":
                print(f"{part}: its tests fail without any change ({found})")
                return 1
        report(trees, chosen, given.limit)
    return 0


def report(trees: list[Path], chosen: list[Mutant], limit: float) -> None:
    """Try each mutant in one of the trees, and report the outcome."""
    free, begun, found = list(trees), time.monotonic(), Counter[str]()

    def tried(mutant: Mutant) -> tuple[Mutant, str]:
        tree = free.pop()
        try:
            return mutant, outcome(tree, mutant, limit)
        finally:
            free.append(tree)

    with ThreadPoolExecutor(len(trees)) as pool:
        for mutant, became in pool.map(tried, chosen):
            found[became.split()[0]] += 1
            print(f"{became:13} {mutant.file}:{mutant.line}", flush=True)
            if became in ("survived", "inconclusive"):
                print(f"    - {mutant.before.splitlines()[0]}\n    + {mutant.after.splitlines()[0]}", flush=True)
    conclusive = found["killed"] + found["survived"]
    share = 100 * found["killed"] / max(conclusive, 1)
    print(f"{dict(found)}: {share:.1f} % of {conclusive} killed in {time.monotonic() - begun:.0f} s")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
