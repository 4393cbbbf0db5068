"""Feature extraction, beside torchvision's create_feature_extractor on the same nodes."""

from __future__ import annotations

import copy
import pickle
import warnings
from typing import Any

import pytest
import torch
from click.testing import CliRunner
from exhaustive import large_last
from oracle import oracle, randomise
from torch import Tensor, nn
from torchvision.models.feature_extraction import create_feature_extractor

import archspec
from archspec.backends.torch.build import check_shapes
from archspec.cli.commands import app
from archspec.passes.features import extract

SMALL = [3, 64, 64]
NODES = {
    "resnet18": ["layer2", "layer4"],
    "resnet34": [
        "layer1.0.bn1",
        "layer1.0.relu",
        "layer1.0.add",
        "layer1.0.relu_1",
        "layer2.0.downsample.0",
        "flatten",
    ],
    "googlenet": ["conv1.conv", "inception3a.cat", "inception3a.branch2.0", "inception4a"],
    "densenet121": ["features.denseblock1.denselayer2.norm1", "features.transition1.conv", "features.norm5"],
    "mobilenet_v2": ["features.1", "features.3.add", "features.4.conv.1", "features.18"],
    "mobilenet_v3_small": ["features.2", "features.12"],
    "efficientnet_b0": ["features.3.1.stochastic_depth", "features.3", "features.8"],
    "regnet_y_400mf": ["stem", "trunk_output.block2", "trunk_output.block3.block3-0.add"],
    "shufflenet_v2_x0_5": ["maxpool", "stage2.0", "stage3.1.branch2.4", "conv5"],
    "squeezenet1_1": ["features.3.expand1x1", "features.4.cat"],
    "mnasnet0_5": ["layers.8", "layers.9.1.layers.7"],
    "convnext_tiny": ["features.1", "features.3.0.add", "features.7.2"],
    "vgg11_bn": ["features.4", "features.28"],
}


def reference(name: str, nodes: list[str]) -> tuple[Any, dict[str, Tensor]]:
    """torchvision's extractor, and the whole model's weights. In place it would return values that are overwritten."""
    model = oracle(name).eval()
    randomise(model)
    for module in model.modules():
        if hasattr(module, "inplace"):
            module.inplace = False  # type: ignore[assignment]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it warns of nodes that are there in training only
        return create_feature_extractor(model, nodes).eval(), model.state_dict()


