"""The program of a block: a line for each step, compiled to a Python function like a hand-written `forward`.

Values are held in registers, which are reused as soon as their value is dead, so that memory is freed as in
hand-written code. Submodules are looked up in `_modules`, which is faster than the attribute access of hand-written
code. Nothing is interpreted while the network runs, since that would slow down small layers.
"""

from __future__ import annotations

import linecache
import math
import operator
import zlib
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import lru_cache
from importlib import import_module
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from archspec.expressions.sizes import is_whole
from archspec.ir.module import Module, Ref, Step
from archspec.ops.base import Op
from archspec.ops.call import ALL_INPUTS, TRAINING, Call, Input, InTraining

_ROOTS = {"torch": torch, "nn": nn, "F": F, "operator": operator, "Tensor": Tensor}
_NAMES: dict[str, Any] = {**_ROOTS, "inf": math.inf, "nan": math.nan}
"""The global names of a program, apart from the helpers of ops."""


@lru_cache(maxsize=256)
def resolve(target: str) -> Any:
    """The object with a torch spelling (`nn.Conv2d`, `F.relu`, `Tensor.chunk`) or a helper's `package.module:name`."""
    home, _, name = target.rpartition(":")
    if home:
        return getattr(import_module(home), name)
    root, _, rest = target.partition(".")
    return operator.attrgetter(rest)(_ROOTS[root])


class Instruction(NamedTuple):
    """One step of a block: run a submodule or a function on registers.

    `listed` functions take their inputs as one list; `constants` and `keywords` follow the inputs. If inputs do not
    come first, or some arguments are calls themselves, `call` has the arguments.
    """

    module: str | None
    function: str
    sources: tuple[int, ...]
    register: int
    train_only: bool
    part: int | None = None
    listed: bool = False
    constants: tuple[Any, ...] = ()
    keywords: tuple[tuple[str, Any], ...] = ()
    raw: bool = False
    """Whether `function` is the name of a parameter to read."""
    call: Call | None = None

    @property
    def functions(self) -> tuple[str, ...]:
        """The functions that it calls."""
        return (self.function,) if self.call is None else tuple(_targets(self.call))


class Program(NamedTuple):
    """The instructions of a block, its number of inputs, and the registers of its results. It can be pickled."""

    inputs: int
    instructions: tuple[Instruction, ...]
    results: tuple[int, ...]


@lru_cache(maxsize=512)
def program_of(module: Module, results: tuple[Ref, ...]) -> tuple[Program, Callable[..., Any]]:
    """The program of a block that returns `results`, and its runner. Equal blocks are one object, and share them."""
    program = _Allocation(module, results).program()
    return program, runner(program)


def runner(program: Program) -> Callable[..., Any]:
    """A program as a function of the block and its inputs; it returns the result, or a tuple of several."""
    helpers = sorted({name for step in program.instructions for name in step.functions if ":" in name})
    return _compiled(source(program), tuple(helpers))


def source(program: Program) -> str:
    """A program as Python. Text from a spec can only appear in it as a literal.

    >>> steps = (Instruction("conv", "", (0,), 0, False), Instruction(None, "F.relu", (0,), 0, False))
    >>> print(source(Program(1, steps, (0,))))
    def forward(self, v0):
        modules = self._modules
        v0 = modules['conv'](v0)
        v0 = F.relu(v0)
        return v0
    """
    inputs = "".join(f", v{register}" for register in range(program.inputs))
    lines = [f"    v{step.register} = {_line(step)}" for step in program.instructions]
    results = ", ".join(f"v{register}" for register in program.results)
    return "\n".join([f"def forward(self{inputs}):", "    modules = self._modules", *lines, f"    return {results}"])


def _line(step: Instruction) -> str:
    values = [f"v{register}" for register in step.sources]
    if step.raw:
        return f"getattr(self, {step.function!r})"  # it may be parametrized or traced
    if step.part is not None:
        return f"{values[0]}[{step.part}]{' if self.training else None' if step.train_only else ''}"
    if step.call is not None:
        return f"{_called(step.call, values, step.module)}{' if self.training else None' if step.train_only else ''}"
    head = step.function.rpartition(":")[2] if step.module is None else _module(step.module)
    if head.startswith("Tensor."):  # as a method, which torch.fx proxies have, too
        head = f"{values.pop(0)}.{head.removeprefix('Tensor.')}"
    given = [f"[{', '.join(values)}]"] if step.listed else values
    given += [_literal(value) for value in step.constants]
    given += [f"{name}={value if value == TRAINING else _literal(value)}" for name, value in step.keywords]
    return f"{head}({', '.join(given)}){' if self.training else None' if step.train_only else ''}"


def _module(name: str) -> str:
    """A submodule, which may be an entry of a container."""
    return f"modules{'._modules'.join(f'[{part!r}]' for part in name.split('.'))}"


def _called(call: Call, values: list[str], module: str | None = None) -> str:
    """A call with the registers of its inputs; `module` is the submodule that it may call."""
    given = [_argument(arg, values) for arg in call.args]
    head = call.target.rpartition(":")[2] if module is None else _module(module)
    if head == "Tensor.shape":
        return f"{given[0]}.shape[{given[1]}:]"
    if head.startswith("Tensor."):
        head = f"{given.pop(0)}.{head.removeprefix('Tensor.')}"
    given += [f"{name}={_argument(value, values)}" for name, value in call.kwargs.items()]
    return f"{head}({', '.join(given)}){'' if call.part is None else f'[{call.part}]'}"


