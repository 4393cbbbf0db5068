"""Coverage-guided fuzzing: document, expressions, language, specialisation and, on what compiles, codegen or build.

Not part of the test suite, of which atheris is not a dependency. To run it for twenty minutes:

    pip install atheris
    python tests/fuzz.py /tmp/fuzz -max_total_time=1200
    python tests/fuzz.py --build /tmp/fuzz-build -max_total_time=1200

What compiles is written as source, which is validated; with `--build` it is built and run as `archspec build` does.
`/tmp/fuzz` is made if need be: `corpus/` begins with the shipped specs and the fixtures of the tests, `findings/`
gets one file for each kind of error (the traceback, then the input), and the run goes on. Whatever stands after
the folder are libFuzzer's own options. `findings/report.txt` holds the numbers of executions and findings.

Weights files have a fuzz of their own, which needs no atheris: `fuzz_weights.py`.
"""

from __future__ import annotations

import ast
import random
import sys
import time
import traceback
from contextlib import suppress
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["archspec"]):
    from archspec.api import build, codegen
    from archspec.backends.torch.build import check_shapes
    from archspec.diagnostics.diagnostic import SpecError
    from archspec.expressions.errors import ExpressionError
    from archspec.expressions.parse import parse
    from archspec.frontend import library, loader
    from archspec.frontend.yaml import reader
    from archspec.ops import OPS
    from archspec.passes import pipeline

HANG = 2.0
"""Seconds of CPU that no input of at most `MAX_LENGTH` bytes may take."""

MAX_LENGTH = 6000
MAX_NODES = 20_000
MAX_MEMORY = "64MiB"
"""Networks that take more are not built."""
SMALL = 300
"""Networks of more steps are not written as source, to keep the runs short."""

_VOCABULARY = """
name input family params let blocks layers seq block op call from when else repeat index train_only as append init
output register outputs type fields conv2d linear relu batch_norm2d max_pool2d adaptive_avg_pool2d add cat mul chunk
flatten
parameter permute layer_norm mean dropout stochastic_depth upsample =n =i+1 =input.channels =input.channels//2 =x[0]
=[1,2,3] =1/0 =2**64 =-1 =None =True ="a" =sum([1,2]) =make_divisible(n,8) =n*4 =a.parts =a.features - 0 1 2 3 8
-1 1.0e-6 1.0e+300 null true ~ "" [] {} [1,2] {a: 1} a b x{i} {i} __class__ forward halves.0 halves.9 input M
4611686018427387904 Bottleneck BasicBlock DenseBlock num_classes =num_classes resnet vgg densenet inception [3,8,8]
1000000 999999999999
&a *a <<: !!python/object yes 0x10 1_000 ' " | > \\ # : ? % @ ` \u202e \u2028 \x1b[2J \x00 é 中
"""
WORDS = _VOCABULARY.split()


class Harness:
    """Runs inputs, and keeps one finding of each kind."""

    def __init__(self, folder: Path, builds: bool) -> None:
        self.folder = folder
        self.builds = builds
        self.executions = self.compiled = self.written = 0
        self.known: set[str] = set()

    def one(self, data: bytes) -> None:
        self.executions += 1
        if self.executions % 500 == 0:
            self.report()
        start = time.process_time()
        try:
            self.check(data)
        except SpecError as error:
            self.told(error, data)
        except Exception as error:
            self.find(_kind(error), traceback.format_exc(), data)
        if time.process_time() - start > HANG:
            self.find("hang", f"took {time.process_time() - start:.1f} s", data)

    def check(self, data: bytes) -> None:
        if data[:1] == b"=":
            _expression(data.decode("utf-8", "replace"))
            return
        spec = loader._validated(reader.parse(data.decode("utf-8", "replace"), "fuzz.yaml"), {}, OPS, pipeline.recover)
        graph = pipeline._specialized(spec, False, MAX_NODES)
        graph.verify()
        self.compiled += 1
        assert graph.params >= 0
        assert graph.macs >= 0
        if sum(len(module.steps) for module in graph.root.modules) <= SMALL:
            (_build if self.builds else _write)(spec)
            self.written += 1

    def told(self, error: SpecError, data: bytes) -> None:
        """Every error must be reported in printable text."""
        try:
            text = str(error)
            assert text
            assert all(c == "\n" or c.isprintable() for c in text), "raw control characters"
        except Exception as failure:
            self.find(_kind(failure), traceback.format_exc(), data)

    def find(self, kind: str, text: str, data: bytes) -> None:
        if kind in self.known:
            return
        self.known.add(kind)
        print(f"\nFINDING {len(self.known)}: {kind}\n{text}", flush=True)
        (self.folder / f"{len(self.known):03}.txt").write_bytes(text.encode() + b"\n----\n" + data)

    def report(self) -> None:
        """Report progress now, since libFuzzer ends the process without notifying Python."""
        done = "built and run" if self.builds else "written as source"
        (self.folder / "report.txt").write_text(
            f"{self.executions:,} executions, {self.compiled:,} compiled, {self.written:,} {done}, "
            f"{len(self.known)} findings\n" + "".join(f"{kind}\n" for kind in sorted(self.known)),
            encoding="utf-8",
        )


