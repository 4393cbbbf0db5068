"""Weights: which checkpoints are accepted, what is loaded, and that files are complete and safe to read."""

from __future__ import annotations

import hashlib
import os
import re
import subprocess
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from command import fine, run
from exhaustive import first
from oracle import oracle, randomise
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

import archspec
from archspec.backends.torch import build as target
from archspec.frontend.metadata import Provenance
from archspec.weights.load import build_with
from archspec.weights.match import match, selects

SMALL = [3, 64, 64]
PUBLISHED = ("resnet18", "densenet121", "mobilenet_v2")


def sample(*size: int) -> Tensor:
    return torch.randn(2, *(size or SMALL), generator=torch.Generator().manual_seed(1))


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An empty folder to work in."""
    monkeypatch.chdir(tmp_path)
    return tmp_path  # type: ignore[return-value]


def published(name: str, file: str) -> Any:
    """torchvision's model with random weights, saved to a file as torchvision's are."""
    model = oracle(name).eval()
    randomise(model)
    save(dict(model.state_dict()), file)
    return model


def save(state: dict[str, Tensor], file: str) -> None:
    save_file(state, file) if file.endswith(".safetensors") else torch.save(state, file)


def refused(name: str, **options: Any) -> str:
    with pytest.raises(archspec.SpecError) as caught:
        archspec.build(name, **options)
    return str(caught.value)


@torch.no_grad()
def outputs(model: nn.Module, x: Tensor) -> Any:
    return model.eval()(x)


def same_state(left: nn.Module, right: nn.Module) -> bool:
    a, b = left.state_dict(), right.state_dict()
    return list(a) == list(b) and all(torch.equal(a[key], b[key]) for key in a)


# -- loading ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("suffix", [".pth", ".pt", ".safetensors"])
@pytest.mark.parametrize("name", PUBLISHED)
def test_loaded_is_torchvisions(name: str, suffix: str) -> None:
    reference = published(name, f"weights{suffix}")
    built = archspec.build(name, weights=f"weights{suffix}")
    assert same_state(built, reference)
    assert torch.equal(outputs(built, sample()), outputs(reference, sample()))
    assert repr(built) == repr(archspec.build(name))
    assert all(parameter.requires_grad for parameter in built.parameters())


def test_loaded_modules_can_be_trained_and_leave_the_file_alone() -> None:
    published("resnet18", "weights.safetensors")
    before = Path("weights.safetensors").read_bytes()
    model = archspec.build("resnet18", weights="weights.safetensors").train()
    model(sample()).sum().backward()
    torch.optim.SGD(model.parameters(), 0.1).step()
    assert Path("weights.safetensors").read_bytes() == before
    assert not torch.equal(model.state_dict()["fc.bias"], load_file("weights.safetensors")["fc.bias"])


def test_old_files_without_a_zip_archive() -> None:
    model = oracle("resnet18")
    torch.save(model.state_dict(), "old.pth", _use_new_zipfile_serialization=False)
    assert same_state(archspec.build("resnet18", weights="old.pth"), model)


def test_old_spellings_of_densenet() -> None:
    model = oracle("densenet121")
    randomise(model)
    old = {re.sub(r"(denselayer\d+\.(?:norm|conv))([12])\.", r"\1.\2.", k): v for k, v in model.state_dict().items()}
    assert "features.denseblock1.denselayer1.norm.1.weight" in old
    torch.save({key: value for key, value in old.items() if not key.endswith("num_batches_tracked")}, "old.pth")
    with pytest.warns(UserWarning, match=re.escape("norm.1.weight is features.denseblock1.denselayer1.norm1.weight")):
        built = archspec.build("densenet121", weights="old.pth")
    assert same_state(built, model)


def test_half_precision_and_shared_memory_become_the_modules_own() -> None:
    model = oracle("resnet18")
    state = {key: value.half() if value.is_floating_point() else value for key, value in model.state_dict().items()}
    state["bn1.bias"] = state["bn1.weight"]
    torch.save(state, "half.pth")
    built = archspec.build("resnet18", weights="half.pth")
    assert {p.dtype for p in built.parameters()} == {torch.float32}
    with torch.no_grad():
        built.get_parameter("bn1.weight").fill_(7.0)
    assert not (built.get_parameter("bn1.bias") == 7.0).any()


def test_tensors_of_the_right_type_are_not_copied() -> None:
    """A checkpoint's tensors stay in the file that is mapped into memory; what is shared gets memory of its own."""
    graph = archspec.compile("lenet")
    tensors = {key: torch.zeros(shape) for key, shape in graph.state_dict_shapes().items()}
    tensors["conv2.bias"] = tensors["conv1.bias"].new_zeros(32)[:16]
    tensors["fc1.bias"] = tensors["fc2.weight"].view(-1)[:120]
    built = build_with(graph, tensors).state_dict()
    copied = {key for key, tensor in tensors.items() if built[key].data_ptr() != tensor.data_ptr()}
    assert copied == {"fc2.weight"}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (nn.Linear(1, 1), "holds Python objects other than tensors"),
        (torch.zeros(3), "contains one Tensor, not a state_dict"),
        ({"model": {"fc.weight": torch.zeros(1)}, "epoch": 3}, "the weights seem to be under 'model'"),
        ({}, "contains no tensors"),
        ({"fc.weight": torch.zeros(1, dtype=torch.complex64)}, "is not a dense tensor of real numbers"),
        ({"fc.weight": torch.eye(2).to_sparse()}, "is not a dense tensor of real numbers"),
    ],
)
def test_only_mappings_of_names_to_tensors_are_read(content: Any, message: str) -> None:
    torch.save(content, "strange.pt")
    assert message in refused("resnet18", weights="strange.pt")