def _argument(arg: Any, values: list[str]) -> str:
    if isinstance(arg, Call):
        return _called(arg, values)
    if arg == TRAINING:
        return TRAINING
    if arg == ALL_INPUTS:
        return f"[{', '.join(values)}]"
    return values[arg.index] if isinstance(arg, Input) else _literal(arg)


def _targets(call: Call) -> Iterator[str]:
    yield call.target
    for inner in call.inner:
        yield from _targets(inner)


def _literal(value: Any) -> str:
    if isinstance(value, InTraining):
        return f"{_literal(value.value)} if {TRAINING} else 0.0"
    if isinstance(value, slice):
        return f"slice({_literal(value.start)}, {_literal(value.stop)}, {_literal(value.step)})"
    if isinstance(value, list):
        return f"[{', '.join(map(_literal, value))}]"
    if isinstance(value, tuple):
        return f"({''.join(f'{_literal(element)}, ' for element in value)})"
    return repr(int(value) if is_whole(value) else value)


@lru_cache(maxsize=256)
def _compiled(text: str, helpers: tuple[str, ...]) -> Callable[..., Any]:
    """The function compiled from a program's source, which calls these helpers. Equal programs share it."""
    return define(text, helpers)


def define(text: str, helpers: tuple[str, ...] = ()) -> Callable[..., Any]:
    """The function `forward` of a source. A traceback shows its lines, which name the layer that failed."""
    name = f"<archspec program {zlib.crc32(text.encode()):08x}>"
    linecache.cache[name] = (len(text), None, text.splitlines(keepends=True), name)
    defined: dict[str, Callable[..., Any]] = {}
    names = {**_NAMES, **{helper.rpartition(":")[2]: resolve(helper) for helper in helpers}} if helpers else _NAMES
    exec(compile(text, name, "exec", dont_inherit=True), names, defined)
    return defined["forward"]


class _Allocation:
    """Assigns the values of a block to registers, reusing one as soon as its value is read for the last time."""

    def __init__(self, module: Module, results: tuple[Ref, ...]) -> None:
        self.module = module
        self.results = results
        self.last: dict[int, int] = {}
        for number, step in enumerate(module.steps):
            self.last.update({ref.step: number for ref in step.inputs})
        self.last.update({ref.step: len(module.steps) for ref in results})
        count = len(module.inputs)
        self.registers = {-1 - number: number for number in range(count)}
        self.free: list[int] = []
        self.size = count

    def program(self) -> Program:
        code: list[Instruction] = []
        for number, step in enumerate(self.module.steps):
            code += self.instructions(number, step)
        results = [self.source(ref, code) for ref in self.results]
        return Program(len(self.module.inputs), tuple(code), tuple(results))

    def instructions(self, number: int, step: Step) -> Iterator[Instruction]:
        parts: list[Instruction] = []
        sources = tuple(self.source(ref, parts) for ref in step.inputs)
        yield from parts
        self.free += [part.register for part in parts]
        for ref in dict.fromkeys(ref.step for ref in step.inputs):
            if self.last[ref] == number:
                self.free.append(self.registers[ref])
        self.registers[number] = register = self.take()
        if number not in self.last:  # never read
            self.free.append(register)
        yield self.instruction(step, sources, register)

    def source(self, ref: Ref, code: list[Instruction]) -> int:
        """The register of a value; a part of several values is extracted first."""
        register = self.registers[ref.step]
        if ref.part is None:
            return register
        taken = self.take()
        train_only = ref.step >= 0 and self.module.steps[ref.step].train_only
        code.append(Instruction(None, "operator.getitem", (register,), taken, train_only, ref.part))
        return taken

    def take(self) -> int:
        if self.free:
            return self.free.pop()
        self.size += 1
        return self.size - 1

    def instruction(self, step: Step, sources: tuple[int, ...], register: int) -> Instruction:
        owner = self.module.owner(step)
        if isinstance(owner.target, Op) and owner.target.raw:
            return Instruction(None, str(owner.name), (), register, False, raw=True)
        if owner.name is not None:
            own = owner.target.module_call(*self.module.shapes(step)) if isinstance(owner.target, Op) else None
            return Instruction(owner.name, "", sources, register, step.train_only, call=own)
        assert isinstance(owner.target, Op)
        call = owner.target.function(*self.module.shapes(step))
        assert call is not None
        call = call.in_place() if step.inplace else call
        return _function(_located(call, owner.target), owner, sources, register)


def _located(call: Call, op: Op) -> Call:
    """A call with the full names of the helpers that it and its nested calls need."""
    args = tuple(_located(arg, op) if isinstance(arg, Call) else arg for arg in call.args)
    named = {name: _located(arg, op) if isinstance(arg, Call) else arg for name, arg in call.kwargs.items()}
    return replace(call, target=op.located(call.target), args=args, kwargs=named)


def _is_plain(call: Call) -> bool:
    """Whether the inputs come first, each once, in order and not by name, and no argument is a call."""
    inputs = [arg for arg in call.args if isinstance(arg, Input)]
    is_named = any(isinstance(arg, Input) for arg in call.kwargs.values())
    return not call.inner and not is_named and list(call.args[: len(inputs)]) == inputs


def _function(call: Call, step: Step, sources: tuple[int, ...], register: int) -> Instruction:
    if not _is_plain(call):
        return Instruction(None, call.target, sources, register, step.train_only, call=call)
    listed = ALL_INPUTS in call.args
    order = sources if listed else tuple(sources[arg.index] for arg in call.args if isinstance(arg, Input))
    constants = tuple(arg for arg in call.args if not isinstance(arg, Input))
    return Instruction(
        None, call.target, order, register, step.train_only, None, listed, constants, tuple(call.kwargs.items())
    )  # fmt: skip
