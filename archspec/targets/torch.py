"""Graph → `nn.Module`, built directly: no source is generated or executed.

A block becomes a module that runs a short program over registers. Registers are reused as soon as their
value is dead, so memory is freed when hand-written code would free it; submodules are looked up in
`_modules`, which costs less than the attribute access of hand-written code.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Container, Iterator
from fnmatch import fnmatchcase
from functools import lru_cache, partial
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from archspec.errors import TargetError
from archspec.expressions import ExpressionError, parse
from archspec.graph import Feature, Graph, Module, Outputs, Ref, Step
from archspec.initialisers import INITIALISERS, parse_initialiser
from archspec.language import InitRule
from archspec.ops import OPS
from archspec.ops.base import ALL_INPUTS, TRAINING, Call, Input, Op, Value, format_shape
from archspec.ops.joining import Parameter
from archspec.targets import layers

_ROOTS = {"torch": torch, "nn": nn, "F": F, "operator": operator, "Tensor": Tensor}


Maker = Callable[[Module, Step], nn.Module]
"""Makes the submodule that a step of a block registers."""


def build(graph: Graph, make: Maker | None = None) -> nn.Module:
    """Build the network as a module with torchvision's state_dict keys, initialised by its rules.

    Takes a batch N × `graph.input_shape`, returns N × `graph.output_shape`; in training, a network with
    named outputs returns them as a named tuple. Modules are created on torch's current default device. With `make`
    it says how submodules are made, and no rule is run.

    >>> import archspec
    >>> build(archspec.compile("lenet"))(torch.zeros(2, 3, 32, 32)).shape
    torch.Size([2, 10])
    """
    if graph.features:
        return FeatureNetwork(graph.root, graph.features, make)
    return Network(graph.root, graph.outputs, make)


@lru_cache(maxsize=256)
def resolve(target: str) -> Any:
    """What a torch spelling (`nn.Conv2d`, `F.relu`, `Tensor.chunk`) names."""
    root, _, rest = target.partition(".")
    return operator.attrgetter(rest)(_ROOTS[root]) if rest else getattr(layers, target)


class Instruction(NamedTuple):
    """One step of a block's program: run a submodule or a function on registers.

    `listed` functions take their inputs as one list; `constants` and `keywords` follow the inputs.
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


class Action(NamedTuple):
    """An instruction made ready to run.

    `source` is the register of the one value a submodule takes; for all else it is `None`. `function` knows the
    keywords that never change; those in `modes` are the mode of the module.
    """

    module: str | None
    source: int | None
    register: int
    step: Instruction
    function: Any
    modes: tuple[str, ...]


def _action(step: Instruction) -> Action:
    usual = step.module is not None and len(step.sources) == 1 and not step.train_only
    function: Any = None if step.module or step.raw else resolve(step.function)
    modes = tuple(name for name, value in step.keywords if isinstance(value, str) and value == TRAINING)
    fixed = {name: value for name, value in step.keywords if name not in modes}
    if fixed:
        function = partial(function, **fixed)
    return Action(step.module, step.sources[0] if usual else None, step.register, step, function, modes)


