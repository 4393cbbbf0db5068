"""Graph → `nn.Module`, built directly: a block becomes a module of its submodules and the program that runs them."""

from __future__ import annotations

from collections.abc import Callable, Container, Iterator
from fnmatch import fnmatchcase
from typing import Any, NamedTuple, TypeVar

import torch
from torch import Tensor, nn

from archspec.backends.torch.modules import Block, FeatureNetwork, Kind, Named, Network, SequentialBlock, class_of
from archspec.backends.torch.program import resolve
from archspec.backends.torch.samples import random_input
from archspec.diagnostics.diagnostic import TargetError
from archspec.expressions.errors import ExpressionError
from archspec.expressions.parse import parse
from archspec.ir.container import Entry
from archspec.ir.definition import Initialisation
from archspec.ir.graph import Graph
from archspec.ir.measure import measured
from archspec.ir.module import Module, Step
from archspec.ops.base import Op
from archspec.ops.call import Argument, Call
from archspec.ops.initialisers import INITIALISERS, parse_initialiser
from archspec.ops.shapes import Unbatched, Value, format_shape, is_integer, is_parts, parts_of, without_folded

Maker = Callable[[Module, Step], nn.Module]
"""Makes the submodule that a step of a block registers."""


def build(graph: Graph, make: Maker | None = None) -> nn.Module:
    """Build the network as a module with torchvision's state_dict keys, initialised by its rules.

    Takes a batch N × `graph.input_shape`, returns N × `graph.output_shape`; a network with `outputs` returns them as
    their type says, in training or always. Modules are created on torch's current default device. If `make` is given,
    it makes the submodules, and no rule is run.

    >>> import archspec
    >>> build(archspec.compile("lenet"))(torch.zeros(2, 3, 32, 32)).shape
    torch.Size([2, 10])
    """
    root = graph.root
    if graph.outputs is not None and graph.features:
        return _block(_class(FeatureNetwork, root)(root, graph.outputs, graph.features), root, make)
    if graph.outputs is not None:
        return _block(_class(Network, root)(root, graph.outputs), root, make)
    return _block(_class(Block, root)(root, (root.result,)), root, make)


Made = TypeVar("Made", bound=Named)


def _block(made: Made, module: Module, make: Maker | None) -> Made:
    """A block with its submodules and parameters."""
    whole = module.whole if make is None else module
    submodules: dict[str, nn.Module] = {}
    for name in whole.names_constructed:
        entry = whole.tree[name]
        if isinstance(entry, Step) and isinstance(entry.target, Op) and entry.target.raw:
            register_tensor(made, name, entry.target, empty=make is not None)
        else:
            submodules[name] = _entry(whole, entry, make)
    for name in whole.tree:
        if name in submodules:
            made._modules[name] = submodules[name]  # add_module would repeat checks of the compiler
    if make is None:
        initialise(made, module.init)
        for name in whole.tree.keys() - module.tree.keys():
            delattr(made, name)
    return made


def _entry(module: Module, entry: Entry[Step], make: Maker | None) -> nn.Module:
    """The submodule of a step, or a container of several."""
    if isinstance(entry, Step):
        return (make or construct)(module, entry)
    made = nn.ModuleList() if entry.is_list else nn.ModuleDict()
    for name, inner in entry.entries.items():
        made._modules[name] = _entry(module, inner, make)
    return made


def _class(kind: type[Kind], module: Module) -> type[Kind]:
    declared = ("input",) if module.block is None else module.block.inputs
    return class_of(kind, module.definition, tuple("x" if name == "input" else name for name in declared))


def construct(module: Module, step: Step, make: Maker | None = None) -> nn.Module:
    """The submodule that a step of a block registers; its own submodules are made by `make`, if given."""
    target = step.target
    if isinstance(target, Module):
        if target.is_seq:
            return _sequential(target, make or construct)
        if target.block is not None and target.block.is_chain:
            return _block(_class(SequentialBlock, target)(), target, make)
        return _block(_class(Block, target)(target, (target.result,)), target, make)
    assert isinstance(target, Op)
    return construct_op(target, step, module)


def raw_parameter(op: Op) -> nn.Parameter:
    """The tensor that a block itself owns, with its initial value."""
    way, arguments = op.filling()
    if way == "constant":
        return nn.Parameter(torch.full(op.parameters()[""], float(arguments["val"])))
    tensor = torch.empty(op.parameters()[""])
    _fill(tensor, way, resolve(INITIALISERS[way].function), arguments, f"the parameter of shape {tuple(tensor.shape)}")
    return nn.Parameter(tensor)


def register_tensor(made: nn.Module, name: str, op: Op, empty: bool = False) -> None:
    """Register the parameter or buffer that a block itself owns; a buffer is `empty` if its values are not needed."""
    call = op.tensor()
    if call is None:
        made.register_parameter(name, raw_parameter(op))
    else:
        made.register_buffer(name, _empty_like(op) if empty else computed(call, op), persistent=bool(op.saved()))


def _empty_like(op: Op) -> Tensor:
    """A tensor without memory, of a buffer's sizes and type."""
    dtype = torch.int64 if is_integer(op.infer()) else None
    return torch.empty(op.buffers()[""], dtype=dtype, device="meta")


def computed(given: Any, op: Op) -> Any:
    """The value of a call that makes a tensor, or of an argument in it."""
    if isinstance(given, Argument):
        return given.value
    assert isinstance(given, Call)
    return resolve(op.located(given.target))(*[computed(arg, op) for arg in given.args])


