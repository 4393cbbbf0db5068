"""A built module is an `nn.Module` like any other: PyTorch's own tools work with it."""

from __future__ import annotations

import ast
import copy
import gc
import inspect
import io
import pickle
import subprocess
import sys
import warnings
from collections.abc import Callable, Iterator
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Any

import pytest
import torch
import torchinfo
from exhaustive import first, marked
from oracle import randomise
from torch import Tensor, distributed, nn
from torch.distributed.algorithms._checkpoint.checkpoint_wrapper import (
    CheckpointWrapper,
    apply_activation_checkpointing,
)
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import fully_shard
from torch.export import Dim
from torch.func import functional_call
from torch.fx import symbolic_trace
from torch.nn.parallel import DistributedDataParallel
from torch.nn.utils import parametrize
from torchvision.models.feature_extraction import create_feature_extractor

import archspec
from archspec.backends.torch import modules as block
from archspec.backends.torch.modules import Block, class_of
from archspec.frontend.reserved_names import MODULE_NAMES

GENERATED = Path(__file__).parent.parent / "generated"

TWO_INPUTS = """
name: two_inputs
input: [3, 16, 16]
blocks:
  Gate:
    inputs: [input, skip]
    params: {wide: false}
    layers:
    - gain: {op: parameter, shape: [8, 1, 1], value: 0.5}
    - scaled: {op: sigmoid, from: gain}
    - conv: {op: conv2d, out_channels: 8, kernel_size: 3, padding: 1, from: input}
    - more: {op: conv2d, out_channels: 8, kernel_size: 1, when: =wide}
    - {op: mul, from: [more, scaled]}
    - parts: {op: chunk, chunks: 2}
    - swapped: {op: cat, from: [parts.1, parts.0]}
    - {op: add, from: [swapped, skip]}
layers:
- stem: {op: conv2d, out_channels: 8, kernel_size: 3, padding: 1}
- a: {op: relu}
- narrow: {block: Gate, from: [a, stem]}
- broad: {block: Gate, wide: true, from: [narrow, a]}
- {op: adaptive_avg_pool2d, output_size: 1}
- {op: flatten}
- fc: {op: linear, out_features: 4}
"""
"""A block of two inputs that has a parameter of its own, and two programs."""

SMALL = {"input": [3, 64, 64]}
FEATURES = {"features": ["layer1.0.relu", "layer2.1", "layer4"]}
BUILDS: dict[str, tuple[str, dict[str, Any]]] = {
    "resnet18": ("resnet18", SMALL),
    "googlenet": ("googlenet", SMALL),
    "densenet121": ("densenet121", {**SMALL, "block_config": [2, 2, 2, 2]}),
    "convnext_tiny": ("convnext_tiny", {**SMALL, "depths": [1, 1, 2, 1], "dims": [24, 48, 96, 192]}),
    "shufflenet": ("shufflenet_v2_x0_5", SMALL),
    "two inputs": (TWO_INPUTS, {}),
    "features": ("resnet18", {**SMALL, **FEATURES}),
    "folded": ("googlenet", {**SMALL, "fold_batch_norm": True}),
}
everywhere = pytest.mark.parametrize("name", BUILDS)

COMPILED = ("resnet18", "convnext_tiny", "two inputs", "features")
"""Those that the usual run exports and compiles, which takes seconds for each."""
wherever_quick = pytest.mark.parametrize(
    "name", [*COMPILED, *marked([name for name in BUILDS if name not in COMPILED], "exhaustive")]
)


def build(name: str) -> Any:
    """A module in evaluation, with random weights and statistics."""
    source, options = BUILDS[name]
    model = archspec.build(source, **options)
    randomise(model)
    return model.eval()


def sample(name: str, batch: int = 2) -> Tensor:
    size = 16 if name == "two inputs" else 64
    return torch.randn(batch, 3, size, size, generator=torch.Generator().manual_seed(1))


def same(found: Any, expected: Any) -> bool:
    """Whether outputs are of one form and equal to the bit; a feature network's are a dict."""
    if isinstance(expected, Tensor):
        return torch.equal(found, expected)
    if isinstance(expected, dict):
        return list(found) == list(expected) and all(same(found[key], expected[key]) for key in expected)
    return len(found) == len(expected) and all(map(same, found, expected))


def check(model: Any, twin: Callable[..., Any], name: str, batch: int = 2) -> None:
    x = sample(name, batch)
    with torch.no_grad():
        assert same(twin(x), model(x))