@pytest.mark.parametrize("suffix", [".pt", ".pth", ".safetensors"])
@pytest.mark.parametrize("content", [b"", b"PK\x03\x04", b"\xff" * 64, b"name: x\n", b"\x08\0\0\0\0\0\0\0{}      "])
def test_damaged_files_are_spec_errors(content: bytes, suffix: str) -> None:
    Path(f"damaged{suffix}").write_bytes(content)
    assert f"damaged{suffix}" in refused("lenet", weights=f"damaged{suffix}")


@pytest.mark.parametrize("suffix", [".pth", ".safetensors"])
@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"<!DOCTYPE html><html><body>404</body></html>", "is a web page"),
        (
            b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n",
            "is a Git LFS pointer, not the file itself",
        ),
    ],
)
def test_what_is_often_found_in_place_of_weights(content: bytes, message: str, suffix: str) -> None:
    Path(f"weights{suffix}").write_bytes(content)
    assert f"weights{suffix}: {message}" in refused("lenet", weights=f"weights{suffix}")


def test_the_class_of_a_pickled_model_is_named() -> None:
    torch.save(oracle("resnet18"), "model.pth")
    assert "other than tensors: torchvision.models.resnet.ResNet" in refused("resnet18", weights="model.pth")


@pytest.mark.parametrize("cut", [0.3, 0.9, 0.999])
@pytest.mark.parametrize("suffix", [".pt", ".safetensors"])
def test_files_cut_short_are_spec_errors(suffix: str, cut: float) -> None:
    save(archspec.build("lenet").state_dict(), f"lenet{suffix}")
    content = Path(f"lenet{suffix}").read_bytes()
    Path(f"lenet{suffix}").write_bytes(content[: int(len(content) * cut)])
    assert "is damaged" in refused("lenet", weights=f"lenet{suffix}")


def test_a_pickle_runs_nothing() -> None:
    class Evil:
        def __reduce__(self) -> Any:
            return Path.touch, (Path("touched"),)

    torch.save({"fc3.weight": Evil()}, "evil.pt")
    assert "holds Python objects other than tensors" in refused("lenet", weights="evil.pt")
    assert not Path("touched").exists()


@pytest.mark.parametrize("file", ["missing.pth", "missing.safetensors", "x\0.pt"])
def test_files_that_cannot_be_read(file: str) -> None:
    assert "cannot be read" in refused("lenet", weights=file)


def test_other_files_are_no_weights() -> None:
    assert "checkpoints are .safetensors, .pt, .pth files" in refused("lenet", weights="weights.h5")