def construct_op(op: Op, step: Step, module: Module) -> nn.Module:
    """The torch module of an op, with the arguments that differ from torch's defaults."""
    made_by = op.made_by()
    assert made_by is not None
    arguments = [a for a in op.constructor(*module.shapes(step)) if a.positional or a.value != a.default]
    keywords = {a.name: a.value for a in arguments if not a.positional}
    if step.inplace:
        keywords["inplace"] = True
    made: nn.Module = resolve(op.located(made_by))(*[a.value for a in arguments if a.positional], **keywords)
    return made


def _sequential(module: Module, make: Maker) -> nn.Sequential:
    made = nn.Sequential()
    for step in module.registered:
        made._modules[str(step.name)] = make(module, step)
    return made


def initialise(root: nn.Module, rules: tuple[Initialisation, ...], chosen: Container[nn.Module] | None = None) -> None:
    """Initialise the parameters below `root`, by the first rule that matches each module, or each of `chosen`."""
    if not rules:
        return
    fillings = tuple(map(_filling, rules))
    with torch.no_grad():
        for name, module in root.named_modules():
            if not isinstance(module, Named) and (chosen is None or module in chosen):
                _fill_module(module, next((filling for filling in fillings if filling.matches(name, module)), None))


class Filling(NamedTuple):
    """A prepared rule: the classes and the pattern of names it is for, and the initialiser of each parameter."""

    classes: tuple[Any, ...] | None
    path: str | None
    parameters: tuple[tuple[str, str, Any, dict[str, Any]], ...]
    """A parameter's name, an initialiser's name, its function, and its arguments, some of them expressions."""

    def matches(self, name: str, module: nn.Module) -> bool:
        """Whether the rule is for a module of this name."""
        if self.path is not None and not fnmatchcase(name, self.path):
            return False
        return self.classes is None or isinstance(module, self.classes)


def _filling(rule: Initialisation) -> Filling:
    made = None if rule.ops is None else [op for op in rule.ops if op.module is not None]
    classes = None if made is None else tuple(resolve(op.located(str(op.module))) for op in made)
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
            _fill(tensor, name, function, given, f"a parameter of {module}")


def _fill(tensor: Tensor, name: str, function: Any, arguments: dict[str, Any], what: str) -> None:
    try:
        function(tensor, **arguments)
    except (ValueError, TypeError, RuntimeError, ArithmeticError) as error:
        raise TargetError(f"init: {name} cannot fill {what}: {error}") from None


def _over(module: nn.Module, given: Any) -> Any:
    """An argument's value, which may be an expression over the attributes of a module."""
    if not isinstance(given, str) or not given.startswith("="):
        return given
    expression = parse(given)
    try:
        return expression.evaluate({name: getattr(module, name) for name in expression.names})
    except (AttributeError, ExpressionError) as error:
        raise TargetError(f"init: '{given}' cannot be evaluated for {module}: {error}") from None


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
    runs = list(_leaf_outputs(graph.root, ""))
    leaves = [(name, shape) for name, shape, _ in runs]
    hooks = [module.get_submodule(name).register_forward_hook(_recorder(name, part, observed))
             for name, part in {name: part for name, _, part in runs}.items()]  # fmt: skip
    was_training = module.training
    try:
        with torch.no_grad():
            output = module.eval()(random_input(graph.input_shape, batch))
    finally:
        module.train(was_training)
        for hook in hooks:
            hook.remove()
    observed.append(("output", _observed_shape(output)))
    inferred = [*leaves, ("output", format_shape(graph.output_shape))]
    return _compare(inferred, observed)


def _recorder(name: str, part: int | None, observed: list[tuple[str, str]]) -> Any:
    def record(module: nn.Module, inputs: Any, output: Any) -> None:
        observed.append((name, _observed_shape(output if part is None else output[part])))

    return record


def _observed_shape(output: Any) -> str:
    parts = output.values() if isinstance(output, dict) else output if isinstance(output, tuple | list) else (output,)
    shapes = [format_shape(tuple(part.shape[1:])) for part in parts]
    return shapes[0] if isinstance(output, Tensor) else f"({', '.join(shapes)})"


def _leaf_outputs(module: Module, prefix: str) -> Iterator[tuple[str, str, int | None]]:
    """Names and inferred output shapes of the leaf modules, run by run, in evaluation order, and which part of the
    output of torch's module each is the shape of."""
    for step in module.steps:
        if step.train_only:
            continue
        owner = module.owner(step)
        name = f"{prefix}{owner.name}"
        if isinstance(owner.target, Module) and measured(owner.target)[0]:
            yield from _leaf_outputs(owner.target, f"{name}.")
        elif owner.name is not None and not (isinstance(owner.target, Op) and owner.target.raw):
            call = owner.target.module_call(*module.shapes(step)) if isinstance(owner.target, Op) else None
            yield name, _text(step.output), None if call is None else call.part


def _text(value: Value) -> str:
    """A shape as it is observed: without the first size, whether that is the batch or not."""
    seen = tuple(part[1:] if isinstance(part, Unbatched) else without_folded(part) for part in parts_of(value))
    return format_shape(seen if is_parts(value) else seen[0])


def _compare(inferred: list[tuple[str, str]], observed: list[tuple[str, str]]) -> list[Mismatch]:
    found = [Mismatch(name, shape, f"{seen} in {other}" if other != name else seen)
             for (name, shape), (other, seen) in zip(inferred, observed, strict=False)
             if (name, shape) != (other, seen)]  # fmt: skip
    if len(inferred) != len(observed):
        found.append(Mismatch("network", f"{len(inferred)} runs", f"{len(observed)} runs"))
    return found