def trained(model: Any, name: str) -> Any:
    """The output in training, with the same dropout each time."""
    torch.manual_seed(3)
    return copy.deepcopy(model).train()(sample(name))


# -- classes and signatures ---------------------------------------------------------------------------------------


@everywhere
def test_the_input_has_its_name(name: str) -> None:
    model = build(name)
    assert list(inspect.signature(model.forward).parameters) == ["x"]
    assert inspect.signature(model.forward).parameters["x"].annotation is Tensor
    check(model, lambda x: model(x=x), name)


@torch.no_grad()
def test_inputs_of_a_block_have_the_names_that_its_definition_gives() -> None:
    gate = build("two inputs").narrow
    assert list(inspect.signature(gate.forward).parameters) == ["x", "skip"]
    a, b = torch.randn(2, 2, 8, 4, 4)
    assert torch.equal(gate(skip=b, x=a), gate(a, b))
    with pytest.raises(TypeError, match=r"missing 1 required positional argument: 'skip'"):
        gate(a)


def test_a_class_is_named_after_its_block() -> None:
    assert type(archspec.build("resnet50", initialise=False).layer1[0]).__name__ == "Bottleneck"  # type: ignore[index]
    names = {name: type(build(name)).__name__ for name in BUILDS}
    assert names == {
        "resnet18": "ResNet18", "googlenet": "GoogLeNet", "densenet121": "DenseNet121",
        "shufflenet": "ShuffleNetV2_x0_5", "convnext_tiny": "ConvNeXtTiny", "two inputs": "TwoInputs",
        "features": "ResNet18", "folded": "GoogLeNet",
    }  # fmt: skip
    assert repr(build("two inputs").narrow).startswith("Gate(\n  (scaled): Sigmoid()\n  (conv): Conv2d(")


def test_instances_of_a_block_have_one_class() -> None:
    model = build("two inputs")
    assert type(model.narrow) is type(model.broad) is type(build("two inputs").broad)
    assert model.narrow._run is not model.broad._run, "the two have different programs"
    resnet = build("resnet18")
    assert isinstance(resnet.layer1[0], type(resnet.layer2[0])), "one of them has a downsample"
    assert not isinstance(resnet, type(resnet.layer1[0]))


def test_classes_of_equal_names_with_other_inputs_are_others() -> None:
    other = archspec.build(TWO_INPUTS.replace("skip", "shortcut"), initialise=False)
    assert type(other.narrow).__name__ == "Gate"
    assert type(other.narrow) is not type(build("two inputs").narrow)


def test_a_class_that_nobody_has_is_freed() -> None:
    model = archspec.build(TWO_INPUTS.replace("Gate", "SeldomUsed"))
    assert any(key[1] == "SeldomUsed" for key in block._CLASSES)
    del model
    archspec.compile("lenet")
    gc.collect()
    assert not any(key[1] == "SeldomUsed" for key in block._CLASSES)


@pytest.mark.parametrize("name", ["x: print(1)", "x=print(1)", "", "1", "class", "x, *"])
def test_only_a_name_can_be_a_parameter(name: str) -> None:
    with pytest.raises(ValueError, match="cannot be parameters of a function"):
        class_of(Block, "Any", (name,))


@pytest.mark.parametrize("name", ["resnet18", "googlenet", "features"])
def test_no_item_can_have_the_name_of_an_attribute(name: str) -> None:
    """Attributes of modules other than submodules are refused as names in `archspec.frontend.reserved_names`."""
    model = build(name)
    own = {attribute for attribute in dir(model) if not attribute.startswith("__")}
    submodules = {child for child, _ in model.named_children()}
    assert {"_run", "_program"} < own
    assert own - submodules <= MODULE_NAMES | {name for name in dir(nn.Module) if name.startswith("_")}


@torch.no_grad()
def test_submodules_may_be_called_as_a_feature_networks_properties() -> None:
    items = "- {name}: {{op: conv2d, out_channels: 4, kernel_size: 1}}\n"
    text = "name: net\ninput: [3, 8, 8]\nlayers:\n" + "".join(
        items.format(name=n) for n in ("features", "feature_info")
    )
    net: Any = archspec.build(text, features=["feature_info"])
    assert isinstance(net.features, nn.Conv2d)
    assert isinstance(net.feature_info, nn.Conv2d)
    assert torch.equal(
        net(torch.ones(1, 3, 8, 8))["feature_info"], net.feature_info(net.features(torch.ones(1, 3, 8, 8)))
    )


# -- tracing, export, compilation ---------------------------------------------------------------------------------