_EXPECTED = (ast.Expr, ast.Import, ast.ImportFrom, ast.ClassDef, ast.FunctionDef)


def _write(spec: loader.Spec) -> None:
    text = codegen(spec)  # which validates it: a file that is refused is a finding, too
    assert all(isinstance(node, _EXPECTED) for node in ast.parse(text).body), "unexpected statement"


def _build(spec: loader.Spec) -> None:
    """Build the module and run it. Layers whose shapes are not the inferred ones are a finding."""
    try:
        module = build(spec, seed=0, max_memory=MAX_MEMORY)
    except SpecError as error:
        if any(found.kind not in ("limit", "target") for found in error.diagnostics):
            raise AssertionError(f"what compiles is refused: {error}") from None
        return
    found = check_shapes(pipeline.compile(spec), module)
    assert not found, found


def _kind(error: Exception) -> str:
    """A key that distinguishes errors: the type and the innermost lines of archspec's code."""
    frames = [f"{Path(f.filename).name}:{f.name}:{f.lineno}" for f in traceback.extract_tb(error.__traceback__)]
    return f"{type(error).__name__} at {' < '.join(frames[::-1][:2])}"


def _expression(text: str) -> None:
    """An expression on its own, evaluated with a number under each of its names."""
    with suppress(ExpressionError):
        expression = parse(text)
        expression.evaluate(dict.fromkeys(expression.names, 3))


def mutate(data: bytes, max_size: int, seed: int) -> bytes:
    """libFuzzer's own mutation, or one of lines and words."""
    chance = random.Random(seed)
    if chance.random() < 0.35:
        return bytes(atheris.Mutate(data, max_size))
    lines = data.decode("utf-8", "replace").split("\n")
    for _ in range(chance.randint(1, 4)):
        _change(lines, chance)
    return "\n".join(lines).encode()[:max_size]


def _change(lines: list[str], chance: random.Random) -> None:
    place, other = chance.randrange(len(lines)), chance.randrange(len(lines))
    match chance.randrange(5):
        case 0:
            lines.insert(other, lines[place])
        case 1 if len(lines) > 1:
            del lines[place]
        case 2:
            lines[place], lines[other] = lines[other], lines[place]
        case 3:
            lines[place] = chance.choice(["", "  ", "    ", "- "]) + lines[place].lstrip(chance.choice([" ", " -"]))
        case _:
            words = lines[place].split(" ")
            words[chance.randrange(len(words))] = chance.choice(WORDS) + chance.choice(["", ",", "}", "]", ":"])
            lines[place] = " ".join(words)


def seeds(folder: Path) -> None:
    """The corpus to begin with: shipped specs, also in the core language, fixtures, and a few expressions."""
    folder.mkdir(parents=True, exist_ok=True)
    texts = [path.read_text(encoding="utf-8") for path in loader.shipped().values()]
    texts += [text for text in map(pipeline.expand, loader.shipped().values()) if len(text) <= MAX_LENGTH]
    fixtures = Path(__file__).parent / "fixtures"
    texts += [path.read_text(encoding="utf-8", errors="replace") for path in sorted(fixtures.rglob("*.yaml"))]
    texts += ["=int(planes * (width / 64)) * groups", "=a if b and not c else [1, 2][0]", "=make_divisible(x, 8)"]
    for number, text in enumerate(texts):
        (folder / f"seed{number:03}").write_text(text[:MAX_LENGTH], encoding="utf-8", errors="replace")


def main() -> None:
    given, *others = (argument for argument in sys.argv[1:] if argument != "--build")
    folder = Path(given)
    (folder / "findings").mkdir(parents=True, exist_ok=True)
    seeds(folder / "corpus")
    for name in library.names():
        library.block(name)
    build("lenet"), codegen("lenet")  # what these import is no part of the first input's time
    harness = Harness(folder / "findings", builds="--build" in sys.argv)
    options = [
        f"-max_len={MAX_LENGTH}",
        "-timeout=120",
        "-rss_limit_mb=4096",
        f"-artifact_prefix={folder}/",
        *others,
        str(folder / "corpus"),
    ]
    atheris.Setup([sys.argv[0], *options], harness.one, custom_mutator=mutate)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