class Block(nn.Module):
    """An instance of a block: its submodules, and the program that runs them."""

    _definition: str
    _program: tuple[Instruction, ...]
    _size: int
    _results: tuple[int, ...]
    _actions: tuple[Action, ...]
    """The program made ready to run. This is no part of the state, since not all functions can be pickled."""

    def __init__(self, module: Module, kept: tuple[Ref, ...] = (), make: Maker | None = None) -> None:
        super().__init__()
        program, size, results, actions = _program(module, (module.result, *kept))
        vars(self).update(  # at once: PyTorch's way to set an attribute is slow
            _definition=module.definition, _program=program, _size=size, _results=results, _actions=actions
        )
        for step in module.registered:
            self._register(module, step, make or construct)
        if make is None:
            initialise(self, module.init)

    def _register(self, module: Module, step: Step, make: Maker) -> None:
        name, target = str(step.name), step.target
        if isinstance(target, Parameter):
            self.register_parameter(name, raw_parameter(target))
        else:
            self._modules[name] = make(module, step)  # add_module checks what the compiler has checked of names

    def __getstate__(self) -> dict[str, Any]:
        return {key: value for key, value in self.__dict__.items() if key != "_actions"}

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)  # type: ignore[no-untyped-call]
        self._actions = tuple(map(_action, self._program))

    def _get_name(self) -> str:
        return self._definition

    def _run(self, inputs: tuple[Any, ...]) -> list[Any]:
        """The registers after the program has run. The loop is kept short for the usual case, a module on one value."""
        values = [*inputs, *(None,) * (self._size - len(inputs))]
        modules: Any = self._modules
        for module, source, register, step, function, modes in self._actions:
            if source is not None:
                values[register] = modules[module](values[source])
            elif not step.train_only or self.training:
                values[register] = self._result(step, function, modes, values)
            else:
                values[register] = None
        return values

    def _result(self, step: Instruction, function: Any, modes: tuple[str, ...], values: list[Any]) -> Any:
        if step.raw:
            return self._parameters[step.function]
        inputs = [values[source] for source in step.sources]
        if step.part is not None:
            return inputs[0][step.part]
        function = self._modules[step.module] if step.module else function
        if step.listed:
            inputs = [inputs]
        return function(*inputs, *step.constants, **dict.fromkeys(modes, self.training))

    def forward(self, *inputs: Tensor) -> Any:
        """The block's result."""
        return self._run(inputs)[self._results[0]]


class Network(Block):
    """The outermost block; in training it returns its named outputs, if it has any."""

    def __init__(self, module: Module, outputs: Outputs | None, make: Maker | None = None) -> None:
        super().__init__(module, tuple(outputs.fields.values()) if outputs else (), make)
        self._outputs = (outputs.type, tuple(outputs.fields)) if outputs else None

    def forward(self, *inputs: Tensor) -> Any:
        """The network's output, or its named outputs in training."""
        values = self._run(inputs)
        if self._outputs is None or not self.training:
            return values[self._results[0]]
        return named_tuple(*self._outputs)(*[values[result] for result in self._results[1:]])


class FeatureNetwork(Block):
    """A network cut down to some of its values; returns them as a dict.

    `feature_info` says what is known of each without running anything; so does `features`, unless the network has a
    submodule of that name.
    """

    def __init__(self, module: Module, features: tuple[Feature, ...], make: Maker | None = None) -> None:
        super().__init__(module, (), make)
        self.feature_info = features
        self._names = tuple(feature.name for feature in features)

    def __getattr__(self, name: str) -> Any:
        if name == "features" and name not in self._modules and "feature_info" in self.__dict__:
            return self.feature_info
        return super().__getattr__(name)

    def forward(self, *inputs: Tensor) -> dict[str, Tensor]:
        """The features by name."""
        return dict(zip(self._names, super().forward(*inputs), strict=True))


@lru_cache(maxsize=256)
def named_tuple(name: str, fields: tuple[str, ...]) -> Any:
    """The class of a network's outputs in training."""
    return NamedTuple(name, [(field, Any) for field in fields])