# -- mismatches ---------------------------------------------------------------------------------------------------


def mismatch(name: str, other: str, **overrides: Any) -> str:
    """The error when the weights of `other` are loaded into `name`."""
    graph = archspec.compile(name, **overrides)
    with pytest.raises(archspec.SpecError) as caught:
        match(graph, "x.pth", archspec.compile(other).state_dict_shapes())
    return str(caught.value)


@pytest.mark.parametrize(
    ("name", "other", "overrides", "subject", "cause"),
    [
        ("resnet34", "resnet34", {"num_classes": 5}, "fc: 2 tensors with a different shape",
         "the checkpoint has 1000 classes, the spec 5: give --num-classes 1000, or --allow-mismatch fc"),
        ("resnet50", "resnet101", {}, "layer3: 306 tensors unexpected", "has 23 modules in layer3, the spec 6"),
        ("resnet101", "resnet50", {}, "layer3: 306 tensors missing", "has 6 modules in layer3, the spec 23"),
        ("vgg16", "vgg16_bn", {}, "features: 75 tensors unexpected", "the checkpoint has batch norm here"),
        ("vgg16_bn", "vgg16", {}, "features: 62 tensors missing", "the spec has batch norm here"),
        ("resnet18", "resnet18", {"input": [1, 64, 64]}, "conv1: 1 tensor", "takes 3 channels, the spec 1"),
        ("alexnet", "zfnet", {}, "features: 7 tensors", "the checkpoint's kernel is 7×7, the spec's 11×11"),
        ("resnet18", "lenet", {}, "conv1: 1 tensor unexpected", "no bias here"),
        ("resnet18", "lenet", {}, "fc3: 2 tensors unexpected", "the spec has no fc3; did you mean 'fc'?"),
        ("resnet18", "lenet", {}, "layer1: 20 tensors missing", "the checkpoint has no layer1"),
    ],
)  # fmt: skip
def test_mismatches_have_a_layer_and_a_cause(name: str, other: str, overrides: Any, subject: str, cause: str) -> None:
    text = mismatch(name, other, **overrides)
    (found,) = (part for part in text.split("\n\n") if f": {subject}" in part)
    assert cause in found
    assert "x.pth" in found


MISMATCH = """\
error[weights]: <text>:2:9: fc: 2 tensors with a different shape in 'resnet18.pth'
  |
2 | family: resnet
  |         ^^^^^^
  = fc.weight  checkpoint 1000×512, spec 5×512  fc (linear)
  = fc.bias    checkpoint 1000, spec 5  fc (linear)
  = help: the checkpoint has 1000 classes, the spec 5: give --num-classes 1000, or --allow-mismatch fc to replace it"""


def test_a_mismatch_in_full() -> None:
    published("resnet18", "resnet18.pth")
    spec = "name: mine\nfamily: resnet\ninput: [3, 64, 64]\nnum_classes: 5\nblock: basic\nstages: [2, 2, 2, 2]\n"
    assert refused(spec, weights="resnet18.pth") == MISMATCH


@pytest.mark.parametrize("wrapper", ["module.", "model._orig_mod."])
def test_keys_behind_a_wrapper(wrapper: str) -> None:
    state = {f"{wrapper}{key}": value for key, value in archspec.build("lenet").state_dict().items()}
    torch.save(state, "wrapped.pt")
    assert f"wrapped.pt: every key begins with '{wrapper}'" in refused("lenet", weights="wrapped.pt")


OTHER_ARCHITECTURE = """\
error[weights]: x.pth: none of its 22 tensors is in the spec
   = checkpoint has features (16), classifier (6)
   = spec has conv1 (2), conv2 (2), fc1 (2), fc2 (2), fc3 (2)
   = help: different architecture: give the spec of the checkpoint's network"""


def test_a_parameter_of_the_network_itself() -> None:
    """Its key is its whole name; it is no layer that takes channels."""
    text = "name: net\ninput: [6, 16]\nlayers:\n- scale: {op: parameter, shape: [6, 16], value: 1.0}\n"
    text += "- {op: mul, from: [scale, input]}\n"
    found = mismatch(text, text.replace("16", "8"))
    assert "scale  checkpoint 6×8, spec 6×16" in found
    assert "different width: the checkpoint has 6×8, the spec 6×16" in found


