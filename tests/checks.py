"""Everything that must hold of a network: built = generated = interpreted, with other arguments, too; what is inferred
is what torch shows; expanded and folded it is the same network.

Each check is one function of a `Case`, which compiles, builds and writes the network once for all of them. A check that
fails raises; `failure` says which one, in a few words, for long runs and for the shrinker.
"""

from __future__ import annotations

import copy
import inspect
import re
import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import Any, Final

import torch
from interpreter import interpret
from oracle import randomise
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode
from torch.utils.flop_counter import FlopCounterMode

import archspec
from archspec.backends.torch.build import check_shapes
from archspec.frontend.yaml.reader import parse
from archspec.frontend.yaml.writer import dump
from archspec.ir.graph import Graph
from archspec.ops.shapes import Shape, is_integer
from archspec.passes.fold_batch_norm import fold
from archspec.weights.load import build_with

Same = Callable[[Tensor, Tensor], bool]
Maker = Callable[[], nn.Module]


class Case:
    """A network with the objects that several checks need."""

    def __init__(self, text: str) -> None:
        self.text = text

    @cached_property
    def graph(self) -> Graph:
        return archspec.compile(self.text)

    @cached_property
    def code(self) -> str:
        return archspec.codegen(self.text)

    @cached_property
    def namespace(self) -> dict[str, Any]:
        return namespace_of(self.code, self.graph.name)

    @cached_property
    def built(self) -> nn.Module:
        made: nn.Module = seeded(lambda: archspec.build(self.text))
        return made

    @cached_property
    def built_run(self) -> Run:
        return Run(self.built, self.graph.input_shape)

    def written(self, **arguments: Any) -> nn.Module:
        made: nn.Module = seeded(lambda: self.namespace[self.graph.name](**arguments))
        return made

    @cached_property
    def arguments(self) -> dict[str, Any]:
        """The arguments that the generated file offers, with their defaults."""
        factory = self.namespace[self.graph.name]
        return {key: parameter.default for key, parameter in inspect.signature(factory).parameters.items()}


def namespace_of(code: str, name: str) -> dict[str, Any]:
    """The definitions of a generated file."""
    namespace: dict[str, Any] = {"__name__": name}
    exec(compile(code, f"{name}.py", "exec"), namespace)
    return namespace


def seeded(made: Callable[[], Any]) -> Any:
    """The result of a function called after seed 0."""
    torch.manual_seed(0)
    return made()


# -- two modules that should be one -------------------------------------------------------------------------------


def near(found: Tensor, expected: Tensor, tolerance: float = 1e-4) -> bool:
    """Equal but for the last digits: a sum in place has the memory layout of its first operand, and gradients of
    convolutions round by layout; what is zero but for rounding may be anything small. What was overwritten too early is
    not near."""
    if found.shape != expected.shape or not torch.equal(found.isfinite(), expected.isfinite()):
        return False
    found, expected = (tensor[expected.isfinite()] for tensor in (found, expected))  # both overflow alike
    return found.numel() == 0 or bool((found - expected).abs().max() <= tolerance * expected.abs().max() + 1e-5)


State = dict[str, Tensor]


class Run:
    """A module's initial weights, and its results with random ones: outputs, gradients, running statistics."""

    def __init__(self, module: nn.Module, shape: Shape, weights: State | None = None) -> None:
        self.initial = {key: value.clone() for key, value in module.state_dict().items()}
        if weights is None:
            randomise(module)
        else:
            module.load_state_dict(weights)
        self.weights = {key: value.clone() for key, value in module.state_dict().items()}
        x = taken(shape)
        self.yielded, self.forms = run(module, x.to(torch.get_default_dtype()) if x.is_floating_point() else x)
        self.left = module.state_dict()


def taken(shape: Shape) -> Tensor:
    """Two samples of random numbers, or of ids."""
    generator = torch.Generator().manual_seed(1)
    if is_integer(shape):
        return torch.randint(shape.below, (2, *shape), generator=generator)  # type: ignore[attr-defined]
    return torch.randn(2, *shape, generator=generator)


def run(model: nn.Module, x: Tensor) -> tuple[list[Tensor], list[Any]]:
    """Outputs in training and evaluation, the gradients, and the type of container of the outputs."""
    torch.manual_seed(2)
    output: Any = model.train()(x.clone())
    trained = apart(output)
    if any(tensor.requires_grad for tensor in trained):
        torch.stack([tensor.square().mean() for tensor in trained]).sum().backward()  # type: ignore[no-untyped-call]
    with torch.no_grad():
        evaluated: Any = model.eval()(x.clone())
    tensors = [*trained, *apart(evaluated)]
    return [*tensors, *(p.grad for p in model.parameters() if p.grad is not None)], [form(output), form(evaluated)]