@lru_cache(maxsize=64)
def _program(
    module: Module, results: tuple[Ref, ...]
) -> tuple[tuple[Instruction, ...], int, tuple[int, ...], tuple[Action, ...]]:
    """The program of a block, also ready to run; equal blocks of a network are one object, and share it."""
    program, size, registers = _Allocation(module, results).program()
    return program, size, registers, tuple(map(_action, program))


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

    def program(self) -> tuple[tuple[Instruction, ...], int, tuple[int, ...]]:
        """The instructions, the number of registers, and the registers of the results."""
        code: list[Instruction] = []
        for number, step in enumerate(self.module.steps):
            code += self.instructions(number, step)
        results = [self.source(ref, code) for ref in self.results]
        return tuple(code), self.size, tuple(results)

    def instructions(self, number: int, step: Step) -> Iterator[Instruction]:
        parts: list[Instruction] = []
        sources = tuple(self.source(ref, parts) for ref in step.inputs)
        yield from parts
        self.free += [part.register for part in parts]
        for ref in dict.fromkeys(ref.step for ref in step.inputs):
            if self.last[ref] == number:
                self.free.append(self.registers[ref])
        self.registers[number] = register = self.take()
        if number not in self.last:  # nobody reads it
            self.free.append(register)
        yield self.instruction(step, sources, register)

    def source(self, ref: Ref, code: list[Instruction]) -> int:
        """The register of a value; a part of several is taken out first."""
        register = self.registers[ref.step]
        if ref.part is None:
            return register
        taken = self.take()
        code.append(Instruction(None, "operator.getitem", (register,), taken, False, ref.part))
        return taken

    def take(self) -> int:
        if self.free:
            return self.free.pop()
        self.size += 1
        return self.size - 1

    def instruction(self, step: Step, sources: tuple[int, ...], register: int) -> Instruction:
        owner = step
        while isinstance(owner.target, int):
            owner = self.module.steps[owner.target]
        if isinstance(owner.target, Parameter):
            return Instruction(None, str(owner.name), (), register, False, raw=True)
        if owner.name is not None:
            return Instruction(owner.name, "", sources, register, step.train_only)
        assert isinstance(owner.target, Op)
        call = owner.target.function(*self.module.shapes(step))
        assert call is not None
        return _function(call.in_place() if step.inplace else call, owner, sources, register)


def _function(call: Call, step: Step, sources: tuple[int, ...], register: int) -> Instruction:
    listed = ALL_INPUTS in call.args
    order = sources if listed else tuple(sources[arg.index] for arg in call.args if isinstance(arg, Input))
    constants = tuple(arg for arg in call.args if not isinstance(arg, Input))
    return Instruction(
        None, call.target, order, register, step.train_only, None, listed, constants, tuple(call.kwargs.items())
    )  # fmt: skip


def construct(module: Module, step: Step, make: Maker | None = None) -> nn.Module:
    """The submodule that a step of a block registers; what is below it is made by `make`, if given."""
    target = step.target
    if isinstance(target, Module):
        return _sequential(target, make or construct) if target.is_seq else Block(target, (), make)
    assert isinstance(target, Op)
    return construct_op(target, step, module)


def raw_parameter(op: Parameter) -> nn.Parameter:
    """The tensor that a block itself owns, with its first value."""
    return nn.Parameter(torch.full(tuple(op.shape), op.value))


def construct_op(op: Op, step: Step, module: Module) -> nn.Module:
    """The torch module of an op, with the arguments that differ from torch's defaults."""
    assert op.module is not None
    arguments = [a for a in op.constructor(*module.shapes(step)) if a.positional or a.value != a.default]
    keywords = {a.name: a.value for a in arguments if not a.positional}
    if step.inplace:
        keywords["inplace"] = True
    made: nn.Module = resolve(op.module)(*[a.value for a in arguments if a.positional], **keywords)
    return made


def _sequential(module: Module, make: Maker) -> nn.Sequential:
    made = nn.Sequential()
    for step in module.registered:
        made._modules[str(step.name)] = make(module, step)
    return made


def initialise(root: nn.Module, rules: tuple[InitRule, ...], chosen: Container[nn.Module] | None = None) -> None:
    """Fill the parameters below `root`: for each module, or each of those `chosen`, the first rule that matches it."""
    if not rules:
        return
    fillings = tuple(map(_filling, rules))
    with torch.no_grad():
        for name, module in root.named_modules():
            if chosen is None or module in chosen:
                _fill_module(module, next((filling for filling in fillings if filling.matches(name, module)), None))


class Filling(NamedTuple):
    """A rule made ready: the classes and the pattern of names it is for, and what fills each of the parameters."""

    classes: tuple[Any, ...] | None
    path: str | None
    parameters: tuple[tuple[str, str, Any, dict[str, Any]], ...]
    """A parameter's name, an initialiser's name, its function, and its arguments, some of them expressions."""

    def matches(self, name: str, module: nn.Module) -> bool:
        """Whether the rule is for a module of this name."""
        if self.path is not None and not fnmatchcase(name, self.path):
            return False
        return self.classes is None or isinstance(module, self.classes)


def _filling(rule: InitRule) -> Filling:
    kinds = None if rule.op is None else [OPS[op].module for op in rule.op]
    classes = None if kinds is None else tuple(resolve(kind) for kind in kinds if kind is not None)
    return Filling(classes, rule.path, tuple(_initialiser(name, given) for name, given in rule.parameters.items()))