def test_weights_of_another_network() -> None:
    assert mismatch("lenet", "vgg11") == OTHER_ARCHITECTURE


def test_weights_of_the_inference_form() -> None:
    fine("build", "resnet18", "--fold-batch-norm", "--input", "3x64x64", "-o", "folded.pt")
    assert "folded.pt: its batch norms are folded" in refused("resnet18", weights="folded.pt")


@pytest.mark.parametrize(
    ("suffix", "kind"),
    [(".safetensors", "a checkpoint"), (".pt2", "an exported program"), (".onnx", "an exported program")],
)
def test_saved_files_are_no_text(suffix: str, kind: str) -> None:
    fine("build", "lenet", "-o", "lenet.safetensors")
    Path("lenet.safetensors").rename(f"saved{suffix}")
    result = run("summary", f"saved{suffix}")
    assert result.exit_code == 1
    assert f"is {kind}, not a spec" in result.stderr


# -- transfer learning --------------------------------------------------------------------------------------------


def test_the_head_is_replaced_and_the_rest_loaded() -> None:
    reference = published("resnet18", "resnet18.pth")
    torch.manual_seed(3)
    model = archspec.build(
        "resnet18", weights="resnet18.pth", num_classes=5, allow_mismatch="fc", freeze=["conv1", "layer1.*"]
    )
    state, expected = model.state_dict(), reference.state_dict()
    assert state["fc.weight"].shape == (5, 512)
    assert 0 < state["fc.weight"].std() < 0.1
    assert all(torch.equal(state[key], expected[key]) for key in expected if not key.startswith("fc."))
    frozen = {name for name, parameter in model.named_parameters() if not parameter.requires_grad}
    assert frozen == {name for name, _ in model.named_parameters() if name.startswith(("conv1.", "layer1."))}


def test_a_parameter_of_the_network_itself_stands_alone(tmp_path: Path) -> None:
    """One that does not fit leaves the others of the network, and of a block, as the checkpoint has them."""
    text = """
name: net
input: [3, 4, 4]
params: {n: 4}
blocks:
  Shifted:
    params: {n: null}
    layers:
    - cls: {op: parameter, shape: [4, 1, 1], value: 1}
    - pos: {op: parameter, shape: [4, =n, =n], value: 1}
    - conv: {op: conv2d, out_channels: 4, kernel_size: 1}
    - {op: adaptive_avg_pool2d, output_size: =n, as: x}
    - {op: add, from: [x, cls], as: x}
    - {op: add, from: [x, pos]}
layers:
- body: {block: Shifted, n: =n}
- own: {op: parameter, shape: [4, 1, 1]}
- scale: {op: parameter, shape: [4, =n, 1], value: 1}
- {op: mul, from: [body, own], as: x}
- {op: mul, from: [x, scale]}
"""
    state = {key: torch.full_like(value, 7) for key, value in archspec.build(text).state_dict().items()}
    torch.save(state, tmp_path / "sevens.pt")
    allowed = ["body.pos", "scale"]
    made = archspec.build(text, n=2, weights=tmp_path / "sevens.pt", allow_mismatch=allowed).state_dict()
    assert {key for key, value in made.items() if bool((value != 7).any())} == {*allowed}


def test_what_was_left_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    published("resnet18", "resnet18.pth")
    with caplog.at_level("INFO", "archspec"):
        archspec.build("resnet18", weights="resnet18.pth", num_classes=5, allow_mismatch="fc")
    assert caplog.messages == ["120 tensors loaded", "initial value: fc.weight", "initial value: fc.bias"]


def test_initial_values_follow_the_rules_and_the_seed() -> None:
    published("mobilenet_v2", "mobilenet_v2.pth")
    options: dict[str, Any] = {"weights": "mobilenet_v2.pth", "num_classes": 7, "allow_mismatch": ["classifier.1"]}
    made = []
    for _ in range(2):
        torch.manual_seed(0)
        made.append(archspec.build("mobilenet_v2", **options).state_dict())
    weight, bias = made[0]["classifier.1.weight"], made[0]["classifier.1.bias"]
    assert torch.equal(weight, made[1]["classifier.1.weight"])
    assert not bias.any(), "MobileNet's rule fills biases with 0"
    assert weight.std() == pytest.approx(0.01, rel=0.1), "and weights with N(0, 0.01)"