def apart(output: Any) -> list[Tensor]:
    """The tensors that a module returns."""
    if isinstance(output, Tensor):
        return [output]
    return list(output.values() if isinstance(output, dict) else output)


def form(output: Any) -> Any:
    """The type of container of the tensors that a module returns."""
    names = tuple(output) if isinstance(output, dict) else getattr(output, "_fields", ())
    return type(output).__name__, names


@torch.no_grad()
def outputs(module: nn.Module, graph: Graph) -> list[Tensor]:
    """The outputs of a module in evaluation."""
    return apart(module.eval()(taken(graph.input_shape)))


def equal(found: Tensor, expected: Tensor) -> bool:
    """Equal to the bit. Where products of products overflow, both are NaN."""
    return found.shape == expected.shape and bool(((found == expected) | (found.isnan() & expected.isnan())).all())


def check_twins(expected: Run, other: nn.Module, shape: Shape, same: Same = equal) -> Run:
    """The same initial weights, and with any weights the same outputs, gradients and statistics."""
    state = other.state_dict()
    assert list(state) == list(expected.initial), f"keys: {_first(state, expected.initial)}"
    assert _shapes(state) == _shapes(expected.initial), "shapes of parameters"
    assert _equal(state, expected.initial, torch.equal), "initial weights"
    found = Run(other, shape, expected.weights)
    assert len(found.yielded) == len(expected.yielded), "number of outputs and gradients"
    assert all(map(same, found.yielded, expected.yielded)), "outputs or gradients"
    assert _equal(found.left, expected.left, same), "running statistics"
    return found


def check_meaning(expected: Run, build: Maker, text: str, shape: Shape, **arguments: Any) -> None:
    """What the interpreter makes of a spec is near what was built, if not in float32 then in float64: the gradient of
    a bias before a batch norm is zero but for rounding, and its rounding may be as large as other gradients."""
    try:
        check_twins(expected, seeded(lambda: interpret(text, **arguments)), shape, near)
    except AssertionError as error:
        if str(error) not in ("outputs or gradients", "running statistics"):
            raise
        with double():
            exact = Run(seeded(build).double(), shape)
            check_twins(exact, seeded(lambda: interpret(text, **arguments)).double(), shape, near)


@contextmanager
def double() -> Iterator[None]:
    """Everything in float64."""
    torch.set_default_dtype(torch.float64)
    try:
        yield
    finally:
        torch.set_default_dtype(torch.float32)


def _first(found: State, expected: State) -> str:
    pairs = zip([*found, "nothing"], [*expected, "nothing"], strict=False)
    return next((f"{a} in place of {b}" for a, b in pairs if a != b), "")


def _shapes(state: State) -> list[Any]:
    return [tuple(value.shape) for value in state.values()]


def _equal(found: State, expected: State, same: Same) -> bool:
    return all(same(found[key], expected[key]) for key in expected)


# -- the checks ---------------------------------------------------------------------------------------------------


def compiled(case: Case) -> None:
    """It compiles, and the graph's invariants hold."""
    case.graph.verify()


def generated(case: Case) -> None:
    """The generated file is the built module, bit for bit."""
    found = check_twins(case.built_run, case.written(), case.graph.input_shape)
    assert found.forms == case.built_run.forms, "what outputs are in"


def interpreted(case: Case) -> None:
    """The built module agrees with the spec as the tests' interpreter reads it."""
    check_meaning(case.built_run, lambda: archspec.build(case.text), case.text, case.graph.input_shape)


def loaded(case: Case) -> None:
    """Building from given tensors, where equal modules are copies, gives the same network."""
    weights = {key: value.clone() for key, value in case.built_run.weights.items()}
    case.built.load_state_dict(weights)
    found, expected = (outputs(module, case.graph) for module in (build_with(case.graph, weights), case.built))
    assert all(map(equal, found, expected)), "outputs of a module made of tensors"


def inferred(case: Case) -> None:
    """Shapes, counts and keys are those of the module."""
    graph, model = case.graph, case.built
    state = {key: tuple(value.shape) for key, value in model.state_dict().items()}
    assert list(state) == list(graph.state_dict_shapes()), "keys inferred"
    assert state == graph.state_dict_shapes(), "shapes inferred"
    assert sum(parameter.numel() for parameter in model.parameters()) == graph.params, "number of parameters"
    assert check_shapes(graph, model) == [], "shapes of layers"


def counted(case: Case) -> None:
    """MACs are those that torch counts on the meta device; some kernels of real devices are not counted."""
    model = copy.deepcopy(case.built).to("meta").eval().requires_grad_(False)  # a module may take a parameter
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        model(taken(case.graph.input_shape)[:1].to("meta"))
    assert counter.get_total_flops() == 2 * case.graph.macs, "MACs"