@everywhere
def test_symbolic_trace(name: str) -> None:
    model = build(name)
    graph = symbolic_trace(model)
    called = {node.target for node in graph.graph.nodes if node.op == "call_module"}
    assert called <= {path for path, _ in model.named_modules()}
    assert {key for key, _ in graph.named_parameters()} <= dict(model.named_parameters()).keys()
    check(model, graph, name)


@everywhere
def test_symbolic_trace_in_training(name: str) -> None:
    model = build(name)
    found, expected = trained(symbolic_trace(copy.deepcopy(model).train()), name), trained(model, name)
    assert type(found) is type(expected)
    assert same(found, expected)


def test_parameters_of_a_block_are_traced_as_parameters() -> None:
    """Even where nothing but functions of parameters is computed with them."""
    graph = symbolic_trace(build("two inputs"))
    assert [node.target for node in graph.graph.nodes if node.op == "get_attr"] == ["narrow.gain", "broad.gain"]


NODES = {
    "resnet18": ["layer1.1.add", "layer2.0.downsample", "avgpool"],
    "googlenet": ["conv1.conv", "inception3a.cat", "inception4a"],
    "densenet121": ["features.denseblock2", "features.norm5"],
    "convnext_tiny": ["features.1", "features.3.0.block.0"],
    "shufflenet": ["stage2.0", "stage3.1.branch2.4", "conv5"],
    "two inputs": ["narrow.chunk", "broad.add", "fc"],
    "folded": ["inception3a.cat", "inception5b"],
}


@pytest.mark.parametrize("name", NODES)
@torch.no_grad()
def test_create_feature_extractor(name: str) -> None:
    """Nodes have torchvision's names; values between them are those that hooks see."""
    model = build(name)
    seen = {node: [] for node in NODES[name]}  # type: ignore[var-annotated]
    for node in NODES[name]:
        if node in dict(model.named_modules()):
            model.get_submodule(node).register_forward_hook(lambda m, i, output, node=node: seen[node].append(output))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it warns of nodes that are there in training only
        found = create_feature_extractor(model, NODES[name]).eval()(sample(name))
    model(sample(name))
    assert list(found) == NODES[name]
    observed = {node: outputs[-1] for node, outputs in seen.items() if outputs}
    assert observed
    assert all(torch.equal(found[node], output) for node, output in observed.items())


@wherever_quick
def test_export_for_any_batch(name: str) -> None:
    model = build(name)
    program = torch.export.export(model, (sample(name),), dynamic_shapes={"x": {0: Dim("batch")}})
    check(model, program.module(), name, batch=3)


@wherever_quick
def test_compile(name: str) -> None:
    model = build(name)
    torch._dynamo.reset()
    check(model, torch.compile(model, backend="eager", fullgraph=True), name)


@wherever_quick
@pytest.mark.filterwarnings("ignore:.*torch.jit.* is deprecated:DeprecationWarning")
def test_jit_trace(name: str) -> None:
    traced: Any = torch.jit.trace
    model = build(name)
    check(model, traced(model, (sample(name),), strict=name != "features"), name)


@everywhere
@torch.no_grad()
def test_functional_call(name: str) -> None:
    """With other parameters than its own, a block's own among them."""
    model = build(name)
    other = copy.deepcopy(model)
    randomise(other, seed=1)
    found = functional_call(model, dict(other.state_dict()), (sample(name),))
    assert same(found, other(sample(name)))
    assert not same(found, model(sample(name)))


# -- copies and files ---------------------------------------------------------------------------------------------


def saved(model: Any) -> Any:
    content = io.BytesIO()
    torch.save(model, content)
    content.seek(0)
    return torch.load(content, weights_only=False)


COPIES: dict[str, Callable[[Any], Any]] = {
    "deepcopy": copy.deepcopy,
    "pickle": lambda model: pickle.loads(pickle.dumps(model)),
    "oldest pickle": lambda model: pickle.loads(pickle.dumps(model, protocol=2)),
    "torch.save": saved,
}


@everywhere
@pytest.mark.parametrize("way", first([*COPIES], 2))
def test_copies(name: str, way: str) -> None:
    model = build(name)
    twin = COPIES[way](model)
    assert [type(part) for part in twin.modules()] == [type(part) for part in model.modules()]
    check(model, twin, name)
    assert same(trained(twin, name), trained(model, name))
    before = model(sample(name))
    randomise(twin, seed=1)
    assert same(model(sample(name)), before), "it has parameters of its own"