def test_what_was_left_is_reported_exactly() -> None:
    published("resnet18", "resnet18.pth")
    options = ["--weights", "resnet18.pth", "--num-classes", "5", "--allow-mismatch", "fc", "--freeze", "layer1.*"]
    lines = fine("build", "resnet18", "--input", "3x64x64", *options).splitlines()
    assert lines[-4:] == [
        "120 tensors loaded",
        "initial value: fc.weight",
        "initial value: fc.bias",
        "12 parameters frozen",
    ]


@pytest.mark.parametrize("option", ["allow_mismatch", "freeze"])
def test_patterns_for_nothing_are_errors(option: str) -> None:
    save(archspec.build("lenet").state_dict(), "lenet.pt")
    assert "did you mean 'conv1'" in refused("lenet", weights="lenet.pt", **{option: "conv11"})


def test_patterns() -> None:
    assert selects("layer1", "layer1.0.conv1.weight")
    assert selects("*.bias", "fc.bias")
    assert not selects("layer1", "layer10.0.conv1.weight")


def test_checkpoints_with_heads_for_a_spec_without() -> None:
    reference = published("googlenet", "mine.pth")
    with pytest.warns(UserWarning, match="the spec has no aux[12]: 10 tensors of the checkpoint are ignored"):
        model = archspec.build("googlenet", weights="mine.pth", aux_logits=False, transform_input=False, input=SMALL)
    assert torch.equal(outputs(model, sample()), outputs(reference, sample()))


def test_checkpoints_without_heads_for_a_spec_with() -> None:
    reference = published("googlenet", "mine.pth")
    state = {key: value for key, value in reference.state_dict().items() if not key.startswith("aux")}
    torch.save(state, "headless.pth")
    with pytest.warns(UserWarning, match="aux[12] runs in training only and is not in the checkpoint"):
        model = archspec.build("googlenet", weights="headless.pth", transform_input=False)
    assert torch.equal(outputs(model, sample()), outputs(reference, sample()))
    assert model.get_parameter("aux1.fc1.weight").std() > 0