def expanded(case: Case) -> None:
    """Expanding writes the same network."""
    text = archspec.expand(case.text)
    assert archspec.expand(text) == text, "expanded twice"
    assert archspec.codegen(text) == case.code, "code of what is expanded"


def overridden(case: Case) -> None:
    """The arguments of a generated file have the same effect as overrides of the spec: all, and one alone."""
    changed = {name: other(value) for name, value in case.arguments.items()}
    alone = [{name: value} for name, value in changed.items()] if len(changed) > 1 else []
    for arguments in ([changed] if changed else []) + alone[len(case.text) % (len(alone) or 1) :][:1]:
        _overridden(case, arguments)


def _overridden(case: Case, arguments: dict[str, Any]) -> None:
    spec = archspec.load(case.text, **arguments)
    shape = case.graph.input_shape
    built = Run(seeded(lambda: archspec.build(spec)), shape)
    names = " ".join(f"{name}={value!r}" for name, value in arguments.items())
    try:
        check_twins(built, case.written(**arguments), shape)
    except Exception as error:
        raise AssertionError(f"file called with {names}: {error}") from error
    try:
        check_meaning(built, lambda: archspec.build(spec), case.text, shape, **arguments)
    except AssertionError as error:
        raise AssertionError(f"interpreted with {names}: {error}") from error


def other(value: Any) -> Any:
    """Another possible value of an argument; lists of widths are widened, a word is replaced by another."""
    if isinstance(value, bool):
        return not value
    if isinstance(value, str):
        return f"{value}r"
    if isinstance(value, list | tuple):
        return [other(element) for element in value]
    return value + 0.125 if isinstance(value, float) else value + 8


def folded(case: Case) -> None:
    """With batch norm folded, the network computes the same, and its file equals the built module."""
    if "batch_norm" not in case.text and "block:" not in case.text:
        return
    folded_as_without_heads(case)
    state, shape = case.built_run.weights, case.graph.input_shape
    if not state:  # a file of weights holds some
        return
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "weights.pth"
        torch.save(state, path)
        built = archspec.build(case.text, weights=path, fold_batch_norm=True).eval()
    written = namespace_of(archspec.codegen(case.text, fold_batch_norm=True), case.graph.name)[case.graph.name]().eval()
    assert list(written.state_dict()) == list(built.state_dict()), "keys of the folded file"
    written.load_state_dict(built.state_dict())
    case.built.load_state_dict(state)
    x = taken(shape)
    with torch.no_grad():
        plain, found, copied = case.built.eval()(x), built(x), written(x)
    assert form(found) == form(plain) == form(copied), "what outputs of what is folded are in"
    for ours, theirs, third in zip(apart(found), apart(plain), apart(copied), strict=True):
        assert ours.shape == theirs.shape, "shape of what is folded"
        assert near(ours, theirs, 1e-3), "outputs of what is folded"
        assert equal(ours, third), "outputs of the folded file"


def folded_as_without_heads(case: Case) -> None:
    """Training-only items do not prevent folding: without them, as many norms remain."""
    if "train_only" not in case.text:
        return
    heads: set[str] = set()
    data = _without_heads(parse(case.text).data, heads)
    for body in (data, *data.get("blocks", {}).values()):
        body |= {key: [{"nothing": {"op": "identity"}}] for key in ("layers", "seq") if body.get(key) == []}
    if "fields" in data.get("outputs", {}) and "when" not in data["outputs"]:
        names = [re.compile(re.sub(r"\{[^}]*\}", ".+", head)) for head in heads]
        fields = {field: name for field, name in data["outputs"]["fields"].items()
                  if not any(pattern.fullmatch(name) for pattern in names)}  # fmt: skip
        data["outputs"]["fields"] = fields
        data = data if fields else {key: value for key, value in data.items() if key != "outputs"}
    found, left = _norms_left(case.graph), _norms_left(archspec.compile(dump(data)))
    assert found == left, f"{found} norms are left, and {left} without what runs in training only"


def _norms_left(graph: Graph) -> int:
    return sum(layer.type.startswith("batch_norm") for layer in fold(graph).graph.layers)


def _without_heads(data: Any, heads: set[str]) -> Any:
    """A spec without the items that run in training only; their names are added to `heads`."""
    if isinstance(data, list):
        kept = []
        for item in data:
            inner = next(iter(item.values())) if isinstance(item, dict) and len(item) == 1 else item
            if isinstance(inner, dict) and inner.get("train_only"):
                heads.update(item)
            else:
                kept.append(_without_heads(item, heads))
                if _is_empty(item) < _is_empty(kept[-1]):
                    del kept[-1]
        return kept
    return {key: _without_heads(value, heads) for key, value in data.items()} if isinstance(data, dict) else data