@pytest.mark.parametrize("name", large_last(NODES))
@torch.no_grad()
def test_features_are_torchvisions(name: str, tmp_path: Any) -> None:
    nodes = NODES[name]
    expected, state = reference(name, nodes)
    torch.save(state, tmp_path / "weights.pth")
    as_there: dict[str, Any] = {"transform_input": False} if name == "googlenet" else {}
    model: Any = archspec.build(name, weights=tmp_path / "weights.pth", features=nodes, input=SMALL, **as_there).eval()
    assert set(model.state_dict()) == set(expected.state_dict()), "what is not needed is gone"
    x = torch.randn(2, *SMALL)
    found, wanted = model(x), expected(x)
    assert list(found) == nodes
    assert all(torch.equal(found[node], wanted[node]) for node in nodes)
    assert [(f.name, (2, *f.shape)) for f in model.feature_info] == [(node, wanted[node].shape) for node in nodes]
    for feature in model.feature_info:
        if len(feature.shape) == 3:
            assert feature.stride == (64 // feature.shape[1], 64 // feature.shape[2])


def test_what_is_known_without_running() -> None:
    net: Any = archspec.build("resnet18", features=["layer2", "layer4"])
    assert net.features == net.feature_info
    assert [(f.name, f.channels, f.stride) for f in net.features] == [
        ("layer2", 128, (8, 8)),
        ("layer4", 512, (32, 32)),
    ]
    assert "fc.weight" not in net.state_dict()


def test_a_submodule_may_be_called_features() -> None:
    net: Any = archspec.build("vgg11", features=["features.4"], initialise=False)
    assert isinstance(net.features, nn.Module)
    assert net.feature_info[0].channels == 128
    assert list(net.state_dict()) == ["features.0.weight", "features.0.bias", "features.3.weight", "features.3.bias"]


@torch.no_grad()
def test_requested_values_are_not_overwritten() -> None:
    """`bn1` is read by a ReLU that could run in place, and does if nobody asks for its input."""
    both: Any = archspec.build("resnet18", features=["bn1", "relu"], input=SMALL).eval()
    randomise(both)
    found = both(torch.randn(2, *SMALL))
    assert (found["bn1"] < 0).any()
    assert torch.equal(found["bn1"].relu(), found["relu"])
    alone: Any = archspec.build("resnet18", features=["relu"], input=SMALL)
    assert alone.relu.inplace
    assert not both.relu.inplace


def test_lives_like_any_other() -> None:
    net: Any = archspec.build("resnet18", features=["layer1.0.relu", "layer2"], input=SMALL).eval()
    x = torch.randn(2, *SMALL)
    with torch.no_grad():
        expected = net(x)
        compiled = torch.compile(net, fullgraph=True, backend="eager")
        exported = torch.export.export(net, (x,)).module()
        for twin in (copy.deepcopy(net), pickle.loads(pickle.dumps(net)), compiled, exported):
            assert all(torch.equal(value, expected[name]) for name, value in twin(x).items())


def test_saved_with_its_features(tmp_path: Any) -> None:
    from archspec.weights.build import Options, build, save

    built = build("resnet18", Options(features=("layer1.0.relu", "layer2")), {"input": SMALL})
    save(built, tmp_path / "features.safetensors")
    again: Any = archspec.build(tmp_path / "features.safetensors")
    x = torch.randn(1, *SMALL)
    with torch.no_grad():
        found, expected = again.eval()(x), built.module.eval()(x)
    assert all(torch.equal(found[name], expected[name]) for name in ("layer1.0.relu", "layer2"))


def test_from_the_command_line(tmp_path: Any) -> None:
    """Of a whole network's weights only those of the part are taken; files of the part know what they yield."""
    model = oracle("resnet18").eval()
    torch.save(model.state_dict(), tmp_path / "resnet18.pth")
    file = str(tmp_path / "backbone.safetensors")
    options = ["--weights", str(tmp_path / "resnet18.pth"), "--features", "layer1.0.relu,layer2", "--input", "3x64x64"]
    run = CliRunner()
    out = run.invoke(app, ["build", "resnet18", *options, "--features", "layer3", "-o", file], catch_exceptions=False)
    assert out.stdout.splitlines()[-4:] == [
        "90 tensors loaded",
        "feature layer1.0.relu: 64×16×16, stride 4, receptive field 19",
        "feature layer2: 128×8×8, stride 8, receptive field 99",
        "feature layer3: 256×4×4, stride 16, receptive field 211",
    ]
    again: Any = archspec.build(file)
    assert list(again.eval()(torch.zeros(1, *SMALL))) == ["layer1.0.relu", "layer2", "layer3"]
    pytest.importorskip("onnxruntime")
    onnx = pytest.importorskip("onnx")
    run.invoke(app, ["build", file, "-o", str(tmp_path / "backbone.onnx")], catch_exceptions=False)
    written = onnx.load(tmp_path / "backbone.onnx").graph
    assert [value.name for value in written.output] == ["layer1.0.relu", "layer2", "layer3"]


@pytest.mark.parametrize("name", NODES)
def test_cut_graphs_are_sound(name: str) -> None:
    graph = extract(archspec.compile(name, input=SMALL), NODES[name])
    graph.verify()
    with torch.device("meta"):
        from archspec.backends.torch.build import build

        assert {k: tuple(v.shape) for k, v in build(graph).state_dict().items()} == graph.state_dict_shapes()
    assert graph.macs < archspec.compile(name, input=SMALL).macs


def test_networks_with_heads_lose_them() -> None:
    net = archspec.build("googlenet", features=["inception5b"], input=SMALL)
    assert not any(key.startswith("aux") for key in net.state_dict())
    assert list(net.train()(torch.randn(2, *SMALL))) == ["inception5b"]


@pytest.mark.parametrize(
    ("features", "message"),
    [
        (["layer5"], "unknown value 'layer5'"),
        (["layer1.0.conv9"], "did you mean 'layer1.0.conv"),
        (["conv1.weight"], "conv1 is not a block"),
        (["layer1", "layer1"], "each only once"),
    ],
)
def test_errors(features: list[str], message: str) -> None:
    with pytest.raises(archspec.SpecError) as caught:
        archspec.build("resnet18", features=features)
    assert message in str(caught.value)


def test_shapes_are_checked_like_any_others() -> None:
    graph = extract(archspec.compile("resnet18", input=SMALL), ["layer1.0.relu", "layer2"])
    from archspec.backends.torch.build import build

    assert [m.layer for m in check_shapes(graph, build(graph))] == []
