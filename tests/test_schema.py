"""The JSON Schema for editors: it accepts what the compiler accepts, refuses typos, and describes every field."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from exhaustive import one_of_each_family

import archspec
from archspec.frontend import library
from archspec.frontend.families import FAMILIES
from archspec.frontend.loader import shipped
from archspec.frontend.schema import schema
from archspec.frontend.yaml.reader import parse
from archspec.ops import OPS

SPECS = Path(__file__).parent.parent / "specs"
FILE = SPECS / "spec.schema.json"
VALIDATOR = jsonschema.Draft202012Validator(schema())


def errors(data: Any) -> list[str]:
    return [error.message for error in VALIDATOR.iter_errors(data)]


def accepted(text: str) -> bool:
    """Whether the schema and the compiler both accept a spec; they must agree."""
    by_schema = not errors(parse(text).data)
    try:
        archspec.load(text)
        by_compiler = True
    except archspec.SpecError:
        by_compiler = False
    assert by_schema == by_compiler, f"the schema says {by_schema}, the compiler {by_compiler}"
    return by_schema


def test_it_is_a_schema() -> None:
    jsonschema.Draft202012Validator.check_schema(schema())


def test_the_file_is_fresh() -> None:
    text = json.dumps(schema(), indent=2, ensure_ascii=False) + "\n"
    refresh = "refresh it: archspec schema -o specs/spec.schema.json"
    assert FILE.read_text(encoding="utf-8") == text, refresh


@pytest.mark.parametrize("name", shipped())
def test_every_shipped_spec_fits(name: str) -> None:
    assert errors(parse(shipped()[name].read_text(encoding="utf-8")).data) == []


@pytest.mark.parametrize("name", one_of_each_family(shipped()))
def test_every_expanded_spec_fits(name: str) -> None:
    assert errors(parse(archspec.expand(name)).data) == []


@pytest.mark.parametrize("name", shipped())
def test_every_shipped_spec_tells_the_editor(name: str) -> None:
    line, *_ = shipped()[name].read_text(encoding="utf-8").splitlines()
    prefix = "# yaml-language-server: $schema="
    assert line.startswith(prefix)
    assert (shipped()[name].parent / line.removeprefix(prefix)).resolve() == FILE


@pytest.mark.parametrize("name", library.names())
def test_every_library_block_fits(name: str) -> None:
    block = library.block(name)
    assert block is not None
    spec = {"name": "x", "input": [3, 8, 8], "layers": [{"op": "relu"}], "blocks": {name: block.to_data()}}
    assert errors(spec) == []


def fields(form: Any, place: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    """Every field that has a schema of its own, with its place."""
    if isinstance(form, list):
        for part in form:
            yield from fields(part, place)
    elif isinstance(form, dict):
        for key, value in form.items():
            if key == "properties" and not place.endswith(".if"):
                yield from ((f"{place}.{name}", field) for name, field in value.items())
            yield from fields(value, f"{place}.{key}")


def test_every_field_is_described() -> None:
    definitions = schema()["$defs"]
    for place, field in fields(schema()):
        target = definitions[field["$ref"].removeprefix("#/$defs/")] if "$ref" in field else field
        chosen = [part for part in field.get("anyOf", ()) if "const" in part]
        described = field.get("description") or target.get("description") or chosen
        assert described, f"{place} has no description"


def test_every_op_and_family_is_there() -> None:
    definitions = schema()["$defs"]
    assert {f"op.{kind}" for kind in OPS} <= definitions.keys()
    assert set(FAMILIES.values()) <= definitions.keys()


CORE = """
name: net
input: [3, 32, 32]
layers:
- conv1: {op: conv2d, out_channels: 8, kernel_size: 3}
"""
VGG = """
name: net
family: vgg
input: [3, 32, 32]
cfg: [8, M]
"""


@pytest.mark.parametrize(
    "items",
    [
        "{op: relu}",
        "act: {op: leaky_relu, negative_slope: 0.2}",
        "conv2: {op: conv2d, out_channels: =2 * 4, kernel_size: [3, =1], padding: 1, bias: =not false}",
        "{call: conv1}",
        "{op: add, from: [conv1, conv1]}",
        "{op: flatten, from: conv1}",
        "body: {seq: [{op: relu}, {op: relu}], when: =input.channels == 3, else: conv1}",
        "block{i}: {block: BasicBlock, planes: 8, repeat: =1 + 1, index: i}",
        "{layers: [{op: relu}], repeat: 2}",
        "aux: {op: conv2d, out_channels: 1, kernel_size: 1, train_only: true}",
        "{op: mean, dim: [2, =3], as: pooled}",
        "block: {seq: [{op: relu}]}",
        "{op: relu, append: features}",
        "{op: cat, from: features}",
        "scale: {op: parameter, shape: [8, 1, 1], value: 1}",
    ],
)
def test_what_the_language_has_is_accepted(items: str) -> None:
    assert accepted(f"{CORE}- {items}\n")


@pytest.mark.parametrize(
    "items",
    [
        "{op: relus}",
        "{op: relu, inplace: true}",
        "conv2: {op: conv2d, out_chanels: 8, kernel_size: 3}",
        "conv2: {op: conv2d, out_channels: 8, kernel_size: 3, form: input}",
        "{op: relu, call: conv1}",
        "{call: conv1, from: [conv1], stride: 2}",
        "again: {call: conv1}",
        "body: {seq: [{op: relus}]}",
        "body: {seq: {op: relu}}",
        "one: {op: relu}\n  two: {op: relu}",
        "relu",
        "{}",
        "{op: relu, train_only: 1}",
    ],
)
def test_typos_in_items_are_refused(items: str) -> None:
    assert not accepted(f"{CORE}- {items}\n")


@pytest.mark.parametrize("items", ["{op: relu, repeat: two}", "{op: relu, when: sometimes}"])
def test_words_are_neither_counts_nor_conditions(items: str) -> None:
    assert errors(parse(f"{CORE}- {items}\n").data)


@pytest.mark.parametrize(
    "rest",
    [
        "init: [{op: conv2d, weight: zeros, bias: 0}]",
        "init: [{op: [conv2d, linear], path: features.*, when: =1 > 0, weight: {normal: {std: 0.01}}}]",
        "init: [{weight: {kaiming_normal: {mode: fan_out, nonlinearity: relu}}}]",
        "blocks: {Thing: {params: {width: , depth: 2}, let: {all: =width * depth}, layers: [{op: relu}]}}",
        "blocks: {Thing: {seq: [{op: relu}]}}",
        "init: [{op: linear, weight: {uniform: {a: =-1 / out_features, b: =1 / out_features}}}]",
        "register: [conv1]",
        "output: conv1",
        "outputs: {type: Outputs, fields: {main: conv1}}",
        "params: {num_classes: 10, sizes: [1, 2], flag: true}",
        "description: |\n  Some words.",
    ],
)
def test_the_rest_of_the_language_is_accepted(rest: str) -> None:
    assert accepted(f"{CORE}{rest}\n")


@pytest.mark.parametrize(
    "rest",
    [
        "init: [{op: conv2d, weight: zeroes}]",
        "init: [{op: conv4d, weight: zeros}]",
        "init: [{weight: {normal: {sdt: 0.01}}}]",
        "blocks: {Thing: {params: {width: }}}",
        "blocks: {Thing: {params: {n: 1}}}",
        "blocks: {Thing: {parms: {}, layers: [{op: relu}]}}",
        "out: conv1",
        "num_classes: 3",
        "outputs: {type: Outputs}",
    ],
)
def test_typos_elsewhere_are_refused(rest: str) -> None:
    assert not accepted(f"{CORE}{rest}\n")


@pytest.mark.parametrize(
    "rest", ["batch_norm: true", "dropout: null", "classifier: [16]", "params: {extra: 1}", "init: []"]
)
def test_fields_of_a_family_are_accepted(rest: str) -> None:
    assert accepted(f"{VGG}{rest}\n")


@pytest.mark.parametrize(
    "rest", ["batchnorm: true", "dropout: 2", "stages: [1]", "layers: [{op: relu}]", "num_classes: 0", "classifier: 16"]
)
def test_errors_in_a_family_are_refused(rest: str) -> None:
    assert not accepted(f"{VGG}{rest}\n")


def test_an_unknown_family_is_refused() -> None:
    assert not accepted("name: net\nfamily: vggs\ninput: [3, 32, 32]\ncfg: [8]\n")


def test_names_are_required() -> None:
    assert not accepted("family: vgg\ninput: [3, 32, 32]\ncfg: [8]\n")
    assert not accepted("input: [3, 32, 32]\nlayers: [{op: relu}]\n")