def _is_empty(item: Any) -> bool:
    """Whether an item is a group or a seq of nothing."""
    inner = next(iter(item.values())) if isinstance(item, dict) and len(item) == 1 else item
    return any(body.get(key) == [] for body in (item, inner) if isinstance(body, dict) for key in ("layers", "seq"))


def drawn(case: Case) -> None:
    """It can be drawn and summarised."""
    assert archspec.render(case.text, format="dot", overrides={}).startswith(b"digraph")
    assert archspec.summary(case.text, overrides={})


def reached(case: Case) -> None:
    """Receptive fields are as observed: a row or column of NaN affects exactly the positions that they predict."""
    graph = case.graph
    if len(graph.input_shape) != 3 or is_integer(graph.input_shape):
        return
    found = reach_of(case.built, graph)
    # a small map that is resized does not have all the positions that a large one would, and one or two positions may
    # all lie at the border, where part of what they see is padding
    resized = re.search(r"op: (interpolate|pixel_unshuffle)|op: upsample, size", case.text)
    for layer in graph.layers:
        if layer.name not in found or layer.receptive_field is None:  # none is reported
            continue
        for said, seen, size, axis in zip(layer.receptive_field, found[layer.name], graph.input_shape[1:], "hw",
                                          strict=True):  # fmt: skip
            where = f"receptive field of {layer.name}, {axis}: {said} of {size} said, {seen} seen"
            few = min(layer.output_shape[1:], default=1) <= 2
            assert (said == seen) if said <= size // 2 and not resized and not few else (said >= seen), where
            assert few or said <= 2 * seen + 1 or 2 * seen > size, where  # what lies in the padding is less than half


@torch.no_grad()
def reach_of(model: nn.Module, graph: Graph) -> dict[str, tuple[int, int]]:
    """How many rows and columns of the input an element of each layer's first value depends on, at most.

    Each sample of a batch has NaN in one row, or in one column: what becomes NaN depends on it. Layers that run in
    training only are not seen, nor what the statistics of a batch norm see in training. In float64, since torch's
    kernels for float32 mix positions.
    """
    _, height, width = graph.input_shape
    x = torch.zeros(height + width, *graph.input_shape, dtype=torch.float64)
    for row in range(height):
        x[row, :, row, :] = torch.nan
    for column in range(width):
        x[height + column, :, :, column] = torch.nan
    found: dict[str, tuple[int, int]] = {}

    def record(name: str) -> Any:
        def hook(module: nn.Module, inputs: Any, output: Any) -> None:
            first = output if isinstance(output, Tensor) else output[0]
            if len(first.shape) == 0 or len(first) != height + width:  # of parameters alone: it has no batch
                return
            missing = first.isnan().reshape(height + width, -1)
            found.setdefault(name, (_extent(missing[:height]), _extent(missing[height:])))

        return hook

    names = [layer.name for layer in graph.layers if layer.name in dict(model.named_modules())]
    hooks = [model.get_submodule(name).register_forward_hook(record(name)) for name in names]
    try:
        with _Weighed():
            model.double().eval()(x)
    finally:
        model.float()
        for hook in hooks:
            hook.remove()
    return found


class _Weighed(TorchFunctionMode):
    """Interpolation without neighbours of weight 0: if a coordinate is exactly a position, torch multiplies the
    neighbour by 0 or 1e-16, and NaN times that is NaN."""

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func is not torch.nn.functional.interpolate:
            return func(*args, **(kwargs or {}))
        missing = args[0].isnan()
        weight = func(missing.to(args[0].dtype), *args[1:], **(kwargs or {}))
        found = func(args[0].nan_to_num(), *args[1:], **(kwargs or {}))
        return found.where(weight.abs() < 1e-9, torch.nan)


def _extent(missing: Tensor) -> int:
    """The extent from the first to the last line that an element depends on, at most. lines × elements"""
    lines = torch.arange(len(missing)).unsqueeze(1)
    last = torch.where(missing, lines, -1).amax(0)
    first = torch.where(missing, lines, len(missing)).amin(0)
    return int((last - first + 1).clamp(min=0).max())


QUICK: Final = (compiled, generated, interpreted, loaded, inferred, counted, overridden, reached, folded)
CHECKS: Final = (*QUICK, expanded, drawn)


def check_network(text: str) -> None:
    """Everything that must hold of a network."""
    case = Case(text)
    for check in CHECKS:
        check(case)


def failure(text: str, checks: Iterable[Callable[[Case], None]] = CHECKS) -> str | None:
    """Which check a network fails, and how, in one line."""
    case = Case(text)
    for check in checks:
        try:
            check(case)
        except Exception as error:
            words = (str(error).strip() or "?").splitlines()[0]
            return f"{check.__name__}: {type(error).__name__}: {words:.200}"
    return None
