"""Families: the core-language network that each gives, and the settings it accepts.

`fixtures/families/NAME.yaml` is a spec of a family, `NAME.core.yaml` the network that `expand` makes of it.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from exhaustive import one_of_each_family

import archspec
from archspec.frontend.families import FAMILIES, family
from archspec.frontend.loader import shipped
from archspec.frontend.model.network import Network
from archspec.ir.graph import Graph
from archspec.ir.layer import Layer
from archspec.ir.module import Module

FOLDER = Path(__file__).parent / "fixtures" / "families"
REFRESH = "ARCHSPEC_REFRESH=1 pytest tests/test_families.py"


def facts(net: Graph) -> dict[str, Any]:
    """All that makes two graphs the same network."""
    return {
        "tensors": list(net.state_dict_shapes().items()),
        "layers": net.layers,
        "params": net.params,
        "train_only_params": net.train_only_params,
        "macs": net.macs,
        "output_shape": net.output_shape,
        "init": [rule for module in net.root.modules for rule in module.init],
        "outputs": net.outputs and (net.outputs.type, dict(net.outputs.fields)),
        "names": (net.name, net.class_name, net.description, net.reference),
    }


# -- the way down to the core language ---------------------------------------------------------------------------


@pytest.mark.parametrize("name", one_of_each_family(shipped()))
def test_an_expanded_spec_is_the_same_network(name: str) -> None:
    text = archspec.expand(name)
    assert isinstance(archspec.load(text).model, Network)
    assert facts(archspec.compile(text)) == facts(archspec.compile(name))
    assert archspec.expand(text) == text


@pytest.mark.parametrize("name", sorted(path.stem for path in FOLDER.glob("*.yaml") if ".core" not in path.name))
def test_pairs(name: str) -> None:
    spec, recorded = FOLDER / f"{name}.yaml", FOLDER / f"{name}.core.yaml"
    found = archspec.expand(spec)
    if os.environ.get("ARCHSPEC_REFRESH"):
        recorded.write_text(found, encoding="utf-8")
    assert found == recorded.read_text(encoding="utf-8"), f"if this is as it should be: {REFRESH}"
    assert facts(archspec.compile(recorded)) == facts(archspec.compile(spec))


def test_overrides_are_expanded_too() -> None:
    text = archspec.expand("resnet18", num_classes=5, stages=[1, 1], input=[1, 64, 64])
    net = archspec.compile(text)
    assert (net.input_shape, net.output_shape) == ((1, 64, 64), (5,))
    assert archspec.compile(text, num_classes=7).output_shape == (7,)


@pytest.mark.parametrize("name", FAMILIES)
def test_every_family_describes_its_fields(name: str) -> None:
    fields = {key: field for key, field in family(name).model_fields.items() if key not in ("family", "input")}
    assert not [key for key, field in fields.items() if not field.description]
    assert family(name).__doc__


# -- settings ----------------------------------------------------------------------------------------------------


def named(net: Graph) -> dict[str, Layer]:
    return {layer.name: layer for layer in net.layers}


@pytest.mark.parametrize("stages", [[1], [2, 1], [1, 1, 1, 1, 1], [3, 4, 6, 3]])
def test_resnet_has_any_number_of_stages(stages: list[int]) -> None:
    net = archspec.compile("resnet50", stages=stages, include_top=False)
    size = [56, 28, 14, 7, 4][len(stages) - 1]
    assert net.output_shape == (256 << (len(stages) - 1), size, size)
    assert archspec.compile("resnet50", stages=stages).output_shape == (1000,)
    blocks = {name.rpartition(".")[0] for name in named(net) if name.endswith(".conv1")}
    assert len(blocks) == sum(stages)


@pytest.mark.parametrize(
    ("dilate", "shape"),
    [
        ([False, False, False], (2048, 7, 7)),
        ([False, False, True], (2048, 14, 14)),
        ([True, True, True], (2048, 56, 56)),
    ],
)
def test_resnet_can_be_dilated_in_place_of_stride(dilate: list[bool], shape: tuple[int, ...]) -> None:
    net = archspec.compile("resnet50", replace_stride_with_dilation=dilate, include_top=False)
    assert net.output_shape == shape
    assert list(net.state_dict_shapes()) == list(archspec.compile("resnet50", include_top=False).state_dict_shapes())


def test_resnet_dilations_are_torchvisions() -> None:
    """The first block of a stage keeps the dilation of the stage before: 1, then 2 and 4."""
    net = archspec.compile("resnet50", replace_stride_with_dilation=[False, True, True])
    dilations = {f"{a}.{b}": _conv2(net, a, b) for a in ("layer2", "layer3", "layer4") for b in ("0", "1")}
    assert dilations == {
        "layer2.0": (2, 1), "layer2.1": (1, 1), "layer3.0": (1, 1), "layer3.1": (1, 2),
        "layer4.0": (1, 2), "layer4.1": (1, 4),
    }  # fmt: skip


def _conv2(net: Graph, stage: str, block: str) -> tuple[int, int]:
    """Stride and dilation of the 3×3 convolution of a block."""
    module: Any = net.root
    for name in (stage, block, "conv2"):
        assert isinstance(module, Module)
        module = next(step.target for step in module.steps if step.name == name)
    return module.stride, module.dilation


def test_resnet_groups_and_width() -> None:
    net = archspec.compile("resnet50", groups=32, width_per_group=4)
    assert net.params == archspec.compile("resnext50_32x4d").params
    assert net.state_dict_shapes()["layer1.0.conv2.weight"] == (128, 4, 3, 3)


def test_resnet_zero_init_is_the_last_norm_of_each_block() -> None:
    net = archspec.compile("resnet50", zero_init_residual=True)
    rules = {(module.definition, rule.path) for module in net.root.modules for rule in module.init if rule.path}
    assert rules == {("Bottleneck", "bn3")}


def test_vgg_settings() -> None:
    net = archspec.compile("vgg11", cfg=[8, "M", 16], batch_norm=True, classifier=[32], dropout=None, avgpool=2)
    assert [layer.type for layer in net.layers] == [
        "conv2d", "batch_norm2d", "relu", "max_pool2d", "conv2d", "batch_norm2d", "relu",
        "adaptive_avg_pool2d", "linear", "relu", "linear",
    ]  # fmt: skip
    assert net.state_dict_shapes()["classifier.0.weight"] == (32, 16 * 2 * 2)


def test_inception_settings() -> None:
    paper, real = (archspec.compile("googlenet", kernel5x5=kernel).state_dict_shapes() for kernel in (5, 3))
    assert paper["inception3a.branch3.1.conv.weight"] == (32, 16, 5, 5)
    assert real["inception3a.branch3.1.conv.weight"] == (32, 16, 3, 3)
    plain = archspec.compile("googlenet", batch_norm=False).state_dict_shapes()
    assert plain["inception3a.branch1.conv.bias"] == (64,)
    assert not [key for key in plain if ".bn." in key]


def test_inception_heads_stand_where_they_are_attached() -> None:
    net = archspec.compile("googlenet", aux={"side": "inception3a"}, outputs=None)
    assert net.outputs is not None
    assert (net.outputs.type, list(net.outputs.fields)) == ("GoogLeNetOutputs", ["logits", "side"])
    assert named(net)["side.conv.conv"].input_shape == (256, 4, 4)
    assert list(net.state_dict_shapes())[-2:] == ["fc.weight", "fc.bias"]


def test_a_family_spec_can_have_parameters_and_rules_of_its_own() -> None:
    assert not archspec.compile("vgg16_small").init
    (rule,) = archspec.compile("vgg16_small", init_weights=True).init
    assert rule.op == ("conv2d", "linear")


# -- errors ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "overrides", "message"),
    [
        ("resnet18", {"groups": 2}, "basic blocks have no groups"),
        ("resnet18", {"replace_stride_with_dilation": [True, False, False]}, "basic blocks cannot be dilated"),
        ("resnet50", {"replace_stride_with_dilation": [True]}, "expected 3 values, one for each stage but the first"),
        ("resnet50", {"stages": []}, "stages: expected at least 1 entry, got 0"),
        ("resnet50", {"stages": [3, 0, 1]}, "stages.1: expected at least 1, got 0"),
        ("resnet50", {"stages": [3, 2.0]}, "stages.1: expected an integer, got 2.0"),
        ("resnet50", {"block": "basicc"}, "did you mean 'basic'?"),
        ("resnet50", {"num_classes": 0}, "num_classes: expected at least 1, got 0"),
        ("resnet50", {"input": [3, 0, 224]}, "input.1: expected at least 1, got 0"),
        ("resnet50", {"input": [3, 224]}, "input: expected channels, height and width, got 2 numbers"),
        ("resnet50", {"nonsense": 1}, "unknown parameter 'nonsense'"),
        ("resnet50", {"stage": [1]}, "did you mean 'stages'?"),
        ("vgg16", {"cfg": [64, "N"]}, "cfg.1: expected an integer or 'M', got 'N'"),
        ("vgg16", {"dropout": 1.5}, "dropout: expected at most 1, got 1.5"),
        ("vgg16", {"input": [3, 16, 16]}, "a window of 2 does not fit into 1"),
        ("googlenet", {"aux": {"aux1": "inception9"}}, "aux.aux1: unknown stage 'inception9'"),
        ("googlenet", {"kernel5x5": 7}, "kernel5x5: expected 3 or 5, got 7"),
    ],
)
def test_errors(name: str, overrides: dict[str, Any], message: str) -> None:
    with pytest.raises(archspec.SpecError) as caught:
        archspec.compile(name, **overrides)
    assert len(caught.value.diagnostics) == 1
    assert message in str(caught.value)