def loaded(file: str, source: str = "googlenet", **options: Any) -> tuple[nn.Module, list[str]]:
    """GoogLeNet with these weights, and what was said."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        return archspec.build(source, weights=file, **options), [str(w.message) for w in caught]


ON, OFF = "transform_input is on, as torchvision has it for these weights", "transform_input is off; if these are torch"


@pytest.mark.parametrize(
    ("file", "given", "on", "said"),
    [
        ("googlenet-1378be20.pth", {}, True, ON),
        ("googlenet-1378be20.pth", {"transform_input": False}, False, ""),
        ("googlenet-1378be20.safetensors", {}, True, ON),  # converted, with its name kept
        ("mine.pth", {}, False, OFF),
        ("mine.pth", {"transform_input": False}, False, ""),
        ("mine.pth", {"transform_input": True}, True, ""),
    ],
)
def test_transform_input_follows_torchvision(file: str, given: dict[str, Any], on: bool, said: str) -> None:
    reference = published("googlenet", file)
    reference.transform_input = on
    model, notes = loaded(file, **given)
    assert [note[: len(said)] for note in notes] == [said] * bool(said)
    assert torch.equal(outputs(model, sample()), outputs(reference, sample()))


def test_torchvisions_weights_are_known_by_their_content(monkeypatch: pytest.MonkeyPatch) -> None:
    published("googlenet", "renamed.pth")
    digest = hashlib.sha256(Path("renamed.pth").read_bytes()).hexdigest()
    monkeypatch.setattr("archspec.weights.published._DIGESTS", (digest[:8],))
    assert loaded("renamed.pth")[1] == [ON]


def test_what_is_saved_remembers_its_transform_input() -> None:
    reference = published("googlenet", "googlenet-1378be20.pth")
    reference.transform_input = True
    small = ["--input", "3x64x64"]
    out = fine("build", "googlenet", "--weights", "googlenet-1378be20.pth", *small, "-o", "mine.safetensors")
    assert ON in out
    expected = outputs(reference, sample())
    again = archspec.build("mine.safetensors")
    assert torch.equal(outputs(again, sample()), expected)
    model, notes = loaded("mine.safetensors")
    assert notes == ["transform_input is on, as in the spec that was saved with these weights"]
    assert torch.equal(outputs(model, sample()), expected)
    assert loaded("mine.safetensors", transform_input=True)[1] == []


# -- construction -------------------------------------------------------------------------------------------------


def test_with_weights_nothing_is_initialised(monkeypatch: pytest.MonkeyPatch) -> None:
    published("resnet18", "resnet18.safetensors")
    state = torch.get_rng_state()

    def forbidden(*arguments: Any, **keywords: Any) -> None:
        raise AssertionError("initialised")

    monkeypatch.setattr(target, "initialise", forbidden)
    archspec.build("resnet18", weights="resnet18.safetensors")
    assert torch.equal(torch.get_rng_state(), state), "random numbers were drawn"


def test_modules_made_from_one_template_share_nothing() -> None:
    published("resnet18", "resnet18.safetensors")
    model = archspec.build("resnet18", weights="resnet18.safetensors")
    containers = [id(d) for m in model.modules() for d in (m._parameters, m._buffers, m._modules, m._forward_hooks)]
    assert len(containers) == len(set(containers))
    assert len({id(module) for module in model.modules()}) == len(list(model.modules()))


def test_without_initialisation() -> None:
    model = archspec.build("convnext_tiny", initialise=False, input=SMALL)
    assert {k: tuple(v.shape) for k, v in model.state_dict().items()} == archspec.compile(
        "convnext_tiny"
    ).state_dict_shapes()
    reference = oracle("convnext_tiny")
    model.load_state_dict(reference.state_dict())
    assert torch.equal(outputs(model, sample()), outputs(reference.eval(), sample()))
    assert "every observed shape" in fine("build", "lenet", "--init", "none")


# -- saving -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("suffix", [".safetensors", ".pt", ".pth"])
def test_round_trip(suffix: str) -> None:
    file = f"model{suffix}"
    fine(
        "build",
        "resnet18",
        "--set",
        "stages=[1, 1]",
        "--input",
        "3x64x64",
        "--num-classes",
        "7",
        "--seed",
        "5",
        "-o",
        file,
    )
    torch.manual_seed(5)
    expected = archspec.build("resnet18", stages=[1, 1], input=SMALL, num_classes=7)
    again = archspec.build(file)
    assert same_state(again, expected)
    assert torch.equal(outputs(again, sample()), outputs(expected, sample()))
    plain = load_file(file) if suffix == ".safetensors" else torch.load(file, weights_only=True)
    oracle_like = archspec.build("resnet18", stages=[1, 1], num_classes=7)
    oracle_like.load_state_dict(plain)
    first = Path(file).read_bytes()
    fine("build", file, "-o", file)
    assert same_state(archspec.build(file), expected)
    assert Path(file).read_bytes() == first, "what is loaded and saved again is the same file"


def test_overrides_on_top_of_a_saved_spec() -> None:
    fine("build", "lenet", "-o", "lenet.safetensors")
    out = fine("build", "lenet.safetensors", "--num-classes", "3", "--allow-mismatch", "fc3", "-o", "three.pt")
    assert "initial value: fc3.weight" in out
    assert archspec.build("three.pt").get_parameter("fc3.weight").shape == (3, 84)


def test_a_checkpoint_without_a_spec_is_no_source() -> None:
    save(archspec.build("lenet").state_dict(), "plain.safetensors")
    assert "contains no spec" in refused("plain.safetensors")
    fine("build", "lenet", "-o", "lenet.pt")
    assert "has weights of its own; others cannot be given as well" in refused("lenet.pt", weights="plain.safetensors")


def test_what_is_saved_is_the_same_in_every_process() -> None:
    command = [sys.executable, "-m", "archspec", "build", "lenet", "--seed", "0", "-o", "lenet.safetensors"]
    found = set()
    for seed in "123":
        subprocess.run(command, check=True, capture_output=True, env={**os.environ, "PYTHONHASHSEED": seed})
        found.add(Path("lenet.safetensors").read_bytes())
    assert len(found) == 1


def test_a_changed_spec_is_noticed() -> None:
    metadata = Provenance("name: x\n").to_metadata()
    save_file({"x": torch.zeros(1)}, "x.safetensors", {**metadata, "archspec.spec": "name: y\n"})
    assert "does not match its digest" in refused("x.safetensors")


@pytest.mark.parametrize("suffix", [".safetensors", ".pt", ".pt2", ".onnx"])
def test_written_whole_or_not_at_all(suffix: str) -> None:
    result = run("build", "lenet", "-o", f"no/such/lenet{suffix}")
    assert result.exit_code == 1
    assert "does not exist" in result.stderr
    assert not any(Path().iterdir())


@pytest.mark.parametrize("suffix", first([".safetensors", ".pt", ".pt2"], 2))
def test_a_full_disk_is_one_clear_error(suffix: str) -> None:
    """Files may not grow beyond 100 KiB here; LeNet has 243 KiB of parameters."""
    path = Path(f"lenet{suffix}")
    path.write_text("before", encoding="utf-8")
    limited = "import resource as r; r.setrlimit(r.RLIMIT_FSIZE, (100 << 10, 100 << 10))\n"
    limited += "from archspec.cli.commands import app\napp()"
    command = [sys.executable, "-c", limited, "build", "lenet", "-o", str(path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 1, done.stderr
    assert done.stderr.startswith(f"error[file]: {path}: cannot be written: ")
    assert "File too large" in done.stderr
    assert [(entry.name, entry.read_text(encoding="utf-8")) for entry in Path().iterdir()] == [(str(path), "before")]


@pytest.mark.parametrize("suffix", [".safetensors", ".pt"])
def test_permissions_are_kept_and_usual(suffix: str) -> None:
    path, usual = Path(f"lenet{suffix}"), Path("usual")
    usual.touch()
    fine("build", "lenet", "-o", path)
    assert path.stat().st_mode == usual.stat().st_mode
    path.chmod(0o640)
    fine("build", "lenet", "-o", path)
    assert path.stat().st_mode & 0o777 == 0o640


def test_weights_are_a_path() -> None:
    given: Any
    for given in ({}, 3):
        with pytest.raises(archspec.SpecError, match="weights: expected a path"):
            archspec.build("lenet", weights=given)
    with pytest.raises(archspec.SpecError, match="expected a path, the name of a shipped spec"):
        archspec.build(archspec.compile("lenet").root)  # type: ignore[arg-type]


def test_programs_run_for_any_batch() -> None:
    onnxruntime = pytest.importorskip("onnxruntime")
    onnx = pytest.importorskip("onnx")
    fine("build", "lenet", "--seed", "1", "-o", "lenet.pt")
    fine("build", "lenet.pt", "-o", "lenet.pt2")
    fine("build", "lenet.pt", "-o", "lenet.onnx")
    model, extra = archspec.build("lenet.pt"), {"archspec.spec": ""}
    program: Any = torch.export.load("lenet.pt2", extra_files=extra).module()
    session = onnxruntime.InferenceSession("lenet.onnx")
    for batch in (1, 4):
        x = torch.randn(batch, 3, 32, 32)
        expected = outputs(model, x)
        assert torch.equal(program(x), expected)
        (found,) = session.run(None, {session.get_inputs()[0].name: x.numpy()})
        assert torch.allclose(torch.from_numpy(found), expected, atol=1e-5)
    assert archspec.load(str(extra["archspec.spec"])).name == "lenet"
    assert "archspec.spec" in {entry.key for entry in onnx.load("lenet.onnx").metadata_props}


def test_onnx_is_an_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("archspec.backends.export.onnx.find_spec", lambda name: None)
    result = run("build", "lenet", "-o", "lenet.onnx")
    assert result.exit_code == 1
    assert "pip install 'archspec-compiler[onnx]'" in result.stderr