UNPICKLE = """
import pickle, sys, torch
torch.set_num_threads(1)
for name, model, x in pickle.load(sys.stdin.buffer):
    with torch.no_grad():
        found = model(x)
    values = found.values() if isinstance(found, dict) else [found]
    print(repr((name, type(model).__name__, [value.double().sum().item() for value in values])))
"""


@torch.no_grad()
def test_another_process_unpickles_it() -> None:
    names = ["two inputs", "googlenet", "features"]
    models = {name: build(name) for name in names}
    content = pickle.dumps([(name, model, sample(name)) for name, model in models.items()])
    printed = subprocess.run([sys.executable, "-c", UNPICKLE], input=content, capture_output=True, check=True).stdout
    found = [ast.literal_eval(line) for line in printed.decode().splitlines()]
    for name, (other, kind, sums) in zip(names, found, strict=True):
        output = models[name](sample(name))
        expected = [value.double().sum().item() for value in (output.values() if name == "features" else [output])]
        assert (other, kind, sums) == (name, type(models[name]).__name__, expected)


def test_named_outputs_are_pickled_and_copied() -> None:
    outputs = trained(build("googlenet"), "googlenet")
    detached = type(outputs)(*(value.detach() for value in outputs))
    for twin in (pickle.loads(pickle.dumps(detached)), copy.deepcopy(detached)):
        assert type(twin) is type(outputs)
        assert twin._fields == ("logits", "aux_logits2", "aux_logits1")
        assert same(twin, outputs)


class Derived(class_of(Block, "Gate", ("x", "skip"))):  # type: ignore[misc]
    """A class that a user derived from a block's."""


def test_an_instance_of_a_derived_class_stays_one() -> None:
    gate = build("two inputs").narrow
    gate.__class__ = Derived
    assert type(pickle.loads(pickle.dumps(gate))) is Derived
    assert type(copy.deepcopy(gate)) is Derived


@everywhere
@pytest.mark.parametrize("initialise", [True, False])
@torch.no_grad()
def test_meta_device(name: str, initialise: bool) -> None:
    source, options = BUILDS[name]
    with torch.device("meta"):
        model: Any = archspec.build(source, **options, initialise=initialise)
    assert {parameter.device.type for parameter in model.parameters()} == {"meta"}
    outputs = model.eval()(sample(name).to("meta"))
    assert all(value.is_meta for value in (outputs.values() if name == "features" else [outputs]))
    real = build(name)
    model.to_empty(device="cpu").load_state_dict(real.state_dict())
    check(real, model, name)


# -- what wraps modules -------------------------------------------------------------------------------------------


class Double(nn.Module):
    def forward(self, value: Tensor) -> Tensor:
        return 2 * value


@pytest.mark.parametrize("way", [lambda model: model, copy.deepcopy], ids=["itself", "a copy"])
@torch.no_grad()
def test_parametrize(way: Callable[[Any], Any]) -> None:
    """A parameter of a layer, and one of the block itself."""
    model, expected = build("two inputs"), build("two inputs")
    for part, name in ((model.narrow.conv, "weight"), (model.broad, "gain")):
        parametrize.register_parametrization(part, name, Double())
    expected.narrow.conv.weight.mul_(2)
    expected.broad.gain.mul_(2)
    check(expected, way(model), "two inputs")
    parametrize.remove_parametrizations(model.broad, "gain")
    assert type(model.broad) is type(expected.broad)
    check(expected, model, "two inputs")


def test_blocks_are_chosen_by_their_class() -> None:
    model, plain = build("resnet18"), build("resnet18")
    kind = type(model.layer1[0])
    apply_activation_checkpointing(model, check_fn=lambda part: isinstance(part, kind))
    wrapped = [name for name, part in model.named_modules() if isinstance(part, CheckpointWrapper)]
    assert wrapped == [f"layer{stage}.{number}" for stage in (1, 2, 3, 4) for number in (0, 1)]
    gradients = []
    for each in (model, plain):
        each(sample("resnet18")).square().mean().backward()
        gradients.append([parameter.grad for parameter in each.parameters()])
    assert all(map(torch.equal, *gradients))


@pytest.fixture
def process_group() -> Iterator[None]:
    store = distributed.HashStore()  # type: ignore[attr-defined]
    distributed.init_process_group("gloo", store=store, rank=0, world_size=1)
    yield
    distributed.destroy_process_group()


@pytest.mark.usefixtures("process_group")
def test_distributed_data_parallel() -> None:
    model, plain = build("two inputs"), build("two inputs")
    wrapped = DistributedDataParallel(model)
    check(plain, wrapped, "two inputs")
    for each in (wrapped, plain):
        each(sample("two inputs")).square().mean().backward()
    assert all(torch.equal(a.grad, b.grad) for a, b in zip(model.parameters(), plain.parameters(), strict=True))


