"""For every shipped spec: built = generated = torchvision, to the bit."""

from __future__ import annotations

import copy
import io
import pickle
from typing import Any

import pytest
import torch
from exhaustive import first, large_last, one_of_each_family
from oracle import oracle, randomise
from torch import Tensor, nn

import archspec
from archspec.backends.torch.build import check_shapes
from archspec.frontend.loader import shipped, specs_folder

NAMES = sorted(shipped())
SMALL = [3, 96, 96]
"""An input that is legal for all networks that pool adaptively, and quick."""

CLIP = [3, 4, 32, 32]
"""A clip of four frames."""

FIXED = {"lenet", "alexnet_half", "vgg16_small", "googlenet_plain", "resnet50_legacy", "inception_v3",
         *(name for name in NAMES if name.startswith(("vit", "swin", "maxvit")))}  # fmt: skip
"""Networks whose layers fix the input's size, those whose windows are laid out for it included."""


def generated(name: str, **arguments: Any) -> Any:
    """The network of a generated file, as a user of that file builds it."""
    path = specs_folder().parent / "generated" / f"{name}.py"
    namespace: dict[str, Any] = {"__name__": name}
    exec(compile(path.read_text(encoding="utf-8"), str(path), "exec"), namespace)
    return namespace[name](**arguments)


def sample(name: str) -> Tensor:
    input_shape = archspec.compile(name).input_shape
    size = input_shape if name in FIXED else CLIP if len(input_shape) == 4 else SMALL
    return torch.randn(2, *size, generator=torch.Generator().manual_seed(1))


def seeded(make: Any, *arguments: Any) -> Any:
    torch.manual_seed(0)
    return make(*arguments)


def same_state(left: nn.Module, right: nn.Module) -> bool:
    a, b = left.state_dict(), right.state_dict()
    return list(a) == list(b) and all(torch.equal(a[key], b[key]) for key in a)


def tensors(output: Any) -> list[Tensor]:
    if isinstance(output, dict):
        return list(output.values())
    return [output] if isinstance(output, Tensor) else list(output)


def run(model: nn.Module, x: Tensor) -> list[Tensor]:
    """Outputs in training (with the same random numbers for dropout) and in evaluation, and one gradient."""
    torch.manual_seed(2)
    trained = tensors(model.train()(x))
    torch.stack([output.square().mean() for output in trained]).sum().backward()  # type: ignore[no-untyped-call]
    gradient = next(parameter.grad for parameter in model.parameters() if parameter.grad is not None)
    model.zero_grad()  # three models with gradients do not fit into the memory of CI machines
    with torch.no_grad():
        return [*(output.detach() for output in trained), *tensors(model.eval()(x)), gradient]


@pytest.mark.parametrize("name", large_last(NAMES, usual=["resnet50", "inception_v3"]))
def test_built_and_generated_equal_the_oracle(name: str) -> None:
    reference, built, written = seeded(oracle, name), seeded(archspec.build, name), seeded(generated, name)
    assert same_state(built, reference), "initial weights of the built module"
    assert same_state(written, reference), "initial weights of the generated module"
    randomise(reference)
    built.load_state_dict(reference.state_dict())
    written.load_state_dict(reference.state_dict())
    x = sample(name)
    expected = run(reference, x)
    assert all(output.std() > 1e-4 for output in expected), "the comparison would say nothing"
    for model in (built, written):
        found = run(model, x)
        assert len(found) == len(expected)
        assert all(torch.equal(a, b) for a, b in zip(found, expected, strict=True))
    assert same_state(built, reference), "running statistics"


@pytest.mark.parametrize("name", one_of_each_family(NAMES))
def test_every_observed_shape_is_the_inferred_one(name: str) -> None:
    graph = archspec.compile(name)
    with torch.device("meta"):
        model = archspec.build(name)
        assert check_shapes(graph, model, batch=1) == []
        assert {key: tuple(value.shape) for key, value in model.state_dict().items()} == graph.state_dict_shapes()


@pytest.mark.parametrize("name", first(["resnet18", "lenet", "googlenet"], 1))
def test_built_modules_live_like_any_other(name: str) -> None:
    model, x = archspec.build(name).eval(), sample(name)
    randomise(model)
    with torch.no_grad():
        expected = model(x)
        for twin in (copy.deepcopy(model), pickle.loads(pickle.dumps(model)), saved(model)):
            assert torch.equal(twin(x), expected)
            assert repr(twin) == repr(model)
        compiled = torch.compile(model, fullgraph=True, backend="eager")
        assert torch.equal(compiled(x), expected)
        exported = torch.export.export(model, (x,))
        assert torch.equal(exported.module()(x), expected)


def saved(model: nn.Module) -> Any:
    buffer = io.BytesIO()
    torch.save(model, buffer)
    buffer.seek(0)
    return torch.load(buffer, weights_only=False)


def test_repr_names_the_blocks() -> None:
    assert "Bottleneck(" in repr(archspec.build("resnet50"))


def test_named_outputs_in_training() -> None:
    model = archspec.build("googlenet", input=SMALL)
    output: Any = model(sample("googlenet"))
    assert type(output).__name__ == "GoogLeNetOutputs"
    assert output._fields == ("logits", "aux_logits2", "aux_logits1")


def test_num_classes_is_an_argument() -> None:
    x = sample("resnet18")
    assert generated("resnet18", num_classes=5)(x).shape == archspec.build("resnet18", num_classes=5)(x).shape == (2, 5)


def test_torchvisions_transform_input() -> None:
    reference = oracle("googlenet").eval()
    reference.transform_input = True  # type: ignore[assignment]
    built = archspec.build("googlenet", transform_input=True).eval()
    randomise(reference)
    built.load_state_dict(reference.state_dict())
    x = sample("googlenet")
    with torch.no_grad():
        assert torch.equal(built(x), reference(x))
