"""Ops, families and the core language are strict, immutable Pydantic models, built when they are first used."""

import os
import pickle
import subprocess
import sys
from collections.abc import Iterator
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from archspec.diagnostics.validation import StrictModel
from archspec.frontend.families import FAMILIES, family
from archspec.frontend.model.item import Item
from archspec.frontend.model.network import Network
from archspec.frontend.model.outputs import OutputSpec
from archspec.ops import HELPERS, MODULE_ATTRIBUTES, OPS

CONV: dict[str, Any] = {"out_channels": 8, "kernel_size": [3, 5]}


def models(base: type[StrictModel] = StrictModel) -> Iterator[type[StrictModel]]:
    """All subclasses of a model."""
    for model in base.__subclasses__():
        yield model
        yield from models(model)


def test_every_model_is_strict() -> None:
    known = {*OPS.values(), *map(family, FAMILIES), Item, Network, OutputSpec}
    found = {model for model in models() if model.__module__.startswith("archspec.")}
    assert known <= found
    for model in found:
        config = model.model_config
        assert config["strict"], model
        assert config["frozen"], model
        assert config["extra"] == ("allow" if getattr(model, "open_fields", "") else "forbid"), model
        assert config["allow_inf_nan"] is False, model


@pytest.mark.parametrize(
    ("kind", "given", "error"),
    [
        ("linear", {"out_features": "10"}, "int_type"),
        ("linear", {"out_features": 10.0}, "int_type"),
        ("linear", {"out_features": True}, "int_type"),
        ("linear", {"out_features": 0}, "greater_than_equal"),
        ("linear", {"out_features": 10, "bias": 1}, "bool_type"),
        ("linear", {"out_features": 10, "bais": True}, "extra_forbidden"),
        ("linear", {}, "missing"),
        ("conv2d", {**CONV, "stride": True}, "value_error"),
        ("conv2d", {**CONV, "stride": (1, 2.0)}, "value_error"),
        ("dropout", {"p": "0.5"}, "float_type"),
        ("dropout", {"p": True}, "float_type"),
        ("dropout", {"p": float("nan")}, "finite_number"),
        ("dropout", {"p": 1.5}, "less_than_equal"),
        ("upsample", {"scale_factor": 2, "mode": "cubic"}, "literal_error"),
        ("mean", {"dim": (2, 3)}, "list_type"),
        ("mean", {"dim": []}, "too_short"),
    ],
)
def test_values_are_not_converted(kind: str, given: dict[str, Any], error: str) -> None:
    with pytest.raises(ValidationError) as caught:
        OPS[kind].model_validate(given)
    assert [detail["type"] for detail in caught.value.errors()] == [error]


def test_whole_numbers_are_numbers() -> None:
    assert OPS["dropout"].model_validate({"p": 1}).__dict__ == {"p": 1.0}


def test_defaults_are_not_shared() -> None:
    first, second = (Item.model_validate({"relu": {"op": "relu"}}) for _ in range(2))
    first.arguments["x"] = 1
    assert second.arguments == {}
    Item.model_construct().arguments["x"] = 1
    assert Item.model_construct().arguments == {}


def test_models_are_immutable() -> None:
    conv = OPS["conv2d"].model_validate(CONV)
    with pytest.raises(ValidationError, match="frozen"):
        conv.stride = 2  # type: ignore[attr-defined]
    assert conv.model_copy(update={"stride": 2}) == OPS["conv2d"].model_validate({**CONV, "stride": 2})
    assert conv == OPS["conv2d"].model_validate(CONV)


def test_models_are_values() -> None:
    first, second = (OPS["conv2d"].model_validate(CONV) for _ in range(2))
    assert first == second
    assert hash(first) == hash(second)
    assert first != OPS["conv2d"].model_validate({**CONV, "bias": False})
    assert OPS["relu"].model_validate({}) != OPS["sigmoid"].model_validate({})
    assert repr(first).startswith("Conv2d(out_channels=8, kernel_size=(3, 5), stride=1,")
    assert deepcopy(first) == first == pickle.loads(pickle.dumps(first))