@pytest.mark.usefixtures("process_group")
def test_fully_sharded() -> None:
    model, plain = build("two inputs"), build("two inputs")
    mesh = init_device_mesh("cpu", (1,))
    for part in (model.narrow, model.broad, model):
        fully_shard(part, mesh=mesh)
    assert type(model.narrow).__name__ == "FSDPGate"
    assert isinstance(model.narrow, type(plain.narrow))
    check(plain, model, "two inputs")


@everywhere
def test_torchinfo(name: str) -> None:
    model = build(name)
    summary = torchinfo.summary(model, input_data=sample(name), verbose=0, depth=9)
    assert summary.total_params == sum(parameter.numel() for parameter in model.parameters())
    ran = {info.class_name for info in summary.summary_list}
    assert type(model).__name__ in ran
    assert ran >= {type(part).__name__ for part in model.modules() if isinstance(part, Block) and not part.training} - {
        "InceptionAux"  # runs in training only
    }


def test_hooks_see_arguments_by_name() -> None:
    model, seen = build("resnet18"), []
    model.register_forward_pre_hook(lambda module, args, kwargs: seen.append((args, kwargs)), with_kwargs=True)
    x = sample("resnet18")
    model(x=x)
    assert seen == [((), {"x": x})]


# -- generated files ----------------------------------------------------------------------------------------------

SCRIPTED = (
    "alexnet_half", "convnext_tiny", "densenet121", "efficientnet_b0", "lenet", "mnasnet0_5",
    "mobilenet_v2", "mobilenet_v3_small", "regnet_y_400mf", "resnet18", "resnet34_features", "resnet50",
    "shufflenet_v2_x0_5", "squeezenet1_1",
)  # fmt: skip
NAMED_OUTPUTS = ("googlenet", "googlenet_plain", "inception_v3")


def script(text: str, name: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[nn.Module, Any]:
    """The network of a generated file, and what `torch.jit.script` makes of it."""
    path = folder / f"{name}.py"
    path.write_text(text, encoding="utf-8")
    spec = spec_from_file_location(name, path)
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    monkeypatch.setitem(sys.modules, name, module)
    spec.loader.exec_module(module)
    model = getattr(module, name)().eval()
    return model, torch.jit.script(model)


def written(name: str) -> str:
    return (GENERATED / f"{name}.py").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", first(SCRIPTED, 5))
@pytest.mark.filterwarnings("ignore:.*torch.jit.* is deprecated:DeprecationWarning")
def test_generated_files_can_be_scripted(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model, scripted = script(written(name), name, tmp_path, monkeypatch)
    shape = archspec.compile(name).input_shape
    x = torch.randn(1, *shape)
    with torch.no_grad():
        assert torch.equal(scripted(x), model(x))


@pytest.mark.parametrize("name", NAMED_OUTPUTS)
@pytest.mark.filterwarnings("ignore:.*torch.jit.* is deprecated:DeprecationWarning")
def test_files_with_named_outputs_can_be_scripted(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Postponed annotations would keep torch from reading the named tuple."""
    assert script(written(name), name, tmp_path, monkeypatch)[1]


@pytest.mark.filterwarnings("ignore:.*torch.jit.* is deprecated:DeprecationWarning")
def test_the_input_transform_can_be_scripted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = archspec.codegen("googlenet", transform_input=True, fold_batch_norm=True)
    assert "channel_affine(" in text
    model, scripted = script(text, "googlenet", tmp_path, monkeypatch)
    x = torch.randn(1, 3, 64, 64)
    with torch.no_grad():
        assert torch.equal(scripted(x), model(x))


def test_a_block_in_the_form_of_a_seq_is_a_sequential() -> None:
    """As in the generated file and in torchvision: it can be indexed, and what is appended runs."""
    model = archspec.build("mobilenet_v2", seed=0).eval()
    stem: Any = model.get_submodule("features.0")
    assert isinstance(stem, nn.Sequential)
    assert type(stem).__name__ == "ConvNormActivation"
    x = torch.randn(1, 3, 32, 32)
    assert torch.equal(stem(x), stem[2](stem[1](stem[0](x))))
    same = pickle.loads(pickle.dumps(stem))
    assert type(same) is type(stem)
    stem.append(nn.Softplus())
    assert torch.equal(stem(x), nn.functional.softplus(same(x)))