def _initialiser(parameter: str, given: Any) -> tuple[str, str, Any, dict[str, Any]]:
    name, arguments = parse_initialiser(given)
    known = INITIALISERS[name]
    return parameter, name, resolve(known.function), known.arguments(arguments)


def _fill_module(module: nn.Module, filling: Filling | None) -> None:
    for parameter, name, function, arguments in filling.parameters if filling else ():
        tensor = getattr(module, parameter, None)
        if isinstance(tensor, Tensor):
            given = {key: _over(module, value) for key, value in arguments.items()}
            try:
                function(tensor, **given)
            except (ValueError, TypeError, RuntimeError, ArithmeticError) as error:
                raise TargetError(f"init: {name} cannot fill a parameter of {module}: {error}") from None


def _over(module: nn.Module, given: Any) -> Any:
    """An argument's value; it may be an expression over the attributes of a module."""
    if not isinstance(given, str) or not given.startswith("="):
        return given
    expression = parse(given)
    try:
        return expression.evaluate({name: getattr(module, name) for name in expression.names})
    except (AttributeError, ExpressionError) as error:
        raise TargetError(f"init: '{given}' means nothing for {module}: {error}") from None


class Mismatch(NamedTuple):
    """A layer whose observed shape is not the inferred one; shapes are without the batch."""

    layer: str
    inferred: str
    observed: str

    def __str__(self) -> str:
        return f"{self.layer}: inferred {self.inferred}, observed {self.observed}"


def check_shapes(graph: Graph, module: nn.Module, batch: int = 2) -> list[Mismatch]:
    """Run one evaluation pass on random numbers and compare every layer's output shape with the inferred one."""
    observed: list[tuple[str, str]] = []
    leaves = list(_leaf_outputs(graph.root, ""))
    hooks = [module.get_submodule(name).register_forward_hook(_recorder(name, observed))
             for name in dict.fromkeys(name for name, _ in leaves)]  # fmt: skip
    was_training = module.training
    try:
        with torch.no_grad():
            output = module.eval()(torch.randn(batch, *graph.input_shape))
    finally:
        module.train(was_training)
        for hook in hooks:
            hook.remove()
    observed.append(("output", _observed_shape(output)))
    inferred = [*leaves, ("output", format_shape(graph.output_shape))]
    return _compare(inferred, observed)


def _recorder(name: str, observed: list[tuple[str, str]]) -> Any:
    def record(module: nn.Module, inputs: Any, output: Any) -> None:
        observed.append((name, _observed_shape(output)))

    return record


def _observed_shape(output: Any) -> str:
    parts = output.values() if isinstance(output, dict) else output if isinstance(output, tuple | list) else (output,)
    shapes = [format_shape(tuple(part.shape[1:])) for part in parts]
    return shapes[0] if isinstance(output, Tensor) else f"({', '.join(shapes)})"


def _leaf_outputs(module: Module, prefix: str) -> Iterator[tuple[str, str]]:
    """Names and inferred output shapes of the leaf modules, run by run, in evaluation order."""
    for step in module.steps:
        if step.train_only:
            continue
        owner = step
        while isinstance(owner.target, int):
            owner = module.steps[owner.target]
        name = f"{prefix}{owner.name}"
        if isinstance(owner.target, Module) and owner.target.measured[0]:
            yield from _leaf_outputs(owner.target, f"{name}.")
        elif owner.name is not None and not isinstance(owner.target, Parameter):
            yield name, _text(step.output)


def _text(value: Value) -> str:
    return format_shape(value)


def _compare(inferred: list[tuple[str, str]], observed: list[tuple[str, str]]) -> list[Mismatch]:
    found = [Mismatch(name, shape, f"{seen} in {other}" if other != name else seen)
             for (name, shape), (other, seen) in zip(inferred, observed, strict=False)
             if (name, shape) != (other, seen)]  # fmt: skip
    if len(inferred) != len(observed):
        found.append(Mismatch("network", f"{len(inferred)} runs", f"{len(observed)} runs"))
    return found