def test_a_cached_property_is_no_field() -> None:
    item = Item.model_validate({"relu": {"op": "relu"}})
    before = repr(item)
    assert item.names_read == frozenset()
    assert repr(item) == before
    assert item == Item.model_validate({"relu": {"op": "relu"}})


def test_only_the_models_that_are_used_are_built() -> None:
    code = (
        "import archspec; archspec.compile('lenet')\n"
        "from archspec.frontend.families import family\n"
        "from archspec.ops import OPS\n"
        "models = {**OPS, 'resnet': family('resnet')}\n"
        "print(*(name for name, model in models.items() if model.__pydantic_complete__))"
    )
    built = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert {"conv2d", "linear"} <= set(built)
    assert not {"batch_norm2d", "stochastic_depth", "resnet"} & set(built)


@pytest.mark.parametrize("kind", OPS)
def test_an_op_is_listed_by_its_names(kind: str) -> None:
    """Names are reserved by what the list says, without the classes."""
    op = OPS[kind]
    assert op.kind == kind
    more = {helper for helper, user in HELPERS.items() if user == kind}
    assert {helper.partition(":")[2] for helper in op.helpers} <= {kind, op.__name__} | more
    assert all(map(OPS.is_helper, (helper.partition(":")[2] for helper in op.helpers)))
    assert op.helpers or not OPS.is_helper(kind)


def test_the_attributes_of_modules_are_listed() -> None:
    assert frozenset().union(*(op.readable() for op in OPS.values() if op.module is not None)) == MODULE_ATTRIBUTES


@pytest.mark.parametrize(
    ("network", "own"),
    [
        ("resnet152", {"arithmetic", "pooling"}),
        ("efficientnet_b0", {"arithmetic", "sigmoid", "dropout", "stochastic_depth"}),
    ],
)
def test_a_network_costs_its_own_ops(network: str, own: set[str]) -> None:
    """The others are not even imported: listing, suggesting, refusing and reserving names needs none of them."""
    code = (
        "import sys, archspec\n"
        f"print(archspec.summary('{network}', format='csv'), file=sys.stderr)\n"
        "try: archspec.compile('name: Relu\\ninput: [3]\\nlayers: [{op: layer_norn}, {op: relu, dim: 1}]')\n"
        "except archspec.SpecError as error: assert 'layer_norm' in str(error)\n"
        "print(*(name.removeprefix('archspec.ops.') for name in sys.modules if name.startswith('archspec.ops.')))"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert set(run.stdout.split()) == {
        "base", "call", "fields", "shapes", "window", "shape_help", "initialisers", "collect", "chosen",
        "convolution", "linear", "batch_norm", "relu", "adaptive_pooling", "flatten", *own,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("command", "loads_plugins"),
    [
        (("-m", "archspec", "summary", "lenet"), False),
        (("-c", "import archspec; archspec.compile('lenet')"), True),  # in a user's process they work
    ],
)
def test_commands_look_for_no_plugins(command: tuple[str, ...], loads_plugins: bool, tmp_path: Path) -> None:
    package = tmp_path / "plugin-1.dist-info"
    package.mkdir()
    (package / "METADATA").write_text("Metadata-Version: 2.1\nName: plugin\nVersion: 1\n", encoding="utf-8")
    (package / "entry_points.txt").write_text("[pydantic]\nplugin = found_plugin:none\n", encoding="utf-8")
    (tmp_path / "found_plugin.py").write_text("print('plugin loaded')\n", encoding="utf-8")
    path = os.pathsep.join(filter(None, (str(tmp_path), os.environ.get("PYTHONPATH"))))
    environment = {**os.environ, "PYTHONPATH": path, "PYTHONWARNINGS": "ignore"}
    environment.pop("PYDANTIC_DISABLE_PLUGINS", None)
    run = subprocess.run([sys.executable, *command], capture_output=True, text=True, check=True, env=environment)
    assert ("plugin loaded" in run.stdout) == loads_plugins
